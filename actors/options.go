package actors

import (
	"cmp"
	"log/slog"
	"time"

	"github.com/weirflow/weir/actors/barrier"
	"github.com/weirflow/weir/actors/credit"
	"github.com/weirflow/weir/actors/env"
	"github.com/weirflow/weir/messages"
	"github.com/weirflow/weir/operators/plan"
	"github.com/weirflow/weir/persistence"
)

// Options are what a worker must know. The zero value of a field with a
// default means the default.
type Options struct {
	Job   messages.JobID
	Node  string // stable name of this process
	Plan  *plan.Plan
	Env   env.Env
	Store persistence.CheckpointStore
	// Backend keeps working state.
	Backend persistence.Backend
	// Mode is how barriers align.
	Mode barrier.Mode
	// BatchRecords is when a batch is full: 1 to 65536 records, default 512.
	BatchRecords int
	// Linger is how long a record may wait for its batch to fill, default 5 ms.
	Linger time.Duration
	// Credits is how many batches may be under way on a channel, default 8.
	Credits int
	// StopDeadline is how long an attempt's subtasks may take to end before
	// the worker reports that they did not, default 30 s.
	StopDeadline time.Duration
	// HeartbeatEvery is how often the worker shows that it lives, default
	// 500 ms; after HeartbeatTimeout, default 5 s, without a word from the
	// coordinator it stops its subtasks.
	HeartbeatEvery, HeartbeatTimeout time.Duration
	// MaxOpenSplits is how many splits of a bounded source a subtask reads at
	// the same time, default 64. Splits that wait hold the watermark back.
	MaxOpenSplits int
	Logger        *slog.Logger
}

func (o Options) withDefaults() Options {
	o.BatchRecords = cmp.Or(o.BatchRecords, 512)
	o.Linger = cmp.Or(o.Linger, 5*time.Millisecond)
	o.Credits = cmp.Or(o.Credits, credit.DefaultBatches)
	o.StopDeadline = cmp.Or(o.StopDeadline, 30*time.Second)
	o.HeartbeatEvery = cmp.Or(o.HeartbeatEvery, 500*time.Millisecond)
	o.HeartbeatTimeout = cmp.Or(o.HeartbeatTimeout, 5*time.Second)
	o.MaxOpenSplits = cmp.Or(o.MaxOpenSplits, 64)
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return o
}
