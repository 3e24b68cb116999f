package operators

import (
	"unsafe"

	"github.com/weirflow/weir/messages"
	"github.com/weirflow/weir/messages/mutant"
	"github.com/weirflow/weir/operators/plan"
	"github.com/weirflow/weir/operators/window"
	"github.com/weirflow/weir/persistence/table"
)

// paneSpec is what an operator of any windows, trigger, evictor and function is
// made of. windower is its quick sister for the commonest case.
type paneSpec[K comparable, T, A, R any] struct {
	w        *WindowedStream[K, T]
	contents contents[T, A]
	plain    bool // the function is not a user's
	declare  func(s *WindowStates[K]) windowFunction[K, A, R]
	tags     []AnyTag
	// quick makes the operator that the windows are for, if one of its A is quicker
	// than paneOperator. As a function it is compiled only for the A that have one.
	quick func(*paneSpec[K, T, A, R]) windowInstance
}

// windowFunction is what happens to a window that fires; all but apply may be nil.
type windowFunction[K comparable, A, R any] struct {
	open  func(OpenContext) error
	apply func(c *WindowContext[K, R], contents A) error
	clear func(c *WindowContext[K, R]) error
	close func() error
}

// paneOperator keeps a pane for each key and window, and has the trigger say
// when it fires. Timers of a window are its trigger's and the one that ends it.
type paneOperator[K comparable, T, A, R any] struct {
	windowShell[K, T, A, R]
	cut cut

	panes    *table.Table[WindowKey[K], pane[A]]
	sessions *table.Table[K, []Window] // of every key, windows that merge only
	timers   *timers[WindowKey[K]]
	trigger  boundTrigger[K, T]

	cause   int64 // event time of the record or timer that is worked on, or NoTime
	scratch []Window
}

func newPaneOperator[K comparable, T, A, R any](spec *paneSpec[K, T, A, R]) *paneOperator[K, T, A, R] {
	o := &paneOperator[K, T, A, R]{windowShell: newWindowShell(spec), cut: spec.w.cut}
	o.element, o.advance = o.onElement, o.onWatermark
	return o
}

func (o *paneOperator[K, T, A, R]) Init(rt *plan.Runtime) error {
	o.kv = kvOf(rt)
	if err := o.declare(rt.MaxParallelism); err != nil {
		return err
	}
	return o.initShell(rt)
}

// declare makes all state there is; Build asks for it too, to learn the schemas.
func (o *paneOperator[K, T, A, R]) declare(groups int) error {
	o.declareShell(groups)
	codec := paneCodec[A]{o.spec.contents.codec}
	o.panes = newTable[WindowKey[K]](Codec[pane[A]](codec))
	schema := &messages.StateSchema{Name: "window", Kind: "window", Key: o.windows.keys.codec.Name(), Value: codec.Name() + " in " + o.spec.w.assigner}
	o.windows.all = append(o.windows.all, plainState(schema, groups, o.panes, o.windows.keys, Codec[pane[A]](codec)))
	o.timers = declareTimers(o.windows)
	if o.cut.merges {
		o.sessions = newTable[K](Codec[[]Window](windowsCodec{}))
		schema := &messages.StateSchema{Name: "sessions", Kind: "window", Key: o.global.keys.codec.Name(), Value: windowsCodec{}.Name()}
		o.windows.all = append(o.windows.all, plainState(schema, groups, o.sessions, o.global.keys, Codec[[]Window](windowsCodec{})))
	}
	o.trigger = o.spec.w.triggering().bind(o.windows, o)
	return o.declareFunction()
}

func (o *paneOperator[K, T, A, R]) Open() error {
	if err := o.openShell(); err != nil {
		return err
	}
	o.panes.Scan(func(_ uint64, at *WindowKey[K], _ *pane[A]) bool {
		k := *at
		o.enter(k.Key, o.global.keys.hash(k.Key), k.Window)
		o.registerEnd() // the allowed lateness may be another one now
		return true
	})
	o.timers.wake(o.rt)
	return nil
}

func (o *paneOperator[K, T, A, R]) Process(_ int, b *plan.Batch) error {
	return o.between(b)
}

// onElement takes a record into those of its windows that are still open.
func (o *paneOperator[K, T, A, R]) onElement(v T, ts int64, hash uint64) error {
	if o.cut.clock == byEvents && (ts < messages.MinEventTime || ts > messages.MaxEventTime) {
		return errWithoutTime(ts)
	}
	key, taken := o.key(v), false
	o.cause = ts
	o.assignWindows(v, ts)
	for _, w := range o.scratch {
		if o.cut.merges {
			w = o.merge(key, hash, w)
		}
		if o.isTooLate(hash, w) {
			continue
		}
		taken = true
		o.enter(key, hash, w)
		if err := o.into(v, ts); err != nil {
			return err
		}
	}
	switch {
	case taken:
	case len(o.scratch) > 0 && (o.isTooLate(hash, Window{End: ts + 1}) || mutant.On("on-time-to-late-side")):
		o.reject(v, ts)
	default: // in no window, or only in some of a user's that lie behind it
		o.outside.Add(1)
	}
	return nil
}

// assignWindows puts the windows of a record into scratch.
func (o *paneOperator[K, T, A, R]) assignWindows(v T, ts int64) {
	now := int64(0)
	if o.cut.clock == byClock {
		now = o.rt.Now()
	}
	o.scratch = o.spec.w.assign(o.scratch[:0], v, ts, now)
	o.assigned.Add(int64(len(o.scratch)))
}

// into adds a record to the window that the scope is at.
func (o *paneOperator[K, T, A, R]) into(v T, ts int64) error {
	p, _ := o.panes.Upsert(o.scope.hash, o.scope.key)
	o.spec.contents.add(&p.contents, !p.filled, v, ts)
	p.filled = true
	p.unseen++
	o.registerEnd()
	return o.handle(o.trigger.onElement(v, ts))
}

// isTooLate: the window is gone. It counts as gone as soon as the watermark has
// passed its allowed lateness, whether or not it was ever there.
func (o *paneOperator[K, T, A, R]) isTooLate(hash uint64, w Window) bool {
	return o.cut.clock == byEvents && w.ClearAt(o.lateness()) <= o.clocks.now(hash)
}

// end is when a window goes: a watermark, or a time of the clock. The global one
// never does.
func (o *paneOperator[K, T, A, R]) end(w Window) (d Domain, at int64, ends bool) {
	switch o.cut.clock {
	case byEvents:
		return EventTime, w.ClearAt(o.lateness()), true
	case byClock:
		return ProcessingTime, w.MaxTimestamp(), true
	}
	return 0, 0, false
}

func (o *paneOperator[K, T, A, R]) registerEnd() {
	if d, at, ends := o.end(o.scope.key.Window); ends {
		o.register(d, at)
	}
}

// handle does what a trigger says of the window that the scope is at.
func (o *paneOperator[K, T, A, R]) handle(r TriggerResult) error {
	if r.fires() {
		if err := o.fireWindow(); err != nil {
			return err
		}
	}
	if r.purges() {
		o.purge()
	}
	return nil
}

// purge empties the window. Of one that never ends nothing is kept at all.
func (o *paneOperator[K, T, A, R]) purge() {
	if mutant.On("purge-ignored") {
		return
	}
	if o.cut.clock == timeless {
		o.panes.Delete(o.scope.hash, o.scope.key)
		return
	}
	p, _ := o.panes.Upsert(o.scope.hash, o.scope.key)
	*p = pane[A]{onTime: p.onTime}
}

// fireWindow has the function show what is in the window. An empty one shows
// nothing.
func (o *paneOperator[K, T, A, R]) fireWindow() error {
	p, existed := o.panes.Upsert(o.scope.hash, o.scope.key)
	if !existed || !p.filled {
		if !existed {
			o.panes.Delete(o.scope.hash, o.scope.key)
		}
		return nil
	}
	o.ctx.firing = o.firingOf(p)
	if !mutant.On("seen-counted-as-unseen") {
		p.unseen = 0
	}
	o.ctx.out.sides.time = timeOf(o.scope.key.Window)
	if o.spec.contents.evict == nil {
		return o.function.apply(&o.ctx, p.contents)
	}
	return o.fireEvicting()
}

// fireEvicting asks the evictor before and after the function. What it leaves
// stays in the window.
func (o *paneOperator[K, T, A, R]) fireEvicting() error {
	e, c := o.spec.contents.evict, EvictContext{o.scope.key.Window, o.watermark(), o.rt.Now()}
	p, _ := o.panes.Upsert(o.scope.hash, o.scope.key)
	elements := elementsIn[T](p)
	*elements = e.EvictBefore(*elements, c)
	if err := o.function.apply(&o.ctx, p.contents); err != nil {
		return err
	}
	p, _ = o.panes.Upsert(o.scope.hash, o.scope.key)
	elements = elementsIn[T](p)
	if left := e.EvictAfter(*elements, c); !mutant.On("evicted-come-back") {
		*elements = left
	}
	p.filled = len(*elements) > 0
	return nil
}

// elementsIn: where there is an evictor A is []Element[T], see gathered.
func elementsIn[T, A any](p *pane[A]) *[]Element[T] {
	return (*[]Element[T])(unsafe.Pointer(&p.contents))
}

// firingOf says which firing comes now, and notes the one on time.
func (o *paneOperator[K, T, A, R]) firingOf(p *pane[A]) Firing {
	last := o.scope.key.Window.MaxTimestamp()
	f := firingOf(o.cut.clock, last, o.timerOf(o.cause), o.watermark(), o.rt.Now(), p.onTime)
	p.onTime = p.onTime || f == OnTime && !mutant.On("late-as-on-time")
	return f
}

// firingOf says which firing comes now of a window whose last millisecond is given.
// timer is that of event time which fires it, which a jump of the watermark may have
// passed, or NoTime; fired: it has fired on time.
func firingOf(c clock, last, timer, watermark, now int64, fired bool) Firing {
	switch {
	case timer != NoTime && timer < last && c == byEvents && !mutant.On("early-as-on-time"):
		return Early
	case c == timeless, c == byEvents && last > watermark, c == byClock && last > now:
		return Early
	case fired:
		return Late
	}
	return OnTime
}

// timeOf is the event time of a window's results: its last millisecond, as far as
// event time goes.
func timeOf(w Window) int64 { return min(w.MaxTimestamp(), messages.MaxEventTime) }

// onWatermark fires what a watermark makes due.
func (o *paneOperator[K, T, A, R]) onWatermark(watermark int64) error {
	return advanceTimers(&o.windowShell, o.timers, watermark, o.onTimer)
}

// OnProcessingTime is plan.ProcessingTimer's.
func (o *paneOperator[K, T, A, R]) OnProcessingTime(now int64) error {
	return tickTimers(&o.windowShell, o.timers, now, o.onTimer)
}

// onTimer asks the trigger, and ends the window when that is due. Of a window that
// has gone the trigger may have left a timer, which is for nobody.
func (o *paneOperator[K, T, A, R]) onTimer(d Domain, at int64) error {
	if _, open := o.panes.Get(o.scope.hash, o.scope.key); !open && o.cut.clock != timeless {
		return nil
	}
	if o.cause = at; d == ProcessingTime {
		o.cause = NoTime
	}
	domain, end, ends := o.end(o.scope.key.Window)
	if ends = ends && domain == d && end == at; ends && o.endedBefore(d, at) {
		return o.clear()
	}
	if err := o.handle(o.trigger.onTimer(d, at)); err != nil || !ends {
		return err
	}
	return o.clear()
}

// clear drops all there is of the window that the scope is at. What no firing has
// shown is counted.
func (o *paneOperator[K, T, A, R]) clear() error {
	p, _ := o.panes.Get(o.scope.hash, o.scope.key)
	o.unseen.Add(p.unseen)
	o.panes.Delete(o.scope.hash, o.scope.key)
	o.trigger.clear()
	o.trigger.forget()
	if o.sessions != nil {
		o.leave(o.scope.key)
	}
	if o.function.clear == nil {
		return nil
	}
	return o.function.clear(&o.ctx)
}

// leave takes a session off the list of its key.
func (o *paneOperator[K, T, A, R]) leave(k WindowKey[K]) {
	hash := o.global.scope.hash
	list, _ := o.sessions.Get(hash, k.Key)
	var rest []Window
	for _, w := range list {
		if w != k.Window {
			rest = append(rest, w)
		}
	}
	o.setSessions(hash, k.Key, rest)
}

func (o *paneOperator[K, T, A, R]) setSessions(hash uint64, key K, list []Window) {
	if len(list) == 0 {
		o.sessions.Delete(hash, key)
		return
	}
	place, _ := o.sessions.Upsert(hash, key)
	*place = list
}

// merge finds the session of a record's window: one that is new, one that grows,
// or one that several become. Nothing changes when that is too late.
func (o *paneOperator[K, T, A, R]) merge(key K, hash uint64, w Window) Window {
	list, _ := o.sessions.Get(hash, key)
	merged, absorbed, rest := window.Merge(list, w)
	if o.isTooLate(hash, merged) || len(absorbed) == 1 && absorbed[0] == merged {
		return merged
	}
	o.setSessions(hash, key, rest)
	if len(absorbed) > 0 {
		o.absorb(key, hash, merged, absorbed)
	}
	return merged
}

// absorb moves panes and triggers of windows into the one that they become.
func (o *paneOperator[K, T, A, R]) absorb(key K, hash uint64, merged Window, absorbed []Window) {
	var all pane[A]
	for _, w := range absorbed {
		o.enter(key, hash, w)
		p, _ := o.panes.Upsert(o.scope.hash, o.scope.key) // not Get: what it holds goes on to change
		o.join(&all, *p)
		o.panes.Delete(o.scope.hash, o.scope.key)
		o.trigger.clear()
		if d, at, ends := o.end(w); ends {
			o.timers.delete(d, at)
		}
	}
	o.enter(key, hash, merged)
	place, _ := o.panes.Upsert(o.scope.hash, o.scope.key)
	all.onTime = all.onTime && merged.MaxTimestamp() <= o.watermark()
	*place = all
	o.trigger.onMerge()
}

func (o *paneOperator[K, T, A, R]) join(all *pane[A], p pane[A]) {
	all.onTime, all.unseen = all.onTime && !mutant.On("on-time-not-merged") || p.onTime, all.unseen+p.unseen
	switch {
	case !p.filled:
	case !all.filled:
		all.contents, all.filled = p.contents, true
	default:
		all.contents = o.spec.contents.merge(all.contents, p.contents)
	}
}

// What triggers and contexts may ask: paneTimers.

func (o *paneOperator[K, T, A, R]) register(d Domain, at int64) { o.timers.set(d, at, o.rt) }

// delete leaves the timer alone that ends the window, at which the trigger is asked anyway.
func (o *paneOperator[K, T, A, R]) delete(d Domain, at int64) {
	if domain, end, ends := o.end(o.scope.key.Window); !ends || domain != d || end != at {
		o.timers.delete(d, at)
	}
}
