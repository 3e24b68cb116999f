package main

import (
	"time"

	"github.com/weirflow/weir/operators"
)

// topology is the job: trips by pick-up zone and hour into results, and those
// that come too late for their hour to the side. A rate above 0 slows it down.
func topology(o outside, perSecond float64) *operators.Topology {
	top := operators.NewTopology("tips").Parallelism(2)
	source := o.trips()
	if perSecond > 0 {
		source = paced[*Trip]{source, perSecond}
	}
	pickedUp := operators.BoundedOutOfOrderness(time.Duration(lateAfterMs)*time.Millisecond, (*Trip).GetPickupMs)
	trips := operators.From(top, "trips", source, pickedUp).Parallelism(1) // one split

	late := operators.NewTag[*Trip]("late")
	hourly := operators.KeyBy(trips, (*Trip).GetPickupZone).Window(operators.Tumbling(time.Hour)).SideOutputLate(late)
	tips := operators.Aggregate(hourly, "tips", sumTips{})

	operators.Map(tips, "row", newRow).To("results", o.results())
	operators.SideOutput(tips, late).To("late", o.late())
	return top
}

// sum is what an open hour of a zone keeps.
type sum struct{ Trips, TipCents int64 }

// sumTips is an operators.Aggregator.
type sumTips struct{}

func (sumTips) CreateAccumulator() sum { return sum{} }
func (sumTips) Add(s sum, t *Trip) sum { return sum{s.Trips + 1, s.TipCents + t.GetTipCents()} }
func (sumTips) Merge(a, b sum) sum     { return sum{a.Trips + b.Trips, a.TipCents + b.TipCents} }
func (sumTips) Result(s sum) sum       { return s }

func newRow(r operators.WindowResult[string, sum]) row {
	return row{Zone: r.Key, Hour: formatHour(r.Start), Trips: r.Value.Trips, TipCents: r.Value.TipCents}
}
