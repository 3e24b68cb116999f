package sim

import (
	"context"
	"fmt"
	"slices"

	"github.com/weirflow/weir/operators"
)

// SinkOf is a transactional sink of the outside world. Its calls fail now and
// then, as Faults.Sink says, before or after they took effect.
type SinkOf[T any] struct {
	o      *Outside
	ledger *ledger
	encode func(v T) (string, error)
}

// Sink makes a sink that commits to the log of that name, outside.
func Sink[T any](o *Outside, name string) *SinkOf[T] {
	l := o.ledger(name)
	l.read = showing[T]
	return &SinkOf[T]{o: o, ledger: l, encode: encoding[T]()}
}

// Expect says that an oracle expects each of values once more in a sink.
func Expect[T any](o *Outside, sink string, values ...T) { expect(o, sink, values, true) }

// Allow says that each of values may be in a sink once more, or not.
func Allow[T any](o *Outside, sink string, values ...T) { expect(o, sink, values, false) }

func expect[T any](o *Outside, sink string, values []T, must bool) {
	l, encode := o.ledger(sink), encoding[T]()
	for _, v := range values {
		record, err := encode(v)
		if err != nil {
			panic(fmt.Sprintf("sim.Expect: %v", err))
		}
		if must {
			l.want[record]++
		} else {
			l.allow[record]++
		}
		if l.show[record] == "" {
			l.show[record] = fmt.Sprintf("%+v", v)
		}
	}
}

// Kind implements operators.Sink.
func (s *SinkOf[T]) Kind() operators.SinkKind { return operators.Transactional }

// String names the sink in a plan.
func (s *SinkOf[T]) String() string { return "simulated sink " + s.ledger.name }

// Open implements operators.Sink.
func (s *SinkOf[T]) Open(ctx context.Context, c operators.SinkContext) (operators.Writer[T], error) {
	return s.OpenTransactional(ctx, c)
}

// OpenTransactional implements operators.TransactionalSink.
func (s *SinkOf[T]) OpenTransactional(_ context.Context, c operators.SinkContext) (operators.TransactionalWriter[T], error) {
	keeps := s.o.Draw("kept by "+s.ledger.name, 0, 1) * s.o.Draw("most kept by "+s.ledger.name, 0, 20)
	return &writer[T]{SinkOf: s, c: c, kept: kept{most: keeps}}, nil
}

// writer is one subtask's. It begins a transaction outside with the first record
// only, as brokers do, so one without records leaves nothing.
type writer[T any] struct {
	*SinkOf[T]
	c     operators.SinkContext
	state writerState
	txn   *transaction // nil: none outside
	kept  kept
}

var _ operators.Checkpointed = (*writer[int])(nil)

// writerState holds the runtime to the order of calls that TransactionalWriter
// promises.
type writerState int

const (
	writerNew writerState = iota
	writerIdle
	writerOpen
	writerFailed // a Prepare failed: it must be called again before anything is written
)

func (w *writer[T]) must(ok bool, call string) {
	if !ok && w.o.alive() {
		w.o.w.fail(fmt.Errorf("S31: %s[%d] was called %s in state %d", w.c.Operator, w.c.Index, call, w.state))
	}
}

func (w *writer[T]) act(call string, effect func() error) error {
	return w.o.act(w.c.Step, w.o.params.faults.Sink, "outside."+call, effect)
}

func (w *writer[T]) errFenced() error {
	return fmt.Errorf("sink %q: attempt %d has recovered, which is newer than %d", w.ledger.name, w.ledger.fence, w.c.Attempt)
}

func (w *writer[T]) fenced() bool { return w.c.Attempt < w.ledger.fence }

// Recover ends what lingers of older attempts and keeps them out from now on.
func (w *writer[T]) Recover(_ context.Context, r operators.Recovery) error {
	w.must(w.state == writerNew, "Recover")
	w.state = writerIdle
	return w.act("recover", func() error {
		if w.fenced() {
			return w.errFenced()
		}
		w.ledger.fence = r.Attempt
		for _, x := range w.ledger.lingering(r.Attempt, r.Index, r.Parallelism) {
			if !slices.ContainsFunc(r.Keep, func(h []byte) bool { return string(h) == string(x.handle()) }) {
				w.o.abort(x)
			}
		}
		return nil
	})
}

func (w *writer[T]) Begin(context.Context) error {
	w.must(w.state == writerIdle, "Begin")
	w.state, w.txn = writerOpen, nil
	return w.act("begin", func() error { return nil })
}

func (w *writer[T]) Write(_ context.Context, b *operators.Batch[T]) error {
	w.must(w.state == writerOpen, "Write")
	if err := w.o.mayFail(); err != nil {
		return err
	}
	return w.act("write", func() error {
		var out []string
		for _, v := range b.Values {
			record, err := w.encode(v)
			if err != nil {
				return err
			}
			if old, ok := w.kept.keep(record); ok {
				out = append(out, old)
			}
		}
		return w.append(out)
	})
}

// append begins a transaction outside if need be.
func (w *writer[T]) append(records []string) error {
	if w.fenced() {
		return w.errFenced()
	}
	if w.txn == nil && len(records) > 0 {
		w.txn = w.ledger.begin(w.c.Attempt, w.c.Index)
	}
	if len(records) > 0 {
		w.txn.records = append(w.txn.records, records...)
	}
	return nil
}

// Finish lets out what was kept back.
func (w *writer[T]) Finish() error {
	w.must(w.state == writerOpen, "Finish")
	return w.act("finish", func() error { return w.append(w.kept.takeAll()) })
}

func (w *writer[T]) SnapshotState() ([]byte, error) { return w.kept.encode(), nil }

// RestoreState takes the parts of the subtasks whose share falls to this one.
func (w *writer[T]) RestoreState(parts [][]byte) error {
	w.must(w.state == writerNew, "RestoreState")
	for i, p := range parts {
		if i%w.c.Parallelism == w.c.Index {
			if err := w.kept.decode(p); err != nil {
				return err
			}
		}
	}
	return nil
}

// Flush is never called: Prepare is.
func (w *writer[T]) Flush(context.Context) error {
	w.must(false, "Flush")
	return nil
}

func (w *writer[T]) Prepare(context.Context) (handle []byte, err error) {
	w.must(w.state == writerOpen || w.state == writerFailed, "Prepare")
	w.state = writerFailed
	err = w.act("prepare", func() error {
		if w.txn == nil {
			return nil
		}
		if w.txn.state == txnAborted || w.fenced() {
			return fmt.Errorf("%w: %w", w.errFenced(), operators.ErrBroken)
		}
		w.txn.state = txnPrepared
		return nil
	})
	if err != nil {
		return nil, err
	}
	w.state = writerIdle
	if w.txn == nil {
		return nil, nil
	}
	return w.txn.handle(), nil
}

func (w *writer[T]) Commit(_ context.Context, handle []byte) error {
	return w.act("commit", func() error {
		x, err := w.ledger.find(handle)
		if err != nil {
			return err
		}
		return w.o.commit(x)
	})
}

func (w *writer[T]) AbortOpen(context.Context) error {
	if w.state == writerIdle || w.state == writerNew {
		return nil
	}
	w.state = writerIdle
	return w.act("abort", func() error {
		if w.txn != nil && (w.txn.state == txnOpen || w.txn.state == txnPrepared) {
			w.o.abort(w.txn)
		}
		return nil
	})
}

func (w *writer[T]) Close() error { return nil }

// commit appends a prepared transaction to the log. It may be called again.
func (o *Outside) commit(x *transaction) error {
	switch x.state {
	case txnCommitted:
		return nil
	case txnPrepared:
		o.checks.onCommit(x)
		x.state = txnCommitted
		l := x.ledger
		for _, r := range x.records {
			l.log = append(l.log, r)
			l.count[r]++
		}
		o.checks.onCommitted(x)
		return nil
	default:
		o.checks.onLostCommit(x)
		return fmt.Errorf("%w: %v", operators.ErrInDoubt, x)
	}
}

func (o *Outside) abort(x *transaction) {
	o.checks.onAbort(x)
	x.state = txnAborted
}
