package doubt

import (
	"fmt"
	"strings"
	"time"

	"github.com/weirflow/weir/operators"
)

// Rec is the one type of records, accumulators and results. Text names the
// records that went into it, so that order and number can be seen.
type Rec struct {
	Key  string
	V    int64
	Text string
}

// result is the one type of results.
type result = operators.WindowResult[string, Rec]

type windowed = *operators.WindowedStream[string, Rec]

func millis(ms int64) time.Duration { return time.Duration(ms) * time.Millisecond }

var tooLate = operators.NewTag[Rec]("late")

// build makes the operator of a case.
func (c *windowCase) build(in *operators.Stream[Rec]) *operators.Stream[result] {
	w := c.evicted(c.triggered(c.windowed(operators.KeyBy(in, func(r Rec) string { return r.Key }))))
	if c.lateness > 0 {
		w = w.AllowedLateness(millis(c.lateness))
	}
	if c.side {
		w = w.SideOutputLate(tooLate)
	}
	if c.inTwo {
		w = w.PreAggregate()
	}
	switch c.form {
	case "aggregate":
		return operators.Aggregate(w, "window", operators.Aggregator[Rec, Rec, Rec](bracket{}))
	case "reduce":
		return operators.ReduceWindow(w, "window", reduced)
	case "process":
		return operators.ProcessWindow(w, "window", newTelling(c, showElements))
	case "aggregate+process":
		return operators.AggregateProcess(w, "window", operators.Aggregator[Rec, Rec, Rec](bracket{}), newTelling(c, Rec.text))
	}
	return operators.ReduceProcess(w, "window", reduced, newTelling(c, Rec.text))
}

func (c *windowCase) windowed(k *operators.KeyedStream[string, Rec]) windowed {
	switch c.windows {
	case "tumbling":
		w := operators.Tumbling(millis(c.size)).Offset(millis(c.offset))
		if c.byClock {
			w = w.ProcessingTime()
		}
		return k.Window(w)
	case "sliding":
		w := operators.Sliding(millis(c.size), millis(c.slide)).Offset(millis(c.offset))
		if c.byClock {
			w = w.ProcessingTime()
		}
		return k.Window(w)
	case "session":
		w := operators.Session(millis(c.size))
		if c.byClock {
			w = w.ProcessingTime()
		}
		return k.Window(w)
	case "session-by-record":
		return k.WindowBy(operators.SessionBy(func(r Rec) time.Duration { return millis(gapOf(r.V)) }))
	case "own":
		return k.WindowBy(ownWindows{})
	case "count":
		if c.slide > 0 {
			return k.SlidingCountWindow(int(c.size), c.slide)
		}
		return k.CountWindow(c.size)
	}
	return k.Window(operators.Global())
}

// gapOf is the gap of a record whose sessions depend on the record.
func gapOf(v int64) int64 { return 1 + 4*(v&3) }

// ownWindows is a user's assigner: none, one, two of different lengths, or one that
// does not hold the record.
type ownWindows struct{}

func (ownWindows) String() string { return "own" }

func (ownWindows) Assign(to []operators.Window, r Rec, ts int64) []operators.Window {
	from := ts - ((ts%10)+10)%10
	switch r.V & 3 {
	case 0:
		return to
	case 1:
		return append(to, operators.Window{Start: from, End: from + 25}, operators.Window{Start: from, End: from + 10})
	case 2:
		return append(to, operators.Window{Start: from, End: from + 10})
	}
	return append(to, operators.Window{Start: from - 15, End: from - 5})
}

func (c *windowCase) triggered(w windowed) windowed {
	switch c.trigger {
	case "watermark":
		t := operators.AfterWatermark[Rec]().EarlyEvery(millis(c.early)).EarlyEveryProcessing(millis(c.earlyClock)).EarlyCount(c.earlyCount)
		return with(w, c.purging, operators.Trigger[Rec, operators.EarlyState](t))
	case "clock":
		return with(w, c.purging, operators.Trigger[Rec, struct{}](operators.AfterProcessingTime[Rec]()))
	case "count":
		return with(w, c.purging, operators.Trigger[Rec, int64](operators.Count[Rec](c.n)))
	case "delta":
		return with(w, c.purging, operators.Trigger[Rec, operators.DeltaState[Rec]](operators.Delta(float64(c.n), distance)))
	case "never":
		return with(w, c.purging, operators.Trigger[Rec, struct{}](operators.Never[Rec]()))
	case "own":
		return with(w, c.purging, operators.Trigger[Rec, operators.EarlyState](ownTrigger{}))
	}
	return w
}

func with[S any](w windowed, purging bool, t operators.Trigger[Rec, S]) windowed {
	if purging {
		t = operators.Purging(t)
	}
	return operators.Triggered(w, t)
}

func distance(a, b Rec) float64 { return float64(max(a.V-b.V, b.V-a.V)) }

// ownTrigger is a user's: what it does depends on the record, and it has timers
// of both clocks. Of EarlyState it uses the two times.
type ownTrigger struct{}

func (ownTrigger) OnElement(c *operators.TriggerContext[operators.EarlyState], r Rec, ts int64) operators.TriggerResult {
	switch r.V & 7 {
	case 0:
		return operators.Purge
	case 1:
		return operators.Fire
	case 2:
		return operators.FireAndPurge
	case 3:
		if !c.State.Clockworked {
			c.State.Clock, c.State.Clockworked = c.CurrentProcessingTime()+6, true
			c.RegisterProcessingTimer(c.State.Clock)
		}
	default:
		if !c.State.Eventful {
			c.State.Event, c.State.Eventful = ts+4, true
			c.RegisterEventTimer(c.State.Event)
		}
	}
	return operators.Continue
}

func (ownTrigger) OnEventTime(c *operators.TriggerContext[operators.EarlyState], at int64) operators.TriggerResult {
	if !c.State.Eventful || at != c.State.Event {
		return operators.Continue
	}
	c.State.Eventful = false
	return operators.Fire
}

func (ownTrigger) OnProcessingTime(c *operators.TriggerContext[operators.EarlyState], at int64) operators.TriggerResult {
	if !c.State.Clockworked || at != c.State.Clock {
		return operators.Continue
	}
	c.State.Clockworked = false
	return operators.FireAndPurge
}

func (ownTrigger) OnMerge(c *operators.TriggerContext[operators.EarlyState], merged []operators.EarlyState) {
	for _, m := range merged {
		if m.Eventful && (!c.State.Eventful || m.Event < c.State.Event) {
			c.State.Event, c.State.Eventful = m.Event, true
		}
		if m.Clockworked && (!c.State.Clockworked || m.Clock < c.State.Clock) {
			c.State.Clock, c.State.Clockworked = m.Clock, true
		}
	}
	if c.State.Eventful {
		c.RegisterEventTimer(c.State.Event)
	}
	if c.State.Clockworked {
		c.RegisterProcessingTimer(c.State.Clock)
	}
}

func (ownTrigger) Clear(c *operators.TriggerContext[operators.EarlyState]) {
	if c.State.Eventful {
		c.DeleteEventTimer(c.State.Event)
	}
	if c.State.Clockworked {
		c.DeleteProcessingTimer(c.State.Clock)
	}
}

func (c *windowCase) evicted(w windowed) windowed {
	var e operators.Evictor[Rec]
	switch c.evict {
	case "":
		return w
	case "last":
		e = operators.KeepLast[Rec](int(c.keep))
	case "newest":
		e = operators.KeepNewest[Rec](millis(c.keep))
	case "near":
		e = operators.KeepNear(float64(c.keep), distance)
	}
	if c.after {
		e = operators.AfterFunction(e)
	}
	return w.Evict(e)
}

// bracket folds records to "[1 2 3]" and adds their values up. The bracket shows
// that every fold has begun with CreateAccumulator.
type bracket struct{}

func (bracket) CreateAccumulator() Rec { return Rec{Text: "["} }
func (bracket) Add(acc, r Rec) Rec     { return Rec{V: acc.V + r.V, Text: acc.Text + r.Text + " "} }
func (bracket) Merge(a, b Rec) Rec {
	return Rec{V: a.V + b.V, Text: a.Text + strings.TrimPrefix(b.Text, "[")}
}
func (bracket) Result(acc Rec) Rec { return Rec{V: acc.V, Text: strings.TrimSpace(acc.Text) + "]"} }

func reduced(a, b Rec) Rec { return Rec{Key: a.Key, V: a.V + b.V, Text: a.Text + " " + b.Text} }

func (r Rec) text() string { return r.Text }

func showElements(es []operators.Element[Rec]) string {
	var all []string
	for _, e := range es {
		all = append(all, fmt.Sprintf("%s@%s", e.Value.Text, showTime(e.Time)))
	}
	return strings.Join(all, " ")
}

// telling is a window function that tells all that it is told, and counts the
// firings of each window and, in V, of each key.
type telling[V any] struct {
	show     func(V) string
	ofWindow operators.ValueState[int64] // nil for windows that merge
	ofKey    operators.ValueState[int64]
}

func newTelling[V any](c *windowCase, show func(V) string) func(*operators.WindowStates[string]) *telling[V] {
	return func(s *operators.WindowStates[string]) *telling[V] {
		t := &telling[V]{show: show, ofKey: operators.NewValueState[int64](s.Global, "of key")}
		if !c.merges() {
			t.ofWindow = operators.NewValueState[int64](s.Window, "of window")
		}
		return t
	}
}

func (c *windowCase) merges() bool {
	return c.windows == "session" || c.windows == "session-by-record"
}

func (f *telling[V]) Process(c *operators.WindowContext[string, result], v V) error {
	n, m := int64(0), increment(f.ofKey)
	if f.ofWindow != nil {
		n = increment(f.ofWindow)
	}
	text := told(c.Firing().String(), n, c.CurrentWatermark(), c.CurrentProcessingTime(), f.show(v))
	c.Emit(result{Key: c.Key(), Start: c.Window().Start, End: c.Window().End, Value: Rec{V: m, Text: text}})
	return nil
}

func (f *telling[V]) Clear(*operators.WindowContext[string, result]) error {
	if f.ofWindow != nil {
		f.ofWindow.Clear()
	}
	return nil
}

func increment(s operators.ValueState[int64]) int64 {
	n, _ := s.Get()
	s.Set(n + 1)
	return n + 1
}

// told is the text of a telling.
func told(firing string, ofWindow, watermark, now int64, shown string) string {
	return fmt.Sprintf("%s, %d of window, wm %s, now %d: %s", firing, ofWindow, showTime(watermark), now, shown)
}
