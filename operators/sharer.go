package operators

import (
	"github.com/weirflow/weir/messages"
	"github.com/weirflow/weir/messages/mutant"
	"github.com/weirflow/weir/operators/plan"
	"github.com/weirflow/weir/operators/window"
	"github.com/weirflow/weir/persistence/table"
)

// sharer runs sliding windows that keep their records, for a function of all of them
// or for an evictor: a record lies in one slice of its key, and the windows over the
// slice share it. A window has a view of its own only where there is something to
// remember of it, which with the default trigger and no evictor there is not.
//
// Of each key the first window to end has a timer, and sets that of the next one.
type sharer[K comparable, T, R any] struct {
	windowShell[K, T, []Element[T], R]
	cut  cut
	cuts window.Slices

	rows    *table.Table[K, sharedRow[T]]
	views   *table.Table[WindowKey[K], sharedView[T]]
	kept    countedState
	timers  *timers[WindowKey[K]]
	trigger boundTrigger[K, T] // nil: the default one, which fires a window at its end and for late records
	viewed  bool               // windows may have views

	slice, first, last int64 // of the record, with the windows that hold it
	k                  int64 // the window that the scope is at
	cause              int64 // event time of the record or timer that is worked on, or NoTime
	gathered           gathering[T]
	handed             []Element[T] // to an evictor
}

func newSharer[K comparable, T, R any](spec *paneSpec[K, T, []Element[T], R]) windowInstance {
	o := &sharer[K, T, R]{windowShell: newWindowShell(spec), cut: spec.w.cut, cuts: spec.w.sliding.slices()}
	o.element, o.advance = o.onElement, o.onWatermark
	o.slice, o.last, o.first = noSlice, -1, 0
	o.viewed = spec.w.trigger != nil || spec.contents.evict != nil && spec.w.lateness > 0
	return o
}

func (o *sharer[K, T, R]) Init(rt *plan.Runtime) error {
	o.kv = kvOf(rt)
	if err := o.declare(rt.MaxParallelism); err != nil {
		return err
	}
	return o.initShell(rt)
}

// declare makes all state there is; Build asks for it too, to learn the schemas.
func (o *sharer[K, T, R]) declare(groups int) error {
	o.declareShell(groups)
	rows, views := &sharedCodec[T]{o.spec.contents.codec}, &viewCodec[T]{o.spec.contents.codec}
	o.rows = table.New[K](table.Options[sharedRow[T]]{Clone: cloneShared[T]})
	schema := &messages.StateSchema{Name: "window", Kind: "window", Key: o.global.keys.codec.Name(), Value: rows.Name() + " in " + o.spec.w.assigner}
	o.kept.State = plainState(schema, groups, o.rows, o.global.keys, Codec[sharedRow[T]](rows))
	o.views = table.New[WindowKey[K]](table.Options[sharedView[T]]{})
	schema = &messages.StateSchema{Name: "_views", Kind: "window", Key: o.windows.keys.codec.Name(), Value: views.Name()}
	o.windows.all = append(o.windows.all, &o.kept, plainState(schema, groups, o.views, o.windows.keys, Codec[sharedView[T]](views)))
	o.timers = declareTimers(o.windows)
	if t := o.spec.w.trigger; t != nil {
		o.trigger = t.bind(o.windows, o)
	}
	return o.declareFunction()
}

func (o *sharer[K, T, R]) Open() error {
	if err := o.openShell(); err != nil {
		return err
	}
	o.viewed = o.viewed || o.views.Len() > 0 // of an evictor that is no more
	o.rows.Scan(func(_ uint64, at *K, _ *sharedRow[T]) bool {
		key := *at
		o.reopen(key, o.global.keys.hash(key)) // all of it: windows are placed by it
		return true
	})
	o.timers.wake(o.rt)
	return nil
}

// reopen sets the timers of a restored row, as the allowed lateness is now. Those of
// another lateness find nothing to do.
func (o *sharer[K, T, R]) reopen(key K, hash uint64) {
	row, _ := o.rows.Upsert(hash, key)
	o.kept.entries += row.count()
	if o.cut.clock == byClock {
		return
	}
	o.set(key, hash, row.ends, o.endOf(row.ends))
	if row.fires = noWindow; o.trigger != nil || o.lateness() == 0 {
		return
	}
	k := row.ends
	for k != noWindow && o.cuts.Window(k).MaxTimestamp() <= o.clocks.now(hash) {
		k = o.after(row, k)
	}
	if row.fires = k; k != noWindow {
		o.set(key, hash, k, o.cuts.Window(k).MaxTimestamp())
	}
}

func (o *sharer[K, T, R]) Process(_ int, b *plan.Batch) error { return o.between(b) }

// onElement takes a record into its slice, if one of its windows is still open.
func (o *sharer[K, T, R]) onElement(v T, ts int64, hash uint64) error {
	at := ts
	switch {
	case o.cut.clock == byClock:
		at = o.rt.Now()
	case ts < messages.MinEventTime || ts > messages.MaxEventTime:
		return errWithoutTime(ts)
	}
	if n := o.cuts.Of(at); n != o.slice {
		o.slice, o.first, o.last = n, o.cuts.First(n), o.cuts.Last(n)
	}
	if o.first > o.last {
		o.outside.Add(1)
		return nil
	}
	o.assigned.Add(o.last - o.first + 1)
	first := o.firstOpen(hash)
	if first > o.last {
		o.reject(v, ts)
		return nil
	}
	o.cause = ts
	key := o.key(v)
	o.insert(key, hash, Element[T]{v, ts}, first)
	if o.trigger == nil {
		return o.fireLate(key, hash, first)
	}
	for k := first; k <= o.last; k++ {
		o.at(key, hash, k)
		if err := o.handle(o.trigger.onElement(v, ts)); err != nil {
			return err
		}
	}
	return nil
}

// firstOpen is the first window of the record's slice that has not ended.
func (o *sharer[K, T, R]) firstOpen(hash uint64) int64 {
	if o.cut.clock == byClock {
		return o.first
	}
	return o.cuts.FirstAfter(o.slice, o.lateness(), o.clocks.now(hash))
}

// insert puts a record into its key's row, and sets the timers that this takes.
func (o *sharer[K, T, R]) insert(key K, hash uint64, e Element[T], first int64) {
	row, existed := o.rows.Upsert(hash, key)
	if !existed {
		row.fires, row.ends = noWindow, noWindow
	}
	o.kept.entries += row.add(o.slice, e)
	if first < row.ends {
		row.ends = first
		o.set(key, hash, first, o.endOf(first))
	}
	if o.trigger != nil || o.lateness() == 0 {
		return // windows fire when they end, or by timers of the trigger
	}
	if k := o.cuts.FirstAfter(o.slice, 0, o.clocks.now(hash)); k <= o.last && k < row.fires {
		row.fires = k
		o.set(key, hash, k, o.cuts.Window(k).MaxTimestamp())
	}
}

// set moves the scope to window k of a key and sets its timer.
func (o *sharer[K, T, R]) set(key K, hash uint64, k, at int64) {
	o.at(key, hash, k)
	d := EventTime
	if o.cut.clock == byClock {
		d = ProcessingTime
	}
	o.timers.set(d, at, o.rt)
}

// at sets the scope to window k of a key.
func (o *sharer[K, T, R]) at(key K, hash uint64, k int64) {
	o.k = k
	o.enter(key, hash, o.cuts.Window(k))
}

// endOf is when window k goes: a watermark, or a time of the clock.
func (o *sharer[K, T, R]) endOf(k int64) int64 { return o.cuts.Window(k).ClearAt(o.lateness()) }

// fireLate has a late record fire those of its windows that have been due before.
func (o *sharer[K, T, R]) fireLate(key K, hash uint64, first int64) error {
	if o.cut.clock == byClock {
		return nil
	}
	for k := first; k <= o.last && o.cuts.Window(k).MaxTimestamp() <= o.clocks.now(hash); k++ {
		o.at(key, hash, k)
		if err := o.fireWindow(); err != nil {
			return err
		}
	}
	return nil
}

// handle does what a trigger says of the window that the scope is at.
func (o *sharer[K, T, R]) handle(r TriggerResult) error {
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

// row gives the row of the key that the scope is at, for reading.
func (o *sharer[K, T, R]) row() sharedRow[T] {
	row, _ := o.rows.Get(o.global.scope.hash, o.global.scope.key)
	return row
}

// view gives the view of the window that the scope is at; setView replaces it.
func (o *sharer[K, T, R]) view() (v sharedView[T]) {
	if o.viewed {
		v, _ = o.views.Get(o.scope.hash, o.scope.key)
	}
	return v
}

func (o *sharer[K, T, R]) setView(v sharedView[T]) {
	place, _ := o.views.Upsert(o.scope.hash, o.scope.key)
	*place = v
}

// isOpen tells whether a record has come into the window that the scope is at, since it
// went if it did.
func (o *sharer[K, T, R]) isOpen(row *sharedRow[T]) bool {
	from, to := o.cuts.Range(o.k)
	return row.holds(from, to, row.goneFrom(o.k))
}

// purge empties the window. Records that none needs any more go.
func (o *sharer[K, T, R]) purge() {
	row, v := o.row(), o.view()
	if v.purge(row.next); mutant.On("purged-but-seen") {
		v.from = 0
	}
	o.setView(v)
	o.trim(&row)
}

// fireWindow has the function show what is in the window. An empty one shows
// nothing.
func (o *sharer[K, T, R]) fireWindow() error {
	row, v := o.row(), o.view()
	from, to := o.cuts.Range(o.k)
	o.gathered.gather(&row, from, to, max(v.from, row.goneFrom(o.k)), &v)
	defer o.gathered.release()
	if len(o.gathered.elements) == 0 {
		return nil
	}
	o.ctx.firing = o.firingOf(o.hasFired(&row, &v))
	o.ctx.out.sides.time = timeOf(o.scope.key.Window)
	v.seen, v.onTime = row.next, v.onTime || o.ctx.firing == OnTime
	begins := v.from
	if err := o.show(&v, row.next); err != nil {
		return err
	}
	if o.viewed {
		o.setView(v)
	}
	if v.from > begins {
		o.trim(&row)
	}
	return nil
}

// hasFired tells whether the window has fired on time. The default trigger has fired
// it, if a record before the late one was in it.
func (o *sharer[K, T, R]) hasFired(row *sharedRow[T], v *sharedView[T]) bool {
	if o.trigger != nil {
		return v.onTime
	}
	from, to := o.cuts.Range(o.k)
	return !o.firing && row.heldBefore(from, to, row.next-1)
}

func (o *sharer[K, T, R]) firingOf(fired bool) Firing {
	return firingOf(o.cut.clock, o.scope.key.Window.MaxTimestamp(), o.timerOf(o.cause), o.watermark(), o.rt.Now(), fired)
}

// show hands what was gathered to the function. An evictor is asked before and after
// it; what it leaves stays in the window.
func (o *sharer[K, T, R]) show(v *sharedView[T], next int64) error {
	e := o.spec.contents.evict
	if e == nil {
		return o.function.apply(&o.ctx, o.gathered.elements)
	}
	c := EvictContext{o.scope.key.Window, o.watermark(), o.rt.Now()}
	o.handed = append(o.handed[:0], o.gathered.elements...)
	defer clear(o.handed)
	left := e.EvictBefore(o.handed, c)
	if err := o.function.apply(&o.ctx, left); err != nil {
		return err
	}
	if left = e.EvictAfter(left, c); o.viewed {
		v.leave(&o.gathered, left, next)
	}
	return nil
}

// trim drops records that every window over their slice has purged or evicted. It
// looks at the slices of which the window that the scope is at is the last.
func (o *sharer[K, T, R]) trim(row *sharedRow[T]) {
	from, to := o.cuts.Leaving(o.k)
	for i := row.search(from); i < len(row.slices) && row.slices[i].slice < to; i++ {
		s := &row.slices[i]
		if n := s.search(o.needed(row, s)); n > 0 {
			place, _ := o.rows.Upsert(o.global.scope.hash, o.global.scope.key)
			s = &place.slices[i]
			o.kept.entries -= s.count()
			s.drop(n)
			o.kept.entries += s.count()
		}
	}
}

// needed is the number of the first record of a slice that some window may show.
func (o *sharer[K, T, R]) needed(row *sharedRow[T], s *sharedSlice[T]) int64 {
	least, first := row.next, max(o.cuts.First(s.slice), row.ends)
	if len(s.numbers) == 0 {
		return least
	}
	for k := o.cuts.Last(s.slice); k >= first && least > s.numbers[0]; k-- {
		w := o.cuts.Window(k)
		v, _ := o.views.Get(o.sub.placeWindow(o.global.scope.hash, w), WindowKey[K]{o.global.scope.key, w})
		if least = min(least, max(v.from, row.goneFrom(k))); mutant.On("trimmed-for-one") {
			break
		}
	}
	return least
}

// onWatermark fires what a watermark makes due.
func (o *sharer[K, T, R]) onWatermark(watermark int64) error {
	return advanceTimers(&o.windowShell, o.timers, watermark, o.onTimer)
}

// OnProcessingTime is plan.ProcessingTimer's.
func (o *sharer[K, T, R]) OnProcessingTime(now int64) error {
	return tickTimers(&o.windowShell, o.timers, now, o.onTimer)
}

// onTimer fires the window that the scope is at, or asks its trigger to, and ends it
// when that is due.
func (o *sharer[K, T, R]) onTimer(d Domain, at int64) error {
	o.k = o.cuts.Number(o.window())
	key, hash, k := o.global.scope.key, o.global.scope.hash, o.k
	if o.cause = at; d == ProcessingTime {
		o.cause = NoTime
	}
	row := o.row()
	if o.hasGone(&row) {
		return nil
	}
	if o.isOpen(&row) && !(o.isEnd(d, at) && o.endedBefore(d, at)) {
		if err := o.ask(d, at); err != nil {
			return err
		}
	}
	if o.trigger == nil && o.lateness() > 0 && at == o.scope.key.Window.MaxTimestamp() {
		o.fireNext(key, hash, k) // the window itself ends later
		return nil
	}
	if !o.isEnd(d, at) {
		return nil
	}
	if err := o.clear(); err != nil {
		return err
	}
	o.leave(key, hash, k)
	return nil
}

// fireNext sets the timer for the window to fire behind window k, if there is one.
func (o *sharer[K, T, R]) fireNext(key K, hash uint64, k int64) {
	row, _ := o.rows.Upsert(hash, key)
	if row.fires = o.after(row, k); row.fires != noWindow {
		o.set(key, hash, row.fires, o.cuts.Window(row.fires).MaxTimestamp())
	}
}

// hasGone tells whether the window of event time that the scope is at has ended: its
// trigger may have left a timer.
func (o *sharer[K, T, R]) hasGone(row *sharedRow[T]) bool {
	return o.cut.clock == byEvents && (len(row.slices) == 0 || o.k < row.ends)
}

// ask has the trigger say what becomes of the window.
func (o *sharer[K, T, R]) ask(d Domain, at int64) error {
	if o.trigger != nil {
		return o.handle(o.trigger.onTimer(d, at))
	}
	if at == o.scope.key.Window.MaxTimestamp() {
		return o.fireWindow()
	}
	return nil
}

// isEnd tells whether a time is that at which the window ends that the scope is at.
func (o *sharer[K, T, R]) isEnd(d Domain, at int64) bool {
	return (d == EventTime) == (o.cut.clock == byEvents) && at == o.endOf(o.k)
}

// clear drops what the window has for itself. What no firing has shown is counted.
func (o *sharer[K, T, R]) clear() error {
	row := o.row()
	if !o.isOpen(&row) {
		return nil
	}
	if o.trigger != nil {
		v := o.view()
		from, to := o.cuts.Range(o.k)
		o.unseen.Add(row.countFrom(from, to, max(v.seen, row.goneFrom(o.k))))
		o.trigger.clear()
		o.trigger.forget()
	}
	if o.viewed {
		o.views.Delete(o.scope.hash, o.scope.key)
	}
	if o.function.clear == nil {
		return nil
	}
	return o.function.clear(&o.ctx)
}

// leave drops the slices whose last window has ended, and waits for the next one.
func (o *sharer[K, T, R]) leave(key K, hash uint64, k int64) {
	row, _ := o.rows.Upsert(hash, key)
	o.kept.entries -= row.dropUntil(func(slice int64) bool {
		return o.cuts.Last(slice) <= k || mutant.On("shared-dropped-early") && o.cuts.First(slice) <= k
	})
	if len(row.slices) == 0 {
		o.rows.Delete(hash, key)
		return
	}
	if o.cut.clock == byClock {
		row.goes(k)
	}
	row.ends = o.after(row, k)
	o.set(key, hash, row.ends, o.endOf(row.ends))
}

// after is the first window behind window k over a slice of a row, or noWindow.
func (o *sharer[K, T, R]) after(row *sharedRow[T], k int64) int64 {
	for i := range row.slices {
		if n := row.slices[i].slice; o.cuts.Last(n) > k {
			return max(k+1, o.cuts.First(n))
		}
	}
	return noWindow
}

// What triggers may ask: paneTimers. A trigger is asked at the end of a window anyway,
// and cannot take that timer back.

func (o *sharer[K, T, R]) register(d Domain, at int64) {
	if !o.isEnd(d, at) {
		o.timers.set(d, at, o.rt)
	}
}

func (o *sharer[K, T, R]) delete(d Domain, at int64) {
	if !o.isEnd(d, at) {
		o.timers.delete(d, at)
	}
}
