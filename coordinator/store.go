package coordinator

import (
	"context"
	"time"

	"github.com/weirflow/weir/messages"
	"github.com/weirflow/weir/persistence"
)

// Log is what the coordinator needs of persistence.Log, which implements it.
type Log interface {
	Claim(ctx context.Context, owner persistence.Owner, reason string, nowMs int64) (messages.Attempt, error)
	Publish(ctx context.Context, m *messages.Manifest) error
	Manifests() ([]*messages.Manifest, []persistence.Damaged)
	LastCheckpoint(ctx context.Context) (messages.CheckpointID, error)
	Retain(ctx context.Context, keep int) error
	DeleteAll(ctx context.Context, nowMs int64) error
}

// storeOp is one visit to the log.
type storeOp struct {
	run  func(ctx context.Context, log Log) error // off the mailbox; log is nil until a claim has opened it
	done func(err error) (again bool)             // on the mailbox; again: the outcome is open
}

// storeQueue runs visits to the log one at a time, in order. An operation whose
// outcome is open stays at the head and is tried again, so nothing is claimed
// or deleted while it is not known whether a checkpoint was published.
//
// Its length is bounded by the job: a claim a region, a publish, a retain, and
// the final operations.
type storeQueue struct {
	ops     []storeOp
	busy    bool
	retryAt time.Time // zero: not waiting
}

// storeResult is what env.Work brings back.
type storeResult struct{ err error }

const storeWork = "coordinator.store"

func (j *job) store(op storeOp) {
	j.queue.ops = append(j.queue.ops, op)
	j.visitStore()
}

func (j *job) visitStore() {
	q := &j.queue
	if q.busy || len(q.ops) == 0 || !q.retryAt.IsZero() {
		return
	}
	q.busy = true
	run, log := q.ops[0].run, j.log
	j.env.Work(j.self, storeWork, func(ctx context.Context) any { return &storeResult{run(ctx, log)} })
}

func (j *job) onStoreResult(err error) {
	q := &j.queue
	again := q.ops[0].done(err) // it stays at the head, for done may queue more
	q.busy = false
	if again {
		q.retryAt = j.now().Add(j.cfg.Checkpoints.CommitRetry)
		return
	}
	q.ops = q.ops[1:]
	j.visitStore()
}

func (j *job) retryStore() {
	if q := &j.queue; !q.retryAt.IsZero() && !j.now().Before(q.retryAt) {
		q.retryAt = time.Time{}
		j.visitStore()
	}
}

// openLog is part of the first claim.
func (j *job) openLog(ctx context.Context) (Log, error) {
	if j.cfg.OpenLog != nil {
		return j.cfg.OpenLog(ctx)
	}
	l, err := persistence.OpenLog(ctx, j.cfg.Store, j.cfg.Job)
	if err != nil {
		return nil, err
	}
	return l, nil
}
