package plan

import (
	"fmt"
	"strings"
	"text/tabwriter"
)

// String shows the plan to people: chains with their operators, edges with
// their partitioning, and what is guaranteed end to end under exactly-once
// checkpoints.
func (p *Plan) String() string { return p.Text(ExactlyOnce) }

// Text is String for a given mode.
func (p *Plan) Text(m Mode) string {
	var b strings.Builder
	fmt.Fprintf(&b, "topology %s: %s, %s, %s, %s, max parallelism %d\n", p.Name,
		count(len(p.Operators), "operator"), count(len(p.Chains), "chain"),
		count(p.subtasks(), "subtask"), count(p.Regions, "region"), p.MaxParallelism)
	p.printChains(&b)
	p.printEdges(&b)
	fmt.Fprintf(&b, "\nend to end, with %s\n", m)
	for _, g := range p.Guarantees(m) {
		fmt.Fprintf(&b, "  %s\n", g)
	}
	return trimLines(b.String())
}

func (p *Plan) printChains(b *strings.Builder) {
	w := columns(b)
	for _, c := range p.Chains {
		fmt.Fprintf(w, "\nchain %d ×%d, region %d\n", c.Index, c.Parallelism, c.Region)
		for _, o := range c.Operators {
			fmt.Fprintf(w, "  %s\t%s\t%s\n", o.Name, o.Kind, o.notes())
		}
	}
	w.Flush()
}

func (p *Plan) printEdges(b *strings.Builder) {
	if len(p.Edges) == 0 {
		return
	}
	b.WriteString("\nedges\n")
	w := columns(b)
	for _, e := range p.Edges {
		fmt.Fprintf(w, "  %d\t%s → %s\t%s\t%s\n", e.Index, e.source(), e.To.Name, e.way(), typeName(e.Type))
	}
	w.Flush()
}

// columns aligns what is written between tabs.
func columns(b *strings.Builder) *tabwriter.Writer { return tabwriter.NewWriter(b, 0, 0, 2, ' ', 0) }

// trimLines takes away the spaces that alignment left at the ends of lines.
func trimLines(s string) string {
	lines := strings.Split(s, "\n")
	for i := range lines {
		lines[i] = strings.TrimRight(lines[i], " ")
	}
	return strings.Join(lines, "\n")
}

// notes are what else is to know of an operator.
func (o *Operator) notes() string {
	var notes []string
	for _, n := range []struct {
		is   bool
		text string
	}{
		{o.Detail != "", o.Detail},
		{o.Sink != NotASink, o.Sink.String()},
		{o.Stateful, "state"},
		{o.EventTime, "event time"},
		{len(o.Sides) > 0, "side outputs " + strings.Join(o.Sides, ", ")},
	} {
		if n.is {
			notes = append(notes, n.text)
		}
	}
	return strings.Join(notes, "; ")
}

// typeName is the type of the records without its fields.
func typeName(t RowType) string {
	name, _, _ := strings.Cut(t.Name(), "{")
	return name
}

// source is the output that an edge begins at: "late" of "tips" is tips/late.
func (e *Edge) source() string {
	if e.Tag == "" {
		return string(e.From.Name)
	}
	return string(e.From.Name) + "/" + e.Tag
}

// way says how records get over an edge.
func (e *Edge) way() string {
	way := e.Partition.String()
	if e.Keyer != nil {
		way += " by " + e.Keyer.Name()
	}
	if e.Chained {
		way += ", chained"
	}
	return way
}

func (p Partitioning) String() string {
	switch p {
	case Forward:
		return "forward"
	case Hash:
		return "hash"
	case Rebalance:
		return "rebalance"
	case Broadcast:
		return "broadcast"
	case ByFunction:
		return "by function"
	}
	return fmt.Sprintf("partitioning(%d)", int(p))
}

func (k SinkKind) String() string {
	switch k {
	case NotASink:
		return "not a sink"
	case PlainSink:
		return "plain"
	case IdempotentSink:
		return "idempotent"
	case TransactionalSink:
		return "transactional"
	}
	return fmt.Sprintf("sink kind(%d)", int(k))
}

func (p *Plan) subtasks() int {
	n := 0
	for _, c := range p.Chains {
		n += c.Parallelism
	}
	return n
}

func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
