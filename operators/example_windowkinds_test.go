package operators_test

import (
	"fmt"
	"math"
	"time"

	"github.com/weirflow/weir/operators"
	"github.com/weirflow/weir/operators/operatortest"
)

// told says of each window that fires what it shows.
type told struct{}

func (told) Process(c *operators.WindowContext[string, string], trips []operators.Element[Trip]) error {
	text := fmt.Sprintf("%v, %v:", c.Window(), c.Firing())
	for _, t := range trips {
		text += fmt.Sprint(" ", t.Value.Tip)
	}
	c.Emit(text)
	return nil
}

func newTold(*operators.WindowStates[string]) told { return told{} }

// tell shows the windows that cut makes of trips, whose event times are small here.
func tell(cut func(k *operators.KeyedStream[string, Trip]) *operators.WindowedStream[string, Trip], trips ...Trip) {
	top := operators.NewTopology("tips")
	in := operators.From(top, "trips", operators.Slice(trips...), operators.Monotonous(pickedUp).Granularity(0))
	operators.ProcessWindow(cut(operators.KeyBy(in, zone)), "tell", newTold).To("out", printer[string]{})
	run(top)
}

// Every trip is in two windows of 10 ms that begin every 5 ms.
func ExampleSliding() {
	tell(func(k *operators.KeyedStream[string, Trip]) *operators.WindowedStream[string, Trip] {
		return k.Window(operators.Sliding(10*time.Millisecond, 5*time.Millisecond))
	}, Trip{"Harlem", 1, 2}, Trip{"Harlem", 2, 7})

	// Output:
	// [-5,5), on time: 1
	// [0,10), on time: 1 2
	// [5,15), on time: 2
}

// Trips that are at most 5 ms apart share a session.
func ExampleSession() {
	tell(func(k *operators.KeyedStream[string, Trip]) *operators.WindowedStream[string, Trip] {
		return k.Window(operators.Session(5 * time.Millisecond))
	}, Trip{"Harlem", 1, 2}, Trip{"Harlem", 2, 6}, Trip{"Harlem", 4, 20})

	// Output:
	// [2,11), on time: 1 2
	// [20,25), on time: 4
}

// A trip with a large tip keeps its session open for longer.
func ExampleSessionBy() {
	gap := func(t Trip) time.Duration { return time.Duration(t.Tip) * time.Millisecond }
	tell(func(k *operators.KeyedStream[string, Trip]) *operators.WindowedStream[string, Trip] {
		return k.WindowBy(operators.SessionBy(gap))
	}, Trip{"Harlem", 2, 0}, Trip{"Harlem", 20, 10}, Trip{"Harlem", 1, 25})

	// Output:
	// [0,2), on time: 2
	// [10,30), on time: 20 1
}

// fromTens is an Assigner: a trip's window goes from the last full 10 ms to the trip.
type fromTens struct{}

func (fromTens) String() string { return "from tens" }

func (fromTens) Assign(to []operators.Window, _ Trip, ts int64) []operators.Window {
	return append(to, operators.Window{Start: ts - ts%10, End: ts + 1})
}

func ExampleAssigner() {
	tell(func(k *operators.KeyedStream[string, Trip]) *operators.WindowedStream[string, Trip] {
		return k.WindowBy(fromTens{})
	}, Trip{"Harlem", 1, 2}, Trip{"Harlem", 2, 2}, Trip{"Harlem", 4, 17})

	// Output:
	// [0,3), on time: 1 2
	// [10,18), on time: 4
}

// What is left when a window of two is not full does not come out.
func ExampleKeyedStream_CountWindow() {
	tell(func(k *operators.KeyedStream[string, Trip]) *operators.WindowedStream[string, Trip] {
		return k.CountWindow(2)
	}, Trip{"Harlem", 1, 1}, Trip{"Harlem", 2, 2}, Trip{"Harlem", 4, 3})

	// Output:
	// [-9223372036854775808,9223372036854775807), early: 1 2
}

// Each second trip shows the last three.
func ExampleKeyedStream_SlidingCountWindow() {
	tell(func(k *operators.KeyedStream[string, Trip]) *operators.WindowedStream[string, Trip] {
		return k.SlidingCountWindow(3, 2)
	}, Trip{"Harlem", 1, 1}, Trip{"Harlem", 2, 2}, Trip{"Harlem", 4, 3}, Trip{"Harlem", 8, 4})

	// Output:
	// [-9223372036854775808,9223372036854775807), early: 1 2
	// [-9223372036854775808,9223372036854775807), early: 2 4 8
}

// A window shows what there is after every second trip, and all of it at its end.
func ExampleWatermarkTrigger_EarlyCount() {
	tell(func(k *operators.KeyedStream[string, Trip]) *operators.WindowedStream[string, Trip] {
		return operators.Triggered(k.Window(operators.Tumbling(10*time.Millisecond)), operators.AfterWatermark[Trip]().EarlyCount(2))
	}, Trip{"Harlem", 1, 1}, Trip{"Harlem", 2, 2}, Trip{"Harlem", 4, 3})

	// Output:
	// [0,10), early: 1 2
	// [0,10), on time: 1 2 4
}

// A window shows what there is for every multiple of 4 ms that the watermark passes;
// here it goes to 5 ms and then to 11 ms. At the end it passes the rest.
func ExampleWatermarkTrigger_EarlyEvery() {
	tell(func(k *operators.KeyedStream[string, Trip]) *operators.WindowedStream[string, Trip] {
		return operators.Triggered(k.Window(operators.Tumbling(10*time.Millisecond)), operators.AfterWatermark[Trip]().EarlyEvery(4*time.Millisecond))
	}, Trip{"Harlem", 1, 1}, Trip{"Harlem", 2, 6}, Trip{"Harlem", 4, 12})

	// Output:
	// [0,10), early: 1 2
	// [0,10), early: 1 2
	// [0,10), on time: 1 2
	// [10,20), early: 4
	// [10,20), on time: 4
}

// Global windows never end: they fire by a trigger of theirs alone. Purging drops
// what a firing has shown.
func ExamplePurging() {
	tell(func(k *operators.KeyedStream[string, Trip]) *operators.WindowedStream[string, Trip] {
		return operators.Triggered(k.Window(operators.Global()), operators.Purging(operators.Count[Trip](2)))
	}, Trip{"Harlem", 1, 1}, Trip{"Harlem", 2, 2}, Trip{"Harlem", 4, 3}, Trip{"Harlem", 8, 4})

	// Output:
	// [-9223372036854775808,9223372036854775807), early: 1 2
	// [-9223372036854775808,9223372036854775807), early: 4 8
}

// difference is how far the tips of two trips are apart.
func difference(a, b Trip) float64 { return math.Abs(float64(a.Tip - b.Tip)) }

// A tip that is more than 5 away from the one shown last shows the window.
func ExampleDelta() {
	tell(func(k *operators.KeyedStream[string, Trip]) *operators.WindowedStream[string, Trip] {
		return operators.Triggered(k.Window(operators.Global()), operators.Delta(5, difference))
	}, Trip{"Harlem", 1, 1}, Trip{"Harlem", 6, 2}, Trip{"Harlem", 7, 3}, Trip{"Harlem", 8, 4})

	// Output:
	// [-9223372036854775808,9223372036854775807), early: 1 6 7
}

// Evictors take trips out of a window when it fires: all but the last, the newest,
// or those near the last.
func ExampleKeepLast() {
	for _, e := range []operators.Evictor[Trip]{
		operators.KeepLast[Trip](1), operators.KeepNewest[Trip](3 * time.Millisecond), operators.KeepNear(2, difference), operators.AfterFunction(operators.KeepLast[Trip](1)),
	} {
		fmt.Println(e)
		tell(func(k *operators.KeyedStream[string, Trip]) *operators.WindowedStream[string, Trip] {
			return k.Window(operators.Tumbling(10 * time.Millisecond)).Evict(e)
		}, Trip{"Harlem", 3, 1}, Trip{"Harlem", 9, 2}, Trip{"Harlem", 4, 4})
	}

	// Output:
	// keep the last 1
	// [0,10), on time: 4
	// keep the newest 3ms
	// [0,10), on time: 9 4
	// keep within 2
	// [0,10), on time: 3 4
	// keep the last 1 after the function
	// [0,10), on time: 3 9 4
}

// Tumbling windows of the clock of the node have nothing to do with event time.
func ExampleAfterProcessingTime() {
	h := operatortest.Keyed(quiet{}, func(in *operators.Stream[Trip]) *operators.Stream[string] {
		w := operators.KeyBy(in, zone).Window(operators.Tumbling(10 * time.Millisecond).ProcessingTime())
		return operators.ProcessWindow(operators.Triggered(w, operators.AfterProcessingTime[Trip]()), "tell", newTold)
	})
	h.Process(Trip{"Harlem", 1, 0}, operators.NoTime)
	h.AdvanceProcessingTime(8 * time.Millisecond)
	fmt.Println(h.Output())
	h.AdvanceProcessingTime(1 * time.Millisecond)
	fmt.Println(h.Output())
	// Output:
	// []
	// [[0,10), on time: 1 @9]
}

// An open window of event time shows what there is whenever the clock of the node
// has gone on by a second.
func ExampleWatermarkTrigger_EarlyEveryProcessing() {
	h := operatortest.Keyed(quiet{}, func(in *operators.Stream[Trip]) *operators.Stream[string] {
		w := operators.KeyBy(in, zone).Window(operators.Tumbling(10 * time.Millisecond))
		return operators.ProcessWindow(operators.Triggered(w, operators.AfterWatermark[Trip]().EarlyEveryProcessing(time.Second)), "tell", newTold)
	})
	h.Process(Trip{"Harlem", 1, 2}, 2)
	h.AdvanceProcessingTime(time.Second)
	h.Process(Trip{"Harlem", 2, 3}, 3)
	h.Watermark(9)
	fmt.Println(h.Output())
	// Output: [[0,10), early: 1 @9 [0,10), on time: 1 2 @9]
}

// quiet takes the place of a *testing.T.
type quiet struct{}

func (quiet) Helper()                           {}
func (quiet) Fatalf(format string, args ...any) { panic(fmt.Sprintf(format, args...)) }

// big is a Trigger: a trip with a tip of 100 or more shows its window at once. It
// remembers that it did, so that it shows it once.
type big struct{}

func (big) OnElement(c *operators.TriggerContext[int64], t Trip, _ int64) operators.TriggerResult {
	if *c.State > 0 || t.Tip < 100 {
		return operators.Continue
	}
	*c.State = 1
	return operators.Fire
}

func (big) OnEventTime(*operators.TriggerContext[int64], int64) operators.TriggerResult {
	return operators.Continue
}

func (big) OnProcessingTime(*operators.TriggerContext[int64], int64) operators.TriggerResult {
	return operators.Continue
}

func (big) Clear(*operators.TriggerContext[int64]) {}

func ExampleTriggered() {
	tell(func(k *operators.KeyedStream[string, Trip]) *operators.WindowedStream[string, Trip] {
		return operators.Triggered(k.Window(operators.Tumbling(10*time.Millisecond)), operators.Trigger[Trip, int64](big{}))
	}, Trip{"Harlem", 1, 1}, Trip{"Harlem", 200, 2}, Trip{"Harlem", 300, 3})

	// Output:
	// [0,10), early: 1 200
}

// share tells of each window how much of all tips of its zone so far it has.
type share struct {
	all   operators.ValueState[int64] // of the zone
	shown operators.ValueState[int64] // of the window
}

func newShare(s *operators.WindowStates[string]) *share {
	return &share{operators.NewValueState[int64](s.Global, "all"), operators.NewValueState[int64](s.Window, "shown")}
}

func (f *share) Process(c *operators.WindowContext[string, string], t Trip) error {
	all, _ := f.all.Get()
	shown, _ := f.shown.Get()
	f.all.Set(all + t.Tip - shown)
	f.shown.Set(t.Tip)
	c.Emit(fmt.Sprintf("%s %v: %d of %d", c.Key(), c.Window(), t.Tip, all+t.Tip-shown))
	return nil
}

// Clear runs when a window goes.
func (f *share) Clear(*operators.WindowContext[string, string]) error {
	f.shown.Clear()
	return nil
}

// What is folded comes to the function with its window; state of the key goes over
// all windows.
func ExampleReduceProcess() {
	top := operators.NewTopology("tips")
	in := some(top, Trip{"Harlem", 250, at(1, 0)}, Trip{"Harlem", 50, at(1, 30)}, Trip{"Harlem", 100, at(2, 5)})
	hourly := operators.KeyBy(in, zone).Window(operators.Tumbling(time.Hour))
	sum := func(a, b Trip) Trip { return Trip{Zone: b.Zone, Tip: a.Tip + b.Tip} }
	operators.ReduceProcess(hourly, "share", sum, newShare).To("out", printer[string]{})

	run(top)

	// Output:
	// Harlem [3600000,7200000): 300 of 300
	// Harlem [7200000,10800000): 100 of 400
}

// meaning tells of a window its mean tip.
type meaning struct{}

func (meaning) Process(c *operators.WindowContext[string, string], mean float64) error {
	c.Emit(fmt.Sprintf("%v, %v: %.1f", c.Window(), c.Firing(), mean))
	return nil
}

// What an Aggregator makes of a window comes to a function that knows the window.
func ExampleAggregateProcess() {
	top := operators.NewTopology("tips")
	in := some(top, Trip{"Harlem", 250, at(1, 0)}, Trip{"Harlem", 100, at(1, 30)})
	hourly := operators.KeyBy(in, zone).Window(operators.Tumbling(time.Hour))
	operators.AggregateProcess(hourly, "mean", Mean{}, func(*operators.WindowStates[string]) meaning { return meaning{} }).To("out", printer[string]{})

	run(top)

	// Output: [3600000,7200000), on time: 175.0
}
