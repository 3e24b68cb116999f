package plan

import (
	"fmt"
	"strings"
)

// DOT draws the plan for Graphviz: a box a chain, solid edges where records go
// through channels, dashed ones within a chain, and at every sink what is
// guaranteed under exactly-once checkpoints.
func (p *Plan) DOT() string {
	levels := map[string]Level{}
	for _, g := range p.Guarantees(ExactlyOnce) {
		levels[string(g.Sink)] = g.Level
	}
	var b strings.Builder
	fmt.Fprintf(&b, "digraph %q {\n  rankdir=LR;\n  node [shape=box, style=rounded];\n", p.Name)
	for _, c := range p.Chains {
		fmt.Fprintf(&b, "  subgraph cluster_%d {\n    label=%q;\n", c.Index, fmt.Sprintf("chain %d ×%d", c.Index, c.Parallelism))
		for _, o := range c.Operators {
			fmt.Fprintf(&b, "    o%d [label=%q];\n", o.Index, o.label(levels[string(o.Name)]))
		}
		b.WriteString("  }\n")
	}
	for _, e := range p.Edges {
		fmt.Fprintf(&b, "  o%d -> o%d [%s];\n", e.From.Index, e.To.Index, e.attributes())
	}
	b.WriteString("}\n")
	return b.String()
}

// label is an operator's text in the drawing, a sink's with its guarantee.
func (o *Operator) label(l Level) string {
	lines := []string{string(o.Name), string(o.Kind)}
	if o.Detail != "" {
		lines[1] += ": " + o.Detail
	}
	if l != "" {
		lines = append(lines, string(l))
	}
	return strings.Join(lines, "\n")
}

func (e *Edge) attributes() string {
	label := e.Partition.String()
	if e.Tag != "" {
		label = e.Tag + ": " + label
	}
	if e.Chained {
		return fmt.Sprintf("label=%q, style=dashed", label)
	}
	return fmt.Sprintf("label=%q", label)
}
