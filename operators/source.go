package operators

import (
	"context"
	"fmt"
	"time"
)

// Source reads records of type T from outside. One value serves every subtask;
// its methods may be called concurrently. A source is made of splits (a file, a
// partition), each read by exactly one subtask, each with a position that the
// source itself encodes and that travels in checkpoints. One that is also a
// Validator is checked by Build.
type Source[T any] interface {
	// Splits lists the ids of all splits there are now: stable, unique, not
	// empty. It may block. It is asked at the start and, while the source is
	// unbounded, every SourceInfo.DiscoverEvery; a split once seen stays, also
	// when a later listing leaves it out.
	Splits(ctx context.Context) ([]string, error)
	// Open opens a split at a position that one of its readers gave, or at its
	// beginning (nil). It may block.
	Open(ctx context.Context, split string, position []byte) (Reader[T], error)
	// Info says what the runtime must know before it starts.
	Info() SourceInfo
}

// Starter is an optional ability of a Source whose splits begin elsewhere than at their
// beginning: at the newest record, at a time.
type Starter interface {
	// Start gives the position at which each of some splits begins, which no checkpoint
	// knows; nil is the beginning. again is false when a job without a checkpoint lists
	// splits for the first time; later ones have appeared since. It may block. What it
	// gives goes into checkpoints, and it is not asked again.
	Start(ctx context.Context, splits []string, again bool) (positions [][]byte, err error)
}

// SourceInfo describes a Source.
type SourceInfo struct {
	// Bounded: the source ends when every split has ended, and so can the job.
	Bounded bool
	// Replayable: a split opened at an old position gives the same records
	// again. Without it no guarantee survives a failure, and the plan says so.
	Replayable bool
	// DiscoverEvery asks an unbounded source for new splits; 0 asks once.
	DiscoverEvery time.Duration
	// OnCheckpoint, unless nil, hears where the splits of a subtask stand in a checkpoint
	// that is complete, to tell the outside; an aborted one it never hears of. It may
	// block until ctx ends, and holds back the news that the checkpoint is committed as
	// long. Calls of a subtask come one at a time, and checkpoints may be left out. An
	// error is logged and has no effect. Nothing in the job depends on it.
	OnCheckpoint func(ctx context.Context, splits []string, positions [][]byte) error
	// Malformed names the side output (a Tag[Malformed]) for records that do
	// not decode. Empty: a reader returns an error instead.
	Malformed string
}

// Reader reads one split. Its methods are called by one goroutine at a time.
type Reader[T any] interface {
	// Read appends up to max records to b, and returns io.EOF, with or without
	// records, at the end of the split. It waits for at least one record, the
	// end, or the end of ctx; an empty b with a nil error means "nothing yet".
	Read(ctx context.Context, b *Batch[T], max int) error
	// Position gives the place of the record after the last one read. The
	// caller keeps the slice. It is never nil.
	Position() []byte
	// Close frees what Open took.
	Close() error
}

// NonBlocking is an optional ability of a Reader whose Read never waits: it is
// then called right on the subtask's mailbox, without a goroutine a batch.
type NonBlocking interface{ NonBlocking() bool }

// Batch is records on their way from a Reader or to a Writer.
type Batch[T any] struct {
	Values []T
	Times  []int64     // event times, ms; as long as Values
	Bad    []Malformed // what did not decode, for SourceInfo.Malformed
}

// Append adds a record. A reader without a time of its own passes NoTime, and
// the watermark strategy's extractor fills it in.
func (b *Batch[T]) Append(value T, time int64) {
	b.Values = append(b.Values, value)
	b.Times = append(b.Times, time)
}

// NoTime marks a record whose source knows no event time.
const NoTime int64 = -1 << 63

// Malformed is a record that could not be decoded, as a side output shows it.
type Malformed struct {
	Split  string // the file or partition
	Line   int64  // 1-based, 0 when the format has no lines
	Offset int64  // bytes or records, as the source counts
	Field  string // "" when the record as a whole is at fault
	Raw    []byte
	Reason string
}

// String says where the record was and what is wrong with it.
func (m Malformed) String() string {
	place := fmt.Sprintf("%s@%d", m.Split, m.Offset)
	if m.Line > 0 {
		place = fmt.Sprintf("%s:%d", m.Split, m.Line)
	}
	if m.Field != "" {
		place += ": field " + m.Field
	}
	return place + ": " + m.Reason
}
