package operators

import (
	"context"
	"time"

	"github.com/weirflow/weir/messages"
	"github.com/weirflow/weir/operators/plan"
)

// SinkKind says what a replay after a failure does to a sink's output.
type SinkKind = plan.SinkKind

// The kinds of sinks.
const (
	Plain         = plan.PlainSink         // a replay shows twice: at least once
	Idempotent    = plan.IdempotentSink    // a replay overwrites with the same
	Transactional = plan.TransactionalSink // a replay is invisible: exactly once
)

// Sink writes records of type T to the outside. One value serves every
// subtask; Open may be called concurrently and gives each its own Writer. One
// that is also a Validator is checked by Build.
type Sink[T any] interface {
	// Kind is what the sink promises; the plan derives its guarantee from it.
	Kind() SinkKind
	// Open gives a subtask its Writer. For Kind Transactional it must be a
	// TransactionalWriter.
	Open(ctx context.Context, s SinkContext) (Writer[T], error)
}

// TransactionalSink is a Sink of Kind Transactional, whose writers take part in
// the two-phase commit. See TransactionalWriter for the contract.
type TransactionalSink[T any] interface {
	Sink[T]
	// OpenTransactional is Open with the type that it must return.
	OpenTransactional(ctx context.Context, s SinkContext) (TransactionalWriter[T], error)
}

// Expiring is a TransactionalSink whose outside gives up transactions that nobody
// ends. The runtime refuses a job whose checkpoints cannot come in time, and takes one
// early when a transaction has half its life behind it.
type Expiring interface {
	// Lifetime is the time from Begin to Commit that a transaction lasts; 0: for ever.
	Lifetime() time.Duration
}

// SinkContext tells a Writer who it is.
type SinkContext struct {
	Operator    messages.OperatorID
	Job         messages.JobID
	Index       int // of the subtask
	Parallelism int
	Attempt     messages.Attempt
	Now         func() int64       // processing time, ms; never nil
	Step        func(label string) // marks a labelled step, for simulations; never nil
}

// Writer writes for one subtask. Its methods are called by one goroutine at a
// time and may block.
type Writer[T any] interface {
	// Write takes a batch. It must not keep b nor its slices.
	Write(ctx context.Context, b *Batch[T]) error
	// Flush runs at every barrier: when it returns nil, all that was written
	// is out. A TransactionalWriter gets Prepare instead.
	Flush(ctx context.Context) error
	// Close ends the writer; what was not flushed or prepared may be lost.
	Close() error
}

// TransactionalWriter is a Writer that takes part in the two-phase commit. The
// runtime calls
//
//	Recover Begin (Write)* Prepare Begin (Write)* Prepare ...
//
// and Commit for every prepared handle once the checkpoint it belongs to is
// published. It calls Write only between Begin and Prepare, never commits what
// is not in a published checkpoint, and never aborts what is.
type TransactionalWriter[T any] interface {
	Writer[T]
	// Recover runs once, before the first Begin of an attempt and after Commit
	// was called for each handle in r.Commit. It ends every lingering
	// transaction of older attempts of this sink that is not in r.Keep;
	// subtasks share that work by r.Index.
	Recover(ctx context.Context, r Recovery) error
	// Begin opens the transaction that the next records go to.
	Begin(ctx context.Context) error
	// Prepare makes the open transaction durable and closes it for records. It
	// gives a handle from which any process can commit, or nil when nothing was
	// written. After an error it is called again for the same transaction, at
	// the next checkpoint, unless the error wraps ErrBroken, which fails the attempt.
	Prepare(ctx context.Context) (handle []byte, err error)
	// Commit makes a prepared transaction visible. It must be idempotent, in
	// this process and any later one. An error is retried by a restart; one
	// that wraps ErrInDoubt is final and reported.
	Commit(ctx context.Context, handle []byte) error
	// AbortOpen drops the open transaction, if any, and leaves nothing of it.
	AbortOpen(ctx context.Context) error
}

// Recovery tells a TransactionalWriter what a restore found.
type Recovery = plan.Recovery

// ErrInDoubt is wrapped by Commit when a prepared transaction can never be
// committed, nor be proved committed: it is reported, not retried, not dropped.
var ErrInDoubt = plan.ErrInDoubt

// ErrBroken is wrapped by Prepare when trying again cannot help: the attempt fails.
var ErrBroken = plan.ErrBroken
