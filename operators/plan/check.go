package plan

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/weirflow/weir/messages"
)

// check finds all that is wrong with a topology but cycles and types.
func (p *Plan) check() []error {
	var errs []error
	if err := checkName(p.Name); err != nil {
		errs = append(errs, fmt.Errorf("the topology's name %w", err))
	}
	if p.MaxParallelism < 1 || p.MaxParallelism > MaxMaxParallelism {
		errs = append(errs, fmt.Errorf("max parallelism %d: give a number in 1..%d", p.MaxParallelism, MaxMaxParallelism))
	}
	if len(p.Operators) == 0 {
		errs = append(errs, errors.New("there is no operator; begin with a source and end with a sink"))
	}
	seen := make(map[messages.OperatorID]Kind, len(p.Operators))
	for _, o := range p.Operators {
		if kind, twice := seen[o.Name]; twice && o.Name != "" {
			errs = append(errs, fmt.Errorf("%s: the name stands for a %s and a %s; names are the identity of state, so give one of them another", o, kind, o.Kind))
		}
		seen[o.Name] = o.Kind
		errs = append(errs, p.checkOperator(o)...)
	}
	return append(append(errs, p.checkReaders()...), p.checkEventTime()...)
}

// checkOperator looks at one operator and its inputs.
func (p *Plan) checkOperator(o *Operator) []error {
	var errs []error
	fail := func(format string, args ...any) {
		errs = append(errs, fmt.Errorf("%s: "+format, append([]any{o}, args...)...))
	}
	switch err := checkName(string(o.Name)); {
	case o.Name == "":
		fail("give it one; a name is an operator's identity in checkpoints")
	case err != nil:
		fail("its name %w", err)
	}
	if o.Parallelism < 1 {
		fail("parallelism %d: give at least 1", o.Parallelism)
	}
	if o.Parallelism > p.MaxParallelism && p.MaxParallelism > 0 {
		fail("parallelism %d is above the topology's max parallelism %d; lower it, or raise MaxParallelism before the first checkpoint", o.Parallelism, p.MaxParallelism)
	}
	for _, e := range o.Inputs {
		if e.From == nil {
			fail("its input %d comes from an operator outside the topology; take all streams from one topology", e.Port)
		} else if e.Tag != "" && !slices.Contains(e.From.Sides, e.Tag) {
			fail("it reads side output %q, which %s never writes; pass the tag where that one is defined", e.Tag, e.From)
		}
	}
	return errs
}

// String names the operator in errors.
func (o *Operator) String() string {
	switch {
	case o.Name != "":
		return fmt.Sprintf("operator %q", o.Name)
	case len(o.Inputs) > 0 && o.Inputs[0].From != nil:
		return fmt.Sprintf("the %s without a name behind operator %q", o.Kind, o.Inputs[0].From.Name)
	default:
		return fmt.Sprintf("the %s without a name", o.Kind)
	}
}

// checkName holds names to what is allowed in keys of a checkpoint store.
func checkName(name string) error {
	const maxLen = 120
	bad := strings.IndexFunc(name, func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("-_.:=", r))
	})
	switch {
	case name == "":
		return errors.New("is empty; give it one")
	case bad >= 0:
		return fmt.Errorf("holds %q; use letters, digits, '-', '_', '.', ':' and '=' only", name[bad:][:1])
	case strings.Trim(name, ".") == "":
		return errors.New("is nothing but dots; use letters")
	case len(name) > maxLen:
		return fmt.Errorf("has %d bytes; use at most %d", len(name), maxLen)
	}
	return nil
}

// checkReaders finds operators that work for nobody, and records that a source
// could not decode and nobody would see.
func (p *Plan) checkReaders() []error {
	read := make(map[*Operator][]string)
	for _, o := range p.Operators {
		for _, e := range o.Inputs {
			read[e.From] = append(read[e.From], e.Tag)
		}
	}
	var errs []error
	for _, o := range p.Operators {
		if o.Sink == NotASink && len(read[o]) == 0 {
			errs = append(errs, fmt.Errorf("%s: nobody reads its output; end the stream with To and a sink, or leave the %s out", o, o.Kind))
		}
		if o.Source != nil && o.Source.SideTag != "" && !slices.Contains(read[o], o.Source.SideTag) {
			errs = append(errs, fmt.Errorf("%s: it sends malformed records to side output %q, which nobody reads; read it with SideOutput, or let the source fail on them", o, o.Source.SideTag))
		}
	}
	return errs
}

// checkEventTime finds operators that wait for watermarks which never come.
func (p *Plan) checkEventTime() []error {
	var errs []error
	for _, o := range p.Operators {
		if !o.EventTime {
			continue
		}
		for _, s := range o.sources() {
			if !s.Source.HasWatermarks {
				errs = append(errs, fmt.Errorf("%s: it works in event time, but source %q has no watermark strategy; give its From one, e.g. BoundedOutOfOrderness, or use processing time", o, s.Name))
			}
		}
	}
	return errs
}

// sources are all sources that o gets records from, each once, in the order in
// which a walk along the inputs meets them.
func (o *Operator) sources() []*Operator {
	var found []*Operator
	seen := map[*Operator]bool{}
	var walk func(*Operator)
	walk = func(o *Operator) {
		if o == nil || seen[o] {
			return
		}
		seen[o] = true
		if o.Source != nil {
			found = append(found, o)
		}
		for _, e := range o.Inputs {
			walk(e.From)
		}
	}
	walk(o)
	return found
}

// sort puts every operator after its inputs and keeps the order of declaration
// otherwise.
func (p *Plan) sort() error {
	sorted := make([]*Operator, 0, len(p.Operators))
	done := make(map[*Operator]bool, len(p.Operators))
	ready := func(o *Operator) bool {
		return !done[o] && !slices.ContainsFunc(o.Inputs, func(e *Edge) bool { return !done[e.From] })
	}
	for len(sorted) < len(p.Operators) {
		i := slices.IndexFunc(p.Operators, ready)
		if i < 0 {
			return p.cycleError(done)
		}
		done[p.Operators[i]] = true
		sorted = append(sorted, p.Operators[i])
	}
	p.Operators = sorted
	return nil
}

// cycleError names a cycle among the operators that never got ready: going
// against the edges from one of them must come back to where it was.
func (p *Plan) cycleError(done map[*Operator]bool) error {
	o := p.Operators[slices.IndexFunc(p.Operators, func(o *Operator) bool { return !done[o] })]
	var path []string
	for at := map[*Operator]int{}; ; {
		if first, back := at[o]; back {
			path = append(path[first:], string(o.Name))
			slices.Reverse(path)
			return fmt.Errorf("operators form a cycle: %s; a stream must not feed what it comes from, so remove one of these edges", strings.Join(path, " → "))
		}
		at[o] = len(path)
		path = append(path, string(o.Name))
		o = o.Inputs[slices.IndexFunc(o.Inputs, func(e *Edge) bool { return !done[e.From] })].From
	}
}

// checkWire refuses records that cannot leave their process where an edge may
// take them to another one.
func (p *Plan) checkWire() []error {
	var errs []error
	for _, e := range p.Edges {
		if e.Chained {
			continue
		}
		if _, err := e.Type.Encode(nil, e.Type.New(0)); err != nil {
			errs = append(errs, fmt.Errorf("%s: records on their way to %s may go to another node: %w", e.From, e.To, err))
		}
	}
	return errs
}
