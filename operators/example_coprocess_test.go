package operators_test

import (
	"fmt"
	"time"

	"github.com/weirflow/weir/operators"
)

// Tipped adds a zone's tips, which come on one input, until a driver of that
// zone says on the other that the shift is over.
type Tipped struct {
	sum operators.ReducingState[int64]
}

func (f *Tipped) ProcessElement1(ctx *operators.Context[string, string], t Trip) error {
	f.sum.Add(t.Tip)
	ctx.RegisterEventTimer(at(6, 0))
	return nil
}

func (f *Tipped) ProcessElement2(ctx *operators.Context[string, string], off Trip) error {
	ctx.RegisterEventTimer(off.PickedUp)
	return nil
}

// OnTimer runs when both inputs have come to the end of the shift.
func (f *Tipped) OnTimer(ctx *operators.Context[string, string], _ int64, _ operators.Domain) error {
	if sum, ok := f.sum.Get(); ok {
		ctx.Emit(fmt.Sprintf("%s: %d until %v", ctx.Key(), sum, clock(ctx.Time())))
		f.sum.Clear()
	}
	return nil
}

// Two inputs share state and timers: Harlem's shift ends at 2, Chelsea's never.
func ExampleCoProcess() {
	top := operators.NewTopology("tips")
	trips := some(top, Trip{"Harlem", 250, at(1, 0)}, Trip{"Chelsea", 70, at(1, 20)}, Trip{"Harlem", 100, at(1, 30)}, Trip{"Chelsea", 5, at(3, 0)})
	off := operators.From(top, "off", operators.Slice(Trip{"Harlem", 0, at(2, 0)}), operators.Monotonous(pickedUp))
	operators.CoProcess(operators.KeyBy(trips, zone), operators.KeyBy(off, zone), "shifts", func(s *operators.States[string]) *Tipped {
		return &Tipped{sum: operators.NewReducingState(s, "sum", func(a, b int64) int64 { return a + b })}
	}).To("out", printer[string]{})

	run(top)

	// Unordered output:
	// Harlem: 350 until 2h0m0s
	// Chelsea: 75 until 6h0m0s
}

// mean is the mean tip of a zone, in cents.
type mean struct{}

func (mean) CreateAccumulator() [2]int64       { return [2]int64{} }
func (mean) Add(acc [2]int64, t Trip) [2]int64 { return [2]int64{acc[0] + t.Tip, acc[1] + 1} }
func (mean) Merge(a, b [2]int64) [2]int64      { return [2]int64{a[0] + b[0], a[1] + b[1]} }
func (mean) Result(acc [2]int64) int64         { return acc[0] / acc[1] }
func newMean(s *operators.States[string]) *aboveMean {
	return &aboveMean{operators.NewAggregatingState(s, "mean", operators.Aggregator[Trip, [2]int64, int64](mean{}))}
}

type aboveMean struct {
	mean operators.AggregatingState[Trip, int64]
}

func (f *aboveMean) ProcessElement(ctx *operators.Context[string, Trip], t Trip) error {
	if mean, ok := f.mean.Get(); ok && t.Tip > mean { // the first has nothing to be above
		ctx.Emit(t)
	}
	f.mean.Add(t)
	return nil
}

// Trips whose tip is above the mean of those before.
func ExampleNewAggregatingState() {
	top := operators.NewTopology("tips")
	trips := some(top, Trip{"Harlem", 100, at(1, 0)}, Trip{"Harlem", 200, at(1, 1)}, Trip{"Harlem", 120, at(1, 2)}, Trip{"Harlem", 160, at(1, 3)})
	operators.Process(operators.KeyBy(trips, zone), "above", newMean).To("out", printer[Trip]{})

	run(top)

	// Output:
	// {Harlem 200 3660000}
	// {Harlem 160 3780000}
}

// Raise multiplies the tips of an hour by a factor that holds for all zones.
type Raise struct {
	tips    operators.ListState[int64]
	factors *operators.BroadcastState[int64, int64] // by the hour
}

// Factor is for the hour that begins at a time.
type Factor struct{ Hour, Times int64 }

func (f *Raise) ProcessElement(ctx *operators.Context[string, string], t Trip) error {
	f.tips.Append(t.Tip)
	ctx.RegisterEventTimer(at(2, 0))
	return nil
}

func (f *Raise) ProcessBroadcast(ctx *operators.BroadcastContext[string], factor Factor) error {
	f.factors.Put(ctx, factor.Hour, factor.Times)
	return nil
}

// OnTimer runs when the factors have come as far: it need not wonder what is missing.
func (f *Raise) OnTimer(ctx *operators.Context[string, string], _ int64, _ operators.Domain) error {
	times, _ := f.factors.Get(at(1, 0))
	for tip := range f.tips.All() {
		ctx.Emit(fmt.Sprintf("%s: %d", ctx.Key(), tip*times))
	}
	f.tips.Clear()
	return nil
}

// Every subtask gets every factor.
func ExampleBroadcastProcess() {
	top := operators.NewTopology("tips").Parallelism(3)
	trips := some(top, Trip{"Harlem", 250, at(1, 0)}, Trip{"Chelsea", 70, at(1, 20)}, Trip{"Soho", 10, at(1, 30)}).Parallelism(1)
	factors := operators.From(top, "factors", operators.Slice(Factor{at(1, 0), 2}, Factor{at(2, 0), 9}), operators.Monotonous(func(f Factor) int64 { return f.Hour })).Parallelism(1)
	operators.BroadcastProcess(operators.KeyBy(trips, zone), factors, "raise", func(s *operators.States[string], b *operators.BroadcastStates) *Raise {
		return &Raise{tips: operators.NewListState[int64](s, "tips"), factors: operators.NewBroadcastState[int64, int64](b, "factors")}
	}).To("out", printer[string]{})

	run(top)

	// Unordered output:
	// Harlem: 500
	// Chelsea: 140
	// Soho: 20
}

// Each trip with the complaints of its zone within ten minutes after it.
func ExampleIntervalJoin() {
	type Complaint struct {
		Zone string
		At   int64
	}
	top := operators.NewTopology("tips")
	trips := some(top, Trip{"Harlem", 250, at(1, 0)}, Trip{"Harlem", 70, at(1, 8)}, Trip{"Soho", 10, at(1, 30)})
	complaints := operators.From(top, "complaints", operators.Slice(Complaint{"Harlem", at(1, 10)}, Complaint{"Soho", at(1, 29)}),
		operators.Monotonous(func(c Complaint) int64 { return c.At }))
	operators.IntervalJoin(operators.KeyBy(trips, zone), operators.KeyBy(complaints, func(c Complaint) string { return c.Zone }), "complained",
		0, 10*time.Minute, func(t Trip, c Complaint) string {
			return fmt.Sprintf("%s %d, after %v", t.Zone, t.Tip, clock(c.At-t.PickedUp))
		},
	).To("out", printer[string]{})

	run(top)

	// Unordered output:
	// Harlem 250, after 10m0s
	// Harlem 70, after 2m0s
}
