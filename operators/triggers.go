package operators

import (
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/weirflow/weir/messages"
	"github.com/weirflow/weir/messages/mutant"
)

var errNilTrigger = errors.New("its trigger is nil; give Triggered one, or leave it out for the default")

// describing describes a trigger or an evictor in a plan.
func describing(v any) string {
	if s, ok := v.(fmt.Stringer); ok {
		return s.String()
	}
	return fmt.Sprintf("%T", v)
}

// checkOption tells what is wrong with a trigger or an evictor of this package.
func checkOption(v any) error {
	if c, ok := v.(interface{ check() error }); ok {
		return c.check()
	}
	return nil
}

// checkEvery tells what is wrong with a span of time that is an option; 0 means none.
func checkEvery(option string, d time.Duration) error {
	if d < 0 {
		return fmt.Errorf("%s(%v): the time is not negative; give 1ms or more, or leave it out", option, d)
	}
	return wholeMillis(option, d)
}

// checkDistance tells what is wrong with a function of distance and its threshold.
func checkDistance(option string, threshold float64, missing bool) error {
	if missing {
		return fmt.Errorf("%s: its function of distance is nil; give it one", option)
	}
	if math.IsNaN(threshold) {
		return fmt.Errorf("%s(NaN): nothing compares with the threshold NaN; give a number", option)
	}
	return nil
}

// WatermarkTrigger fires a window when the watermark reaches its last
// millisecond, and again for every late record that is allowed. It can fire early
// as well.
type WatermarkTrigger[T any] struct {
	early, earlyByClock time.Duration
	earlyCount          int64
}

// AfterWatermark is the default trigger of windows of event time.
func AfterWatermark[T any]() WatermarkTrigger[T] { return WatermarkTrigger[T]{} }

// EarlyEvery shows what is in the window at every multiple of d, since the epoch,
// that the watermark reaches behind the first record and before the end, whether
// or not there is news. A watermark that passes several shows it as often. d is a
// whole number of milliseconds; 0 takes it back.
func (w WatermarkTrigger[T]) EarlyEvery(d time.Duration) WatermarkTrigger[T] {
	w.early = d
	return w
}

// EarlyEveryProcessing shows what is in the window whenever the clock of the node
// has gone on by d, a whole number of milliseconds; 0 takes it back.
func (w WatermarkTrigger[T]) EarlyEveryProcessing(d time.Duration) WatermarkTrigger[T] {
	w.earlyByClock = d
	return w
}

// EarlyCount shows what is in the window after every n records, until the
// watermark reaches its end. 0 takes it back.
func (w WatermarkTrigger[T]) EarlyCount(n int64) WatermarkTrigger[T] {
	w.earlyCount = n
	return w
}

func (w WatermarkTrigger[T]) check() error {
	count := error(nil)
	if w.earlyCount < 0 {
		count = fmt.Errorf("EarlyCount(%d): give 1 record or more, or leave it out", w.earlyCount)
	}
	return errors.Join(checkEvery("EarlyEvery", w.early), checkEvery("EarlyEveryProcessing", w.earlyByClock), count)
}

// String names the trigger in plans.
func (w WatermarkTrigger[T]) String() string {
	s := "after watermark"
	if w.early > 0 {
		s += fmt.Sprintf(", early every %v", w.early)
	}
	if w.earlyByClock > 0 {
		s += fmt.Sprintf(", early every %v of processing time", w.earlyByClock)
	}
	if w.earlyCount > 0 {
		s += fmt.Sprintf(", early every %d records", w.earlyCount)
	}
	return s
}

// EarlyState is what a WatermarkTrigger remembers of a window.
type EarlyState struct {
	Count       int64 // records since the last early firing by count
	Event       int64 // the next early firing by event time, ms
	Clock       int64 // and by processing time, ms
	Eventful    bool  // Event is set
	Clockworked bool  // Clock is set
}

// OnElement implements Trigger.
func (w WatermarkTrigger[T]) OnElement(c *TriggerContext[EarlyState], _ T, ts int64) TriggerResult {
	last := c.Window().MaxTimestamp()
	if last <= c.CurrentWatermark() {
		return Fire // a late record
	}
	c.RegisterEventTimer(last)
	if d := w.early.Milliseconds(); d > 0 && !c.State.Eventful {
		w.nextEvent(c, ts, d)
	}
	if d := w.earlyByClock.Milliseconds(); d > 0 && !c.State.Clockworked {
		w.nextClock(c, c.CurrentProcessingTime(), d)
	}
	if w.earlyCount == 0 {
		return Continue
	}
	if c.State.Count++; c.State.Count < w.earlyCount {
		return Continue
	}
	c.State.Count = 0
	return Fire
}

// nextEvent sets the next early firing behind a time, if the window is that long.
// In one that never ends the end of the input, which is no time, leads to no more.
func (w WatermarkTrigger[T]) nextEvent(c *TriggerContext[EarlyState], after, every int64) {
	at, last := multipleAfter(after, every), c.Window().MaxTimestamp()
	over := last > messages.MaxEventTime && c.CurrentWatermark() == messages.MaxWatermark
	if c.State.Eventful = at < last && !over; c.State.Eventful {
		c.State.Event = at
		c.RegisterEventTimer(at)
	}
}

func (w WatermarkTrigger[T]) nextClock(c *TriggerContext[EarlyState], after, every int64) {
	c.State.Clock, c.State.Clockworked = multipleAfter(after, every), true
	c.RegisterProcessingTimer(c.State.Clock)
}

// multipleAfter gives the least multiple of step that is greater than t.
func multipleAfter(t, step int64) int64 {
	m := t % step
	if m < 0 && !mutant.On("early-below-zero") {
		m += step
	}
	return t - m + step
}

// OnEventTime implements Trigger.
func (w WatermarkTrigger[T]) OnEventTime(c *TriggerContext[EarlyState], at int64) TriggerResult {
	if at == c.Window().MaxTimestamp() {
		w.stopClock(c)
		return Fire
	}
	if !c.State.Eventful || at != c.State.Event {
		return Continue
	}
	w.nextEvent(c, at, w.early.Milliseconds())
	return Fire
}

// OnProcessingTime implements Trigger.
func (w WatermarkTrigger[T]) OnProcessingTime(c *TriggerContext[EarlyState], at int64) TriggerResult {
	if !c.State.Clockworked || at != c.State.Clock {
		return Continue
	}
	w.nextClock(c, max(at, c.CurrentProcessingTime()), w.earlyByClock.Milliseconds())
	return Fire
}

// OnMerge implements MergingTrigger: the merged window is as far as all that went
// into it together.
func (w WatermarkTrigger[T]) OnMerge(c *TriggerContext[EarlyState], merged []EarlyState) {
	last := c.Window().MaxTimestamp()
	if last <= c.CurrentWatermark() {
		return
	}
	c.RegisterEventTimer(last)
	for _, m := range merged {
		c.State.Count += m.Count
		if m.Eventful && (!c.State.Eventful || m.Event < c.State.Event) {
			c.State.Event, c.State.Eventful = m.Event, true
		}
		if m.Clockworked && (!c.State.Clockworked || m.Clock < c.State.Clock) {
			c.State.Clock, c.State.Clockworked = m.Clock, true
		}
	}
	if c.State.Eventful {
		c.RegisterEventTimer(c.State.Event)
	}
	if c.State.Clockworked {
		c.RegisterProcessingTimer(c.State.Clock)
	}
}

func (w WatermarkTrigger[T]) stopClock(c *TriggerContext[EarlyState]) {
	if c.State.Clockworked {
		c.DeleteProcessingTimer(c.State.Clock)
		c.State.Clockworked = false
	}
}

// Clear implements Trigger.
func (w WatermarkTrigger[T]) Clear(c *TriggerContext[EarlyState]) {
	c.DeleteEventTimer(c.Window().MaxTimestamp())
	if c.State.Eventful {
		c.DeleteEventTimer(c.State.Event)
	}
	w.stopClock(c)
}

// AfterProcessingTime is the default trigger of windows of processing time: it
// fires when the clock of the node reaches the window's last millisecond.
func AfterProcessingTime[T any]() ClockTrigger[T] { return ClockTrigger[T]{} }

// ClockTrigger is what AfterProcessingTime gives.
type ClockTrigger[T any] struct{}

// String names the trigger in plans.
func (ClockTrigger[T]) String() string { return "after processing time" }

// OnElement implements Trigger.
func (ClockTrigger[T]) OnElement(c *TriggerContext[struct{}], _ T, _ int64) TriggerResult {
	c.RegisterProcessingTimer(c.Window().MaxTimestamp())
	return Continue
}

// OnEventTime implements Trigger.
func (ClockTrigger[T]) OnEventTime(*TriggerContext[struct{}], int64) TriggerResult { return Continue }

// OnProcessingTime implements Trigger.
func (ClockTrigger[T]) OnProcessingTime(c *TriggerContext[struct{}], at int64) TriggerResult {
	if at == c.Window().MaxTimestamp() {
		return Fire
	}
	return Continue
}

// OnMerge implements MergingTrigger.
func (ClockTrigger[T]) OnMerge(c *TriggerContext[struct{}], _ []struct{}) {
	c.RegisterProcessingTimer(c.Window().MaxTimestamp())
}

// Clear implements Trigger.
func (ClockTrigger[T]) Clear(c *TriggerContext[struct{}]) {
	c.DeleteProcessingTimer(c.Window().MaxTimestamp())
}

// Count fires after every n records of a window, and has no time-out: fewer than
// n never fire, not even at the end of input. n is at least 1.
func Count[T any](n int64) CountTrigger[T] { return CountTrigger[T]{n} }

// CountTrigger is what Count gives.
type CountTrigger[T any] struct{ n int64 }

func (t CountTrigger[T]) check() error {
	if t.n < 1 {
		return fmt.Errorf("Count(%d): a trigger counts at least 1 record", t.n)
	}
	return nil
}

// String names the trigger in plans.
func (t CountTrigger[T]) String() string { return fmt.Sprintf("every %d records", t.n) }

// OnElement implements Trigger.
func (t CountTrigger[T]) OnElement(c *TriggerContext[int64], _ T, _ int64) TriggerResult {
	if *c.State++; *c.State < t.n {
		return Continue
	}
	*c.State = 0
	return Fire
}

// OnEventTime implements Trigger.
func (CountTrigger[T]) OnEventTime(*TriggerContext[int64], int64) TriggerResult { return Continue }

// OnProcessingTime implements Trigger.
func (CountTrigger[T]) OnProcessingTime(*TriggerContext[int64], int64) TriggerResult { return Continue }

// OnMerge implements MergingTrigger: the counts add up, and fire with the next record.
func (CountTrigger[T]) OnMerge(c *TriggerContext[int64], merged []int64) {
	for _, n := range merged {
		*c.State += n
	}
}

// Clear implements Trigger.
func (CountTrigger[T]) Clear(*TriggerContext[int64]) {}

// Delta fires when a record is further than a threshold from the one that it
// fired for last; the first record of a window is where it begins.
func Delta[T any](threshold float64, distance func(from, to T) float64) DeltaTrigger[T] {
	return DeltaTrigger[T]{threshold, distance}
}

// DeltaTrigger is what Delta gives. It is not for windows that merge.
type DeltaTrigger[T any] struct {
	threshold float64
	distance  func(from, to T) float64
}

// DeltaState is what a DeltaTrigger remembers of a window.
type DeltaState[T any] struct {
	Last T
	Set  bool // Last is
}

func (t DeltaTrigger[T]) check() error {
	return checkDistance("Delta", t.threshold, t.distance == nil)
}

// String names the trigger in plans.
func (t DeltaTrigger[T]) String() string { return fmt.Sprintf("delta over %v", t.threshold) }

// OnElement implements Trigger.
func (t DeltaTrigger[T]) OnElement(c *TriggerContext[DeltaState[T]], v T, _ int64) TriggerResult {
	if !c.State.Set {
		*c.State = DeltaState[T]{v, true}
		return Continue
	}
	if t.distance(c.State.Last, v) <= t.threshold {
		if mutant.On("delta-from-last") {
			c.State.Last = v
		}
		return Continue
	}
	c.State.Last = v
	return Fire
}

// OnEventTime implements Trigger.
func (DeltaTrigger[T]) OnEventTime(*TriggerContext[DeltaState[T]], int64) TriggerResult {
	return Continue
}

// OnProcessingTime implements Trigger.
func (DeltaTrigger[T]) OnProcessingTime(*TriggerContext[DeltaState[T]], int64) TriggerResult {
	return Continue
}

// Clear implements Trigger.
func (DeltaTrigger[T]) Clear(*TriggerContext[DeltaState[T]]) {}

// Never does not fire: the default trigger of global windows.
func Never[T any]() NeverTrigger[T] { return NeverTrigger[T]{} }

// NeverTrigger is what Never gives.
type NeverTrigger[T any] struct{}

// String names the trigger in plans.
func (NeverTrigger[T]) String() string { return "never" }

// OnElement implements Trigger.
func (NeverTrigger[T]) OnElement(*TriggerContext[struct{}], T, int64) TriggerResult { return Continue }

// OnEventTime implements Trigger.
func (NeverTrigger[T]) OnEventTime(*TriggerContext[struct{}], int64) TriggerResult { return Continue }

// OnProcessingTime implements Trigger.
func (NeverTrigger[T]) OnProcessingTime(*TriggerContext[struct{}], int64) TriggerResult {
	return Continue
}

// OnMerge implements MergingTrigger.
func (NeverTrigger[T]) OnMerge(*TriggerContext[struct{}], []struct{}) {}

// Clear implements Trigger.
func (NeverTrigger[T]) Clear(*TriggerContext[struct{}]) {}

// Purging drops the contents of a window whenever the inner trigger fires it.
func Purging[T, S any](inner Trigger[T, S]) Trigger[T, S] {
	p := purging[T, S]{inner}
	if m, ok := inner.(MergingTrigger[S]); ok {
		return mergingPurging[T, S]{p, m}
	}
	return p
}

type purging[T, S any] struct{ Trigger[T, S] }

type mergingPurging[T, S any] struct {
	purging[T, S]
	MergingTrigger[S]
}

func (p purging[T, S]) check() error {
	if p.Trigger == nil {
		return errors.New("Purging(nil): give it a trigger")
	}
	return checkOption(p.Trigger)
}

func (p purging[T, S]) String() string { return "purging, " + describing(p.Trigger) }

func (p purging[T, S]) OnElement(c *TriggerContext[S], v T, ts int64) TriggerResult {
	return andPurge(p.Trigger.OnElement(c, v, ts))
}

func (p purging[T, S]) OnEventTime(c *TriggerContext[S], at int64) TriggerResult {
	return andPurge(p.Trigger.OnEventTime(c, at))
}

func (p purging[T, S]) OnProcessingTime(c *TriggerContext[S], at int64) TriggerResult {
	return andPurge(p.Trigger.OnProcessingTime(c, at))
}

func andPurge(r TriggerResult) TriggerResult {
	if r == Fire {
		return FireAndPurge
	}
	return r
}
