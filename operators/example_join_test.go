package operators_test

import (
	"fmt"
	"time"

	"github.com/weirflow/weir/operators"
)

// Fee is what a zone charges from a time on.
type Fee struct {
	Zone  string
	Cents int64
	From  int64 // ms
	Ends  bool  // from then on it charges nothing
}

func feeZone(f Fee) string { return f.Zone }

// someFees gives the topology a second stream.
func someFees(top *operators.Topology, fees ...Fee) *operators.Stream[Fee] {
	return operators.From(top, "fees", operators.Slice(fees...), operators.Monotonous(func(f Fee) int64 { return f.From }))
}

// tripsAndFees are the two streams of these examples, in hours.
func tripsAndFees(top *operators.Topology) *operators.WindowedStream[string, operators.Either[Trip, Fee]] {
	trips := some(top, Trip{"Harlem", 250, at(1, 0)}, Trip{"Chelsea", 70, at(1, 20)}, Trip{"Harlem", 100, at(1, 30)}, Trip{"Harlem", 50, at(2, 5)})
	fees := someFees(top, Fee{Zone: "Harlem", Cents: 5, From: at(1, 10)}, Fee{Zone: "Queens", Cents: 7, From: at(2, 10)})
	return operators.CoWindow(operators.KeyBy(trips, zone), operators.KeyBy(fees, feeZone), operators.Tumbling(time.Hour))
}

// Every trip of an hour with every fee of its zone and hour.
func ExampleJoinWindow() {
	top := operators.NewTopology("tips")
	operators.JoinWindow(tripsAndFees(top), "net", func(t Trip, f Fee) string {
		return fmt.Sprintf("%s: %d", t.Zone, t.Tip-f.Cents)
	}).To("out", printer[string]{})

	run(top)

	// Output:
	// Harlem: 245
	// Harlem: 95
}

// A trip whose zone and hour have no fee comes out alone.
func ExampleLeftJoinWindow() {
	top := operators.NewTopology("tips")
	operators.LeftJoinWindow(tripsAndFees(top), "net", func(t Trip, f *Fee) string {
		if f == nil {
			return fmt.Sprintf("%s: all of %d", t.Zone, t.Tip)
		}
		return fmt.Sprintf("%s: %d", t.Zone, t.Tip-f.Cents)
	}).To("out", printer[string]{})

	run(top)

	// Unordered output:
	// Harlem: 245
	// Harlem: 95
	// Chelsea: all of 70
	// Harlem: all of 50
}

// And so does a fee without a trip.
func ExampleFullJoinWindow() {
	top := operators.NewTopology("tips")
	operators.FullJoinWindow(tripsAndFees(top), "net", func(t *Trip, f *Fee) string {
		switch {
		case t == nil:
			return fmt.Sprintf("%s: a fee of %d for nobody", f.Zone, f.Cents)
		case f == nil:
			return fmt.Sprintf("%s: all of %d", t.Zone, t.Tip)
		}
		return fmt.Sprintf("%s: %d", t.Zone, t.Tip-f.Cents)
	}).To("out", printer[string]{})

	run(top)

	// Unordered output:
	// Harlem: 245
	// Harlem: 95
	// Chelsea: all of 70
	// Harlem: all of 50
	// Queens: a fee of 7 for nobody
}

// A CoGroup gets both sides of a window at once.
func ExampleCoGroup() {
	top := operators.NewTopology("tips")
	operators.CoGroup(tripsAndFees(top), "hours", func(c *operators.WindowContext[string, string], trips []Trip, fees []Fee) error {
		c.Emit(fmt.Sprintf("%s from %v: %d trips, %d fees", c.Key(), clock(c.Window().Start), len(trips), len(fees)))
		return nil
	}).To("out", printer[string]{})

	run(top)

	// Unordered output:
	// Harlem from 1h0m0s: 2 trips, 1 fees
	// Chelsea from 1h0m0s: 1 trips, 0 fees
	// Harlem from 2h0m0s: 1 trips, 0 fees
	// Queens from 2h0m0s: 0 trips, 1 fees
}

// What is late for a window over two streams is of the one or of the other.
func ExampleCoWindow() {
	top := operators.NewTopology("tips")
	late := operators.NewTag[operators.Either[Trip, Fee]]("late")
	trips := some(top, Trip{"Harlem", 250, at(1, 0)}, Trip{"Harlem", 50, at(2, 5)}, Trip{"Harlem", 999, at(1, 59)})
	fees := someFees(top) // it ends at once
	hours := operators.CoWindow(operators.KeyBy(trips, zone), operators.KeyBy(fees, feeZone), operators.Tumbling(time.Hour)).SideOutputLate(late)
	sums := operators.CoGroup(hours, "hours", func(c *operators.WindowContext[string, string], trips []Trip, _ []Fee) error {
		c.Emit(fmt.Sprint(len(trips), " until ", clock(c.Window().End)))
		return nil
	})
	sums.To("out", printer[string]{})
	operators.Map(operators.SideOutput(sums, late), "kind", func(e operators.Either[Trip, Fee]) string {
		if t, ok := e.First(); ok {
			return fmt.Sprint("late trip: ", t.Tip)
		}
		return "late fee"
	}).To("too-late", printer[string]{})

	run(top)
}

// An Either holds one of two.
func ExampleEither() {
	for _, e := range []operators.Either[Trip, Fee]{
		operators.FirstOf[Trip, Fee](Trip{Zone: "Harlem", Tip: 5}), operators.SecondOf[Trip](Fee{Zone: "Queens", Cents: 7}),
	} {
		_, isTrip := e.First()
		_, isFee := e.Second()
		fmt.Println(e, isTrip, isFee)
	}
	// Output:
	// {Harlem 5 0} true false
	// {Queens 7 0 false} false true
}

// Each trip with the fee that its zone had at the time, as a table of fees with
// versions has it. Harlem charged 5, then 6; the trip of 1:00 came before any fee.
func ExampleTemporalJoin() {
	top := operators.NewTopology("tips")
	trips := some(top, Trip{"Harlem", 250, at(1, 0)}, Trip{"Harlem", 100, at(1, 30)}, Trip{"Harlem", 50, at(2, 5)}, Trip{"Harlem", 40, at(3, 0)})
	fees := someFees(top, Fee{Zone: "Harlem", Cents: 5, From: at(1, 10)}, Fee{Zone: "Harlem", Cents: 6, From: at(2, 5)})
	operators.TemporalJoin(operators.KeyBy(trips, zone), operators.KeyBy(fees, feeZone), "net", func(t Trip, f Fee) string {
		return fmt.Sprintf("%v: %d", clock(t.PickedUp), t.Tip-f.Cents)
	}).To("out", printer[string]{})

	run(top)

	// Output:
	// 1h30m0s: 95
	// 2h5m0s: 44
	// 3h0m0s: 34
}

// A fee may end, and one that nobody renewed within an hour counts no more.
func ExampleLeftTemporalJoin() {
	top := operators.NewTopology("tips")
	trips := some(top, Trip{"Harlem", 250, at(1, 0)}, Trip{"Harlem", 100, at(2, 0)}, Trip{"Chelsea", 50, at(2, 5)}, Trip{"Chelsea", 40, at(3, 5)})
	fees := someFees(top, Fee{Zone: "Harlem", Cents: 5, From: at(0, 10)}, Fee{Zone: "Harlem", From: at(1, 5), Ends: true}, Fee{Zone: "Chelsea", Cents: 7, From: at(2, 0)})
	operators.LeftTemporalJoin(operators.KeyBy(trips, zone), operators.KeyBy(fees, feeZone), "net", func(t Trip, f *Fee) string {
		if f == nil {
			return fmt.Sprintf("%s at %v: all of %d", t.Zone, clock(t.PickedUp), t.Tip)
		}
		return fmt.Sprintf("%s at %v: %d", t.Zone, clock(t.PickedUp), t.Tip-f.Cents)
	}, operators.TemporalJoinOptions[Trip, Fee]{
		Deleted:   func(f Fee) bool { return f.Ends },
		Retention: time.Hour,
	}).To("out", printer[string]{})

	run(top)

	// Unordered output:
	// Harlem at 1h0m0s: 245
	// Harlem at 2h0m0s: all of 100
	// Chelsea at 2h5m0s: 43
	// Chelsea at 3h5m0s: all of 40
}

// The trips of each batch are folded where they are read; what goes to the one
// subtask that has all windows of WindowAll is a part for each batch.
func ExampleWindowedStream_PreAggregate() {
	top := operators.NewTopology("tips")
	trips := some(top, Trip{"Harlem", 250, at(1, 0)}, Trip{"Chelsea", 100, at(1, 30)}, Trip{"Harlem", 50, at(2, 5)})
	hourly := operators.WindowAll(trips, operators.Tumbling(time.Hour)).PreAggregate()
	operators.Aggregate(hourly, "mean", Mean{}).To("out", printer[operators.WindowResult[uint8, float64]]{})

	run(top)

	// Output:
	// {0 3600000 7200000 175}
	// {0 7200000 10800000 50}
}

// Trips of Harlem have a subtask of their own, all others share the rest.
func ExampleStream_PartitionBy() {
	top := operators.NewTopology("tips")
	trips := some(top, Trip{"Harlem", 250, at(1, 0)}, Trip{"Chelsea", 100, at(1, 30)}, Trip{"Harlem", 50, at(2, 5)})
	own := trips.PartitionBy(func(t Trip, n int) int {
		if t.Zone == "Harlem" {
			return 0
		}
		return int(t.PickedUp)%(n-1) + 1
	})
	operators.Map(own, "tip", func(t Trip) int64 { return t.Tip }).Parallelism(3).To("out", printer[int64]{}).Parallelism(1)

	run(top)

	// Unordered output:
	// 250
	// 100
	// 50
}

// Every subtask gets every trip.
func ExampleStream_Broadcast() {
	top := operators.NewTopology("tips")
	trips := some(top, Trip{"Harlem", 250, at(1, 0)})
	operators.Map(trips.Broadcast(), "tip", func(t Trip) int64 { return t.Tip }).Parallelism(2).To("out", printer[int64]{}).Parallelism(1)

	run(top)

	// Output:
	// 250
	// 250
}
