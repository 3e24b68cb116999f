package main

import (
	"time"

	"github.com/weirflow/weir/operators"
)

// patience is how long a ride or a fare waits for the other, in event time.
const patience = int64(3 * time.Hour / time.Millisecond)

// What found no partner in time goes to a side output.
var (
	unpaid   = operators.NewTag[Ride]("unpaid")
	unridden = operators.NewTag[Fare]("unridden")
)

// join waits for both sides of a ride. Which of them comes first depends on the
// speed of the sources, so it does the same either way.
type join struct {
	ride operators.ValueState[Ride]
	fare operators.ValueState[Fare]
}

type joinContext = operators.Context[int64, Trip]

func newJoin(s *operators.States[int64]) *join {
	return &join{ride: operators.NewValueState[Ride](s, "ride"), fare: operators.NewValueState[Fare](s, "fare")}
}

// ProcessElement1 takes a ride.
func (j *join) ProcessElement1(ctx *joinContext, r Ride) error {
	f, waits := j.fare.Get()
	switch {
	case !waits:
		j.ride.Set(r)
		ctx.RegisterEventTimer(r.Began + patience)
	case tooFar(r, f):
		unpaid.Emit(ctx, r) // the clock will pass its time before the fare's
	default:
		j.pair(ctx, r, f)
	}
	return nil
}

// ProcessElement2 takes a fare.
func (j *join) ProcessElement2(ctx *joinContext, f Fare) error {
	r, waits := j.ride.Get()
	if waits && !tooFar(r, f) {
		j.pair(ctx, r, f)
		return nil
	}
	if waits { // no watermark has said so yet, but the ride has waited for too long
		j.giveUp(ctx)
		ctx.DeleteEventTimer(r.Began + patience)
	}
	j.fare.Set(f)
	ctx.RegisterEventTimer(f.Paid + patience)
	return nil
}

// tooFar: the ride's timer is due when the fare is paid. A fare is never paid
// before its ride began.
func tooFar(r Ride, f Fare) bool { return f.Paid-r.Began >= patience }

// pair emits the trip and leaves nothing behind.
func (j *join) pair(ctx *joinContext, r Ride, f Fare) {
	ctx.Emit(Trip{Ride: r, Fare: f})
	ctx.DeleteEventTimer(r.Began + patience)
	ctx.DeleteEventTimer(f.Paid + patience)
	j.ride.Clear()
	j.fare.Clear()
}

// OnTimer runs when nobody came.
func (j *join) OnTimer(ctx *joinContext, _ int64, _ operators.Domain) error {
	j.giveUp(ctx)
	return nil
}

func (j *join) giveUp(ctx *joinContext) {
	if r, waits := j.ride.Get(); waits {
		unpaid.Emit(ctx, r)
	}
	if f, waits := j.fare.Get(); waits {
		unridden.Emit(ctx, f)
	}
	j.ride.Clear()
	j.fare.Clear()
}
