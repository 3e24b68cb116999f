package actors

import (
	"fmt"
	"time"

	"github.com/weirflow/weir/messages"
	"github.com/weirflow/weir/messages/mutant"
	"github.com/weirflow/weir/operators/plan"
)

// The event-time clock of a source: one a split, merged.

// watermarkOf gives a split's clock; one that was never read has none.
func watermarkOf(st *messages.SplitState) int64 {
	if len(st.GetPosition()) == 0 && !st.GetFinished() || mutant.On("forget-watermark") {
		return messages.NoWatermark
	}
	return st.GetWatermark()
}

// restoreClock sets the source's clock to what the snapshot said of it. What was
// behind it and held it back does so again; what lagged lags again.
func (src *source) restoreClock(current int64) {
	src.clock.RestoreCurrent(current)
	for _, sp := range src.splits {
		src.clock.SetLagging(sp.input, sp.lagging)
	}
}

// observe gives records their event times and marks. now is processing time in
// ms, for a clock that has nothing else to go by.
func (sp *split) observe(b *plan.Batch, now int64) error {
	if c, ok := sp.clock.(plan.ArrivalClock); ok {
		c.Arrive(now)
	}
	if err := sp.clock.Observe(b); err != nil {
		return fmt.Errorf("split %q: %w", sp.id, err)
	}
	return nil
}

// pushMark sends a watermark that no record caused.
func (src *source) pushMark() error {
	return src.push(src.spec.Type.New(0).WithMark(src.clock.Current()))
}

// setIdle makes a split idle or active, and tells the channels when that
// changes the subtask.
func (src *source) setIdle(sp *split, idle bool) error {
	if src.clock.SetIdle(sp.input, idle) {
		if err := src.pushMark(); err != nil {
			return err
		}
	}
	src.s.tellIdle()
	src.maybeTellLeast()
	return nil
}

// onIdleCheck makes splits idle that were silent for too long, and comes back
// when the next one could be, until the input has ended. Silent is a split whose
// read waits: one that was not opened yet, or waits for its turn or for credit,
// is not.
func (src *source) onIdleCheck() error {
	if src.ended {
		return nil
	}
	if !src.s.ready() { // what an advancing clock fires needs credit and an open transaction
		src.s.after(src.s.o.Linger+time.Millisecond, idleCheck{})
		return nil
	}
	now, limit := src.s.now(), src.spec.IdleAfter.Milliseconds()
	next := limit
	for _, sp := range src.splits {
		if _, idle := src.clock.Input(sp.input); idle || sp.finished || !sp.reading || len(sp.results) > 0 {
			continue
		}
		if silent := now - sp.waiting; silent < limit {
			next = min(next, limit-silent)
		} else if err := src.setIdle(sp, true); err != nil {
			return err
		}
	}
	src.s.after(time.Duration(next)*time.Millisecond, idleCheck{})
	return nil
}

// onPeriodic asks the generators that go by the clock, until the input has ended.
func (src *source) onPeriodic() error {
	if src.ended {
		return nil
	}
	if !src.s.ready() {
		src.s.after(src.s.o.Linger+time.Millisecond, periodicTick{})
		return nil
	}
	grew := false
	for _, sp := range src.splits {
		if sp.ahead { // what it has read waits, and must not become late meanwhile
			continue
		}
		if w, ok := sp.clock.Periodic(src.s.now()); ok && !sp.finished {
			grew = src.clock.Advance(sp.input, w) || grew
		}
	}
	src.s.after(src.spec.PeriodicEvery, periodicTick{})
	if !grew {
		return nil
	}
	return src.pushMark()
}
