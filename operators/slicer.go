package operators

import (
	"github.com/weirflow/weir/messages"
	"github.com/weirflow/weir/messages/mutant"
	"github.com/weirflow/weir/operators/plan"
	"github.com/weirflow/weir/operators/window"
	"github.com/weirflow/weir/persistence/table"
)

// slicer runs sliding windows of event time that are folded and have the default
// trigger: it keeps one accumulator for each key and slice, and combines those of
// a window when it fires.
type slicer[K comparable, T, A, R any] struct {
	windowShell[K, T, A, R]
	kernel *window.Sliced
	rows   *table.Table[K, sliceRow[A]]
	merge  merging[A]
	kept   countedState

	// The slice of the last record, if no window of it has fired for any key: for
	// records in [start, start+width) that follow nothing needs to be asked.
	last     int64
	start    int64
	width    uint64 // 0: there is none
	full     uint64 // the width of a slice
	perSlice int64  // windows that hold the slice of the last record
}

// sliceable tells whether windows are for a slicer. A function of the user's may
// have state of a window that goes with it, long after a window that waits for late
// records has fired: that is left to panes.
func (s *paneSpec[K, T, A, R]) sliceable() bool {
	w := s.w
	return w.sliding != nil && w.cut.clock == byEvents && w.trigger == nil && w.evict == nil && s.contents.folds && (s.plain || w.lateness == 0)
}

func newSlicer[K comparable, T, A, R any](spec *paneSpec[K, T, A, R]) *slicer[K, T, A, R] {
	o := &slicer[K, T, A, R]{windowShell: newWindowShell(spec), merge: merging[A]{spec.contents.merge, spec.contents.empty}}
	o.element, o.advance = o.onElement, o.onWatermark
	return o
}

func (o *slicer[K, T, A, R]) Init(rt *plan.Runtime) error {
	o.kv = kvOf(rt)
	if err := o.declare(rt.MaxParallelism); err != nil {
		return err
	}
	return o.initShell(rt)
}

// declare makes all state there is; Build asks for it too, to learn the schemas.
func (o *slicer[K, T, A, R]) declare(groups int) error {
	o.declareShell(groups)
	codec := &rowCodec[A]{o.spec.contents.codec}
	o.rows = table.New[K](table.Options[sliceRow[A]]{Clone: cloneRow(cloneOf(o.spec.contents.codec))})
	schema := &messages.StateSchema{Name: "window", Kind: "window", Key: o.global.keys.codec.Name(), Value: codec.Name() + " in " + o.spec.w.assigner}
	o.kept.State = plainState(schema, groups, o.rows, o.global.keys, Codec[sliceRow[A]](codec))
	o.global.all = append(o.global.all, &o.kept)
	return o.declareFunction()
}

// Open finds out which slices the restored rows have. Those that are over at the
// clock of the subtask go when their rows are looked at.
func (o *slicer[K, T, A, R]) Open() error {
	if err := o.openShell(); err != nil {
		return err
	}
	s := o.spec.w.sliding.slices()
	o.full = uint64(s.Slice(0).End - s.Slice(0).Start)
	o.kernel = window.NewSliced(s, o.lateness(), o.clocks.clock)
	o.rows.Scan(func(_ uint64, _ *K, row *sliceRow[A]) bool {
		row.each(func(n int64) {
			if !o.kernel.TooLate(n, o.clocks.clock) {
				o.kernel.Add(n)
			}
		})
		o.kept.entries += row.len()
		return true
	})
	return nil
}

func (o *slicer[K, T, A, R]) Process(_ int, b *plan.Batch) error { return o.between(b) }

func (o *slicer[K, T, A, R]) onElement(v T, ts int64, hash uint64) error {
	if uint64(ts-o.start) < o.width {
		o.fold(o.key(v), hash, o.last, v, ts)
		return nil
	}
	return o.assign(v, ts, hash)
}

// fold adds a record to its key's slice.
func (o *slicer[K, T, A, R]) fold(key K, hash uint64, slice int64, v T, ts int64) *sliceRow[A] {
	row, existed := o.rows.Upsert(hash, key)
	if !existed {
		row.latest.slice = noSlice
	}
	acc, first := row.place(slice)
	if first {
		o.kept.entries++
	}
	o.spec.contents.add(acc, first, v, ts)
	o.assigned.Add(o.perSlice)
	return row
}

// assign finds the slice of a record that is not in the last one, and what is to
// be done there.
func (o *slicer[K, T, A, R]) assign(v T, ts int64, hash uint64) error {
	if ts < messages.MinEventTime || ts > messages.MaxEventTime {
		return errWithoutTime(ts)
	}
	n, clock := o.kernel.Of(ts), o.clocks.now(hash)
	switch {
	case o.kernel.InGap(n):
		o.outside.Add(1)
		return nil
	case o.kernel.TooLate(n, clock):
		o.assigned.Add(o.kernel.Last(n) - o.kernel.First(n) + 1)
		o.reject(v, ts)
		return nil
	}
	o.enterSlice(n)
	key := o.key(v)
	if o.kernel.Fresh(n, clock) {
		o.fold(key, hash, n, v, ts)
		return nil
	}
	return o.foldLate(key, hash, n, v, ts, clock)
}

// enterSlice notes the slice of a record.
func (o *slicer[K, T, A, R]) enterSlice(n int64) {
	o.kernel.Add(n)
	o.perSlice = o.kernel.Last(n) - o.kernel.First(n) + 1
	if o.width = 0; o.kernel.Fresh(n, max(o.clocks.clock, o.clocks.highest)) {
		o.last, o.start, o.width = n, o.kernel.Slice(n).Start, o.full
	}
}

// foldLate adds a record to a slice of which windows have fired, and fires again
// those that wait for late records.
func (o *slicer[K, T, A, R]) foldLate(key K, hash uint64, n int64, v T, ts, clock int64) error {
	row, existed := o.rows.Get(hash, key)
	var before []bool // of the windows that fire again: there was something in them
	first, last := o.kernel.First(n), o.kernel.Last(n)
	for first <= last && o.kernel.Window(first).ClearAt(o.lateness()) <= clock {
		first++
	}
	for k := first; k <= last && o.kernel.Window(k).MaxTimestamp() <= clock; k++ {
		before = append(before, existed && row.holds(o.kernel.Range(k)))
	}
	o.fold(key, hash, n, v, ts)
	for i, fired := range before {
		if fired && mutant.On("late-refire-lost") {
			continue
		}
		k := first + int64(i)
		o.ctx.firing = OnTime
		if fired {
			o.ctx.firing = Late
		}
		row, _ := o.rows.Get(hash, key)
		from, to := o.kernel.Range(k)
		if err := o.show(key, hash, o.kernel.Window(k), row.again(from, to, o.merge)); err != nil {
			return err
		}
	}
	return nil
}

// show has the function show a window of a key.
func (o *slicer[K, T, A, R]) show(key K, hash uint64, w Window, all A) error {
	o.enter(key, hash, w)
	o.ctx.out.sides.time = timeOf(w)
	return o.function.apply(&o.ctx, all)
}

// onWatermark fires what a watermark makes due; results leave before it.
func (o *slicer[K, T, A, R]) onWatermark(watermark int64) error {
	if watermark <= o.clocks.clock {
		return nil
	}
	o.clocks.clock = watermark // as the function is told; the floors stay until what they stand for has fired
	if !o.kernel.Pass(watermark) {
		if err := o.fireDue(watermark); err != nil {
			return err
		}
	}
	o.clocks.forgetFloors()
	o.ctx.out.mark(watermark)
	return nil
}

func (o *slicer[K, T, A, R]) fireDue(watermark int64) error {
	o.width = 0
	defer func() { o.firing = false }()
	empty, err := o.kernel.Advance(watermark, o.fireWindow)
	if err == nil && empty {
		o.rows.Clear()
		o.kept.entries = 0
	}
	return err
}

// fireWindow shows window k of all keys whose group has not fired it before it was
// restored, in the order of the table.
func (o *slicer[K, T, A, R]) fireWindow(k int64) (err error) {
	w := o.kernel.Window(k)
	from, to := o.kernel.Range(k)
	needed := o.kernel.Needed(k)
	restored := w.MaxTimestamp() <= o.clocks.highest
	o.ctx.firing = OnTime
	o.rows.Scan(func(hash uint64, at *K, _ *sliceRow[A]) bool {
		key := *at
		row, _ := o.rows.Upsert(hash, key)
		all, some := row.window(from, to, o.merge)
		if row.past != nil {
			o.kept.entries -= row.past.drop(needed)
		}
		if row.len() == 0 {
			o.rows.Delete(hash, key)
		}
		if some && !(restored && o.clocks.passed(hash, w.MaxTimestamp())) {
			o.fire(w.MaxTimestamp(), hash)
			err = o.end(key, hash, w, all)
		}
		return err == nil
	})
	return err
}

// end shows a window, which is on time, and clears it unless it waits for late
// records: then the function has no Clear, see sliceable.
func (o *slicer[K, T, A, R]) end(key K, hash uint64, w Window, all A) error {
	if err := o.show(key, hash, w, all); err != nil {
		return err
	}
	if o.function.clear != nil {
		if err := o.function.clear(&o.ctx); err != nil {
			return err
		}
	}
	return o.ctx.out.failed()
}
