package operators

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/weirflow/weir/operators/plan"
)

// PreAggregate has Aggregate and ReduceWindow fold in two stages, for keys too
// hot for one subtask and for WindowAll: where the records come from, those of a
// batch become one accumulator for each key and window, and only these go to the
// subtask that owns the key, which merges them. Results, their times and what
// counts as late are as without it. Only a source that was idle and came back
// behind the others may differ: a window that its late records fire again fires
// once for those of a batch.
//
// Merge of the Aggregator must not mind how the records were parted: sums and
// counts do not, but sums of floats may differ in their last digits. It needs
// tumbling windows of event time, without trigger, evictor and SideOutputLate.
// The plan shows the first stage as "<name>.combine"; it has no state, so that a
// job may begin or cease to pre-aggregate at any restore.
func (w *WindowedStream[K, T]) PreAggregate() *WindowedStream[K, T] {
	c := *w
	c.preAggregate = true
	return &c
}

// combines tells whether the windows are to be folded in two stages and can be.
func (w *WindowedStream[K, T]) combines() bool {
	return w.preAggregate && w.tumbling != nil && w.trigger == nil && w.evict == nil && w.late == nil
}

// checkPreAggregate says why windows are not folded in two stages that should be.
func (w *WindowedStream[K, T]) checkPreAggregate() error {
	if !w.preAggregate || w.err != nil {
		return nil
	}
	why := "what is behind the windows is neither Aggregate nor ReduceWindow"
	switch {
	case w.tumbling == nil:
		why = "the windows are " + w.assigner
	case w.trigger != nil:
		why = "the windows have a trigger, " + w.trigger.name
	case w.evict != nil:
		why = "the windows have an evictor, " + describing(w.evict.Evictor)
	case w.late != nil:
		why = fmt.Sprintf("SideOutputLate(%q) wants late records unchanged", w.late.Name())
	}
	return fmt.Errorf("PreAggregate(): %s; it is for Aggregate and ReduceWindow over tumbling windows of event time alone, so leave it out", why)
}

// aggregateInTwo is Aggregate over what a first stage made of the records.
func aggregateInTwo[K comparable, T, Acc, R any](w *WindowedStream[K, T], name string, agg Aggregator[T, Acc, R]) *Stream[WindowResult[K, R]] {
	parts := &WindowedStream[K, part[K, Acc]]{
		keyed: combined(w, folder[T, Acc](agg)), assigner: w.assigner, tumbling: w.tumbling, cut: w.cut,
		lateness: w.lateness, single: w.single, err: w.err,
	}
	s := aggregateTumbling(parts, name, Aggregator[part[K, Acc], Acc, R](mergingParts[K, T, Acc, R]{agg}))
	s.legs[0].from.Detail += ", pre-aggregated"
	return s
}

// part is what the first stage made of some records of a key and window. Its
// event time is that of the first of them.
type part[K comparable, Acc any] struct {
	key   K
	acc   Acc
	count int64 // records
}

// mergingParts is the Aggregator of the second stage.
type mergingParts[K comparable, T, Acc, R any] struct{ Aggregator[T, Acc, R] }

func (m mergingParts[K, T, Acc, R]) Add(acc Acc, p part[K, Acc]) Acc { return m.Merge(acc, p.acc) }
func (m mergingParts[K, T, Acc, R]) first(p part[K, Acc]) Acc        { return p.acc }
func (m mergingParts[K, T, Acc, R]) weight(p part[K, Acc]) int64     { return p.count }

// weigher is an Aggregator whose records stand for several.
type weigher[T any] interface{ weight(v T) int64 }

// folder is the half of an Aggregator that the first stage needs.
type folder[T, Acc any] interface {
	CreateAccumulator() Acc
	Add(acc Acc, v T) Acc
}

// combined is the stream of the parts. The operators that make them come into
// being with the one that reads them, whose name they bear.
func combined[K comparable, T, Acc any](w *WindowedStream[K, T], agg folder[T, Acc]) *KeyedStream[K, part[K, Acc]] {
	k := &KeyedStream[K, part[K, Acc]]{
		stream: &Stream[part[K, Acc]]{top: w.keyed.stream.top, legs: w.keyed.stream.legs},
		key:    func(p part[K, Acc]) K { return p.key },
		codec:  w.keyed.codec, err: w.keyed.err,
	}
	k.inlet = &inlet{feed: func(t *Topology, op *plan.Operator) { w.keyed.feed(t, op, 0) }}
	if k.err != nil {
		return k
	}
	k.keyer = newKeyer(k.key, k.codec)
	acc, err := CodecOf[Acc]() // Aggregate tells about err
	rows := &rowType[part[K, Acc]]{codec: partCodec[K, Acc]{k.codec, acc}, err: err, scrub: holdsPointers[part[K, Acc]]()}
	k.inlet.feed = func(t *Topology, op *plan.Operator) {
		for i := range w.keyed.stream.legs {
			c := t.addCombiner(op, w.keyed.stream.legs[i], i, rowsOf[T](), rows, k.keyer)
			c.New, c.Detail = func() plan.Instance { return newCombiner(w, agg) }, w.assigner
		}
	}
	return k
}

// addCombiner puts a first stage between the output that a leg reads and op. It
// has as many subtasks as what it reads, so that it is fused with that.
func (t *Topology) addCombiner(op *plan.Operator, l leg, i int, records, parts plan.RowType, keyer plan.Keyer) *plan.Operator {
	name := string(op.Name) + ".combine"
	if i > 0 {
		name += fmt.Sprint(i + 1) // of a union
	}
	c := t.add("combine", name, nil)
	c.Inputs = []*plan.Edge{{From: l.from, To: c, Tag: l.tag, Type: records}}
	op.Inputs = append(op.Inputs, &plan.Edge{From: c, To: op, Partition: plan.Hash, Keyer: keyer, Type: parts})
	t.follows = append(t.follows, follow{c, l.from})
	return c
}

// partCodec writes key, accumulator and the number of records, uvarint.
type partCodec[K comparable, Acc any] struct {
	key Codec[K]
	acc Codec[Acc]
}

func (c partCodec[K, Acc]) Name() string { return "part " + c.acc.Name() + " by " + c.key.Name() }

func (c partCodec[K, Acc]) Append(buf []byte, p part[K, Acc]) ([]byte, error) {
	buf, err := c.key.Append(buf, p.key)
	if err != nil {
		return buf, err
	}
	if buf, err = c.acc.Append(buf, p.acc); err != nil {
		return buf, err
	}
	return binary.AppendUvarint(buf, uint64(p.count)), nil
}

var errShortPart = errors.New("a part of a window is cut short")

func (c partCodec[K, Acc]) Decode(b []byte) (p part[K, Acc], rest []byte, err error) {
	if p.key, b, err = c.key.Decode(b); err != nil {
		return p, b, err
	}
	if p.acc, b, err = c.acc.Decode(b); err != nil {
		return p, b, err
	}
	count, b, ok := uvarint(b)
	if !ok {
		return p, b, errShortPart
	}
	p.count = int64(count)
	return p, b, nil
}

// follow makes an operator as parallel as another one.
type follow struct{ op, as *plan.Operator }

// followAll is for Build: what is followed may have been set at any time before.
func (t *Topology) followAll() {
	for _, f := range t.follows {
		f.op.Parallelism = f.as.Parallelism
	}
}
