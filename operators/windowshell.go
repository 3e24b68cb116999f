package operators

import (
	"errors"
	"fmt"

	"github.com/weirflow/weir/messages"
	"github.com/weirflow/weir/operators/plan"
	"github.com/weirflow/weir/persistence"
)

// Counters of windows.
const (
	// recordsOutside counts records that are not late and belong to no window, as
	// between sliding windows whose slide is greater than their size.
	recordsOutside = "records_outside_windows"
	// recordsUnseen counts records in windows that ended and were never shown to the
	// function: the trigger did not fire.
	recordsUnseen = "records_never_fired"
	// windowAssignments counts the windows that records belong to: what a copy for
	// each window would hold.
	windowAssignments = "window_assignments"
)

// countedState is a table whose values hold several entries each.
type countedState struct {
	persistence.State
	entries int
}

func (s *countedState) Len() int { return s.entries }

// windowShell is what the operators of windows have in common: the function, the
// states that it may have, late records, and the clock.
//
// Invariant: scope is at the window that is being worked on, and so are all
// states that triggers and functions have of windows; global is at its key.
type windowShell[K comparable, T, A, R any] struct {
	keyedInput[K, T]
	spec    *paneSpec[K, T, A, R]
	element func(v T, ts int64, hash uint64) error // the operator's
	advance func(watermark int64) error            // the operator's

	rt       *plan.Runtime
	kv       *operatorKV // of what users declare
	windows  *States[WindowKey[K]]
	global   *States[K]
	scope    *keyScope[WindowKey[K]] // of windows
	sub      subkeys
	function windowFunction[K, A, R]
	opened   bool

	ctx      WindowContext[K, R]
	clocks   groupClocks
	restored groupClocks // the clocks with which it opened
	tooLate  *emitter[T] // in the side outputs; nil without a tag

	dropped, outside, unseen, assigned *plan.Counter
}

func newWindowShell[K comparable, T, A, R any](spec *paneSpec[K, T, A, R]) windowShell[K, T, A, R] {
	return windowShell[K, T, A, R]{keyedInput: spec.w.keyed.input(), spec: spec}
}

// declareShell begins what states there are.
func (o *windowShell[K, T, A, R]) declareShell(groups int) {
	keys := keyKindOf(o.spec.w.keyed.codec)
	o.clocks = newGroupClocks(keys.codec.Name())
	o.sub = newSubkeys(groups)
	o.windows = newStates(windowKeyKind(keys, groups), groups, o.kv)
	o.global = newStates(keys, groups, o.kv)
	o.scope = o.windows.scope
}

// declareFunction has the function declare its states, behind all others.
func (o *windowShell[K, T, A, R]) declareFunction() error {
	o.function = o.spec.declare(&WindowStates[K]{Window: o.windows, Global: o.global})
	for _, s := range o.global.all {
		if o.windows.declared(s.Schema().Name) {
			o.global.fail("state %q is declared twice; give each state of an operator a name of its own", s.Schema().Name)
		}
	}
	return errors.Join(append(o.windows.errs, o.global.errs...)...)
}

func (o *windowShell[K, T, A, R]) states() []persistence.State {
	return append(append([]persistence.State(nil), o.windows.all...), o.global.all...)
}

// schemas are those of all states, for Build.
func (o *windowShell[K, T, A, R]) schemas() []*messages.StateSchema {
	return append(schemasOf(o.states()), o.clocks.schema)
}

// initShell connects outputs and registers the states.
func (o *windowShell[K, T, A, R]) initShell(rt *plan.Runtime) error {
	o.rt, o.dropped, o.outside = rt, rt.Counter(lateDropped), rt.Counter(recordsOutside)
	o.unseen, o.assigned = rt.Counter(recordsUnseen), rt.Counter(windowAssignments)
	tags, late := o.spec.tags, o.spec.w.late
	if late != nil {
		tags = append(tags[:len(tags):len(tags)], *late)
	}
	o.ctx = WindowContext[K, R]{times: o, scope: o.scope, out: Out[R]{main: newEmitter[R](rt.Output("")), sides: openSides(rt, tags)}}
	if late != nil {
		o.tooLate = o.ctx.out.sides.find(late.Name()).(*emitter[T])
	}
	for _, s := range o.states() {
		if err := rt.Register(s); err != nil {
			return err
		}
	}
	return o.clocks.init(rt)
}

func (o *windowShell[K, T, A, R]) openShell() error {
	o.clocks.start()
	o.restored = o.clocks
	if o.function.open != nil {
		if err := o.function.open(openContext(o.rt)); err != nil {
			return fmt.Errorf("Open: %w", err)
		}
	}
	o.opened = true
	return nil
}

func (o *windowShell[K, T, A, R]) Finish() error { return nil }

func (o *windowShell[K, T, A, R]) Close() error {
	if o.opened && o.function.close != nil {
		o.opened = false
		return o.function.close()
	}
	return nil
}

// between works off a batch: records by element, marks by advance.
func (o *windowShell[K, T, A, R]) between(b *plan.Batch) error {
	values, hashes := o.columns(b)
	from := 0
	for _, m := range b.Marks {
		if err := o.add(b, values, hashes, from, m.Index); err != nil {
			return err
		}
		if err := o.advance(m.Watermark); err != nil {
			return err
		}
		from = m.Index
	}
	if err := o.add(b, values, hashes, from, len(values)); err != nil {
		return err
	}
	return o.ctx.out.flush()
}

func (o *windowShell[K, T, A, R]) add(b *plan.Batch, values []T, hashes []uint64, from, to int) error {
	o.batch = b
	for i := from; i < to; i++ {
		o.at = i
		if err := o.element(values[i], b.Times[i], hashes[i]); err != nil {
			return err
		}
		if err := o.ctx.out.failed(); err != nil {
			return err
		}
	}
	o.batch = nil
	return nil
}

// reject puts a record aside that came too late.
func (o *windowShell[K, T, A, R]) reject(v T, ts int64) {
	if o.tooLate != nil {
		o.tooLate.emit(v, ts)
	} else {
		o.dropped.Add(1)
	}
}

// enter sets the scope to a window of a key.
func (o *windowShell[K, T, A, R]) enter(key K, hash uint64, w Window) {
	o.global.scope.key, o.global.scope.hash = key, hash
	o.scope.key, o.scope.hash = WindowKey[K]{key, w}, o.sub.placeWindow(hash, w)
}

// endedBefore tells whether a window that is to end at a watermark had fired all that
// it fires when it was restored: it waited longer then, for later records.
func (o *windowShell[K, T, A, R]) endedBefore(d Domain, end int64) bool {
	return d == EventTime && end <= o.restored.now(o.global.scope.hash)
}

// timerOf is the event time of the timer that is worked on, NoTime for a record.
func (o *windowShell[K, T, A, R]) timerOf(cause int64) int64 {
	if !o.firing {
		return NoTime
	}
	return cause
}

func (o *windowShell[K, T, A, R]) lateness() int64 { return o.spec.w.lateness.Milliseconds() }

func (o *windowShell[K, T, A, R]) window() Window   { return o.scope.key.Window }
func (o *windowShell[K, T, A, R]) watermark() int64 { return o.clocks.now(o.global.scope.hash) }
func (o *windowShell[K, T, A, R]) now() int64       { return o.rt.Now() }
