package operators

import (
	"github.com/weirflow/weir/messages"
	"github.com/weirflow/weir/messages/mutant"
	"github.com/weirflow/weir/operators/plan"
	"github.com/weirflow/weir/persistence/table"
)

// sessioner runs session windows of event time that are folded and have the default
// trigger. The sessions of a key lie together, most often one, and a session has one
// entry in a queue by time, which may lag behind as the session grows: it is moved
// on when its time comes, not with every record.
type sessioner[K comparable, T, A, R any] struct {
	windowShell[K, T, A, R]
	rows    *table.Table[K, sessionRow[A]]
	merge   func(into, from A) A
	kept    countedState
	queue   timerQueue[K] // an entry for each session at session.queued, and some that are void
	scratch []Window
	spare   []*[]session[A] // empty, of rows that had several sessions; at most maxSpareRows
}

// sessionable tells whether windows are for a sessioner.
func (s *paneSpec[K, T, A, R]) sessionable() bool {
	w := s.w
	return w.cut.merges && w.cut.clock == byEvents && w.trigger == nil && w.evict == nil && s.contents.folds
}

func newSessioner[K comparable, T, A, R any](spec *paneSpec[K, T, A, R]) *sessioner[K, T, A, R] {
	o := &sessioner[K, T, A, R]{windowShell: newWindowShell(spec), merge: spec.contents.merge}
	o.queue = newTimerQueue(keyKindOf(spec.w.keyed.codec))
	o.element, o.advance = o.onElement, o.onWatermark
	return o
}

func (o *sessioner[K, T, A, R]) Init(rt *plan.Runtime) error {
	o.kv = kvOf(rt)
	if err := o.declare(rt.MaxParallelism); err != nil {
		return err
	}
	return o.initShell(rt)
}

// declare makes all state there is; Build asks for it too, to learn the schemas.
func (o *sessioner[K, T, A, R]) declare(groups int) error {
	o.declareShell(groups)
	codec := &sessionCodec[A]{o.spec.contents.codec}
	o.rows = table.New[K](table.Options[sessionRow[A]]{Clone: cloneSessions(cloneOf(codec.acc))})
	schema := &messages.StateSchema{Name: "window", Kind: "window", Key: o.global.keys.codec.Name(), Value: codec.Name() + " in " + o.spec.w.assigner}
	o.kept.State = plainState(schema, groups, o.rows, o.global.keys, Codec[sessionRow[A]](codec))
	o.global.all = append(o.global.all, &o.kept)
	return o.declareFunction()
}

// Open queues what was restored.
func (o *sessioner[K, T, A, R]) Open() error {
	if err := o.openShell(); err != nil {
		return err
	}
	o.rows.Scan(func(hash uint64, at *K, _ *sessionRow[A]) bool {
		key := *at
		row, _ := o.rows.Upsert(hash, key)
		o.kept.entries += row.len()
		for i := range row.len() {
			o.enqueue(key, hash, row.at(i))
		}
		return true
	})
	return nil
}

func (o *sessioner[K, T, A, R]) Process(_ int, b *plan.Batch) error { return o.between(b) }

// deadline is the watermark that fires a session or, if it has fired, ends it.
func (o *sessioner[K, T, A, R]) deadline(s *session[A]) int64 {
	if s.fired {
		return s.ClearAt(o.lateness())
	}
	return s.MaxTimestamp()
}

func (o *sessioner[K, T, A, R]) enqueue(key K, hash uint64, s *session[A]) {
	s.queued, s.waits = o.deadline(s), true
	o.queue.push(queuedTimer[K]{at: s.queued, hash: hash, key: key})
}

func (o *sessioner[K, T, A, R]) onElement(v T, ts int64, hash uint64) error {
	if ts < messages.MinEventTime || ts > messages.MaxEventTime {
		return errWithoutTime(ts)
	}
	o.scratch = o.spec.w.assign(o.scratch[:0], v, ts, 0)
	o.assigned.Add(int64(len(o.scratch)))
	clock, taken := o.clocks.now(hash), false
	for _, w := range o.scratch {
		took, err := o.into(w, v, ts, hash, clock)
		if err != nil {
			return err
		}
		taken = taken || took
	}
	switch {
	case taken:
	case len(o.scratch) > 0 && (Window{End: ts + 1}).ClearAt(o.lateness()) <= clock:
		o.reject(v, ts)
	default:
		o.outside.Add(1)
	}
	return nil
}

// into takes a record into the session of its window, unless that is too late.
func (o *sessioner[K, T, A, R]) into(w Window, v T, ts int64, hash uint64, clock int64) (taken bool, err error) {
	key := o.key(v)
	row, existed := o.rows.Upsert(hash, key)
	if existed {
		if last := &row.last; w.Start >= last.Start && w.Start <= last.End && last.MaxTimestamp() > clock {
			last.End = max(last.End, w.End) // it goes on, and its entry lags behind
			o.spec.contents.add(&last.acc, false, v, ts)
			return true, nil
		}
		return o.merged(row, w, v, ts, key, hash, clock)
	}
	if w.ClearAt(o.lateness()) <= clock {
		o.rows.Delete(hash, key)
		return false, nil
	}
	row.last.Window = w
	o.kept.entries++
	o.spec.contents.add(&row.last.acc, true, v, ts)
	return true, o.wait(key, hash, &row.last, clock)
}

// merged takes a record into a row that has sessions, which it may merge. Lateness is
// that of the session which comes of it.
func (o *sessioner[K, T, A, R]) merged(row *sessionRow[A], w Window, v T, ts int64, key K, hash uint64, clock int64) (taken bool, err error) {
	if mutant.On("late-by-record") && w.ClearAt(o.lateness()) <= clock {
		return false, nil
	}
	from, to := row.touching(w)
	for i := from; i < to; i++ {
		w = w.Cover(row.at(i).Window)
	}
	if w.ClearAt(o.lateness()) <= clock {
		return false, nil
	}
	if from == to {
		o.reuse(row)
		row.insert(from, session[A]{Window: w})
		o.kept.entries++
	}
	s := row.at(from)
	for i := from + 1; i < to; i++ {
		s.acc = o.merge(s.acc, row.at(i).acc)
		s.fired = s.fired || row.at(i).fired
	}
	if to > from+1 {
		first := *s
		o.kept.entries -= to - from - 1
		row.remove(from+1, to)
		s = row.at(from)
		*s = first
		o.spareOf(row)
	}
	s.Window = w
	s.fired = s.fired && w.MaxTimestamp() <= clock && !mutant.On("session-fired-forgotten")
	o.spec.contents.add(&s.acc, from == to, v, ts)
	return true, o.wait(key, hash, s, clock)
}

// wait has a session wait for its deadline. One that ended before its last record
// came fires at once.
func (o *sessioner[K, T, A, R]) wait(key K, hash uint64, s *session[A], clock int64) (err error) {
	if s.MaxTimestamp() <= clock {
		o.ctx.firing = OnTime
		if s.fired {
			o.ctx.firing = Late
		}
		s.fired = true
		err = o.show(key, hash, s)
	}
	if !s.waits || s.queued > o.deadline(s) {
		o.enqueue(key, hash, s)
	}
	return err
}

// show has the function show a session.
func (o *sessioner[K, T, A, R]) show(key K, hash uint64, s *session[A]) error {
	o.enter(key, hash, s.Window)
	o.ctx.out.sides.time = timeOf(s.Window)
	return o.function.apply(&o.ctx, s.acc)
}

// onWatermark fires what a watermark makes due; results leave before it.
func (o *sessioner[K, T, A, R]) onWatermark(watermark int64) error {
	if !o.clocks.advance(watermark) {
		return nil
	}
	defer func() { o.firing = false }()
	defer o.clocks.forgetFloors()
	if mutant.On("mark-before-results") {
		o.ctx.out.mark(watermark)
	}
	for next, ok := o.queue.pop(watermark); ok; next, ok = o.queue.pop(watermark) {
		if err := o.due(next); err != nil {
			return err
		}
	}
	o.ctx.out.mark(watermark)
	return nil
}

// due works off an entry of the queue: a session that has come to its deadline, or
// one that has grown since and waits on. The entry of a session that is gone, or has
// become part of another, is void.
func (o *sessioner[K, T, A, R]) due(next queuedTimer[K]) error {
	row, existed := o.rows.Upsert(next.hash, next.key)
	if !existed {
		o.rows.Delete(next.hash, next.key)
		return nil
	}
	i := row.queuedAt(next.at)
	if i < 0 {
		return nil
	}
	s := row.at(i)
	if o.deadline(s) == next.at && !s.fired {
		o.fire(next.at, next.hash)
		s.fired, o.ctx.firing = true, OnTime
		if err := o.show(next.key, next.hash, s); err != nil {
			return err
		}
	}
	if o.deadline(s) > next.at {
		if !mutant.On("entry-not-moved") {
			o.enqueue(next.key, next.hash, s)
		}
		return o.ctx.out.failed()
	}
	return o.end(next.key, next.hash, row, i)
}

// end lets go of a session whose lateness is over.
func (o *sessioner[K, T, A, R]) end(key K, hash uint64, row *sessionRow[A], i int) error {
	o.enter(key, hash, row.at(i).Window)
	o.kept.entries--
	if row.len() == 1 {
		o.rows.Delete(hash, key)
	} else {
		row.remove(i, i+1)
		o.spareOf(row)
	}
	if o.function.clear != nil {
		if err := o.function.clear(&o.ctx); err != nil {
			return err
		}
	}
	return o.ctx.out.failed()
}

// maxSpareRows bounds what is kept of rows that had several sessions: keys whose next
// session begins before the watermark has ended the last have two for a moment.
const maxSpareRows = 1 << 10

func (o *sessioner[K, T, A, R]) reuse(row *sessionRow[A]) {
	if n := len(o.spare); n > 0 && row.older == nil {
		row.older, o.spare = o.spare[n-1], o.spare[:n-1]
	}
}

func (o *sessioner[K, T, A, R]) spareOf(row *sessionRow[A]) {
	if row.len() > 1 {
		return
	}
	if len(o.spare) < maxSpareRows {
		o.spare = append(o.spare, row.older)
	}
	row.older = nil
}
