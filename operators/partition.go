package operators

import (
	"fmt"
	"runtime/debug"

	"github.com/weirflow/weir/operators/plan"
)

// Rebalance spreads the records round robin, a batch at a time, over the
// subtasks of the operators that read the returned stream. Without it subtask i
// feeds subtask i where the parallelism is equal. It breaks the chain.
func (s *Stream[T]) Rebalance() *Stream[T] { return s.spread(plan.Rebalance, nil) }

// Broadcast gives every record to every subtask of the operators that read the
// returned stream: they share it, and must not change what it points to. It
// breaks the chain. A function over keys that reads such a stream beside its own
// is a BroadcastProcess.
func (s *Stream[T]) Broadcast() *Stream[T] { return s.spread(plan.Broadcast, nil) }

// PartitionBy has a function choose the subtask, 0 to n-1, of each record, where
// n is the parallelism of the operator that reads the returned stream. It breaks
// the chain. Any other number fails the attempt, as a panic does, with the
// sending operator and the record.
//
// The function must depend on its arguments alone, or a record may go elsewhere
// when it is sent again after a failure. State is not partitioned so: an operator
// with keys gets its records by key, whatever was set before KeyBy.
func (s *Stream[T]) PartitionBy(f func(v T, n int) int) *Stream[T] {
	if f == nil {
		s.top.failf(s.legs[0].from, "the function of PartitionBy behind it is nil; give it one")
	}
	return s.spread(plan.ByFunction, partitioner[T](f))
}

// spread is the stream with another way to the operators that read it.
func (s *Stream[T]) spread(way plan.Partitioning, by plan.Partitioner) *Stream[T] {
	r := &Stream[T]{top: s.top}
	for _, l := range s.legs {
		l.partition, l.partitioner = way, by
		r.legs = append(r.legs, l)
	}
	return r
}

// partitioner is plan.Partitioner: a user's function in a typed loop.
type partitioner[T any] func(v T, n int) int

func (f partitioner[T]) Partition(b *plan.Batch, n int, target []int32) (err error) {
	at := 0
	defer func() {
		if r := recover(); r != nil {
			err = &plan.RecordError{Time: b.Times[at], Reason: fmt.Sprintf("PartitionBy: panic: %v", r), Stack: string(debug.Stack())}
		}
	}()
	for i, v := range *valuesOf[T](b) {
		at = i
		to := f(v, n)
		if uint(to) >= uint(n) {
			return &plan.RecordError{Time: b.Times[i], Reason: fmt.Sprintf("PartitionBy: its function gave subtask %d of %d; let it give 0 to %d", to, n, n-1)}
		}
		target[i] = int32(to)
	}
	return nil
}
