package operators

import (
	"fmt"

	"github.com/weirflow/weir/messages"
	"github.com/weirflow/weir/messages/mutant"
	"github.com/weirflow/weir/operators/plan"
	"github.com/weirflow/weir/operators/window"
	"github.com/weirflow/weir/persistence/table"
)

// lateDropped counts records that were too late and had no side output to go to.
const lateDropped = "records_late_dropped"

// windower runs an Aggregate: records go into the table of their window, marks
// between them fire windows.
type windower[K comparable, T, Acc, R any] struct {
	stateless
	keyedInput[K, T]
	agg   Aggregator[T, Acc, R]
	first firster[T, Acc] // agg, if it is one
	late  *Tag[T]
	state windowState[K, Acc]

	// The watermark. Its floors outlive the firing of what they stand for: the
	// clock advances when the windows due have fired.
	clocks groupClocks

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
	return o.clocks.init(rt)
}

func (o *windower[K, T, Acc, R]) Open() error {
	if mutant.On("forget-fired") {
		o.clocks.floors = nil
	}
	o.clocks.start()
	o.state.start(o.clocks.clock)
	return nil
}

func (o *windower[K, T, Acc, R]) Process(_ int, b *plan.Batch) error {
	values, hashes := o.columns(b)
	from := 0
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
	if err := o.out.flush(); err != nil {
		return err
	}
	return o.sides.flush()
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

// advance moves the clock and fires what it reaches; results leave before the
// watermark that caused them.
func (o *windower[K, T, Acc, R]) advance(watermark int64) {
	if watermark <= o.state.open.Watermark() {
		return
	}
	if o.state.open.Advance(watermark) {
		for _, p := range o.state.open.Due() {
			o.fireWindow(p)
		}
		o.state.clear()
		o.last = nil
	}
	o.clocks.advance(watermark)
	o.clocks.forgetFloors()
	o.out.mark(watermark)
	o.sides.mark(watermark)
}

// fireWindow emits the results of all keys whose group has not fired the window
// before it was restored, in the order of the table.
func (o *windower[K, T, Acc, R]) fireWindow(p *window.Pane[*table.Table[K, Acc]]) {
	restored := p.MaxTimestamp() <= o.clocks.highest
	p.State.Scan(func(hash uint64, key *K, acc *Acc) bool {
		if restored && o.clocks.passed(hash, p.MaxTimestamp()) && !mutant.On("fires-again") {
			return true
		}
		o.fire(p.MaxTimestamp(), hash)
		o.emit(p.Window, *key, *acc)
		return o.out.err == nil
	})
	o.firing = false
}

func (o *windower[K, T, Acc, R]) emit(w window.Window, key K, acc Acc) {
	o.out.emit(WindowResult[K, R]{Key: key, Start: w.Start, End: w.End, Value: o.agg.Result(acc)}, w.MaxTimestamp())
}

func errWithoutTime(time int64) error {
	return fmt.Errorf("a record without an event time (%d) came to a window; give it one by the source's watermark strategy, or by EmitAt", time)
}
