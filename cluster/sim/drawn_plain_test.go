package sim_test

import (
	"context"
	"math/rand/v2"
	"slices"

	"github.com/weirflow/weir/cluster/sim"
	"github.com/weirflow/weir/operators"
)

// plainKinds look at one record at a time.
var plainKinds = []kind{
	{name: "map", inputs: 1, keyless: true,
		build: func(o *sim.Outside, s *stage, name string, in []events) events {
			return operators.Map(in[0], name, func(e event) event {
				o.MayFail()
				return s.mapped(e)
			})
		},
		twin: func(s *stage, in []flow) flow {
			f := in[0].of(nil)
			for _, e := range in[0].events {
				f.events = append(f.events, s.mapped(e))
			}
			f.ordered = in[0].ordered && s.n > 2 // else keys have changed
			return f
		}},
	{name: "filter", inputs: 1, keyless: true,
		build: func(_ *sim.Outside, s *stage, name string, in []events) events {
			return in[0].Filter(name, s.keeps)
		},
		twin: func(s *stage, in []flow) flow {
			f := in[0].of(nil)
			for _, e := range in[0].events {
				if s.keeps(e) {
					f.events = append(f.events, e)
				}
			}
			return f
		}},
	{name: "flatmap", inputs: 1, keyless: true,
		draw: func(rng *rand.Rand, s *stage) { s.side = rng.IntN(2) == 0 },
		build: func(o *sim.Outside, s *stage, name string, in []events) events {
			aside := operators.NewTag[event](name)
			out := operators.FlatMap(in[0], name, func(e event, out *operators.Out[event]) error {
				o.MayFail()
				for _, c := range s.copies(e) {
					out.Emit(c)
				}
				if s.aside(e) {
					aside.Emit(out, e)
				}
				return nil
			}, aside)
			if s.side {
				operators.SideOutput(out, aside).To(sideName(name), sim.Sink[event](o, sideName(name)))
			}
			return out
		},
		twin: func(s *stage, in []flow) flow {
			f := in[0].of(nil)
			for _, e := range in[0].events {
				f.events = append(f.events, s.copies(e)...)
				if s.side && s.aside(e) {
					f.side = append(f.side, e)
				}
			}
			return f
		}},
	{name: "split", inputs: 1, keyless: true, union: true,
		build: func(o *sim.Outside, s *stage, name string, in []events) events {
			others := operators.NewTag[event](name)
			out := operators.FlatMap(in[0], name, func(e event, out *operators.Out[event]) error {
				if s.keeps(e) {
					out.Emit(e)
				} else {
					others.Emit(out, s.mapped(e))
				}
				return nil
			}, others)
			place(o, s, name, out)
			return operators.Union(out, operators.SideOutput(out, others))
		},
		twin: func(s *stage, in []flow) flow {
			f := in[0].of(nil)
			for _, e := range in[0].events {
				if !s.keeps(e) {
					e = s.mapped(e)
				}
				f.events = append(f.events, e)
			}
			f.ordered = false
			return f
		}},
	{name: "async", inputs: 1, keyless: true,
		draw: func(rng *rand.Rand, s *stage) { s.form = []string{"ordered", "unordered"}[rng.IntN(2)] },
		build: func(o *sim.Outside, s *stage, name string, in []events) events {
			call := operators.AsyncOrdered[event, event]
			if s.form == "unordered" {
				call = operators.AsyncUnordered[event, event]
			}
			return call(in[0], name, func(_ context.Context, e event) ([]event, error) {
				o.MayFail()
				return s.copies(e), nil
			}, operators.AsyncOptions{Capacity: 2 * mostEvents})
		},
		twin: func(s *stage, in []flow) flow {
			f := in[0].of(nil)
			for _, e := range in[0].events {
				f.events = append(f.events, s.copies(e)...)
			}
			f.ordered = in[0].ordered && s.form == "ordered"
			f.unsure = len(in[0].events) > mostEvents/2 // too many would wait before a barrier
			return f
		}},
	{name: "union", inputs: 2, union: true,
		build: func(_ *sim.Outside, _ *stage, _ string, in []events) events { return operators.Union(in[0], in[1]) },
		twin: func(_ *stage, in []flow) flow {
			return flow{events: slices.Concat(in[0].events, in[1].events), timed: in[0].timed && in[1].timed}
		}},
}

func sideName(stage string) string { return "side-" + stage }

// of is a flow with the same properties and other events.
func (f flow) of(events []event) flow {
	return flow{events: events, timed: f.timed, ordered: f.ordered}
}

// mapped is what a map makes of an event; it may give it another key.
func (s *stage) mapped(e event) event {
	e.Value += mix(e.ID + s.n)
	if s.n <= 2 {
		e.Key = (e.Key + e.ID) % 5
	}
	return e
}

func (s *stage) keeps(e event) bool { return mix(e.ID+s.n)%4 != 0 }

func (s *stage) aside(e event) bool { return mix(e.ID+s.n)%3 == 0 }

// copies are none, one or two.
func (s *stage) copies(e event) []event {
	other := e
	other.ID += 1_000_000
	other.Value++
	return []event{e, other, e}[:mix(e.ID*s.n)%3]
}

func keyOf(e event) int64 { return e.Key }

func byKey(s events) keyed { return operators.KeyBy(s, keyOf) }

// plus adds events up; that is for any order.
func (e event) plus(o event) event {
	return event{ID: e.ID + o.ID, Key: e.Key, At: max(e.At, o.At), Value: e.Value + o.Value}
}
