package main

import (
	"time"

	"github.com/weirflow/weir/operators"
)

// Event is what comes in out of order. Its number is its event time, in ms.
type Event struct{ Time int64 }

// Sorted is an event on its way out, with the watermark that let it go, in ms.
type Sorted struct {
	Time      int64 `json:"time"`
	Watermark int64 `json:"watermark"`
}

// bound is how much later than a younger event an event may come. In the input
// below 19 comes after 24, and no event is later than that.
const bound = 5 * time.Millisecond

// input is what comes in, in this order.
var input = []Event{{4}, {2}, {7}, {11}, {9}, {15}, {12}, {13}, {17}, {14}, {21}, {24}, {22}, {19}, {23}}

// lateTag is the side output for events that come behind the watermark. A sorter
// cannot send them in order any more, and it must not drop them unseen.
var lateTag = operators.NewTag[Event]("late")

// sorter holds every event back until the watermark reaches its time: then no
// event before it is to come.
type sorter struct {
	held operators.MapState[int64, int64] // number of events by their time
}

func newSorter(s *operators.States[string]) *sorter {
	return &sorter{held: operators.NewMapState[int64, int64](s, "held")}
}

// ProcessElement keeps the event, and sets the timer that will let it go.
func (f *sorter) ProcessElement(ctx *operators.Context[string, Sorted], e Event) error {
	if ctx.Time() <= ctx.CurrentWatermark() {
		lateTag.Emit(ctx, e)
		return nil
	}
	n, _ := f.held.Get(ctx.Time())
	f.held.Put(ctx.Time(), n+1)
	ctx.RegisterEventTimer(ctx.Time())
	return nil
}

// OnTimer lets go of the events of one time. Timers fire in the order of their
// times, so what leaves is sorted.
func (f *sorter) OnTimer(ctx *operators.Context[string, Sorted], at int64, _ operators.Domain) error {
	n, _ := f.held.Get(at)
	for range n {
		ctx.Emit(Sorted{Time: at, Watermark: ctx.CurrentWatermark()})
	}
	f.held.Delete(at)
	return nil
}

// sortAll sorts a stream as a whole: there is an order within a key only, so all
// events have the same one.
func sortAll(in *operators.Stream[Event]) *operators.Stream[Sorted] {
	one := operators.KeyBy(in, func(Event) string { return "all" })
	return operators.Process[string, Event, Sorted](one, "sorter", newSorter, lateTag)
}
