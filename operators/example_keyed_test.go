package operators_test

import (
	"context"
	"fmt"
	"time"

	"github.com/weirflow/weir/cluster"
	"github.com/weirflow/weir/operators"
)

// some gives the topology a stream of trips in this order, with watermarks that
// do not wait for late ones.
func some(top *operators.Topology, trips ...Trip) *operators.Stream[Trip] {
	return operators.From(top, "trips", operators.Slice(trips...), operators.Monotonous(pickedUp))
}

// at is a time on the first day of 1970, in ms.
func at(hour, minute int) int64 { return int64(hour*60+minute) * 60_000 }

func zone(t Trip) string { return t.Zone }

// clock shows a time of that day.
func clock(ms int64) time.Duration { return time.Duration(ms) * time.Millisecond }

// run runs a topology to its end.
func run(top *operators.Topology) {
	if _, err := cluster.Run(context.Background(), top, cluster.Config{}); err != nil {
		fmt.Println(err)
	}
}

// A running sum for each zone: one result for every trip.
func ExampleReduce() {
	top := operators.NewTopology("tips")
	trips := some(top, Trip{"Harlem", 250, at(1, 0)}, Trip{"Chelsea", 100, at(1, 1)}, Trip{"Harlem", 50, at(1, 2)})
	operators.Reduce(operators.KeyBy(trips, zone), "sum", func(a, b Trip) Trip {
		return Trip{Zone: b.Zone, Tip: a.Tip + b.Tip, PickedUp: b.PickedUp}
	}).To("out", printer[Trip]{})

	run(top)

	// Output:
	// {Harlem 250 3600000}
	// {Chelsea 100 3660000}
	// {Harlem 300 3720000}
}

// PseudoWindow sums tips by the hour with state and timers, as a window does by
// itself: a map entry for every open hour, and a timer for its last ms.
type PseudoWindow struct {
	hours operators.MapState[int64, int64]
}

var closed = operators.NewTag[Trip]("closed")

func newPseudoWindow(s *operators.States[string]) *PseudoWindow {
	return &PseudoWindow{hours: operators.NewMapState[int64, int64](s, "hours")}
}

func (f *PseudoWindow) ProcessElement(ctx *operators.Context[string, string], t Trip) error {
	hour := at(1, 0)
	last := t.PickedUp - t.PickedUp%hour + hour - 1
	if last <= ctx.CurrentWatermark() {
		closed.Emit(ctx, t)
		return nil
	}
	sum, _ := f.hours.Get(last)
	f.hours.Put(last, sum+t.Tip)
	ctx.RegisterEventTimer(last)
	return nil
}

func (f *PseudoWindow) OnTimer(ctx *operators.Context[string, string], last int64, _ operators.Domain) error {
	sum, _ := f.hours.Get(last)
	f.hours.Delete(last)
	ctx.Emit(fmt.Sprintf("%s until %v: %d", ctx.Key(), clock(last+1), sum))
	return nil
}

func ExampleProcess() {
	top := operators.NewTopology("tips")
	trips := some(top, Trip{"Harlem", 250, at(1, 0)}, Trip{"Chelsea", 70, at(1, 20)}, Trip{"Harlem", 100, at(1, 30)},
		Trip{"Harlem", 50, at(2, 5)}, Trip{"Harlem", 999, at(1, 59)})
	sums := operators.Process(operators.KeyBy(trips, zone), "hours", newPseudoWindow, closed)
	sums.To("out", printer[string]{})
	operators.SideOutput(sums, closed).To("too-late", printer[Trip]{})

	run(top)

	// Unordered output:
	// Harlem until 2h0m0s: 350
	// Chelsea until 2h0m0s: 70
	// {Harlem 999 7140000}
	// Harlem until 3h0m0s: 50
}

// Changes emits a zone's tip when it differs from the one before.
type Changes struct{ last operators.ValueState[int64] }

func (f *Changes) ProcessElement(ctx *operators.Context[string, Trip], t Trip) error {
	last, ok := f.last.Get() // unset is not zero
	f.last.Set(t.Tip)
	if !ok || last != t.Tip {
		ctx.Emit(t)
	}
	return nil
}

func ExampleNewValueState() {
	top := operators.NewTopology("tips")
	trips := some(top, Trip{"Harlem", 0, at(1, 0)}, Trip{"Harlem", 0, at(1, 1)}, Trip{"Harlem", 5, at(1, 2)})
	operators.Process(operators.KeyBy(trips, zone), "changes", func(s *operators.States[string]) *Changes {
		return &Changes{last: operators.NewValueState[int64](s, "last")}
	}).To("out", printer[Trip]{})

	run(top)

	// Output:
	// {Harlem 0 3600000}
	// {Harlem 5 3720000}
}

// Pairs emits the tips of a zone two by two.
type Pairs struct{ tips operators.ListState[int64] }

func (f *Pairs) ProcessElement(ctx *operators.Context[string, string], t Trip) error {
	f.tips.Append(t.Tip)
	if f.tips.Len() < 2 {
		return nil
	}
	text := ctx.Key() + ":"
	for tip := range f.tips.All() {
		text += fmt.Sprint(" ", tip)
	}
	ctx.Emit(text)
	f.tips.Clear()
	return nil
}

func ExampleNewListState() {
	top := operators.NewTopology("tips")
	trips := some(top, Trip{"Harlem", 1, at(1, 0)}, Trip{"Chelsea", 2, at(1, 1)}, Trip{"Harlem", 3, at(1, 2)})
	operators.Process(operators.KeyBy(trips, zone), "pairs", func(s *operators.States[string]) *Pairs {
		return &Pairs{tips: operators.NewListState[int64](s, "tips")}
	}).To("out", printer[string]{})

	run(top)

	// Output:
	// Harlem: 1 3
}

// Seen counts the zones' tips by their size and shows them in ascending order.
type Seen struct {
	tips operators.MapState[int64, int]
}

func (f *Seen) ProcessElement(ctx *operators.Context[string, string], t Trip) error {
	n, _ := f.tips.Get(t.Tip)
	f.tips.Put(t.Tip, n+1)
	text := "tips"
	for tip, n := range f.tips.All() {
		text += fmt.Sprintf(" %d×%d", n, tip)
	}
	ctx.Emit(text)
	return nil
}

func ExampleNewMapState() {
	top := operators.NewTopology("tips")
	trips := some(top, Trip{"Harlem", 70, at(1, 0)}, Trip{"Harlem", 5, at(1, 1)}, Trip{"Harlem", 70, at(1, 2)})
	operators.Process(operators.KeyBy(trips, zone), "seen", func(s *operators.States[string]) *Seen {
		return &Seen{tips: operators.NewMapState[int64, int](s, "tips")}
	}).To("out", printer[string]{})

	run(top)

	// Output:
	// tips 1×70
	// tips 1×5 1×70
	// tips 1×5 2×70
}

// Best keeps the three best tips of a zone, by the time they came.
type Best struct {
	tips operators.MapState[int64, int64]
}

// ProcessElement drops the smallest of four.
func (f *Best) ProcessElement(ctx *operators.Context[string, string], t Trip) error {
	if t.Tip < 0 { // somebody asks to forget
		f.tips.Clear()
		return nil
	}
	f.tips.Put(t.PickedUp, t.Tip)
	if f.tips.Len() > 3 {
		worst, least := int64(0), int64(1<<62)
		for when, tip := range f.tips.All() {
			if tip < least {
				worst, least = when, tip
			}
		}
		f.tips.Delete(worst)
	}
	text := ctx.Key()
	for when, tip := range f.tips.All() {
		text += fmt.Sprintf(" %d at %v", tip, clock(when))
	}
	ctx.Emit(text)
	return nil
}

func ExampleMapState() {
	top := operators.NewTopology("tips")
	trips := some(top, Trip{"Harlem", 3, at(1, 0)}, Trip{"Harlem", 1, at(1, 1)}, Trip{"Harlem", 2, at(1, 2)},
		Trip{"Harlem", 4, at(1, 3)}, Trip{"Harlem", -1, at(1, 4)}, Trip{"Harlem", 5, at(1, 5)})
	operators.Process(operators.KeyBy(trips, zone), "best", func(s *operators.States[string]) *Best {
		return &Best{tips: operators.NewMapState[int64, int64](s, "tips")}
	}).To("out", printer[string]{})

	run(top)

	// Output:
	// Harlem 3 at 1h0m0s
	// Harlem 3 at 1h0m0s 1 at 1h1m0s
	// Harlem 3 at 1h0m0s 1 at 1h1m0s 2 at 1h2m0s
	// Harlem 3 at 1h0m0s 2 at 1h2m0s 4 at 1h3m0s
	// Harlem 5 at 1h5m0s
}
