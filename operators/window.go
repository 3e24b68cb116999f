package operators

import (
	"errors"
	"fmt"
	"time"

	"github.com/weirflow/weir/operators/plan"
	"github.com/weirflow/weir/operators/window"
)

// TumblingWindows cut event time into windows of one size, without gap or
// overlap, aligned to the epoch.
type TumblingWindows struct {
	size, offset time.Duration
	clock        clock
}

// Tumbling gives windows [n*size, (n+1)*size). The size is a whole number of
// milliseconds, at least one.
func Tumbling(size time.Duration) TumblingWindows { return TumblingWindows{size: size} }

// Offset moves all windows by d, either way: with size 24h and offset -8h they
// are the days of China, with +5h those of New York in winter.
func (w TumblingWindows) Offset(d time.Duration) TumblingWindows {
	w.offset = d
	return w
}

// WindowedStream is a keyed stream cut into windows: an assigner, and optionally
// a trigger, an evictor, allowed lateness and a side output for late records.
// Aggregate, ReduceWindow, ProcessWindow, AggregateProcess and ReduceProcess make
// results of it. It is a handle and immutable.
type WindowedStream[K comparable, T any] struct {
	keyed        *KeyedStream[K, T]
	assigner     string           // describes it
	tumbling     *TumblingWindows // of event time; nil for any others
	sliding      *SlidingWindows  // of either clock; nil for any others
	cut          cut
	assign       func(to []Window, v T, ts, now int64) []Window
	lateness     time.Duration
	late         *Tag[T]           // nil: late records are dropped and counted
	trigger      *triggering[K, T] // nil: the default
	evict        *evicting[T]      // nil: none
	single       bool              // all records have one key
	preAggregate bool              // see PreAggregate
	err          error
}

// Window cuts the stream into windows: Tumbling, Sliding, Session or Global. One
// of event time fires when the watermark reaches its last millisecond; a key
// without records in it gives no result.
func (k *KeyedStream[K, T]) Window(w Windows) *WindowedStream[K, T] {
	s := &WindowedStream[K, T]{keyed: k}
	if w == nil {
		s.err = errors.New("its windows are nil; give Window Tumbling, Sliding, Session or Global")
		return s
	}
	if s.assigner, s.err = w.String(), w.check(); s.err != nil {
		return s
	}
	s.cut = w.cut()
	s.assign = func(to []Window, _ T, ts, now int64) []Window { return s.cut.assign(to, ts, now) }
	switch w := w.(type) {
	case TumblingWindows:
		if w.clock == byEvents {
			s.tumbling = &w
		}
	case SlidingWindows:
		s.sliding = &w
	}
	return s
}

// WindowBy cuts the stream into windows of event time by an assigner of your
// own, or by SessionBy.
func (k *KeyedStream[K, T]) WindowBy(a Assigner[T]) *WindowedStream[K, T] {
	s := &WindowedStream[K, T]{keyed: k}
	if a == nil {
		s.err = errors.New("its Assigner is nil; give WindowBy one")
		return s
	}
	_, merges := a.(Merging)
	s.assigner, s.cut = a.String(), cut{clock: byEvents, merges: merges}
	s.assign = func(to []Window, v T, ts, _ int64) []Window { return a.Assign(to, v, ts) }
	return s
}

// CountWindow gives each key windows of n records, which fire when they are full
// and only then: what is left at the end of input does not come out.
func (k *KeyedStream[K, T]) CountWindow(n int64) *WindowedStream[K, T] {
	w := Triggered(k.Window(Global()), Purging(Trigger[T, int64](Count[T](n))))
	w.assigner = fmt.Sprintf("count %d", n)
	if n < 1 {
		w.err = fmt.Errorf("CountWindow(%d): a window has at least 1 record", n)
	}
	return w
}

// SlidingCountWindow fires after every slide records of a key and shows the last
// size of them, or fewer while there are fewer.
func (k *KeyedStream[K, T]) SlidingCountWindow(size int, slide int64) *WindowedStream[K, T] {
	w := Triggered(k.Window(Global()), Trigger[T, int64](Count[T](slide))).Evict(KeepLast[T](size))
	w.assigner = fmt.Sprintf("count %d by %d", size, slide)
	if size < 1 || slide < 1 {
		w.err = fmt.Errorf("SlidingCountWindow(%d, %d): size and slide are at least 1 record", size, slide)
	}
	return w
}

// WindowAll cuts a stream that has no keys into windows. All of it goes through
// one subtask, and every result has the key 0.
func WindowAll[T any](s *Stream[T], w Windows) *WindowedStream[uint8, T] {
	all := KeyBy(s, func(T) uint8 { return 0 }).Window(w)
	all.single = true
	return all
}

// AllowedLateness keeps a window for d after it fired: each late record fires
// it again at once with all its contents. The default is 0: a record is late,
// and lost to the result, once its window has fired.
func (w *WindowedStream[K, T]) AllowedLateness(d time.Duration) *WindowedStream[K, T] {
	c := *w
	c.lateness = d
	return &c
}

// SideOutputLate sends records that are too late for their window to a side
// output, unchanged. Without it they are dropped, and counted by the metric
// records_late_dropped.
func (w *WindowedStream[K, T]) SideOutputLate(tag Tag[T]) *WindowedStream[K, T] {
	c := *w
	c.late = &tag
	return &c
}

// WindowResult is what a window makes of one key. Its event time is the last
// millisecond of the window.
type WindowResult[K, V any] struct {
	Key   K     `json:"key" csv:"key"`
	Start int64 `json:"start" csv:"start"` // ms
	End   int64 `json:"end" csv:"end"`     // ms, exclusive
	Value V     `json:"value" csv:"value"`
}

// check tells what is wrong with the options.
func (w *WindowedStream[K, T]) check() error {
	errs := eachOf(w.err)
	if w.err == nil {
		errs = append(errs, w.checkTrigger(), w.checkEvictor())
	}
	if t := w.trigger; t != nil && w.cut.merges && !t.merges {
		errs = append(errs, fmt.Errorf("windows that merge (%s) need a trigger with OnMerge, which %s has not; give it one, or take another trigger", w.assigner, t.name))
	}
	if w.cut.clock != byEvents && w.late != nil {
		errs = append(errs, fmt.Errorf("SideOutputLate(%q): nothing is late for windows of %s; leave it out", w.late.Name(), w.assigner))
	}
	if w.cut.clock != byEvents && w.lateness != 0 {
		errs = append(errs, fmt.Errorf("AllowedLateness(%v): nothing is late for windows of %s; leave it out", w.lateness, w.assigner))
	}
	return errors.Join(append(errs, w.checkLateness(), w.checkPreAggregate())...)
}

func (w TumblingWindows) check() error {
	return errors.Join(positive("Tumbling", "size", w.size), wholeMillis("Offset", w.offset))
}

// triggering is the trigger that was set, or the default one of the windows.
func (w *WindowedStream[K, T]) triggering() *triggering[K, T] {
	switch {
	case w.trigger != nil:
		return w.trigger
	case w.cut.clock == byEvents:
		return Triggered(w, Trigger[T, EarlyState](AfterWatermark[T]())).trigger
	case w.cut.clock == byClock:
		return Triggered(w, Trigger[T, struct{}](AfterProcessingTime[T]())).trigger
	}
	return Triggered(w, Trigger[T, struct{}](Never[T]())).trigger
}

func (w *WindowedStream[K, T]) checkTrigger() error {
	if w.trigger == nil {
		return nil
	}
	return w.trigger.err
}

func (w *WindowedStream[K, T]) checkEvictor() error {
	if w.evict == nil {
		return nil
	}
	return checkOption(w.evict.Evictor)
}

func (w *WindowedStream[K, T]) checkLateness() error {
	if w.lateness < 0 {
		return fmt.Errorf("AllowedLateness(%v): lateness is not negative; give 0 to allow none", w.lateness)
	}
	return wholeMillis("AllowedLateness", w.lateness)
}

func wholeMillis(option string, d time.Duration) error {
	if d%time.Millisecond != 0 {
		return fmt.Errorf("%s(%v): event time is in milliseconds; give a whole number of them", option, d)
	}
	return nil
}

// assigner is the kernel's form of the windows, which check has passed.
func (w TumblingWindows) assigner() window.Tumbling {
	return window.NewTumbling(w.size.Milliseconds(), w.offset.Milliseconds())
}

// String describes the windows in plans and in the schema of their state.
func (w TumblingWindows) String() string {
	return fmt.Sprintf("tumbling %v%s%s", w.size, offsetText(w.offset), w.clock)
}

// describe tells the plan about the operator behind the windows.
func (w *WindowedStream[K, T]) describe(op *plan.Operator) {
	op.EventTime, op.Detail = w.cut.clock == byEvents, w.detail()
	top := w.keyed.stream.top
	if w.late != nil {
		top.declareSides(op, *w.late)
	}
	if w.single {
		top.setParallelism(op, 1)
		top.single[op] = true
	}
}

func (w *WindowedStream[K, T]) detail() string {
	s := w.assigner
	if w.single {
		s += ", all in one subtask"
	}
	if w.trigger != nil {
		s += ", " + w.trigger.name
	}
	if w.evict != nil {
		s += ", " + describing(w.evict.Evictor)
	}
	if w.lateness > 0 {
		s += fmt.Sprintf(", lateness %v", w.lateness)
	}
	if w.late != nil {
		s += ", late to " + w.late.Name()
	}
	return s
}
