package operators

import (
	"errors"

	"github.com/weirflow/weir/messages"
	"github.com/weirflow/weir/persistence/table"
)

// ReducingState is one value a key, into which each one that is added is folded
// at once. What Get gives must not be changed.
type ReducingState[V any] interface {
	// Get gives what has come together, and false if nothing was added.
	Get() (V, bool)
	// Add folds v in; the first one becomes the value as it is, and belongs to
	// the state from then on.
	Add(v V)
	// Clear forgets the value.
	Clear()
}

// AggregatingState is one accumulator a key, into which each value that is added
// is folded at once.
type AggregatingState[In, Out any] interface {
	// Get gives the result so far, and false if nothing was added.
	Get() (Out, bool)
	// Add folds v in.
	Add(v In)
	// Clear forgets the accumulator.
	Clear()
}

// NewReducingState declares a ReducingState. Its name must be unique within the
// operator. The function must not change its arguments.
func NewReducingState[V any, K comparable](s *States[K], name string, reduce func(a, b V) V) ReducingState[V] {
	codec, schema := declareFold[V](s, name, "reducing", reduce == nil)
	if schema == nil {
		return nil
	}
	if d := onDisk(s, schema); d != nil {
		return &diskReducing[K, V]{newDiskValue(d, codec), reduce}
	}
	return &reducingState[K, V]{scope: s.scope, table: plainTable(s, schema, codec), reduce: reduce}
}

// NewAggregatingState declares an AggregatingState. Its name must be unique
// within the operator. Of the Aggregator, Merge is not called.
func NewAggregatingState[In, Acc, Out any, K comparable](s *States[K], name string, agg Aggregator[In, Acc, Out]) AggregatingState[In, Out] {
	codec, schema := declareFold[Acc](s, name, "aggregating", agg == nil)
	if schema == nil {
		return nil
	}
	if d := onDisk(s, schema); d != nil {
		return &diskAggregating[K, In, Acc, Out]{newDiskValue(d, codec), agg}
	}
	return &aggregatingState[K, In, Acc, Out]{scope: s.scope, table: plainTable(s, schema, codec), agg: agg}
}

// declareFold describes a state of one value a key that a function folds into; its
// schema is nil when there is none.
func declareFold[V any, K comparable](s *States[K], name, kind string, none bool) (Codec[V], *messages.StateSchema) {
	var err error
	if none {
		err = errors.New("it has nothing to fold with; give it a function, or an Aggregator")
	}
	return declarePlain[V](s, name, kind, err)
}

type reducingState[K comparable, V any] struct {
	scope  *keyScope[K]
	table  *table.Table[K, V]
	reduce func(a, b V) V
}

func (s *reducingState[K, V]) Get() (V, bool) { return s.table.Get(s.scope.hash, s.scope.key) }

func (s *reducingState[K, V]) Add(v V) {
	place, existed := s.table.Upsert(s.scope.hash, s.scope.key)
	if existed {
		v = s.reduce(*place, v)
	}
	*place = v
}

func (s *reducingState[K, V]) Clear() { s.table.Delete(s.scope.hash, s.scope.key) }

type aggregatingState[K comparable, In, Acc, Out any] struct {
	scope *keyScope[K]
	table *table.Table[K, Acc]
	agg   Aggregator[In, Acc, Out]
}

func (s *aggregatingState[K, In, Acc, Out]) Get() (result Out, ok bool) {
	acc, ok := s.table.Get(s.scope.hash, s.scope.key)
	if ok {
		result = s.agg.Result(acc)
	}
	return result, ok
}

func (s *aggregatingState[K, In, Acc, Out]) Add(v In) {
	acc, existed := s.table.Upsert(s.scope.hash, s.scope.key)
	if !existed {
		*acc = s.agg.CreateAccumulator()
	}
	*acc = s.agg.Add(*acc, v)
}

func (s *aggregatingState[K, In, Acc, Out]) Clear() { s.table.Delete(s.scope.hash, s.scope.key) }
