package plan

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"

	"github.com/weirflow/weir/messages"
)

// TestScripts builds plans from scripts, one operator a line:
//
//	name kind [in=from[/tag][:hash|rebalance|broadcast]]... [p=n] [flags]
//
// Flags: unchained, eventtime, stateful, sides=a,b, sink=plain|idempotent|
// transactional; of sources: watermarks, forgetful (not replayable), side=tag;
// opaque: its output has no wire form. The directives print the plan or the
// errors; guarantees takes the mode, fingerprint only hashes.
func TestScripts(t *testing.T) {
	datadriven.Walk(t, "testdata", func(t *testing.T, path string) {
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			p, err := Build(parse(t, d))
			if err != nil {
				return err.Error() + "\n"
			}
			switch d.Cmd {
			case "text":
				return p.String()
			case "dot":
				return p.DOT()
			case "guarantees":
				return guarantees(p)
			case "subtasks":
				return subtasks(p)
			default:
				d.Fatalf(t, "unknown directive %q", d.Cmd)
				return ""
			}
		})
	})
}

func guarantees(p *Plan) string {
	var b strings.Builder
	for _, m := range []Mode{ExactlyOnce, AtLeastOnce, AtMostOnce} {
		fmt.Fprintf(&b, "%s\n", m)
		for _, g := range p.Guarantees(m) {
			fmt.Fprintf(&b, "  %s\n", g)
		}
	}
	return b.String()
}

func subtasks(p *Plan) string {
	var b strings.Builder
	for r := range p.Regions {
		fmt.Fprintf(&b, "region %d: %v\n", r, p.Subtasks(r))
	}
	return b.String()
}

// parse reads a script's operators.
func parse(t *testing.T, d *datadriven.TestData) Spec {
	s := Spec{Name: "test", MaxParallelism: 128, Parallelism: 1}
	d.MaybeScanArgs(t, "name", &s.Name)
	d.MaybeScanArgs(t, "max", &s.MaxParallelism)
	d.MaybeScanArgs(t, "p", &s.Parallelism)
	byName := map[string]*Operator{}
	lines := strings.Split(strings.TrimSpace(d.Input), "\n")
	for _, line := range lines {
		o := declare(strings.Fields(line))
		if o != nil {
			s.Operators = append(s.Operators, o)
			byName[string(o.Name)] = o
		}
	}
	for i, o := range s.Operators {
		for _, word := range strings.Fields(lines[i]) {
			if in, ok := strings.CutPrefix(word, "in="); ok {
				o.Inputs = append(o.Inputs, input(in, o, byName, lines))
			}
		}
	}
	return s
}

func declare(words []string) *Operator {
	if len(words) < 2 {
		return nil
	}
	o := &Operator{Name: messages.OperatorID(strings.Trim(words[0], `"`)), Kind: Kind(words[1])}
	if o.Kind == "source" {
		o.Source = &SourceSpec{Replayable: true}
	}
	for _, w := range words[2:] {
		name, value, _ := strings.Cut(w, "=")
		switch name {
		case "p":
			fmt.Sscan(value, &o.Parallelism)
		case "unchained":
			o.Unchained = true
		case "eventtime":
			o.EventTime = true
		case "stateful":
			o.Stateful = true
		case "sides":
			o.Sides = strings.Split(value, ",")
		case "sink":
			o.Sink = map[string]SinkKind{"plain": PlainSink, "idempotent": IdempotentSink, "transactional": TransactionalSink}[value]
		case "watermarks":
			o.Source.HasWatermarks = true
		case "forgetful":
			o.Source.Replayable = false
		case "side":
			o.Source.SideTag, o.Sides = value, []string{value}
		}
	}
	return o
}

func input(in string, to *Operator, byName map[string]*Operator, lines []string) *Edge {
	e := &Edge{To: to, Type: rows{}}
	in, way, _ := strings.Cut(in, ":")
	from, tag, _ := strings.Cut(in, "/")
	e.From, e.Tag = byName[strings.Trim(from, `"`)], tag
	switch way {
	case "hash":
		e.Partition, e.Keyer = Hash, intKeyer{}
	case "rebalance":
		e.Partition = Rebalance
	case "broadcast":
		e.Partition = Broadcast
	}
	for _, l := range lines {
		if words := strings.Fields(l); words[0] == from && strings.HasSuffix(l, " opaque") {
			e.Type = rows{opaque: true}
		}
	}
	return e
}

type intKeyer struct{}

func (intKeyer) Hash(*Batch)  {}
func (intKeyer) Name() string { return "int64" }

// rows stands in for the row types of package operators.
type rows struct {
	RowType
	opaque bool
}

func (r rows) Name() string { return "row" }

func (r rows) New(int) *Batch { return &Batch{} }

func (r rows) Encode(buf []byte, _ *Batch) ([]byte, error) {
	if r.opaque {
		return nil, errors.New("row cannot be encoded")
	}
	return buf, nil
}
