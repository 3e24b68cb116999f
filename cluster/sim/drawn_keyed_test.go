package sim_test

import (
	"math/rand/v2"

	"github.com/weirflow/weir/cluster/sim"
	"github.com/weirflow/weir/operators"
)

// foldKinds count or fold the records of a key as they come. Where these are in no
// order, they are made equal before.
var foldKinds = []kind{
	{name: "reduce", inputs: 1,
		build: func(o *sim.Outside, s *stage, name string, in []events) events {
			return operators.Reduce(byKey(s.equalled(o, name, in[0])), name, func(a, b event) event {
				o.MayFail()
				return s.folded(a, b)
			})
		},
		twin: func(s *stage, in []flow) flow {
			f := s.equal(in[0])
			last := map[int64]event{}
			for i, e := range f.events {
				if before, some := last[e.Key]; some {
					e = s.folded(before, e)
				}
				last[e.Key], f.events[i] = e, e
			}
			return f
		}},
	{name: "countwindow", inputs: 1, draw: drawCountWindow,
		build: func(o *sim.Outside, s *stage, name string, in []events) events {
			results := operators.ReduceWindow(s.countWindow(byKey(s.equalled(o, name, in[0]))), name+"-windows", event.plus)
			place(o, s, name+"-windows", results)
			return operators.Map(results, name, func(r counted) event { return event{r.Value.ID, r.Key, 0, r.Value.Value} })
		},
		twin: func(s *stage, in []flow) flow {
			f, seen := flow{}, map[int64][]event{}
			for _, e := range s.equal(in[0]).events {
				all := append(seen[e.Key], e)
				seen[e.Key] = all
				if int64(len(all))%s.slide != 0 {
					continue
				}
				sum := sumOf(all[max(0, len(all)-int(s.size)):])
				sum.At = 0
				f.events = append(f.events, sum)
			}
			f.ordered = in[0].ordered
			return f
		}},
}

type counted = operators.WindowResult[int64, event]

// folded is a fold that minds the order.
func (s *stage) folded(a, b event) event {
	return event{ID: b.ID, Key: a.Key, At: b.At, Value: a.Value*s.n + b.Value}
}

// equalled is a stream that may be folded in any order: that of a key which is in
// order, or else all of a key made equal.
func (s *stage) equalled(o *sim.Outside, name string, in events) events {
	if s.inOrder {
		return in
	}
	ones := operators.Map(in, name+"-equal", event.equal)
	place(o, s, name+"-equal", ones)
	return ones
}

// equal does the same to a flow, and copies it.
func (s *stage) equal(in flow) flow {
	if s.inOrder = in.ordered; s.inOrder {
		return in.of(append([]event(nil), in.events...))
	}
	var f flow
	for _, e := range in.events {
		f.events = append(f.events, e.equal())
	}
	return f
}

func (e event) equal() event { return event{1, e.Key, 0, 1} }

// sumOf adds up at least one event.
func sumOf(all []event) event {
	sum := all[0]
	for _, e := range all[1:] {
		sum = sum.plus(e)
	}
	return sum
}

// drawCountWindow draws windows of the last size records, every slide of them.
func drawCountWindow(rng *rand.Rand, s *stage) {
	s.windows = []string{"count", "count-sliding", "global", "global-purging"}[rng.IntN(4)]
	s.size, s.slide = 1+rng.Int64N(6), 1+rng.Int64N(4)
	switch s.windows {
	case "count", "global-purging":
		s.slide = s.size
	case "global":
		s.size = mostEvents
	}
}

func (s *stage) countWindow(in keyed) *operators.WindowedStream[int64, event] {
	switch s.windows {
	case "count":
		return in.CountWindow(s.size)
	case "count-sliding":
		return in.SlidingCountWindow(int(s.size), s.slide)
	case "global-purging":
		return operators.Triggered(in.Window(operators.Global()), operators.Purging(operators.Count[event](s.size)))
	}
	return operators.Triggered(in.Window(operators.Global()), operators.Count[event](s.slide))
}

// timerKinds have state and timers.
var timerKinds = []kind{
	{name: "process", inputs: 1, timed: true, draw: drawBuckets,
		build: func(o *sim.Outside, s *stage, name string, in []events) events {
			return operators.Process[int64, event, event](byKey(in[0]), name, func(st *operators.States[int64]) *buckets {
				return newBuckets(o, s, st)
			})
		},
		twin: func(s *stage, in []flow) flow { return s.bucketed(in[0].events, nil, nil) }},
	{name: "coprocess", inputs: 2, timed: true, draw: drawBuckets,
		build: func(o *sim.Outside, s *stage, name string, in []events) events {
			return operators.CoProcess[int64, event, event, event](byKey(in[0]), byKey(in[1]), name, func(st *operators.States[int64]) *buckets {
				return newBuckets(o, s, st)
			})
		},
		twin: func(s *stage, in []flow) flow { return s.bucketed(in[0].events, in[1].events, nil) }},
	{name: "rules", inputs: 2, timed: true, draw: drawBuckets,
		build: func(o *sim.Outside, s *stage, name string, in []events) events {
			return operators.BroadcastProcess[int64, event, event, event](byKey(in[0]), in[1], name,
				func(st *operators.States[int64], b *operators.BroadcastStates) *buckets {
					f := newBuckets(o, s, st)
					f.rules = operators.NewBroadcastState[int64, int64](b, "rules")
					return f
				})
		},
		twin: func(s *stage, in []flow) flow { return s.bucketed(in[0].events, nil, in[1].events) }},
}

func drawBuckets(rng *rand.Rand, s *stage) { s.size = 20 + rng.Int64N(400) }

// buckets adds up the records of a key by spans of event time, with those of a
// second input subtracted, and all rules that are there by the end of the span.
type buckets struct {
	o     *sim.Outside
	s     *stage
	spans operators.MapState[int64, event]
	ends  operators.ListState[int64] // of the spans of all records
	rules *operators.BroadcastState[int64, int64]
}

func newBuckets(o *sim.Outside, s *stage, st *operators.States[int64]) *buckets {
	return &buckets{o: o, s: s, spans: operators.NewMapState[int64, event](st, "spans"), ends: operators.NewListState[int64](st, "ends")}
}

type keyedContext = operators.Context[int64, event]

func (b *buckets) ProcessElement(ctx *keyedContext, e event) error { return b.ProcessElement1(ctx, e) }

func (b *buckets) ProcessElement1(ctx *keyedContext, e event) error { return b.add(ctx, e, false) }

func (b *buckets) ProcessElement2(ctx *keyedContext, e event) error {
	e.Value = -e.Value
	return b.add(ctx, e, true)
}

// add sets a timer for the end of the span, and one too many, which it takes back.
func (b *buckets) add(ctx *keyedContext, e event, second bool) error {
	b.o.MayFail()
	if ctx.Time() != e.At || ctx.CurrentWatermark() >= e.At {
		ctx.Emit(event{ID: -1, Key: e.Key, At: ctx.Time(), Value: ctx.CurrentWatermark()}) // nobody expects it
	}
	end := b.s.endOf(e.At)
	if sum, some := b.spans.Get(end); some {
		e = sum.plus(e)
	}
	b.spans.Put(end, e)
	b.ends.Append(end)
	ctx.RegisterEventTimer(end + b.s.size)
	ctx.RegisterEventTimer(end)
	if _, some := b.spans.Get(end + b.s.size); !some {
		ctx.DeleteEventTimer(end + b.s.size)
	}
	return nil
}

func (b *buckets) OnTimer(ctx *keyedContext, at int64, _ operators.Domain) error {
	b.o.MayFail()
	sum, _ := b.spans.Get(at)
	b.spans.Delete(at)
	var n int64
	var others []int64
	for end := range b.ends.All() {
		if end == at {
			n++
		} else {
			others = append(others, end)
		}
	}
	b.ends.Clear()
	for _, end := range others {
		b.ends.Append(end)
	}
	ctx.Emit(event{ID: sum.ID + n, Key: ctx.Key(), At: ctx.Time(), Value: sum.Value + b.ruled(at)})
	return nil
}

// ruled adds up the rules up to a time: all of them have come when the watermark
// has reached it.
func (b *buckets) ruled(at int64) (sum int64) {
	if b.rules == nil {
		return 0
	}
	for when, value := range b.rules.All() { // order: for a sum any
		if when <= at {
			sum += value
		}
	}
	return sum
}

func (b *buckets) ProcessBroadcast(ctx *operators.BroadcastContext[event], rule event) error {
	sum, _ := b.rules.Get(rule.At)
	b.rules.Put(ctx, rule.At, sum+rule.Value)
	return nil
}

// endOf is the last ms of the span of a time.
func (s *stage) endOf(at int64) int64 { return floorDiv(at, s.size)*s.size + s.size - 1 }

// bucketed is the same without an engine.
func (s *stage) bucketed(first, second, rules []event) flow {
	f := flow{timed: true}
	type span struct{ key, end int64 }
	spans := map[span]event{}
	add := func(e event, sign int64) {
		k := span{e.Key, s.endOf(e.At)}
		spans[k] = event{ID: spans[k].ID + e.ID + 1, Key: e.Key, At: k.end, Value: spans[k].Value + sign*e.Value}
	}
	for _, e := range first {
		add(e, 1)
	}
	for _, e := range second {
		add(e, -1)
	}
	for k, e := range spans { // order: what comes out has none
		for _, r := range rules {
			if r.At <= k.end {
				e.Value += r.Value
			}
		}
		f.events = append(f.events, e)
	}
	return f
}
