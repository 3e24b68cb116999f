package plan

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/weirflow/weir/messages"
	"github.com/weirflow/weir/persistence"
)

// Instance is one operator within one subtask. Every method runs on the
// subtask's mailbox, one at a time, in this order:
//
//	Init [restore of the states it registered] Open (Process | timers | results | snapshots)* Finish? Close
//
// Optional abilities are the small interfaces below; a type that has their
// methods gets the calls.
type Instance interface {
	// Init takes what it needs from rt and registers its states. No record,
	// no state content, no user code yet.
	Init(rt *Runtime) error
	// Open runs once, after restore and before the first batch.
	Open() error
	// Process works off one batch of input port and pushes what follows from
	// it, watermarks included. It borrows b and may change it.
	Process(port int, b *Batch) error
	// Finish runs after the MaxWatermark of all inputs was processed, once in
	// the life of the operator's state: never again after a restore.
	Finish() error
	// Close frees resources. It runs once if Init ran, also after a failure.
	Close() error
}

// ProcessingTimer is an Instance that asked for a wake-up by Runtime.SetTimer.
type ProcessingTimer interface {
	// OnProcessingTime runs at or after the time that was set; now is in ms.
	OnProcessingTime(now int64) error
}

// Checkpointed is an Instance with state that is not a keyed table.
type Checkpointed interface {
	// SnapshotState gives the state at the barrier.
	SnapshotState() ([]byte, error)
	// RestoreState gets what all subtasks of the operator returned, in the
	// order of their index. It runs between Init and Open; never with no parts.
	RestoreState(parts [][]byte) error
}

// Worker is an Instance that asked for work off the mailbox by Runtime.Work. Its
// operator must be Alone.
type Worker interface {
	// OnResult gets what a work gave, once the outputs take a batch. Results come
	// in the order in which their works ended.
	OnResult(result any) error
}

// Gate is an Instance that cannot always take another batch; it must be the first
// of its subtask. Barriers, the end of input, timers and results come through a
// closed gate all the same, and so do watermarks that come without a batch.
type Gate interface {
	// Ready is asked before every batch; false leaves it, and all behind it on its
	// channel, where it is, so that whoever sends runs out of credit.
	Ready() bool
}

// Deferrer is an Instance whose results may leave long after Process of their
// records returned. The watermark of its outputs lags behind the clock of its
// inputs meanwhile, so its operator must be Alone, unless it is a Stepper.
type Deferrer interface {
	// Pending tells whether results are still to come. The end of input, Finish,
	// and word that the inputs fell idle wait until there are none; barriers do not.
	Pending() bool
	// OutputWatermark is the watermark with which the outputs begin an attempt: the
	// last that left before the snapshot, or input, the clock of the inputs, where
	// nothing is pending. It is asked after RestoreState and before the first batch.
	OutputWatermark(input int64) int64
}

// Stepper is a Deferrer whose results are pending only because they are many. It
// may stand anywhere in its subtask, which has it give them in steps. Between two
// of them barriers, orders and credit get their turn. So do batches, one at a time,
// and watermarks: what leaves must not depend on it.
//
// Of several in a subtask the last one steps first, so that what one gives finds
// nothing pending behind it. Only the main output lags. Pending may be true from
// Open on, and OutputWatermark is asked at every snapshot.
type Stepper interface {
	Deferrer
	// Step gives about Runtime.StepResults of what is pending, once the outputs
	// take a batch, and never nothing for ever.
	Step() error
}

// PanicError is a panic of a user's function off the mailbox, on its way to the
// failure that names the operator.
type PanicError struct {
	Value any
	Stack []byte
}

// Error is what the function panicked with.
func (e *PanicError) Error() string { return fmt.Sprintf("panic: %v", e.Value) }

// StateError is the panic of a state whose disk failed or whose value does not
// encode, for the state interfaces have no errors. It fails the subtask like an
// error that the operator returned.
type StateError struct {
	State, Doing string
	Err          error
}

// Error names the state and what was done.
func (e *StateError) Error() string {
	return fmt.Sprintf("state %q: %s: %v", e.State, e.Doing, e.Err)
}

// Unwrap gives the cause.
func (e *StateError) Unwrap() error { return e.Err }

// MismatchError says that an operator cannot take what a checkpoint holds for
// it, however often it is tried: the job fails for good.
type MismatchError struct{ Reason string }

// Error gives the reason, which names the remedy.
func (e *MismatchError) Error() string { return e.Reason }

// Flusher is a sink Instance that does not take part in the two-phase commit:
// at a barrier the runtime calls Flush in place of Prepare.
type Flusher interface {
	// Flush returns nil when all that was processed is out.
	Flush() error
}

// CheckpointListener is an Instance that wants to hear how checkpoints ended.
// A notification may be lost or come late; that of n implies all before it.
type CheckpointListener interface {
	OnCheckpointComplete(messages.CheckpointID) error
	OnCheckpointAborted(messages.CheckpointID)
}

// RecordCursor is an Instance that can say at which record it is, so that a
// failure of a user's function names the record.
type RecordCursor interface {
	// Cursor gives event time (ms) and key hash of the record being worked on.
	Cursor() (time int64, hash uint64, keyed, ok bool)
}

// Transactional is a sink Instance that takes part in the two-phase commit.
// The runtime keeps the grammar
//
//	Recover Begin Process* Prepare Begin Process* Prepare ... with Commit of
//	prepared handles in between, and AbortOpen of the open one at the end
//
// and calls Process only between Begin and Prepare.
type Transactional interface {
	// Recover runs before the first Begin of an attempt, after the handles in
	// r.Commit were committed one by one. It ends every other lingering
	// transaction of this sink that is not in r.Keep.
	Recover(ctx context.Context, r Recovery) error
	// Begin opens the transaction that the next records go to.
	Begin(ctx context.Context) error
	// Prepare makes the open transaction durable and closes it for records. A
	// nil handle says that there is nothing to commit. After an error Prepare
	// may be called again for the same transaction, with no record in between.
	Prepare(ctx context.Context) (handle []byte, err error)
	// Commit makes a prepared transaction visible. It is idempotent, also
	// across processes. An error that wraps ErrInDoubt is final.
	Commit(ctx context.Context, handle []byte) error
	// AbortOpen drops the transaction that is open, if any.
	AbortOpen(ctx context.Context) error
}

// Recovery tells a transactional sink what a restore found.
type Recovery struct {
	Index, Parallelism int
	Attempt            messages.Attempt // the new one; what lingers is of older ones
	Commit             [][]byte         // this subtask's share of the prepared handles
	Keep               [][]byte         // all prepared handles of the operator
	Restored           bool             // false: the job starts from nothing
}

// Runtime is the world of an Instance. Its funcs may be called from the
// subtask's mailbox only.
type Runtime struct {
	Job            messages.JobID
	Operator       messages.OperatorID
	Index          int
	Parallelism    int
	MaxParallelism int
	Groups         messages.KeyGroupRange
	StepResults    int // about how many results a Stepper gives at a time; 0: all at once
	Attempt        messages.Attempt
	Restored       bool            // this attempt began from a checkpoint
	Context        context.Context // ends when the attempt ends
	Logger         *slog.Logger

	Now       func() int64                  // processing time, ms
	SetTimer  func(at int64)                // wake OnProcessingTime at `at` (ms); the earliest pending wins
	Watermark func() int64                  // after Init: the operator's event-time clock as restored
	Output    func(tag string) Output       // "" is the main output; a tag nobody reads discards
	Register  func(persistence.State) error // during Init only
	// OpenKV opens the operator's KV, during Init only, and once. The runtime closes it
	// behind Close. The field is nil when the backend keeps all state on the heap.
	OpenKV  func() (persistence.KV, error)
	Counter func(name string) *Counter // same name, same counter
	Step    func(label string)         // marks a labelled step of a protocol, for simulations
	// Work runs f, which may block, off the mailbox, and brings what it returns to
	// OnResult. f's context ends with the attempt, or when cancel is called; the
	// result comes in any case, unless the attempt is over.
	Work func(name string, f func(ctx context.Context) any) (cancel func())
}

// Counter counts within one operator of one subtask. It is written and read on
// the mailbox only, so it costs an addition.
type Counter int64

// Add adds n.
func (c *Counter) Add(n int64) { *c += Counter(n) }

// Source is an operator's reading side with its types erased.
type Source interface {
	// Splits lists what there is to read. It may block; it runs off the mailbox.
	Splits(ctx context.Context) ([]string, error)
	// Start gives the positions at which splits begin that no checkpoint knows, nil for
	// the beginning. again tells that splits were listed before. It may block; it runs
	// off the mailbox.
	Start(ctx context.Context, splits []string, again bool) ([][]byte, error)
	// OpenSplit opens a split at a position it gave, or at the beginning (nil).
	// It may block; it runs off the mailbox.
	OpenSplit(ctx context.Context, id string, position []byte) (Reader, error)
	// NewClock makes the watermark generator of one split.
	NewClock() SplitClock
}

// Reader reads one split. Its methods are called one at a time, off the
// mailbox unless NonBlocking; Position runs only between two reads.
type Reader interface {
	// Read puts up to max records into the empty batch b and gives io.EOF,
	// with or without records, at the end of the split. It blocks until there
	// is at least one record, the end, or ctx ends; an empty batch with a nil
	// error says "nothing yet". What it could not decode goes to side, of
	// SourceSpec.SideType, which is nil when nobody asked for it.
	Read(ctx context.Context, b, side *Batch, max int) error
	// Position is that of the record after the last one read; the caller may keep it.
	Position() []byte
	// NonBlocking says that Read never waits, so it may run on the mailbox.
	NonBlocking() bool
	Close() error
}

// SplitClock turns a split's records into event times and watermarks. It is a
// function of the records alone, but for Periodic and ArrivalClock.
type SplitClock interface {
	// Observe sets b.Times where the strategy extracts them, checks their
	// range, and puts marks where the watermark grows.
	Observe(b *Batch) error
	// Periodic gives the watermark by the clock of a user's periodic
	// generator, or ok = false. now is processing time in ms.
	Periodic(now int64) (watermark int64, ok bool)
	// Snapshot and Restore carry the generator over a restart.
	Snapshot() ([]byte, error)
	Restore(p []byte) error
}

// ArrivalClock is an optional ability of a SplitClock whose event times are not
// in the records: it takes them from the clock of the node.
type ArrivalClock interface {
	// Arrive says before every Observe when its records arrived: processing
	// time in ms, which may go back.
	Arrive(now int64)
}

// SourceSpec is what the runtime must know of a source.
type SourceSpec struct {
	Source        Source
	Bounded       bool          // it ends; Splits is asked once
	Replayable    bool          // OpenSplit at an old position gives the same records
	DiscoverEvery time.Duration // 0: never again
	IdleAfter     time.Duration // a split silent for so long holds no watermark back; 0: never
	PeriodicEvery time.Duration // SplitClock.Periodic is asked so often; 0: never
	AlignGroup    string        // splits ahead of this group's least by more than AlignDrift are not read; "": they are
	AlignDrift    time.Duration // whole ms
	// OnCheckpoint hears, off the mailbox, where splits stand in a checkpoint that is
	// complete; nil: nobody listens. Its error is logged.
	OnCheckpoint  func(ctx context.Context, splits []string, positions [][]byte) error
	HasWatermarks bool    // false: no strategy, so no event-time operators behind it
	Type          RowType // of the main output
	SideTag       string  // output for what could not be decoded; "" fails instead
	SideType      RowType // nil without SideTag
}

// SinkKind says what a sink can promise.
type SinkKind int

// The kinds of sinks, by what a replay does to them.
const (
	NotASink          SinkKind = iota
	PlainSink                  // a replay shows twice
	IdempotentSink             // a replay overwrites with the same
	TransactionalSink          // a replay is invisible
)

// Kind classifies operators for people, plans and manifests.
type Kind string

// Operator is a vertex of the topology, its types erased.
type Operator struct {
	Index       int // in Plan.Operators
	Name        messages.OperatorID
	Kind        Kind // "source", "map", "window", "sink" ...
	Detail      string
	Parallelism int
	Stateful    bool
	Unchained   bool // never fuse with its input
	Alone       bool // fused with nobody: the subtask has one clock, and this operator's output lags behind it
	EventTime   bool // it waits for watermarks: every source behind it must have a strategy
	New         func() Instance
	Source      *SourceSpec // sources only; New is then nil
	Sink        SinkKind
	Lifetime    time.Duration // of a sink's transactions outside; 0: for ever
	Sides       []string      // tags of the side outputs it may write to
	Inputs      []*Edge       // in port order; the inputs of a union share a port
	Outputs     []*Edge
	States      []*messages.StateSchema // declared, for the manifest and the check at restore
	Chain       int                     // index in Plan.Chains
}

// Partitioning says how an edge spreads records over the receiver's subtasks.
type Partitioning int

// The ways to spread records.
const (
	Forward    Partitioning = iota // subtask i to subtask i; equal parallelism
	Hash                           // by key group
	Rebalance                      // round robin, a batch at a time
	Broadcast                      // every record to every subtask
	ByFunction                     // as a Partitioner says
)

// Edge connects an operator's output to another's input.
type Edge struct {
	Index       int // in Plan.Edges
	From, To    *Operator
	Tag         string // side output; "" is the main one
	Port        int    // input port of To
	Partition   Partitioning
	Type        RowType
	Keyer       Keyer       // Hash only
	Partitioner Partitioner // ByFunction only
	Chained     bool        // a call within one subtask instead of a channel
}

// Chain is a tree of operators fused into one subtask, its head first, every
// operator after the one it gets its input from.
type Chain struct {
	Index       int
	Operators   []*Operator
	Parallelism int
	Region      int     // chains of one region fail together
	Inputs      []*Edge // channels come in at the head only
	Outputs     []*Edge // unchained edges of all its operators
}

// Head is the chain's first operator, whose name the subtasks bear.
func (c *Chain) Head() *Operator { return c.Operators[0] }
