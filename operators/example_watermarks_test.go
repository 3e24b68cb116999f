package operators_test

import (
	"encoding/binary"
	"fmt"
	"time"

	"github.com/weirflow/weir/operators"
)

// outOfOrder are trips of which one comes half an hour behind a later one.
var outOfOrder = []Trip{{"Harlem", 1, at(1, 0)}, {"Harlem", 2, at(2, 15)}, {"Harlem", 4, at(1, 45)}, {"Harlem", 8, at(3, 0)}}

// hourly prints the tips of each hour, and what came too late for its hour.
func hourly(strategy operators.WatermarkStrategy[Trip]) {
	top := operators.NewTopology("tips")
	trips := operators.From(top, "trips", operators.Slice(outOfOrder...), strategy)
	late := operators.NewTag[Trip]("late")
	hours := operators.KeyBy(trips, zone).Window(operators.Tumbling(time.Hour)).SideOutputLate(late)
	sums := operators.ReduceWindow(hours, "sum", func(a, b Trip) Trip { return Trip{Zone: b.Zone, Tip: a.Tip + b.Tip} })
	operators.Map(sums, "text", func(w operators.WindowResult[string, Trip]) string {
		return fmt.Sprintf("from %v: %d", clock(w.Start), w.Value.Tip)
	}).To("out", printer[string]{})
	operators.Map(operators.SideOutput(sums, late), "late-text", func(t Trip) string {
		return fmt.Sprintf("late: %d of %v", t.Tip, clock(t.PickedUp))
	}).To("too-late", printer[string]{})

	run(top)
}

// Event times come from the records; a trip may come 20 minutes after a later
// one and still be on time. The strategy's text is in the plan.
func ExampleFrom() {
	top := operators.NewTopology("tips")
	strategy := operators.BoundedOutOfOrderness(20*time.Minute, func(t Trip) int64 { return t.PickedUp }).
		Granularity(time.Second).
		Idle(time.Minute)
	operators.From(top, "trips", operators.Slice(Trip{Zone: "Harlem"}), strategy).To("out", printer[Trip]{})

	show(top)

	// Output:
	// topology tips: 2 operators, 1 chain, 1 subtask, 1 region, max parallelism 128
	//
	// chain 0 ×1, region 0
	//   trips  source  slice of 1, bounded; watermarks 20m0s behind, every 1s, idle after 1m0s
	//   out    sink    printer; plain
	//
	// edges
	//   0  trips → out  forward, chained  cbor:operators_test.Trip
	//
	// end to end, with exactly-once checkpoints
	//   out: at least once: a plain sink shows twice what is written again after a failure
}

// The watermark stays an hour behind the latest trip, so none is late.
func ExampleBoundedOutOfOrderness() {
	hourly(operators.BoundedOutOfOrderness(time.Hour, pickedUp))

	// Output:
	// from 1h0m0s: 5
	// from 2h0m0s: 2
	// from 3h0m0s: 8
}

// The times are taken at their word: who comes behind a later trip is late once
// its hour is over.
func ExampleMonotonous() {
	hourly(operators.Monotonous(pickedUp))

	// Unordered output:
	// from 1h0m0s: 1
	// from 2h0m0s: 2
	// late: 4 of 1h45m0s
	// from 3h0m0s: 8
}

// Without event time there are no windows, and Build says so.
func ExampleNoWatermarks() {
	hourly(operators.NoWatermarks[Trip]())

	// Output:
	// topology "tips" cannot run:
	// operator "sum": it works in event time, but source "trips" has no watermark strategy; give its From one, e.g. BoundedOutOfOrderness, or use processing time
}

// Fewer watermarks are less work, and windows fire as much later.
func ExampleWatermarkStrategy_Granularity() {
	fmt.Println(operators.Monotonous(pickedUp))
	fmt.Println(operators.Monotonous(pickedUp).Granularity(time.Minute))
	// Output:
	// watermarks 0s behind, every 100ms
	// watermarks 0s behind, every 1m0s
}

// A split from which nothing comes for a while holds the others back no longer.
func ExampleWatermarkStrategy_Idle() {
	fmt.Println(operators.Monotonous(pickedUp).Idle(time.Minute))
	// Output:
	// watermarks 0s behind, every 100ms, idle after 1m0s
}

// Two companies' trips go into the same hours, and one company's come much faster.
// What is read ahead of the other's is held in state: at most an hour of it.
func ExampleWatermarkStrategy_Align() {
	top := operators.NewTopology("tips")
	strategy := operators.Monotonous(pickedUp).Align("trips", time.Hour)
	yellow := operators.From(top, "yellow", operators.Slice(Trip{"Harlem", 1, at(1, 0)}, Trip{"Harlem", 2, at(5, 0)}), strategy)
	green := operators.From(top, "green", operators.Slice(Trip{"Harlem", 4, at(1, 30)}, Trip{"Harlem", 8, at(5, 59)}), strategy)
	hours := operators.KeyBy(operators.Union(yellow, green), zone).Window(operators.Tumbling(time.Hour))
	sums := operators.ReduceWindow(hours, "sum", func(a, b Trip) Trip { return Trip{Zone: b.Zone, Tip: a.Tip + b.Tip} })
	operators.Map(sums, "text", func(w operators.WindowResult[string, Trip]) string {
		return fmt.Sprintf("from %v: %d", clock(w.Start), w.Value.Tip)
	}).To("out", printer[string]{})

	fmt.Println(strategy)
	run(top)

	// Output:
	// watermarks 0s behind, every 100ms, at most 1h0m0s ahead of group "trips"
	// from 1h0m0s: 5
	// from 5h0m0s: 10
}

// endOfDay is a user's watermark generator: only a trip without a zone moves
// event time on.
type endOfDay struct{}

func (endOfDay) OnEvent(t Trip, time int64) (int64, bool) { return time, t.Zone == "" }
func (endOfDay) OnPeriodic(int64) (int64, bool)           { return 0, false }

func ExamplePunctuated() {
	top := operators.NewTopology("tips")
	strategy := operators.Punctuated(pickedUp, func() operators.WatermarkGenerator[Trip] { return endOfDay{} })
	trips := operators.From(top, "trips", operators.Slice(Trip{"Harlem", 1, at(3, 0)}, Trip{"Harlem", 2, at(1, 0)},
		Trip{"", 0, at(4, 0)}, Trip{"Harlem", 4, at(2, 0)}), strategy)
	operators.Process(operators.KeyBy(trips, zone), "watermarks", func(*operators.States[string]) clockwatcher { return clockwatcher{} }).
		To("out", printer[string]{})

	run(top)

	// Output:
	// 1 is late: false
	// 2 is late: false
	// 0 is late: false
	// 4 is late: true
}

// clockwatcher tells which records are late.
type clockwatcher struct{}

func (clockwatcher) ProcessElement(ctx *operators.Context[string, string], t Trip) error {
	ctx.Emit(fmt.Sprint(t.Tip, " is late: ", ctx.Time() <= ctx.CurrentWatermark()))
	return nil
}

// behind is a generator with a memory: its watermark stays a minute behind the
// greatest time. After a restart it goes on with what it remembered.
type behind struct{ greatest int64 }

func (g *behind) OnEvent(_ Trip, time int64) (int64, bool) {
	g.greatest = max(g.greatest, time)
	return g.greatest - 60_000, true
}

func (g *behind) OnPeriodic(int64) (int64, bool) { return g.greatest - 60_000, true }

func (g *behind) Snapshot() ([]byte, error) { return binary.AppendVarint(nil, g.greatest), nil }

func (g *behind) Restore(p []byte) error {
	greatest, n := binary.Varint(p)
	if n <= 0 {
		return fmt.Errorf("%x is no snapshot of this generator", p)
	}
	g.greatest = greatest
	return nil
}

func ExamplePeriodic() {
	strategy := operators.Periodic(time.Second, pickedUp, func() operators.WatermarkGenerator[Trip] { return &behind{} })
	fmt.Println(strategy)
	hourly(strategy)

	// Unordered output:
	// watermarks by a user's generator, asked every 1s
	// from 1h0m0s: 1
	// late: 4 of 1h45m0s
	// from 2h0m0s: 2
	// from 3h0m0s: 8
}

// The runtime makes these calls, at a barrier and after a restart.
func ExampleSnapshottedGenerator() {
	var before, after operators.SnapshottedGenerator = &behind{greatest: at(1, 0)}, &behind{}
	p, err := before.Snapshot()
	fmt.Println(err, after.Restore(p), clock(after.(*behind).greatest))
	fmt.Println(after.Restore(nil))
	// Output:
	// <nil> <nil> 1h0m0s
	//  is no snapshot of this generator
}
