package operators_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/weirflow/weir/operators"
	"github.com/weirflow/weir/operators/operatortest"
)

// visitWindows are windows over visits; what they give is told in a visit, so that
// few types are needed.
type visitWindows = *operators.WindowedStream[string, visit]

// everyVisit tells of a window all that is in it, in its order, and why it fires.
type everyVisit struct{}

func (everyVisit) Process(c *operators.WindowContext[string, visit], es []operators.Element[visit]) error {
	w := c.Window()
	c.Emit(visit{fmt.Sprintf("%s [%d,%d) %v %v", c.Key(), w.Start, w.End, c.Firing(), es), int64(len(es))})
	return nil
}

// Clear tells that the window is gone.
func (everyVisit) Clear(c *operators.WindowContext[string, visit]) error {
	c.Emit(visit{fmt.Sprintf("%s [%d,%d) gone", c.Key(), c.Window().Start, c.Window().End), 0})
	return nil
}

func processVisits(w visitWindows) *operators.Stream[visit] {
	return operators.ProcessWindow(w, "visits", func(*operators.WindowStates[string]) everyVisit { return everyVisit{} })
}

// wilful is a trigger that does what the records say, and has timers of both clocks,
// also at the end of the window and behind it. It takes back what it can.
type wilful struct{}

func (wilful) OnElement(c *operators.TriggerContext[operators.EarlyState], v visit, ts int64) operators.TriggerResult {
	last := c.Window().MaxTimestamp()
	switch v.N {
	case 1, 2, 3:
		return operators.TriggerResult(v.N)
	case 4:
		c.RegisterEventTimer(ts + 5)
	case 5:
		c.RegisterProcessingTimer(c.CurrentProcessingTime() + 3)
	case 6:
		c.RegisterEventTimer(last)
	case 7:
		c.DeleteEventTimer(last)
		c.DeleteProcessingTimer(last)
		c.State.Count++
	}
	return operators.Continue
}

func (wilful) OnEventTime(c *operators.TriggerContext[operators.EarlyState], at int64) operators.TriggerResult {
	if c.State.Count++; c.State.Count%3 == 0 {
		return operators.FireAndPurge
	}
	return operators.Fire
}

func (wilful) OnProcessingTime(*operators.TriggerContext[operators.EarlyState], int64) operators.TriggerResult {
	return operators.Fire
}

func (wilful) Clear(*operators.TriggerContext[operators.EarlyState]) {}

// drawVisitTrigger draws a trigger, or none, for windows of a clock.
func drawVisitTrigger(t *rapid.T) func(visitWindows) visitWindows {
	n, purging := rapid.Int64Range(1, 5).Draw(t, "n"), rapid.Bool().Draw(t, "purging")
	after, clock := operators.AfterWatermark[visit](), operators.AfterProcessingTime[visit]()
	switch rapid.IntRange(0, 10).Draw(t, "trigger") {
	case 4:
		return triggeredBy(purging, operators.Trigger[visit, operators.EarlyState](after))
	case 5:
		return triggeredBy(purging, operators.Trigger[visit, operators.EarlyState](after.EarlyEvery(millis(2*n))))
	case 6:
		return triggeredBy(purging, operators.Trigger[visit, operators.EarlyState](after.EarlyCount(n).EarlyEveryProcessing(millis(3*n))))
	case 7:
		return triggeredBy(purging, operators.Trigger[visit, int64](operators.Count[visit](n)))
	case 8:
		return triggeredBy(purging, operators.Trigger[visit, struct{}](clock))
	case 9, 10:
		return triggeredBy(purging, operators.Trigger[visit, operators.EarlyState](wilful{}))
	}
	return func(w visitWindows) visitWindows { return w }
}

func triggeredBy[S any](purging bool, t operators.Trigger[visit, S]) func(visitWindows) visitWindows {
	if purging {
		t = operators.Purging(t)
	}
	return func(w visitWindows) visitWindows { return operators.Triggered(w, t) }
}

// odd is an evictor of a user's: what it gives is not always what it was given.
type odd struct{ after bool }

func (o odd) EvictBefore(es []operators.Element[visit], _ operators.EvictContext) []operators.Element[visit] {
	if o.after || len(es) == 0 {
		return es
	}
	return o.evict(es)
}

func (o odd) EvictAfter(es []operators.Element[visit], _ operators.EvictContext) []operators.Element[visit] {
	if !o.after || len(es) == 0 {
		return es
	}
	return o.evict(es)
}

func (odd) evict(es []operators.Element[visit]) []operators.Element[visit] {
	switch es[0].Value.N % 4 {
	case 0:
		slices.Reverse(es)
	case 1:
		es[len(es)-1].Value.N += 10
	case 2:
		return slices.DeleteFunc(es, func(e operators.Element[visit]) bool { return e.Value.N%2 == 1 })
	}
	return es
}

func drawVisitEvictor(t *rapid.T) operators.Evictor[visit] {
	n := rapid.Int64Range(0, 6).Draw(t, "keep")
	e := []operators.Evictor[visit]{
		nil, operators.KeepLast[visit](int(n)), operators.KeepNewest[visit](millis(3 * n)),
		operators.KeepNear(float64(n), func(a, b visit) float64 { return float64(max(a.N-b.N, b.N-a.N)) }),
		odd{}, odd{after: true},
	}[rapid.IntRange(0, 5).Draw(t, "evictor")]
	if _, mine := e.(odd); e != nil && !mine && rapid.Bool().Draw(t, "after") {
		e = operators.AfterFunction(e)
	}
	return e
}

// sharedCase is windows that share their records, beside windows that keep copies of
// them.
type sharedCase struct {
	late           operators.Tag[visit]
	byClock        bool
	shared, copied *operatortest.Harness[visit, visit]
}

func drawSharedCase(t *rapid.T) *sharedCase {
	c := &sharedCase{late: operators.NewTag[visit]("late"), byClock: rapid.IntRange(0, 3).Draw(t, "of the clock") == 3}
	ms := func(what string, from int64) time.Duration { return millis(rapid.Int64Range(from, 40).Draw(t, what)) }
	windows := operators.Sliding(ms("size", 1), ms("slide", 1)).Offset(ms("offset", -40))
	lateness := millis(rapid.SampledFrom([]int64{0, 0, 1, 7, 60}).Draw(t, "lateness"))
	trigger, evictor := drawVisitTrigger(t), drawVisitEvictor(t)
	if c.byClock {
		windows, lateness = windows.ProcessingTime(), 0
	}
	cut := func(in *operators.Stream[visit]) visitWindows {
		w := trigger(operators.KeyBy(in, pageOf).Window(windows).AllowedLateness(lateness)).Evict(evictor)
		if !c.byClock {
			w = w.SideOutputLate(c.late)
		}
		return w
	}
	c.shared = operatortest.Keyed(t, func(in *operators.Stream[visit]) *operators.Stream[visit] { return processVisits(cut(in)) })
	c.copied = operatortest.Keyed(t, func(in *operators.Stream[visit]) *operators.Stream[visit] {
		return processVisits(operators.KeepCopies(cut(in)))
	})
	return c
}

// both does something with each of the two.
func (c *sharedCase) both(do func(h *operatortest.Harness[visit, visit])) {
	do(c.shared)
	do(c.copied)
}

// step draws what happens next.
func (c *sharedCase) step(t *rapid.T, clock *int64, batch int) {
	switch rapid.IntRange(0, 11).Draw(t, "what") {
	default:
		v := visit{rapid.SampledFrom([]string{"a", "b", "c"}).Draw(t, "page"), rapid.Int64Range(0, 9).Draw(t, "n")}
		ts := *clock + rapid.Int64Range(-60, 60).Draw(t, "time")
		c.both(func(h *operatortest.Harness[visit, visit]) { h.Process(v, ts) })
	case 7, 8:
		*clock += rapid.Int64Range(0, 30).Draw(t, "watermark")
		c.both(func(h *operatortest.Harness[visit, visit]) { h.Watermark(*clock) })
	case 9:
		by := millis(rapid.Int64Range(0, 10).Draw(t, "tick"))
		c.both(func(h *operatortest.Harness[visit, visit]) { h.AdvanceProcessingTime(by) })
	case 10:
		p := rapid.IntRange(1, 3).Draw(t, "parallelism")
		c.both(func(h *operatortest.Harness[visit, visit]) {
			h.Restore(h.Snapshot(), p)
			h.Batches(batch)
		})
	case 11:
		c.same(t)
	}
}

func (c *sharedCase) same(t *rapid.T) {
	t.Helper()
	if a, b := c.shared.Output(), c.copied.Output(); !slices.Equal(a, b) {
		t.Fatalf("shared %v\ncopied %v", a, b)
	}
	if !c.byClock {
		if a, b := operatortest.Side(c.shared, c.late), operatortest.Side(c.copied, c.late); !slices.Equal(a, b) {
			t.Fatalf("late: shared %v\ncopied %v", a, b)
		}
	}
	for _, counter := range []string{"records_outside_windows", "window_assignments", "records_never_fired"} {
		if a, b := c.shared.Counter(counter), c.copied.Counter(counter); a != b {
			t.Fatalf("%s: shared %d, copied %d", counter, a, b)
		}
	}
}

// S52, S55, S59-S61, S64-S68, S70, S72, S110: sliding windows that share their records show what windows that keep
// copies show, in the same order: of either time, with any size, slide and offset, trigger, evictor, lateness, disorder,
// batches, restores and rescaling. Nothing is left of them at the end.
func TestSharedWindowsEqualCopies(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := drawSharedCase(t)
		batch, clock := rapid.SampledFrom([]int{1, 3, 100}).Draw(t, "batch"), int64(-100)
		c.both(func(h *operatortest.Harness[visit, visit]) { h.Batches(batch) })
		for range rapid.IntRange(0, 60).Draw(t, "steps") {
			c.step(t, &clock, batch)
		}
		c.both(func(h *operatortest.Harness[visit, visit]) {
			h.AdvanceProcessingTime(time.Second)
			h.End()
		})
		c.same(t)
		if entries, timers := c.shared.StateSize(), c.shared.Timers(); entries+timers != 0 {
			t.Fatalf("%d entries and %d timers left at the end", entries, timers)
		}
	})
}
