package operators

import (
	"fmt"

	"github.com/weirflow/weir/messages"
	"github.com/weirflow/weir/operators/plan"
)

// Aggregator folds the records of a window into an accumulator, one by one: a
// window keeps one accumulator a key, however many records there are. One
// value serves all subtasks at once, so it holds no state of its own.
type Aggregator[T, Acc, R any] interface {
	// CreateAccumulator begins a window for a key.
	CreateAccumulator() Acc
	// Add gives the accumulator with v in it. It may change acc in place.
	Add(acc Acc, v T) Acc
	// Merge gives the accumulator of two parts, of windows that merge or of slices of
	// a sliding window, the earlier part first. It may change a in place, must leave b
	// as it is, and shares no memory with it afterwards. It must be associative.
	Merge(a, b Acc) Acc
	// Result is what the window shows. It must not change acc, which may go on
	// to take late records, nor share memory with it.
	Result(acc Acc) R
}

// Aggregate folds each window of each key by an Aggregator and emits the result
// when the window fires.
func Aggregate[K comparable, T, Acc, R any](w *WindowedStream[K, T], name string, agg Aggregator[T, Acc, R]) *Stream[WindowResult[K, R]] {
	if agg == nil {
		declare := resultsOf[K](func(Acc) (none R, some bool) { return none, false })
		return addPanes(w, name, paneSpec[K, T, Acc, WindowResult[K, R]]{declare: declare}, errNilAggregator)
	}
	if w.combines() {
		return aggregateInTwo(w, name, agg)
	}
	if w.tumbling == nil || w.trigger != nil || w.evict != nil {
		return aggregatePanes(w, name, agg)
	}
	return aggregateTumbling(w, name, agg)
}

// aggregateTumbling is Aggregate for what windower does.
func aggregateTumbling[K comparable, T, Acc, R any](w *WindowedStream[K, T], name string, agg Aggregator[T, Acc, R]) *Stream[WindowResult[K, R]] {
	s := w.keyed
	op := s.add("window", name, func(op *plan.Operator) ([]*messages.StateSchema, error) {
		if err := w.check(); err != nil {
			return nil, err
		}
		codec, err := CodecOf[Acc]()
		if err != nil {
			return nil, fmt.Errorf("the accumulator: %w", err)
		}
		schema := &messages.StateSchema{Name: "window", Kind: "window", Key: s.codec.Name(), Value: codec.Name() + " in " + w.assigner}
		op.New = func() plan.Instance { return newWindower(w, agg, schema, codec) }
		return []*messages.StateSchema{schema, newGroupClocks(s.codec.Name()).schema}, nil
	})
	w.describe(op)
	return output[WindowResult[K, R]](s.stream.top, op)
}

// ReduceWindow folds the records of each window of each key into one. The
// function must not change its arguments nor keep them.
func ReduceWindow[K comparable, T any](w *WindowedStream[K, T], name string, f func(a, b T) T) *Stream[WindowResult[K, T]] {
	if f == nil {
		return Aggregate[K, T, T, T](w, name, nil)
	}
	return Aggregate(w, name, Aggregator[T, T, T](reduction[T](f)))
}

// reduction is a reduce function as an Aggregator: the first record of a window
// is its accumulator.
type reduction[T any] func(a, b T) T

func (f reduction[T]) CreateAccumulator() (none T) { return none }
func (f reduction[T]) first(v T) T                 { return v }
func (f reduction[T]) Add(acc, v T) T              { return f(acc, v) }
func (f reduction[T]) Merge(a, b T) T              { return f(a, b) }
func (f reduction[T]) Result(acc T) T              { return acc }

// firster is an Aggregator whose first record needs no empty accumulator.
type firster[T, Acc any] interface{ first(v T) Acc }
