package main

import (
	"time"

	"github.com/weirflow/weir/operators"
)

const hourMs = int64(time.Hour / time.Millisecond)

// lastMs is the last ms of the hour of a time, also before 1970.
func lastMs(at int64) int64 { return at - (at%hourMs+hourMs)%hourMs + hourMs - 1 }

// A rule says whether a trip is too late. last is the last ms of its hour.
type rule func(at, last, watermark int64) bool

// hourIsClosed is the rule of windows: what comes before its hour has fired is
// taken, however far the clock is.
func hourIsClosed(_, last, watermark int64) bool { return last <= watermark }

// isBehindClock takes the watermark at its word: nothing at or before it is on
// time. It also drops what falls into an hour that is still open.
func isBehindClock(at, _, watermark int64) bool { return at <= watermark }

// hourKeeper is a window kept by hand: for each open hour of a driver an entry
// of the map and a timer, both at the hour's last ms.
type hourKeeper struct {
	tooLate rule
	late    operators.Tag[Trip]
	open    operators.MapState[int64, int64] // cents by the last ms of the hour
}

func keptByHand(tooLate rule, late operators.Tag[Trip]) func(*operators.States[string]) *hourKeeper {
	return func(s *operators.States[string]) *hourKeeper {
		return &hourKeeper{tooLate: tooLate, late: late, open: operators.NewMapState[int64, int64](s, "open")}
	}
}

// ProcessElement adds a trip to its hour. A key and a time make one timer, so
// there is no need to ask whether the hour was open.
func (k *hourKeeper) ProcessElement(ctx *operators.Context[string, HourTips], t Trip) error {
	last := lastMs(t.PickupMs)
	if k.tooLate(t.PickupMs, last, ctx.CurrentWatermark()) {
		k.late.Emit(ctx, t)
		return nil
	}
	sum, _ := k.open.Get(last)
	k.open.Put(last, sum+t.TipCents)
	ctx.RegisterEventTimer(last)
	return nil
}

// OnTimer closes an hour: what is emitted has the timer's time.
func (k *hourKeeper) OnTimer(ctx *operators.Context[string, HourTips], last int64, _ operators.Domain) error {
	sum, _ := k.open.Get(last)
	k.open.Delete(last)
	ctx.Emit(HourTips{Driver: ctx.Key(), LastMs: last, Cents: sum})
	return nil
}
