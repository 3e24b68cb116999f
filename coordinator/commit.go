package coordinator

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/weirflow/weir/actors/env"
	"github.com/weirflow/weir/coordinator/checkpoint"
	"github.com/weirflow/weir/messages"
	"github.com/weirflow/weir/messages/mutant"
	"github.com/weirflow/weir/persistence"
)

// current is the checkpoint under way and those who wait for one, for people.
type current struct {
	id      messages.CheckpointID
	began   time.Time
	waiting []chan<- TriggerResult // for the next trigger
	asked   []chan<- TriggerResult // for this one
	last    LastCheckpoint         // the newest published
}

// do carries out what the checkpoint protocol decided, in order. A fenced
// coordinator does nothing more: the new owner commits and aborts.
func (j *job) do(actions []checkpoint.Action) {
	for _, a := range actions {
		if j.ending != nil && j.ending.state == Fenced {
			return
		}
		switch a := a.(type) {
		case checkpoint.Trigger:
			j.onTriggered(a)
		case checkpoint.Publish:
			j.publish(a)
		case checkpoint.Complete:
			j.complete(a)
		case checkpoint.Abort:
			j.abort(a)
		case checkpoint.Doubt:
			j.onDoubt(a)
		case checkpoint.Settled:
			j.env.Step("coordinator.committed")
			j.emitCheckpoint(slog.LevelDebug, a.ID, "committed everywhere")
		case checkpoint.GiveUp:
			j.fail(j.runningRegions(), failed("%d checkpoints failed in a row; the last one: %s", a.Failures, a.Reason))
		case checkpoint.Done:
			j.becomeEnded(a)
		}
	}
}

func (j *job) runningRegions() []*region {
	var all []*region
	for _, r := range j.regions {
		if r.state == running {
			all = append(all, r)
		}
	}
	return all
}

// onTriggered: every request that waits is answered by this checkpoint.
func (j *job) onTriggered(a checkpoint.Trigger) {
	c := &j.current
	c.id, c.began = a.ID, j.now()
	c.asked, c.waiting = append(c.asked, c.waiting...), nil
	for _, r := range j.regions {
		j.sendAll(r, &messages.TriggerCheckpoint{Job: string(j.cfg.Job), Attempt: uint64(r.attempt), Checkpoint: uint64(a.ID)})
	}
	j.env.Step("coordinator.triggered")
	j.emitCheckpoint(slog.LevelDebug, a.ID, "%v", a)
}

func (j *job) onAck(m *messages.CheckpointAck) {
	if r := j.maybeRegion(m.GetAttempt()); r != nil && r.owns(m.GetSnapshot().GetSubtask().ID()) {
		j.do(j.protocol.Ack(j.now(), messages.CheckpointID(m.GetCheckpoint()), m.GetSnapshot()))
	}
}

func (j *job) onDecline(m *messages.CheckpointDecline) {
	if r := j.maybeRegion(m.GetAttempt()); r != nil && r.owns(m.GetSubtask().ID()) {
		j.do(j.protocol.Decline(j.now(), messages.CheckpointID(m.GetCheckpoint()), m.GetSubtask().ID(), m.GetReason()))
	}
}

// onWanted takes a checkpoint now, whatever the interval and pause, unless one is
// being taken.
func (j *job) onWanted(m *messages.CheckpointWanted) {
	r := j.maybeRegion(m.GetAttempt())
	if r == nil || !r.owns(m.GetSubtask().ID()) || j.ending != nil {
		return
	}
	if taken, actions := j.protocol.Want(j.now()); taken {
		j.emitCheckpoint(slog.LevelWarn, 0, "wanted by subtask %v: %s", m.GetSubtask().ID(), m.GetReason())
		j.do(actions)
	}
}

func (j *job) onFinished(m *messages.SubtaskFinished) {
	if r := j.maybeRegion(m.GetAttempt()); r != nil && r.owns(m.GetSubtask().ID()) {
		j.do(j.protocol.Finished(j.now(), m.GetSubtask().ID()))
	}
}

func (j *job) onCommitted(m *messages.CheckpointCommitted) {
	if r := j.maybeRegion(m.GetAttempt()); r != nil && r.owns(m.GetSubtask().ID()) {
		j.do(j.protocol.Committed(j.now(), messages.CheckpointID(m.GetCheckpoint()), m.GetSubtask().ID(), m.GetInDoubt()))
	}
}

// publish writes the manifest: the commit point of the checkpoint.
func (j *job) publish(a checkpoint.Publish) {
	j.env.Step("coordinator.acked")
	if mutant.On("commit-before-publish") {
		j.complete(checkpoint.Complete{ID: a.ID, Regions: []int{0}})
	}
	m := j.manifest(a)
	j.store(storeOp{
		run:  func(ctx context.Context, log Log) error { return log.Publish(ctx, m) },
		done: func(err error) bool { return j.onPublished(m, err) },
	})
}

func (j *job) manifest(a checkpoint.Publish) *messages.Manifest {
	t := &j.cfg.Topology
	return &messages.Manifest{
		Job:            string(j.cfg.Job),
		Checkpoint:     uint64(a.ID),
		TimeMs:         j.now().UnixMilli(),
		Fingerprint:    t.Fingerprint,
		MaxParallelism: int32(t.MaxParallelism),
		Operators:      t.Operators,
		Subtasks:       a.Snapshots,
		Final:          a.Final,
	}
}

// onPublished takes the store's answer. When that leaves open whether the
// manifest is there, nothing else can be done in the store: it is asked again,
// unless the job ends anyway and its next life will read the log.
func (j *job) onPublished(m *messages.Manifest, err error) (again bool) {
	id := messages.CheckpointID(m.GetCheckpoint())
	switch {
	case err == nil:
		j.env.Step("coordinator.published")
		j.onDecided(m)
	case isFenced(err):
		j.becomeFenced(err)
	case isUncertain(err):
		j.emitCheckpoint(slog.LevelWarn, id, "%v", err)
		return !j.isLeaving()
	default:
		j.do(j.protocol.PublishFailed(j.now(), id, err.Error()))
	}
	return false
}

// isUncertain: a store that panicked may have done its work before.
func isUncertain(err error) bool {
	uncertain, panicked := (*persistence.UncertainError)(nil), (*env.WorkPanic)(nil)
	return errors.As(err, &uncertain) || errors.As(err, &panicked)
}

// isLeaving tells whether the job no longer waits for commits.
func (j *job) isLeaving() bool { return j.ending != nil && j.ending.settle.IsZero() }

// onDecided: the counts of a job that is about to end are asked for before its
// subtasks hear that they may commit, so that they are complete when it ends.
func (j *job) onDecided(m *messages.Manifest) {
	id := messages.CheckpointID(m.GetCheckpoint())
	j.current.last = lastCheckpoint(m, j.current.began, j.now())
	j.emitCheckpoint(slog.LevelInfo, id, "published after %v, %d bytes", j.current.last.Duration, j.current.last.Bytes)
	if m.GetFinal() {
		j.requestStatus()
	}
	j.do(j.protocol.Published(j.now(), id))
	j.settleAsked(TriggerResult{Checkpoint: id})
	if !j.isLeaving() {
		j.retain()
	}
}

// retain deletes what is too old. A failure is tried again with the next one.
func (j *job) retain() {
	keep := j.cfg.Checkpoints.Retained
	j.store(storeOp{
		run: func(ctx context.Context, log Log) error { return log.Retain(ctx, keep) },
		done: func(err error) bool {
			if isFenced(err) {
				j.becomeFenced(err)
			} else if err != nil {
				j.emitJob(slog.LevelWarn, CheckpointEvent, "old checkpoints were not deleted: %v", err)
			}
			return false
		},
	})
}

func (j *job) complete(a checkpoint.Complete) {
	for _, i := range a.Regions {
		r := j.regions[i]
		j.sendAll(r, &messages.CheckpointComplete{Job: string(j.cfg.Job), Attempt: uint64(r.attempt), Checkpoint: uint64(a.ID), Heard: a.Heard})
	}
	j.env.Step("coordinator.commit.sent")
}

func (j *job) abort(a checkpoint.Abort) {
	for _, i := range a.Regions {
		r := j.regions[i]
		j.sendAll(r, &messages.CheckpointAborted{Job: string(j.cfg.Job), Attempt: uint64(r.attempt), Checkpoint: uint64(a.ID), Reason: a.Reason})
	}
	j.emitCheckpoint(slog.LevelWarn, a.ID, "aborted: %s", a.Reason)
	j.settleAsked(TriggerResult{Checkpoint: a.ID, Err: fmt.Errorf("checkpoint %d was aborted: %s", a.ID, a.Reason)})
}

func (j *job) onDoubt(a checkpoint.Doubt) {
	j.doubts = append(j.doubts, a.InDoubt)
	j.emit(Event{Level: slog.LevelError, Kind: InDoubtEvent, Region: -1, Checkpoint: messages.CheckpointID(a.InDoubt.GetCheckpoint()), Text: a.String()})
}

// onTrigger queues a request and asks for a checkpoint.
func (j *job) onTrigger(m Trigger) {
	if j.ending != nil {
		reply(m.Reply, TriggerResult{Err: fmt.Errorf("%w: it is %s", errEnded, j.state)})
		return
	}
	j.current.waiting = append(j.current.waiting, m.Reply)
	j.do(j.protocol.Request(j.now()))
}

// settleAsked answers those who waited for the checkpoint under way.
func (j *job) settleAsked(res TriggerResult) {
	for _, c := range j.current.asked {
		reply(c, res)
	}
	j.current.asked = nil
}

// answer answers everybody who waits, at the end of the job.
func (j *job) answer(res TriggerResult) {
	j.settleAsked(res)
	for _, c := range j.current.waiting {
		reply(c, res)
	}
	j.current.waiting = nil
}

// reply never waits: a caller that left no room does not stop the job.
func reply[T any](c chan<- T, v T) {
	select {
	case c <- v:
	default:
	}
}
