package sim_test

import (
	"cmp"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/weirflow/weir/cluster/sim"
	"github.com/weirflow/weir/operators"
)

// windowKinds add up windows of event time, each in one of the forms there are.
// Their results have the last ms of the window.
var windowKinds = []kind{
	{name: "window", inputs: 1, timed: true, draw: drawWindows,
		build: func(o *sim.Outside, s *stage, name string, in []events) events {
			w := s.windowed(byKey(in[0]))
			if !s.side {
				return s.summed(o, name, w)
			}
			return s.summed(o, name, w.SideOutputLate(operators.NewTag[event](name)))
		},
		twin: func(s *stage, in []flow) flow { return s.firings(in[0], keyOf) }},
	{name: "windowall", inputs: 1, timed: true,
		draw: func(rng *rand.Rand, s *stage) {
			drawAssigner(rng, s)
			s.pre = s.windows == "tumbling" && rng.IntN(2) == 0
		},
		build: func(o *sim.Outside, s *stage, name string, in []events) events {
			w := operators.WindowAll(in[0], s.assigner())
			if s.pre {
				w = w.PreAggregate()
			}
			return operators.Map(operators.ReduceWindow(w, name+"-windows", event.plus), name, func(r operators.WindowResult[uint8, event]) event {
				return event{r.Value.ID, 0, r.End - 1, r.Value.Value}
			})
		},
		twin: func(s *stage, in []flow) flow { return s.firings(in[0], func(event) int64 { return 0 }) }},
}

func drawAssigner(rng *rand.Rand, s *stage) {
	s.windows = []string{"tumbling", "tumbling", "sliding", "session"}[rng.IntN(4)]
	s.size = 20 + rng.Int64N(400)
	switch s.windows {
	case "tumbling":
		s.slide = rng.Int64N(300) - 150 // the offset
	case "sliding": // with gaps between them, too
		s.slide = s.size/4 + 1 + rng.Int64N(s.size)
	case "session":
		s.size = 10 + rng.Int64N(150)
	}
}

func drawWindows(rng *rand.Rand, s *stage) {
	drawAssigner(rng, s)
	if s.windows == "session" && rng.IntN(2) == 0 {
		s.windows = "session-by-record"
	}
	s.form = []string{"aggregate", "aggregate", "reduce", "process", "aggregate+process", "reduce+process"}[rng.IntN(6)]
	s.lateness = rng.Int64N(2) * rng.Int64N(300)
	switch rng.IntN(6) {
	case 0:
		s.pre = s.windows == "tumbling" && (s.form == "aggregate" || s.form == "reduce")
	case 1:
		s.purging = true
	case 2:
		s.newer = 1 + rng.Int64N(200)
	case 3:
		s.last, s.after = 1+rng.Int64N(4), rng.IntN(2) == 0
	case 4:
		s.early = 1 + rng.Int64N(4)
	}
	s.side = !s.pre && rng.IntN(3) == 0
}

func (s *stage) assigner() operators.Windows {
	switch s.windows {
	case "tumbling":
		return operators.Tumbling(ms(s.size)).Offset(ms(s.slide))
	case "sliding":
		return operators.Sliding(ms(s.size), ms(s.slide))
	}
	return operators.Session(ms(s.size))
}

// gap is how long a session goes on after an event.
func (s *stage) gap(e event) int64 {
	if s.windows == "session-by-record" {
		return s.size + mix(e.ID)%50
	}
	return s.size
}

func (s *stage) windowed(in keyed) *operators.WindowedStream[int64, event] {
	var w *operators.WindowedStream[int64, event]
	if s.windows == "session-by-record" {
		w = in.WindowBy(operators.SessionBy(func(e event) time.Duration { return ms(s.gap(e)) }))
	} else {
		w = in.Window(s.assigner())
	}
	w = w.AllowedLateness(ms(s.lateness))
	switch {
	case s.pre:
		return w.PreAggregate()
	case s.purging:
		return operators.Triggered(w, operators.Purging(operators.AfterWatermark[event]()))
	case s.newer > 0:
		return w.Evict(operators.KeepNewest[event](ms(s.newer)))
	case s.last > 0 && s.after: // nobody sees it: nothing is late
		return w.Evict(operators.AfterFunction(operators.KeepLast[event](int(s.last))))
	case s.last > 0:
		return w.Evict(operators.KeepLast[event](int(s.last)))
	case s.early > 0:
		return operators.Triggered(w, operators.AfterWatermark[event]().EarlyCount(s.early))
	}
	return w
}

// summed makes results of windows.
func (s *stage) summed(o *sim.Outside, name string, w *operators.WindowedStream[int64, event]) events {
	switch s.form {
	case "process":
		return noneLate(o, s, name, operators.ProcessWindow(w, name, func(*operators.WindowStates[int64]) *summing { return &summing{o} }))
	case "aggregate+process":
		return noneLate(o, s, name, operators.AggregateProcess(w, name, operators.Aggregator[event, event, event](adding{}), newTelling(o)))
	case "reduce+process":
		return noneLate(o, s, name, operators.ReduceProcess(w, name, event.plus, newTelling(o)))
	}
	results := noneLate(o, s, name, s.foldedWindows(name+"-windows", w))
	place(o, s, name+"-windows", results)
	return operators.Map(results, name, func(r counted) event { return event{r.Value.ID, r.Key, r.End - 1, r.Value.Value} })
}

// noneLate sends what is late to a sink where nobody expects anything.
func noneLate[R any](o *sim.Outside, s *stage, name string, out *operators.Stream[R]) *operators.Stream[R] {
	if s.side {
		operators.SideOutput(out, operators.NewTag[event](name)).To(sideName(name), sim.Sink[event](o, sideName(name)))
	}
	return out
}

func (s *stage) foldedWindows(name string, w *operators.WindowedStream[int64, event]) *operators.Stream[counted] {
	if s.form == "reduce" {
		return operators.ReduceWindow(w, name, event.plus)
	}
	return operators.Aggregate(w, name, operators.Aggregator[event, event, event](adding{}))
}

// adding is event.plus as an aggregator.
type adding struct{}

func (adding) CreateAccumulator() event { return event{} }
func (adding) Add(acc, e event) event   { return acc.plus(e) }
func (adding) Merge(a, b event) event   { return a.plus(b) }
func (adding) Result(acc event) event   { return acc }

type windowContext = operators.WindowContext[int64, event]

// summing adds up all elements of a window.
type summing struct{ o *sim.Outside }

func (f *summing) Process(c *windowContext, all []operators.Element[event]) error {
	f.o.MayFail()
	var sum event
	for _, e := range all {
		sum = sum.plus(e.Value)
	}
	c.Emit(event{sum.ID, c.Key(), c.Time(), sum.Value})
	return nil
}

// telling gets the one sum of a window.
type telling struct{ o *sim.Outside }

func newTelling(o *sim.Outside) func(*operators.WindowStates[int64]) *telling {
	return func(*operators.WindowStates[int64]) *telling { return &telling{o} }
}

func (f *telling) Process(c *windowContext, sum event) error {
	f.o.MayFail()
	c.Emit(event{sum.ID, c.Key(), c.Time(), sum.Value})
	return nil
}

// pane is a window of a key, with what is in it in its order.
type pane struct {
	key, start, end int64
	all             []event
}

// panes are all windows of some events. It is not sure what they are if an event
// begins exactly where a session ends: whether that is still open then depends on
// other keys.
func (s *stage) panes(all []event, key func(event) int64) (panes []*pane, sure bool) {
	if s.windows == "session" || s.windows == "session-by-record" {
		return s.sessions(all, key)
	}
	size, slide, offset := s.size, s.slide, int64(0)
	if s.windows == "tumbling" {
		slide, offset = s.size, s.slide
	}
	at := map[[2]int64]*pane{}
	for _, e := range all {
		for start := floorDiv(e.At-offset, slide)*slide + offset; start+size > e.At; start -= slide {
			k := [2]int64{key(e), start}
			if at[k] == nil {
				at[k] = &pane{key: key(e), start: start, end: start + size}
				panes = append(panes, at[k])
			}
			at[k].all = append(at[k].all, e)
		}
	}
	return panes, true
}

func (s *stage) sessions(all []event, key func(event) int64) (panes []*pane, sure bool) {
	last, sure := map[int64]*pane{}, true
	for _, e := range slices.SortedStableFunc(slices.Values(all), func(a, b event) int { return cmp.Compare(a.At, b.At) }) {
		k := key(e)
		if last[k] == nil || last[k].end < e.At {
			last[k] = &pane{key: k, start: e.At, end: e.At + s.gap(e)}
			panes = append(panes, last[k])
		}
		sure = sure && last[k].end != e.At
		last[k].end = max(last[k].end, e.At+s.gap(e))
		last[k].all = append(last[k].all, e)
	}
	return panes, sure
}

// firings are what all windows give.
func (s *stage) firings(in flow, key func(event) int64) flow {
	panes, sure := s.panes(in.events, key)
	merging := s.windows == "session" || s.windows == "session-by-record"
	minds := s.last > 0 && !s.after || s.early > 0
	f := flow{timed: true, unsure: !sure || minds && (merging || !in.ordered)}
	for _, p := range panes {
		for n := int(s.early); s.early > 0 && n <= len(p.all); n += int(s.early) {
			f.events = append(f.events, p.fired(p.all[:n]))
		}
		all := p.all
		if s.newer > 0 {
			newest := slices.MaxFunc(all, func(a, b event) int { return cmp.Compare(a.At, b.At) }).At
			all = slices.DeleteFunc(slices.Clone(all), func(e event) bool { return newest-e.At >= s.newer })
		}
		if s.last > 0 && !s.after {
			all = all[max(0, len(all)-int(s.last)):]
		}
		f.events = append(f.events, p.fired(all))
	}
	return f
}

// fired is the result of a firing that shows some events.
func (p *pane) fired(all []event) event {
	sum := sumOf(all)
	return event{sum.ID, p.key, p.end - 1, sum.Value}
}
