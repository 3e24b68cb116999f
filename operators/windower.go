package operators

import (
	"fmt"
	"math"
	"slices"

	"github.com/weirflow/weir/messages"
	"github.com/weirflow/weir/messages/mutant"
	"github.com/weirflow/weir/operators/plan"
	"github.com/weirflow/weir/operators/window"
	"github.com/weirflow/weir/persistence/table"
)

// lateDropped counts records that were too late and had no side output to go to.
const lateDropped = "records_late_dropped"

// windower runs an Aggregate: records go into the table of their window, marks
// between them fire windows. Windows of few keys fire when the mark is there, others
// in steps, see the type firing.
type windower[K comparable, T, Acc, R any] struct {
	stateless
	keyedInput[K, T]
	agg   Aggregator[T, Acc, R]
	first firster[T, Acc] // agg, if it is one
	late  *Tag[T]
	state windowState[K, Acc]

	// The watermark. Its floors outlive the firing of what they stand for.
	clocks groupClocks

	steps firing
	due   []*window.Pane[*table.Table[K, Acc]] // as many as firing.ends
	given int                                  // results of this batch that did not wait for steps

	rt      *plan.Runtime
	out     *emitter[WindowResult[K, R]]
	sides   sideOutputs
	tooLate *emitter[T] // in sides; nil without a tag
	dropped *plan.Counter

	// The window of the last record, if it has not fired for any key: for
	// records in [start, start+size) that follow nothing needs to be asked.
	last  *table.Table[K, Acc] // nil: none
	start int64
	size  uint64
}

func newWindower[K comparable, T, Acc, R any](w *WindowedStream[K, T], agg Aggregator[T, Acc, R], schema *messages.StateSchema, codec Codec[Acc]) *windower[K, T, Acc, R] {
	o := &windower[K, T, Acc, R]{keyedInput: w.keyed.input(), agg: agg, late: w.late, size: uint64(w.tumbling.size.Milliseconds())}
	o.first, _ = agg.(firster[T, Acc])
	o.clocks = newGroupClocks(w.keyed.codec.Name())
	o.state = windowState[K, Acc]{
		schema: schema, keys: keyKindOf(w.keyed.codec), values: codec,
		windows: w.tumbling.assigner(), lateness: w.lateness.Milliseconds(),
	}
	return o
}

func (o *windower[K, T, Acc, R]) Init(rt *plan.Runtime) error {
	o.rt, o.out, o.dropped = rt, newEmitter[WindowResult[K, R]](rt.Output("")), rt.Counter(lateDropped)
	if o.late != nil {
		o.sides = openSides(rt, []AnyTag{*o.late})
		o.tooLate = o.sides.find(o.late.Name()).(*emitter[T])
	}
	o.state.groups, o.state.max = rt.Groups, rt.MaxParallelism
	o.state.init()
	if err := rt.Register(&o.state); err != nil {
		return err
	}
	o.steps.init(&o.clocks, rt)
	return o.clocks.init(rt)
}

func (o *windower[K, T, Acc, R]) Open() error {
	if mutant.On("forget-fired") {
		o.clocks.floors = nil
	}
	o.clocks.start()
	o.steps.start(o.rt.Watermark)
	o.queue(o.state.start(o.clocks.clock, &o.steps))
	if !o.steps.pending() {
		o.steps.over()
	}
	return nil
}

func (o *windower[K, T, Acc, R]) Process(_ int, b *plan.Batch) error {
	values, hashes := o.columns(b)
	from := 0
	o.given = 0
	for _, m := range b.Marks {
		if err := o.add(b, values, hashes, from, m.Index); err != nil {
			return err
		}
		o.advance(m.Watermark)
		from = m.Index
	}
	if err := o.add(b, values, hashes, from, len(values)); err != nil {
		return err
	}
	return o.flush()
}

func (o *windower[K, T, Acc, R]) flush() error {
	if err := o.out.flush(); err != nil {
		return err
	}
	return o.sides.flush()
}

// Pending, Step and OutputWatermark are plan.Stepper's.
func (o *windower[K, T, Acc, R]) Pending() bool { return o.steps.pending() }

func (o *windower[K, T, Acc, R]) OutputWatermark(input int64) int64 {
	return o.steps.output(input)
}

func (o *windower[K, T, Acc, R]) Step() error {
	o.fireDue(o.steps.size)
	return o.flush()
}

func (o *windower[K, T, Acc, R]) Finish() error {
	o.fireDue(math.MaxInt)
	return o.flush()
}

// add takes records [from, to) into their windows.
func (o *windower[K, T, Acc, R]) add(b *plan.Batch, values []T, hashes []uint64, from, to int) error {
	o.batch = b
	times := b.Times
	for i := from; i < to; i++ {
		o.at = i
		if o.last != nil && uint64(times[i]-o.start) < o.size {
			o.fold(o.last, values[i], hashes[i])
		} else if err := o.assign(values[i], times[i], hashes[i]); err != nil {
			return err
		}
	}
	o.batch = nil
	return nil
}

// fold adds a record to its key's accumulator and gives key and accumulator.
func (o *windower[K, T, Acc, R]) fold(t *table.Table[K, Acc], v T, hash uint64) (K, *Acc) {
	key := o.key(v)
	acc, existed := t.Upsert(hash, key)
	switch {
	case existed:
		*acc = o.agg.Add(*acc, v)
	case o.first != nil:
		*acc = o.first.first(v)
	default:
		*acc = o.agg.Add(o.agg.CreateAccumulator(), v)
	}
	return key, acc
}

// assign finds the window of a record that is not in the last one, and what is
// to be done there.
func (o *windower[K, T, Acc, R]) assign(v T, time int64, hash uint64) error {
	if time < messages.MinEventTime || time > messages.MaxEventTime {
		return errWithoutTime(time)
	}
	w, watermark := o.state.windows.Assign(time), o.clocks.now(hash)
	if o.state.open.TooLate(w, watermark) {
		o.reject(v, time)
		return nil
	}
	if w.MaxTimestamp() <= watermark {
		o.fireDue(math.MaxInt)
	}
	t := o.state.pane(w).State
	key, acc := o.fold(t, v, hash)
	if w.MaxTimestamp() <= watermark { // it has fired for this key: again
		o.emit(w, key, *acc)
	} else if w.MaxTimestamp() > o.clocks.highest {
		o.last, o.start = t, w.Start
	}
	return nil
}

func (o *windower[K, T, Acc, R]) reject(v T, time int64) {
	if o.tooLate != nil {
		o.tooLate.emit(v, time)
	} else {
		o.dropped.Add(o.weightOf(v))
	}
}

// weightOf is the number of records that one stands for.
func (o *windower[K, T, Acc, R]) weightOf(v T) int64 {
	if w, ok := o.agg.(weigher[T]); ok {
		return w.weight(v)
	}
	return 1
}

// advance moves the clock and fires what it reaches, if that is little; results
// leave before the watermark that caused them. What is late goes aside at once, so
// the side outputs do not wait.
func (o *windower[K, T, Acc, R]) advance(watermark int64) {
	if watermark <= o.state.open.Watermark() {
		return
	}
	o.sides.mark(watermark)
	was := o.clocks.clock
	o.clocks.clock = watermark // its floors stay until what they stand for has fired
	if work := o.state.open.Advance(watermark); !work && !o.steps.pending() {
		o.pass(watermark)
		return
	}
	o.last = nil
	due := o.state.open.Due()
	if mutant.On("budget-by-mark") {
		o.given = 0
	}
	if o.given += o.entries(due); o.steps.pending() || o.given > o.steps.size {
		o.steps.begin(watermark, was, len(due) > 0)
		o.queue(due)
		return
	}
	for _, p := range due {
		o.fireWindow(p)
	}
	o.state.clear()
	o.pass(watermark)
}

// pass lets a watermark leave behind which nothing is pending.
func (o *windower[K, T, Acc, R]) pass(watermark int64) {
	o.clocks.forgetFloors()
	o.out.mark(watermark)
}

// entries counts the results of windows.
func (o *windower[K, T, Acc, R]) entries(due []*window.Pane[*table.Table[K, Acc]]) (n int) {
	for _, p := range due {
		n += p.State.Len()
	}
	return n
}

// queue has windows wait for steps. The kernel's slice is its own.
func (o *windower[K, T, Acc, R]) queue(due []*window.Pane[*table.Table[K, Acc]]) {
	for _, p := range due {
		if i, fresh := o.steps.insert(p.MaxTimestamp()); fresh {
			o.due = slices.Insert(o.due, i, p)
		}
	}
}

// fireDue fires what is due until a number of results has left, or everything has.
func (o *windower[K, T, Acc, R]) fireDue(results int) {
	if !o.steps.pending() {
		return
	}
	for left := results; len(o.due) > 0; {
		if left <= 0 || o.out.err != nil {
			return
		}
		left -= o.firePart(o.due[0], left)
	}
	for _, m := range o.steps.over() {
		o.out.mark(m)
	}
	o.state.clear()
}

// firePart fires a window if that gives no more than some results, or else the key
// group whose turn it is, and gives how many entries that were.
func (o *windower[K, T, Acc, R]) firePart(p *window.Pane[*table.Table[K, Acc]], results int) (entries int) {
	for _, m := range o.steps.take(p.MaxTimestamp()) {
		o.out.mark(m)
	}
	last := true
	if entries = p.State.Len(); !o.steps.begun() && entries <= results {
		o.fireWindow(p)
		o.steps.passPane()
	} else {
		entries = o.fireGroup(p)
		last = o.steps.passGroup()
	}
	if last {
		o.due[0] = nil
		o.due = o.due[1:]
	}
	return entries
}

// fireWindow emits the results of all keys whose group has not fired the window
// before it was restored, in the order of the table.
func (o *windower[K, T, Acc, R]) fireWindow(p *window.Pane[*table.Table[K, Acc]]) {
	mixed := o.steps.mixed(p.MaxTimestamp())
	p.State.Scan(func(hash uint64, key *K, acc *Acc) bool {
		if mixed && !o.steps.owes(messages.KeyGroupOf(hash, o.rt.MaxParallelism), p.MaxTimestamp()) {
			return true
		}
		o.fire(p.MaxTimestamp(), hash)
		o.emit(p.Window, *key, *acc)
		return o.out.err == nil
	})
	o.firing = false
}

// fireGroup emits the results of the key group whose turn it is, if it owes them.
func (o *windower[K, T, Acc, R]) fireGroup(p *window.Pane[*table.Table[K, Acc]]) (entries int) {
	g, owes := o.steps.group()
	if !owes {
		return 0
	}
	p.State.ScanGroup(g, o.rt.MaxParallelism, func(hash uint64, key *K, acc *Acc) bool {
		o.fire(p.MaxTimestamp(), hash)
		o.emit(p.Window, *key, *acc)
		entries++
		return o.out.err == nil
	})
	o.firing = false
	return entries
}

func (o *windower[K, T, Acc, R]) emit(w window.Window, key K, acc Acc) {
	o.out.emit(WindowResult[K, R]{Key: key, Start: w.Start, End: w.End, Value: o.agg.Result(acc)}, w.MaxTimestamp())
}

func errWithoutTime(time int64) error {
	return fmt.Errorf("a record without an event time (%d) came to a window; give it one by the source's watermark strategy, or by EmitAt", time)
}
