package actors

import (
	"context"
	"fmt"

	"github.com/weirflow/weir/messages"
	"github.com/weirflow/weir/messages/mutant"
	"github.com/weirflow/weir/operators/plan"
	"github.com/weirflow/weir/persistence"
)

// snapshotDone comes back from the work that wrote a snapshot.
type snapshotDone struct {
	checkpoint messages.CheckpointID
	snapshot   *messages.SubtaskSnapshot
	err        error
}

// part is one operator's share of a snapshot, frozen but not yet written.
type part struct {
	snapshot *messages.OperatorSnapshot
	groups   messages.KeyGroupRange
	prefix   string
	frozen   []persistence.NamedFrozen
}

// snapshot does what a subtask owes checkpoint n once its barrier came in on
// every channel, in this order:
//
//  1. everything before the barrier is on its way: the exchanges are flushed
//  2. sinks prepare their transactions and begin the next
//  3. states are frozen, in microseconds
//  4. the barrier goes on; no record was emitted since 1
//  5. off the mailbox, the frozen states are written
//  6. then, and only then, the subtask acknowledges
func (s *subtask) snapshot(n messages.CheckpointID, savepoint bool) error {
	if mutant.On("lose-side-output") {
		s.out.dropSides()
	}
	s.out.flush()
	parts, declined, err := s.freeze(n)
	if err != nil {
		return err
	}
	s.o.Env.Step("subtask.frozen")
	s.out.broadcast(element{kind: kindBarrier, checkpoint: n, savepoint: savepoint})
	if declined != nil {
		release(parts)
		s.decline(n, declined)
		return nil
	}
	s.write(n, parts)
	return nil
}

// freeze prepares the sinks and freezes the state of every operator.
func (s *subtask) freeze(n messages.CheckpointID) (parts []part, declined, err error) {
	defer func() {
		if err != nil {
			release(parts)
			parts = nil
		}
	}()
	for _, nd := range s.ops.nodes {
		if nd.sink != nil {
			decline, err := nd.sink.prepare(s.ctx, n)
			if err != nil && !decline {
				return parts, nil, err
			}
			declined = firstError(declined, err)
		} else if f, ok := nd.inst.(plan.Flusher); ok {
			if err := nd.guard(func() error { return wrap("sink.Flush", f.Flush()) }); err != nil {
				return parts, nil, err
			}
		}
		p, err := s.freezeNode(n, nd)
		if parts = append(parts, p); err != nil {
			return parts, nil, err
		}
	}
	return parts, declined, nil
}

func (s *subtask) freezeNode(n messages.CheckpointID, nd *node) (part, error) {
	_, idle := s.clock()
	p := part{
		groups: nd.rt.Groups,
		prefix: persistence.BlobPrefix(s.o.Job, s.attempt, n, nd.op.Name, s.id.Index),
		snapshot: &messages.OperatorSnapshot{
			Operator: string(nd.op.Name), Index: int32(s.id.Index), Parallelism: int32(nd.op.Parallelism),
			Watermark: s.inputWatermark(nd), Idle: idle, Finished: nd.finished,
		},
	}
	if nd.sink != nil {
		p.snapshot.Prepared = append(p.snapshot.Prepared, nd.sink.pending...)
	}
	if s.source != nil && nd == s.source.n {
		splits, err := s.source.snapshot()
		if err != nil {
			return p, err
		}
		p.snapshot.Splits = splits
		s.source.stand(n, splits)
	}
	for _, st := range nd.states {
		p.frozen = append(p.frozen, persistence.NamedFrozen{Schema: st.Schema(), Frozen: st.Freeze()})
	}
	custom, ok := nd.inst.(plan.Checkpointed)
	if !ok {
		return p, nil
	}
	return p, nd.guard(func() (err error) {
		if mutant.On("forget-kept") {
			return nil
		}
		p.snapshot.Custom, err = custom.SnapshotState()
		return wrap("SnapshotState", err)
	})
}

// write makes the frozen parts durable off the mailbox.
func (s *subtask) write(n messages.CheckpointID, parts []part) {
	done := &messages.SubtaskSnapshot{Subtask: s.id.Proto(), Finished: s.finished}
	step, store, backend := s.o.Env.Step, s.o.Store, s.o.Backend
	s.work("snapshot", func(ctx context.Context) any {
		defer release(parts)
		for _, p := range parts {
			if len(p.frozen) > 0 {
				blobs, err := backend.Snapshot(ctx, store, p.prefix, p.groups, p.frozen)
				if err != nil {
					return &snapshotDone{checkpoint: n, err: fmt.Errorf("backend.Snapshot of operator %q: %w", p.snapshot.GetOperator(), err)}
				}
				p.snapshot.Blobs = blobs
			}
			done.Operators = append(done.Operators, p.snapshot)
		}
		step("subtask.written")
		return &snapshotDone{checkpoint: n, snapshot: done}
	})
}

// onSnapshotDone acknowledges, or declines when the snapshot could not be written.
func (s *subtask) onSnapshotDone(d *snapshotDone) {
	if d.err != nil {
		s.decline(d.checkpoint, d.err)
		return
	}
	s.tell(&messages.CheckpointAck{
		Job: string(s.o.Job), Attempt: uint64(s.attempt), Checkpoint: uint64(d.checkpoint), Snapshot: d.snapshot,
	})
}

// decline votes against checkpoint n.
func (s *subtask) decline(n messages.CheckpointID, why error) {
	s.tell(&messages.CheckpointDecline{
		Job: string(s.o.Job), Attempt: uint64(s.attempt), Checkpoint: uint64(n), Subtask: s.id.Proto(), Reason: why.Error(),
	})
}

// onComplete commits what checkpoint n holds, tells who listens, and answers.
func (s *subtask) onComplete(n messages.CheckpointID) error {
	if !s.started {
		return nil // what it was restored with is not committed yet: it will be asked again
	}
	for _, nd := range s.ops.nodes {
		if nd.sink != nil {
			if err := nd.sink.commit(s.ctx, n); err != nil {
				return err
			}
		}
		if l, ok := nd.inst.(plan.CheckpointListener); ok && n > s.completed {
			if err := nd.guard(func() error { return l.OnCheckpointComplete(n) }); err != nil {
				return err
			}
		}
	}
	s.completed = max(s.completed, n)
	if s.source == nil || !s.source.onComplete(n) {
		s.tellCommitted(n)
	}
	return nil
}

// onHeard notes which doubts need not be told again.
func (s *subtask) onHeard(keys []uint64) {
	if !s.started {
		return
	}
	for _, k := range s.ops.sinks() {
		k.onHeard(keys)
	}
}

func (s *subtask) tellCommitted(n messages.CheckpointID) {
	var doubts []*messages.InDoubt
	for _, k := range s.ops.sinks() {
		doubts = append(doubts, k.inDoubt...)
	}
	s.tell(&messages.CheckpointCommitted{
		Job: string(s.o.Job), Attempt: uint64(s.attempt), Checkpoint: uint64(n), Subtask: s.id.Proto(), InDoubt: doubts,
	})
}

// onAborted forgets a checkpoint that will not be. What sinks prepared for it
// waits for the next one: its records are part of that as well.
func (s *subtask) onAborted(n messages.CheckpointID) error {
	if s.in.align != nil {
		s.in.align.OnAborted(n)
	}
	if s.source != nil {
		s.source.onAborted(n)
	}
	for _, nd := range s.ops.nodes {
		if l, ok := nd.inst.(plan.CheckpointListener); ok {
			if err := nd.guard(func() error { l.OnCheckpointAborted(n); return nil }); err != nil {
				return err
			}
		}
	}
	return s.run()
}

func release(parts []part) {
	for _, p := range parts {
		for _, f := range p.frozen {
			f.Frozen.Release()
		}
	}
}

func firstError(a, b error) error {
	if a != nil {
		return a
	}
	return b
}

// onTrigger starts checkpoint n at a source. Others wait for barriers.
func (s *subtask) onTrigger(n messages.CheckpointID, savepoint bool) error {
	if s.source == nil || !s.running || n <= s.taken {
		return nil
	}
	s.taken = n
	waited := !s.ready()
	if err := s.snapshot(n, savepoint); err != nil || !waited {
		return err
	}
	return s.resume() // the sink that it waited for may have prepared now
}
