package actors

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/weirflow/weir/messages"
	"github.com/weirflow/weir/messages/mutant"
	"github.com/weirflow/weir/operators/plan"
)

// sink is the participant's side of the two-phase commit, for one
// transactional sink in one subtask. It keeps the grammar
//
//	recover begin (write)* prepare begin (write)* prepare ... commit(n)
//
// Invariants: pending is ordered by checkpoint; what it holds was prepared and
// is in no transaction that was committed or aborted; a record is written only
// while open is true.
//
// A prepare that fails declines its checkpoint but loses nothing: the subtask
// takes no input until a retry succeeds, and the handle then belongs to the
// next checkpoint. A commit that fails ends the attempt, and the restart
// commits again; one that can never succeed is reported as in doubt.
type sink struct {
	s        *subtask
	n        *node
	tx       plan.Transactional
	restored plan.Recovery
	commits  []*messages.Prepared // this subtask's share of what was prepared
	open     bool
	pending  []*messages.Prepared
	inDoubt  []*messages.InDoubt // reported with every answer until heard: one may get lost
	retry    int                 // prepares that failed in a row
	failed   messages.CheckpointID
	age      age
}

// prepareRetry asks a sink to prepare again.
type prepareRetry struct{ sink *sink }

const (
	prepareRetryFirst = 20 * time.Millisecond
	prepareRetryMax   = 2 * time.Second
)

func newSink(s *subtask, n *node, tx plan.Transactional) *sink {
	k := &sink{s: s, n: n, tx: tx, restored: plan.Recovery{
		Index: n.rt.Index, Parallelism: n.rt.Parallelism, Attempt: s.attempt,
	}}
	k.age.sink = k
	return k
}

// recover commits what the restored checkpoint holds as prepared, ends every
// other lingering transaction, in that order, and begins the first one.
func (k *sink) recover(ctx context.Context) error {
	if mutant.On("abort-after-decision") {
		k.commits, k.restored.Keep = nil, nil
	}
	for _, p := range k.commits {
		if mutant.On("forget-restart-commit") {
			break
		}
		if err := k.commitOne(ctx, p); err != nil {
			return err
		}
		k.restored.Commit = append(k.restored.Commit, p.GetHandle())
	}
	k.s.o.Env.Step("sink.recovering")
	err := k.n.guard(func() error { return wrap("sink.Recover", k.tx.Recover(ctx, k.restored)) })
	if err != nil {
		return err
	}
	return k.begin(ctx)
}

func (k *sink) begin(ctx context.Context) error {
	if k.open {
		panic("weir: a transaction began while another was open")
	}
	if err := k.n.guard(func() error { return wrap("sink.Begin", k.tx.Begin(ctx)) }); err != nil {
		return err
	}
	k.open = true
	k.age.onBegin()
	return nil
}

// prepare closes the open transaction for checkpoint n and begins the next. An
// error that decline is true for cancels the checkpoint, not the attempt.
func (k *sink) prepare(ctx context.Context, n messages.CheckpointID) (decline bool, err error) {
	var handle []byte
	err = k.n.guard(func() error {
		var err error
		handle, err = k.tx.Prepare(ctx)
		decline = err != nil && !errors.Is(err, plan.ErrBroken)
		return wrap("sink.Prepare", err)
	})
	if err != nil {
		if decline {
			k.becomePaused(n)
		}
		return decline, err
	}
	k.open, k.retry = false, 0
	k.age.onPrepared(handle != nil)
	if handle != nil {
		k.pending = append(k.pending, &messages.Prepared{Checkpoint: uint64(n), Handle: handle})
	}
	k.s.o.Env.Step("sink.prepared")
	return false, k.begin(ctx)
}

// becomePaused keeps records away from the transaction that could not be
// prepared, and tries again after a while.
func (k *sink) becomePaused(n messages.CheckpointID) {
	k.failed = n
	k.retry++
	delay := min(prepareRetryFirst<<min(k.retry-1, 16), prepareRetryMax)
	k.s.after(delay, &prepareRetry{k})
}

func (k *sink) paused() bool { return k.retry > 0 && !mutant.On("write-while-paused") }

// onRetry prepares again, unless a later checkpoint already did.
func (k *sink) onRetry(ctx context.Context) error {
	if !k.paused() {
		return nil
	}
	if decline, err := k.prepare(ctx, k.failed); err != nil && !decline {
		return err
	}
	return nil
}

// commit makes every transaction up to checkpoint n visible. It may be called
// again, and late: n implies all before it.
func (k *sink) commit(ctx context.Context, n messages.CheckpointID) error {
	for len(k.pending) > 0 && messages.CheckpointID(k.pending[0].GetCheckpoint()) <= n {
		if mutant.On("commit-only-newest") && messages.CheckpointID(k.pending[0].GetCheckpoint()) < n {
			k.pending = k.pending[1:]
			continue
		}
		if err := k.commitOne(ctx, k.pending[0]); err != nil {
			return err
		}
		k.pending = k.pending[1:]
		k.age.onCommitted()
		k.s.o.Env.Step("sink.committed")
	}
	return nil
}

func (k *sink) commitOne(ctx context.Context, p *messages.Prepared) error {
	var doubt error
	err := k.n.guard(func() error {
		err := k.tx.Commit(ctx, p.GetHandle())
		if errors.Is(err, plan.ErrInDoubt) {
			doubt, err = err, nil
		}
		return wrap("sink.Commit", err)
	})
	if doubt != nil {
		k.n.rt.Logger.Error("a transaction can never be committed", "checkpoint", p.GetCheckpoint(), "error", doubt)
		k.inDoubt = append(k.inDoubt, &messages.InDoubt{
			Operator: string(k.n.op.Name), Index: int32(k.n.rt.Index),
			Checkpoint: p.GetCheckpoint(), Handle: p.GetHandle(), Reason: doubt.Error(),
		})
	}
	return err
}

// onHeard drops the doubts that the coordinator knows of: their handles may be large, and
// would go with every answer. It is told with the next decision, so that a doubt goes once
// where nothing gets lost, and again for each answer or telling that does.
func (k *sink) onHeard(keys []uint64) {
	if len(keys) == 0 || len(k.inDoubt) == 0 {
		return
	}
	k.inDoubt = slices.DeleteFunc(k.inDoubt, func(d *messages.InDoubt) bool { return slices.Contains(keys, d.Key()) })
}

// abandon drops the open transaction of an attempt that is over. What is
// prepared stays for the next attempt, which knows whether it is decided.
func (k *sink) abandon(log *slog.Logger) {
	k.age.stop()
	if !k.open {
		return
	}
	k.open = false
	ctx := context.WithoutCancel(k.s.ctx)
	if err := k.n.guard(func() error { return k.tx.AbortOpen(ctx) }); err != nil {
		log.Warn("open transaction was not aborted; the next attempt will", "error", err)
	}
}

func wrap(call string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", call, err)
}
