package main

import (
	"time"

	"github.com/weirflow/weir/operators"
)

const (
	long     = int64(2 * time.Hour / time.Millisecond)
	disorder = 30 * time.Minute // events come late by less
)

// watch keeps what it has seen of a ride: the first of its two events, with a
// timer for when a partner would be too late to matter.
type watch struct {
	began operators.ValueState[int64]
	ended operators.ValueState[int64]
}

func newWatch(s *operators.States[int64]) *watch {
	return &watch{began: operators.NewValueState[int64](s, "began"), ended: operators.NewValueState[int64](s, "ended")}
}

func (w *watch) ProcessElement(ctx *operators.Context[int64, Alert], e Event) error {
	if e.End {
		w.end(ctx, e)
	} else {
		w.begin(ctx, e)
	}
	return nil
}

// begin waits for the end of the ride, unless it has come already.
func (w *watch) begin(ctx *operators.Context[int64, Alert], e Event) {
	if end, known := w.ended.Get(); known {
		ctx.DeleteEventTimer(end + 1)
		w.ended.Clear()
		w.judge(ctx, e.At, end)
		return
	}
	w.began.Set(e.At)
	ctx.RegisterEventTimer(e.At + long + 1)
}

// end ends the waiting. A ride whose beginning is unknown either waits for it, or
// was told of before: that one needs no more, and a timer at the next watermark
// forgets it.
func (w *watch) end(ctx *operators.Context[int64, Alert], e Event) {
	if at, known := w.began.Get(); known {
		ctx.DeleteEventTimer(at + long + 1)
		w.began.Clear()
		w.judge(ctx, at, e.At)
		return
	}
	w.ended.Set(e.At)
	ctx.RegisterEventTimer(e.At + 1) // its beginning is before it
}

// judge tells of a ride that was too long, though no watermark has said so yet.
func (w *watch) judge(ctx *operators.Context[int64, Alert], began, ended int64) {
	if ended-began > long {
		ctx.Emit(Alert{Ride: ctx.Key(), Began: began})
	}
}

// OnTimer runs two hours after a beginning without an end, or behind an end whose
// beginning can come no more.
func (w *watch) OnTimer(ctx *operators.Context[int64, Alert], _ int64, _ operators.Domain) error {
	if at, waits := w.began.Get(); waits {
		ctx.Emit(Alert{Ride: ctx.Key(), Began: at})
	}
	w.began.Clear()
	w.ended.Clear()
	return nil
}
