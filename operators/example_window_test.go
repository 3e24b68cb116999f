package operators_test

import (
	"fmt"
	"time"

	"github.com/weirflow/weir/operators"
)

// Mean is an Aggregator: the mean tip of a window, out of a sum and a count.
type Mean struct{}

// Tips is its accumulator.
type Tips struct{ Sum, Count int64 }

func (Mean) CreateAccumulator() Tips   { return Tips{} }
func (Mean) Add(acc Tips, t Trip) Tips { return Tips{acc.Sum + t.Tip, acc.Count + 1} }
func (Mean) Merge(a, b Tips) Tips      { return Tips{a.Sum + b.Sum, a.Count + b.Count} }
func (Mean) Result(acc Tips) float64   { return float64(acc.Sum) / float64(acc.Count) }

var _ operators.Aggregator[Trip, Tips, float64] = Mean{}

// The mean tip of every hour and zone. The trip of 1:59 comes when its hour has
// fired: it goes to the side output.
func ExampleAggregate() {
	top := operators.NewTopology("tips")
	trips := some(top, Trip{"Harlem", 250, at(1, 0)}, Trip{"Harlem", 100, at(1, 30)},
		Trip{"Harlem", 50, at(2, 5)}, Trip{"Harlem", 999, at(1, 59)})
	late := operators.NewTag[Trip]("late")
	hourly := operators.KeyBy(trips, zone).Window(operators.Tumbling(time.Hour)).SideOutputLate(late)

	means := operators.Aggregate(hourly, "mean", Mean{})
	operators.Map(means, "text", func(w operators.WindowResult[string, float64]) string {
		return fmt.Sprintf("%s, from %v to %v: %.1f", w.Key, clock(w.Start), clock(w.End), w.Value)
	}).To("out", printer[string]{})
	operators.SideOutput(means, late).To("too-late", printer[Trip]{})

	run(top)

	// Unordered output:
	// Harlem, from 1h0m0s to 2h0m0s: 175.0
	// {Harlem 999 7140000}
	// Harlem, from 2h0m0s to 3h0m0s: 50.0
}

// The best tip of every hour and zone. Lateness keeps an hour open for its late
// trips; each of them fires it again with all there is.
func ExampleReduceWindow() {
	top := operators.NewTopology("tips")
	trips := some(top, Trip{"Harlem", 250, at(1, 0)}, Trip{"Harlem", 50, at(2, 5)}, Trip{"Harlem", 999, at(1, 59)})
	hourly := operators.KeyBy(trips, zone).Window(operators.Tumbling(time.Hour)).AllowedLateness(10 * time.Minute)

	operators.ReduceWindow(hourly, "best", func(a, b Trip) Trip {
		if a.Tip < b.Tip {
			return b
		}
		return a
	}).To("out", printer[operators.WindowResult[string, Trip]]{})

	run(top)

	// Output:
	// {Harlem 3600000 7200000 {Harlem 250 3600000}}
	// {Harlem 3600000 7200000 {Harlem 999 7140000}}
	// {Harlem 7200000 10800000 {Harlem 50 7500000}}
}

// Days of a place that is eight hours ahead of UTC begin at 16:00 UTC.
func ExampleTumblingWindows_Offset() {
	top := operators.NewTopology("tips")
	trips := some(top, Trip{"Harlem", 1, at(15, 59)}, Trip{"Harlem", 2, at(16, 0)})
	daily := operators.KeyBy(trips, zone).Window(operators.Tumbling(24 * time.Hour).Offset(-8 * time.Hour))
	sums := operators.Aggregate(daily, "mean", Mean{})
	operators.Map(sums, "text", func(w operators.WindowResult[string, float64]) string {
		return fmt.Sprintf("%v: %v", clock(w.Start), w.Value)
	}).To("out", printer[string]{})

	run(top)

	// Output:
	// -8h0m0s: 1
	// 16h0m0s: 2
}

// Windows say in a plan how they lie; so do strategies and sources.
func ExampleTumblingWindows_String() {
	fmt.Println(operators.Tumbling(time.Hour))
	fmt.Println(operators.Tumbling(24 * time.Hour).Offset(-8 * time.Hour))
	// Output:
	// tumbling 1h0m0s
	// tumbling 24h0m0s offset -8h0m0s
}
