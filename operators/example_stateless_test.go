package operators_test

import (
	"errors"
	"fmt"
	"strings"

	"github.com/weirflow/weir/operators"
)

func ExampleMap() {
	top := operators.NewTopology("tips")
	trips := some(top, Trip{"Harlem", 250, at(1, 0)}, Trip{"Chelsea", 75, at(1, 1)})
	operators.Map(trips, "dollars", func(t Trip) float64 { return float64(t.Tip) / 100 }).To("out", printer[float64]{})

	run(top)

	// Output:
	// 2.5
	// 0.75
}

func ExampleStream_Filter() {
	top := operators.NewTopology("tips")
	trips := some(top, Trip{"Harlem", 250, at(1, 0)}, Trip{"Chelsea", 75, at(1, 1)})
	trips.Filter("generous", func(t Trip) bool { return t.Tip > 100 }).To("out", printer[Trip]{})

	run(top)

	// Output:
	// {Harlem 250 3600000}
}

// A FlatMap gives any number of records for one, and may fail.
func ExampleFlatMap() {
	top := operators.NewTopology("words")
	lines := operators.From(top, "lines", operators.Slice("to be", "or not"), operators.NoWatermarks[string]())
	words := operators.FlatMap(lines, "split", func(line string, out *operators.Out[string]) error {
		if line == "" {
			return errors.New("an empty line")
		}
		for _, w := range strings.Fields(line) {
			out.Emit(w)
		}
		return nil
	})
	words.To("out", printer[string]{})

	run(top)

	// Output:
	// to
	// be
	// or
	// not
}

// What a function emits has the event time of the record it was made of.
func ExampleOut_Time() {
	top := operators.NewTopology("tips")
	trips := some(top, Trip{"Harlem", 250, at(1, 0)}, Trip{"Chelsea", 75, at(1, 1)})
	operators.FlatMap(trips, "times", func(t Trip, out *operators.Out[string]) error {
		out.Emit(fmt.Sprint(t.Zone, " at ", clock(out.Time())))
		return nil
	}).To("out", printer[string]{})

	run(top)

	// Output:
	// Harlem at 1h0m0s
	// Chelsea at 1h1m0s
}

// A side output is a stream of its own type. A function writes to it through
// its tag, and SideOutput reads it.
func ExampleSideOutput() {
	top := operators.NewTopology("tips")
	alerts := operators.NewTag[string]("alerts")
	trips := some(top, Trip{"Harlem", 250, at(1, 0)}, Trip{"Chelsea", 200_000, at(1, 1)})
	checked := operators.FlatMap(trips, "check", func(t Trip, out *operators.Out[Trip]) error {
		if t.Tip > 100_000 {
			alerts.Emit(out, fmt.Sprint("a tip of ", t.Tip, " in ", t.Zone))
		}
		out.Emit(t)
		return nil
	}, alerts)
	checked.To("out", printer[Trip]{})
	operators.SideOutput(checked, alerts).To(alerts.Name(), printer[string]{})

	run(top)

	// Unordered output:
	// {Harlem 250 3600000}
	// {Chelsea 200000 3660000}
	// a tip of 200000 in Chelsea
}

// A union's clock is the slower one's, so that nothing of either is late.
func ExampleUnion() {
	top := operators.NewTopology("tips")
	green := operators.From(top, "green", operators.Slice(Trip{"Harlem", 250, at(1, 0)}), operators.Monotonous(pickedUp))
	yellow := operators.From(top, "yellow", operators.Slice(Trip{"Chelsea", 75, at(3, 0)}), operators.Monotonous(pickedUp))
	operators.Union(green, yellow).To("out", printer[Trip]{})

	run(top)

	// Unordered output:
	// {Harlem 250 3600000}
	// {Chelsea 75 10800000}
}
