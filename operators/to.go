package operators

import (
	"context"
	"errors"
	"fmt"

	"github.com/weirflow/weir/operators/plan"
)

// SinkRef is a handle on a sink within a topology.
type SinkRef struct {
	top *Topology
	op  *plan.Operator
}

// To ends the stream in a sink.
func (s *Stream[T]) To(name string, sink Sink[T]) *SinkRef {
	op := s.top.add("sink", name, nil)
	op.Sink = plan.PlainSink
	s.feed(s.top, op, 0)
	ref := &SinkRef{top: s.top, op: op}
	if isNil(sink) {
		s.top.failf(op, "its sink is nil; give To one")
		return ref
	}
	if err := validate(sink); err != nil {
		s.top.failf(op, "its sink: %w", err)
		return ref
	}
	op.Sink, op.Detail = sink.Kind(), typeName(sink)
	if named, ok := sink.(fmt.Stringer); ok {
		op.Detail = named.String()
	}
	if e, ok := sink.(Expiring); ok && op.Sink == Transactional {
		op.Lifetime = e.Lifetime()
	}
	switch op.Sink {
	case Plain, Idempotent:
		op.New = func() plan.Instance { return &flushedSink[T]{sinkBase[T]{sink: sink}} }
	case Transactional:
		op.New = func() plan.Instance { return &committedSink[T]{sinkBase: sinkBase[T]{sink: sink}} }
	default:
		s.top.failf(op, "its sink has kind %d; let Kind give Plain, Idempotent or Transactional", op.Sink)
		op.Sink = plan.PlainSink
	}
	return ref
}

// Parallelism sets the number of the sink's subtasks.
func (r *SinkRef) Parallelism(n int) *SinkRef {
	r.top.setParallelism(r.op, n)
	return r
}

// Unchained gives the sink subtasks of its own.
func (r *SinkRef) Unchained() *SinkRef {
	r.op.Unchained = true
	return r
}

// sinkBase is what the instances of both kinds of sinks share.
type sinkBase[T any] struct {
	sink   Sink[T]
	rt     *plan.Runtime
	writer Writer[T]
	batch  Batch[T] // lent to the writer
	parts  [][]byte // of a restored checkpoint, until the writer is open
}

func (s *sinkBase[T]) Init(rt *plan.Runtime) error {
	s.rt = rt
	return nil
}

func (s *sinkBase[T]) Open() error {
	w, err := s.sink.Open(s.rt.Context, s.context())
	if err != nil {
		return fmt.Errorf("sink.Open: %w", err)
	}
	if isNil(w) {
		return errors.New("sink.Open gave neither a writer nor an error")
	}
	s.writer = w
	return s.restoreWriter()
}

func (s *sinkBase[T]) context() SinkContext {
	c := SinkContext{
		Operator: s.rt.Operator, Job: s.rt.Job, Attempt: s.rt.Attempt,
		Index: s.rt.Index, Parallelism: s.rt.Parallelism,
		Now: s.rt.Now, Step: s.rt.Step,
	}
	if c.Step == nil {
		c.Step = func(string) {}
	}
	return c
}

// Process writes the records; watermarks end here.
func (s *sinkBase[T]) Process(_ int, b *plan.Batch) error {
	if b.Len() == 0 {
		return nil
	}
	s.batch = Batch[T]{Values: *valuesOf[T](b), Times: b.Times}
	err := s.writer.Write(s.rt.Context, &s.batch)
	s.batch = Batch[T]{}
	if err != nil {
		return fmt.Errorf("writer.Write: %w", err)
	}
	return nil
}

func (s *sinkBase[T]) Close() error {
	if s.writer == nil {
		return nil
	}
	if err := s.writer.Close(); err != nil {
		return fmt.Errorf("writer.Close: %w", err)
	}
	return nil
}

// flushedSink runs a plain or an idempotent sink: plan.Flusher.
type flushedSink[T any] struct{ sinkBase[T] }

func (s *flushedSink[T]) Flush() error {
	if err := s.writer.Flush(s.rt.Context); err != nil {
		return fmt.Errorf("writer.Flush: %w", err)
	}
	return nil
}

// committedSink runs a transactional sink: plan.Transactional.
type committedSink[T any] struct {
	sinkBase[T]
	txn TransactionalWriter[T]
}

// Open refuses a sink that promises more than its writer can.
func (s *committedSink[T]) Open() error {
	if err := s.sinkBase.Open(); err != nil {
		return err
	}
	txn, ok := s.writer.(TransactionalWriter[T])
	if !ok {
		return fmt.Errorf("sink.Open: %s is of kind Transactional, but its writer %T is no TransactionalWriter; give it Recover, Begin, Prepare, Commit and AbortOpen, or let Kind give Plain",
			typeName(s.sink), s.writer)
	}
	s.txn = txn
	return nil
}

func (s *committedSink[T]) Recover(ctx context.Context, r plan.Recovery) error {
	return named("writer.Recover", s.txn.Recover(ctx, r))
}

func (s *committedSink[T]) Begin(ctx context.Context) error {
	return named("writer.Begin", s.txn.Begin(ctx))
}

func (s *committedSink[T]) Prepare(ctx context.Context) ([]byte, error) {
	handle, err := s.txn.Prepare(ctx)
	return handle, named("writer.Prepare", err)
}

func (s *committedSink[T]) Commit(ctx context.Context, handle []byte) error {
	return named("writer.Commit", s.txn.Commit(ctx, handle))
}

func (s *committedSink[T]) AbortOpen(ctx context.Context) error {
	return named("writer.AbortOpen", s.txn.AbortOpen(ctx))
}

// named wraps an error with the call that failed.
func named(call string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", call, err)
}
