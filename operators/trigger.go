package operators

import (
	"unsafe"

	"github.com/weirflow/weir/messages/mutant"
)

// TriggerResult is what becomes of a window.
type TriggerResult uint8

// The results of triggers.
const (
	Continue     TriggerResult = iota // nothing yet
	Fire                              // show what is in it, and keep that
	Purge                             // drop what is in it
	FireAndPurge                      // show it, then drop it
)

// String gives "continue", "fire", "purge" or "fire and purge".
func (r TriggerResult) String() string {
	return [...]string{"continue", "fire", "purge", "fire and purge"}[r&3]
}

func (r TriggerResult) fires() bool  { return r == Fire || r == FireAndPurge }
func (r TriggerResult) purges() bool { return r == Purge || r == FireAndPurge }

// Trigger decides when a window of a key fires. S is what it remembers of each
// window and key, struct{} for nothing. One value serves all subtasks at once,
// so it holds no state of its own.
//
// A trigger replaces the default one, AfterWatermark for windows of event time.
// Windows that merge need one that is a MergingTrigger.
type Trigger[T, S any] interface {
	// OnElement runs for every record that came into the window, with the
	// record's event time, in ms.
	OnElement(c *TriggerContext[S], v T, ts int64) TriggerResult
	// OnEventTime runs when a timer is due that the trigger registered for the
	// window, and OnProcessingTime likewise.
	OnEventTime(c *TriggerContext[S], at int64) TriggerResult
	OnProcessingTime(c *TriggerContext[S], at int64) TriggerResult
	// Clear runs when the window goes: it deletes timers that are pending. What
	// the trigger remembers goes by itself.
	Clear(c *TriggerContext[S])
}

// MergingTrigger is a Trigger for windows that merge.
type MergingTrigger[S any] interface {
	// OnMerge runs for the merged window, whose state is new. merged is what
	// the trigger remembered of the windows that went into it, which Clear has
	// seen; timers that are still needed must be registered again.
	OnMerge(c *TriggerContext[S], merged []S)
}

// TriggerContext is one window of one key, for a trigger. It is valid during the
// call only.
type TriggerContext[S any] struct {
	// State is what the trigger remembers of the window; it may be changed in
	// place. A window that is new has the zero S.
	State *S

	panes paneTimers
}

// windowTimes are the clocks of an operator of windows.
type windowTimes interface {
	watermark() int64 // as it is for the key of the window
	now() int64
}

// paneTimers is what a trigger may ask of the operator.
type paneTimers interface {
	windowTimes
	window() Window
	register(d Domain, at int64)
	delete(d Domain, at int64)
}

// Window is the window that the call is about.
func (c *TriggerContext[S]) Window() Window { return c.panes.window() }

// CurrentWatermark is the event-time clock, as Context.CurrentWatermark.
func (c *TriggerContext[S]) CurrentWatermark() int64 { return c.panes.watermark() }

// CurrentProcessingTime is the clock of the node, in ms.
func (c *TriggerContext[S]) CurrentProcessingTime() int64 { return c.panes.now() }

// RegisterEventTimer has OnEventTime called for this window and key when the
// watermark reaches at, in ms; see Context.RegisterEventTimer.
func (c *TriggerContext[S]) RegisterEventTimer(at int64) { c.panes.register(EventTime, at) }

// RegisterProcessingTimer has OnProcessingTime called for this window and key
// when the clock of the node reaches at, in ms.
func (c *TriggerContext[S]) RegisterProcessingTimer(at int64) { c.panes.register(ProcessingTime, at) }

// DeleteEventTimer takes back this window's timer at a time, if there is one.
func (c *TriggerContext[S]) DeleteEventTimer(at int64) { c.panes.delete(EventTime, at) }

// DeleteProcessingTimer takes back this window's timer at a time, if there is one.
func (c *TriggerContext[S]) DeleteProcessingTimer(at int64) { c.panes.delete(ProcessingTime, at) }

// Triggered gives the windows a trigger in place of the default one.
func Triggered[K comparable, T, S any](w *WindowedStream[K, T], t Trigger[T, S]) *WindowedStream[K, T] {
	c := *w
	c.trigger = nil
	if t != nil {
		_, merges := t.(MergingTrigger[S])
		c.trigger = &triggering[K, T]{name: describing(t), merges: merges, err: checkOption(t), bind: func(s *States[WindowKey[K]], p paneTimers) boundTrigger[K, T] {
			return bindTrigger[K](s, p, t)
		}}
	} else {
		c.err = errNilTrigger
	}
	return &c
}

// triggering makes a trigger for an instance, its S erased.
type triggering[K comparable, T any] struct {
	name   string
	merges bool
	err    error // what is wrong with it
	bind   func(s *States[WindowKey[K]], p paneTimers) boundTrigger[K, T]
}

// boundTrigger is a trigger within an instance, for the window that the scope of
// its states is at.
type boundTrigger[K comparable, T any] interface {
	onElement(v T, ts int64) TriggerResult
	onTimer(d Domain, at int64) TriggerResult
	// clear ends a window; onMerge gives what was remembered of those that ended
	// since the last forget to the window that they become.
	clear()
	onMerge()
	forget()
}

// bound keeps an S a window and key in a state of the operator, unless it is zero:
// a trigger that has nothing to remember leaves nothing behind.
type bound[K comparable, T, S any] struct {
	trigger Trigger[T, S]
	merging MergingTrigger[S] // nil for windows that do not merge
	state   *valueState[WindowKey[K], S]
	scope   *keyScope[WindowKey[K]]
	fresh   S    // stands for what is not in state
	stored  bool // the context's S is in state
	c       TriggerContext[S]
	merged  []S // of windows that were cleared for a merge
}

// triggerState is the name of what triggers remember.
const triggerState = "trigger"

func bindTrigger[K comparable, T, S any](s *States[WindowKey[K]], p paneTimers, t Trigger[T, S]) boundTrigger[K, T] {
	b := &bound[K, T, S]{trigger: t, scope: s.scope, c: TriggerContext[S]{panes: p}}
	b.merging, _ = t.(MergingTrigger[S])
	if unsafe.Sizeof(b.fresh) > 0 {
		b.state = newHeapValue[S](s, triggerState)
	}
	return b
}

// context gives the context of the window that the scope is at. settle must follow.
func (b *bound[K, T, S]) context() *TriggerContext[S] {
	b.fresh, b.stored = *new(S), false
	if b.c.State = &b.fresh; b.state != nil {
		if _, b.stored = b.state.table.Get(b.scope.hash, b.scope.key); b.stored {
			b.c.State, _ = b.state.table.Upsert(b.scope.hash, b.scope.key)
		}
	}
	return &b.c
}

// settle keeps what the trigger has made of its S.
func (b *bound[K, T, S]) settle() {
	if b.state == nil {
		return
	}
	switch zero := allZero(b.c.State); {
	case zero && b.stored:
		b.state.Clear()
	case !zero && !b.stored:
		b.state.Set(b.fresh)
	}
}

// allZero tells whether a value has no bit set: then it is the zero one.
func allZero[S any](s *S) bool {
	for _, b := range unsafe.Slice((*byte)(unsafe.Pointer(s)), unsafe.Sizeof(*s)) {
		if b != 0 {
			return false
		}
	}
	return true
}

func (b *bound[K, T, S]) onElement(v T, ts int64) TriggerResult {
	defer b.settle()
	return b.trigger.OnElement(b.context(), v, ts)
}

func (b *bound[K, T, S]) onTimer(d Domain, at int64) TriggerResult {
	defer b.settle()
	if d == EventTime {
		return b.trigger.OnEventTime(b.context(), at)
	}
	return b.trigger.OnProcessingTime(b.context(), at)
}

func (b *bound[K, T, S]) clear() {
	c := b.context()
	b.trigger.Clear(c)
	if b.merging != nil {
		b.merged = append(b.merged, *c.State)
	}
	if b.stored && !mutant.On("trigger-state-kept") {
		b.state.Clear()
	}
}

func (b *bound[K, T, S]) onMerge() {
	defer b.settle()
	if !mutant.On("on-merge-forgotten") {
		b.merging.OnMerge(b.context(), b.merged)
	}
	b.forget()
}

func (b *bound[K, T, S]) forget() { b.merged = b.merged[:0] }
