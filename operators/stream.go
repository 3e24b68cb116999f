package operators

import (
	"github.com/weirflow/weir/operators/plan"
)

// Stream is records of type T on their way: a handle on an operator's output.
// Handles are immutable; any number of operators may read one, and each gets
// every record.
//
// Where an operator changes the type it is a function (Map, FlatMap, KeyBy),
// where it does not it is a method (Filter).
type Stream[T any] struct {
	top  *Topology
	legs []leg // one, or the inputs of a union
}

// leg is one output that a stream reads.
type leg struct {
	from        *plan.Operator
	tag         string // side output; "" is the main one
	partition   plan.Partitioning
	partitioner plan.Partitioner // ByFunction only
}

// output is the stream of what op emits as its main output.
func output[R any](t *Topology, op *plan.Operator) *Stream[R] {
	return &Stream[R]{top: t, legs: []leg{{from: op}}}
}

// feed makes the stream an input of op.
func (s *Stream[T]) feed(t *Topology, op *plan.Operator, port int) {
	s.connect(t, op, port, nil)
}

// connect adds an edge to op for every leg, hashed when there is a keyer.
func (s *Stream[T]) connect(t *Topology, op *plan.Operator, port int, keyer plan.Keyer) {
	if s.top != t {
		t.failf(op, "its input comes from topology %q, not from %q; take all streams from one topology", s.top.name, t.name)
		return
	}
	rows := rowsOf[T]()
	for _, l := range s.legs {
		e := &plan.Edge{From: l.from, To: op, Tag: l.tag, Port: port, Partition: l.partition, Partitioner: l.partitioner, Type: rows}
		if keyer != nil {
			e.Partition, e.Keyer, e.Partitioner = plan.Hash, keyer, nil
		}
		op.Inputs = append(op.Inputs, e)
	}
}

// Parallelism sets the number of subtasks of the operator that the stream comes
// from.
func (s *Stream[T]) Parallelism(n int) *Stream[T] {
	if op := s.operator("Parallelism"); op != nil {
		s.top.setParallelism(op, n)
	}
	return s
}

// Unchained gives the operator that the stream comes from subtasks of its own:
// it is never fused with what it reads from.
func (s *Stream[T]) Unchained() *Stream[T] {
	if op := s.operator("Unchained"); op != nil {
		op.Unchained = true
	}
	return s
}

// operator is the one that the stream comes from; a union has none of its own.
func (s *Stream[T]) operator(method string) *plan.Operator {
	if len(s.legs) != 1 {
		s.top.failf(s.legs[0].from, "%s was called on a union of it, but a union is no operator; set it on the streams that it unites", method)
		return nil
	}
	return s.legs[0].from
}
