package main

import (
	"context"
	"fmt"
	"slices"
	"testing"

	"github.com/weirflow/weir/messages"
	"github.com/weirflow/weir/operators"
	"github.com/weirflow/weir/operators/plan"
	"github.com/weirflow/weir/persistence"
)

// fataler is what a rig needs of a *testing.T or *rapid.T.
type fataler interface {
	Helper()
	Fatalf(format string, args ...any)
}

// rig is one computation of the job, alone: its instance is fed by hand, so that
// watermarks stand where a test wants them and state can be looked at.
type rig struct {
	t        fataler
	name     string
	instance plan.Instance
	states   map[string]persistence.State
	got      outcome // since the last take
	last     int64   // ms of the hour that came out last
}

// threeRigs are all computations, by name.
func threeRigs(t fataler) map[string]*rig {
	t.Helper()
	p, err := topology(nil, 1, intoLists(&lists{})).Build()
	if err != nil {
		t.Fatalf("%v", err)
	}
	rigs := map[string]*rig{}
	for _, by := range computations {
		r := &rig{
			t: t, name: by, instance: p.Operator(messages.OperatorID(by)).New(),
			states: map[string]persistence.State{}, last: messages.NoWatermark,
		}
		r.must(r.instance.Init(r.runtime()))
		r.must(r.instance.Open())
		rigs[by] = r
	}
	return rigs
}

func (r *rig) runtime() *plan.Runtime {
	return &plan.Runtime{
		Operator: messages.OperatorID(r.name), Parallelism: 1, MaxParallelism: plan.DefaultMaxParallelism,
		Groups: messages.KeyGroupsOf(0, 1, plan.DefaultMaxParallelism), Attempt: 1, Context: context.Background(),
		Now:       func() int64 { return 0 },
		SetTimer:  func(int64) { r.t.Fatalf("%s: a timer of processing time was set", r.name) },
		Watermark: func() int64 { return messages.NoWatermark },
		Output:    func(tag string) plan.Output { return tap{r, tag} },
		Counter:   func(string) *plan.Counter { return new(plan.Counter) },
		Step:      func(string) {},
		Register: func(s persistence.State) error {
			if s.Schema().Kind != "clocks" { // holds no hours
				r.states[s.Schema().Name] = s
			}
			return nil
		},
	}
}

func (r *rig) must(err error) {
	r.t.Helper()
	if err != nil {
		r.t.Fatalf("%s: %v", r.name, err)
	}
}

// feed hands a batch over.
func (r *rig) feed(trips []Trip, marks ...plan.Mark) {
	r.t.Helper()
	values := slices.Clone(trips)
	b := &plan.Batch{Values: &values, Marks: slices.Clone(marks)}
	for _, t := range trips {
		b.Times = append(b.Times, t.PickupMs)
	}
	r.must(r.instance.Process(0, b))
}

// take gives what came out since the last call. Within a batch hours are
// sorted, for their order by key is nobody's business; late trips are not.
func (r *rig) take() outcome {
	late := r.got.Late
	r.got.Late = nil
	got := r.got.sorted()
	got.Late, r.got = late, outcome{}
	return got
}

// entries are the open hours in the state; all the states of a computation must
// agree on their number.
func (r *rig) entries() int {
	r.t.Helper()
	first := -1
	for name, s := range r.states {
		if first < 0 {
			first = s.Len()
		}
		if s.Len() != first {
			r.t.Fatalf("%s: state %q has %d entries, another one %d", r.name, name, s.Len(), first)
		}
	}
	return first
}

// tap is an output of a rig. A result has the last ms of its hour as its time,
// a late trip its own.
type tap struct {
	rig *rig
	tag string
}

func (o tap) Push(b *plan.Batch) error {
	switch values := b.Values.(type) {
	case *[]Trip:
		for i, t := range *values {
			o.timed(b, i, t.PickupMs)
			o.rig.got.Late = append(o.rig.got.Late, t)
		}
	case *[]HourTips:
		for i, h := range *values {
			o.hour(b, i, h)
		}
	case *[]operators.WindowResult[string, int64]:
		for i, w := range *values {
			o.hour(b, i, ofWindow(w))
		}
	default:
		return fmt.Errorf("output %q got a %T", o.tag, values)
	}
	return nil
}

// hour takes a result. Hours close in their order.
func (o tap) hour(b *plan.Batch, i int, h HourTips) {
	if o.timed(b, i, h.LastMs); h.LastMs < o.rig.last {
		o.rig.t.Fatalf("%s: the hour until %d closed behind that until %d", o.rig.name, h.LastMs, o.rig.last)
	}
	o.rig.last = h.LastMs
	o.rig.got.Hours = append(o.rig.got.Hours, h)
}

func (o tap) timed(b *plan.Batch, i int, want int64) {
	if b.Times[i] != want {
		o.rig.t.Fatalf("%s: a record of output %q has time %d, want %d", o.rig.name, o.tag, b.Times[i], want)
	}
}

// The window keeps one state, the function a map and its timers: what entries
// compares.
func TestStatesOfTheRigs(t *testing.T) {
	rigs := threeRigs(t)
	for by, want := range map[string]int{byWindows: 1, byHand: 2, byClock: 2} {
		if got := len(rigs[by].states); got != want {
			t.Errorf("%s registered %d states, want %d", by, got, want)
		}
	}
}
