package main

import (
	"time"

	"github.com/weirflow/weir/operators"
)

// Trip becomes known when it ends and belongs to the hour in which it began.
type Trip struct {
	ID       int64
	Driver   string
	PickupMs int64 // since 1970
	TipCents int64
}

func driverOf(t Trip) string { return t.Driver }
func pickupOf(t Trip) int64  { return t.PickupMs }
func (t Trip) at() time.Time { return time.UnixMilli(t.PickupMs).UTC() }

// HourTips is what a driver got in an hour.
type HourTips struct {
	Driver string
	LastMs int64 // the last ms of the hour
	Cents  int64
}

// waits is how far the clock stays behind the latest pick-up.
const waits = 20 * time.Minute

// The computations, by the names of their operators.
const (
	byWindows = "windows"
	byHand    = "process"
	byClock   = "strict"
)

var computations = []string{byWindows, byHand, byClock}

// sinks says where a computation's results and late trips go.
type sinks struct {
	hours func(by string) operators.Sink[HourTips]
	late  func(by string) operators.Sink[Trip]
}

// topology computes the hourly tips of each driver in three ways. The watermark
// follows every trip, so that it is easy to say where it stands. The trips are
// one split and have one reader.
func topology(trips []Trip, parallelism int, to sinks) *operators.Topology {
	top := operators.NewTopology("pseudo").Parallelism(parallelism)
	clock := operators.BoundedOutOfOrderness(waits, pickupOf).Granularity(0)
	drivers := operators.KeyBy(operators.From(top, "trips", operators.Slice(trips...), clock).Parallelism(1), driverOf)

	late := operators.NewTag[Trip]("late")

	windows := operators.Aggregate(drivers.Window(operators.Tumbling(time.Hour)).SideOutputLate(late), byWindows, sumTips{})
	operators.SideOutput(windows, late).To("windows-late", to.late(byWindows))
	operators.Map(windows, "rows", ofWindow).To("windows-hours", to.hours(byWindows))

	process := operators.Process(drivers, byHand, keptByHand(hourIsClosed, late), late)
	operators.SideOutput(process, late).To("process-late", to.late(byHand))
	process.To("process-hours", to.hours(byHand))

	strict := operators.Process(drivers, byClock, keptByHand(isBehindClock, late), late)
	operators.SideOutput(strict, late).To("strict-late", to.late(byClock))
	strict.To("strict-hours", to.hours(byClock))
	return top
}

// sumTips is an operators.Aggregator.
type sumTips struct{}

func (sumTips) CreateAccumulator() int64    { return 0 }
func (sumTips) Add(sum int64, t Trip) int64 { return sum + t.TipCents }
func (sumTips) Merge(a, b int64) int64      { return a + b }
func (sumTips) Result(sum int64) int64      { return sum }

func ofWindow(r operators.WindowResult[string, int64]) HourTips {
	return HourTips{Driver: r.Key, LastMs: r.End - 1, Cents: r.Value}
}
