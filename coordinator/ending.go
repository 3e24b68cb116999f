package coordinator

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/weirflow/weir/coordinator/checkpoint"
	"github.com/weirflow/weir/messages"
)

// ending is how a job goes to its final state:
//
//	settle (Cancel only) -> regions stop -> store is idle [and emptied] -> final
type ending struct {
	state  State
	err    error
	settle time.Time // until then commits of what is decided are awaited; zero: no more
	asked  bool      // the last visit to the store was asked for
}

// onStop ends the sources of what runs; a region that restarts is told later.
func (j *job) onStop(m Stop) {
	if j.ending != nil || j.stop != nil {
		return
	}
	j.stop = &m
	j.updateState()
	j.remindSources()
	if m.Drain {
		j.protocol.Drain()
	} else {
		j.do(j.protocol.End(j.now()))
	}
}

// remindSources tells all sources that run to end, again and again: the
// message may get lost.
func (j *job) remindSources() {
	for _, r := range j.regions {
		if r.state == running {
			j.stopSources(r)
		}
	}
}

func (j *job) stopSources(r *region) {
	j.sendAll(r, &messages.StopSources{Job: string(j.cfg.Job), Attempt: uint64(r.attempt), Drain: j.stop.Drain})
}

// onCancel first commits what is decided: the decision lies in checkpoints that
// are about to be deleted.
func (j *job) onCancel() {
	if j.ending != nil {
		return
	}
	j.ending = &ending{state: Canceled, settle: j.now().Add(j.cfg.StopTimeout)}
	j.updateState()
	j.do(j.protocol.Halt())
}

// becomeEnded: the last checkpoint is settled.
func (j *job) becomeEnded(d checkpoint.Done) {
	state := Stopped
	if d.Final {
		state = Finished
	}
	j.end(&ending{state: state})
}

func (j *job) becomeFailing(f *failure, limit string) {
	j.end(&ending{state: Failed, err: &FailedError{
		Job: j.cfg.Job, Cause: f.cause(), Limit: limit, Restarts: j.restarts, History: slices.Clone(j.history.records),
	}})
}

// becomeFenced: another coordinator owns the job and decides about everything
// that is prepared. So nothing is committed or aborted from here; subtasks stop.
func (j *job) becomeFenced(err error) {
	if j.ending != nil && j.ending.state == Fenced || j.state.Final() {
		return
	}
	j.emitJob(slog.LevelError, JobEvent, "fenced: %v", err)
	j.end(&ending{state: Fenced, err: err})
}

func (j *job) end(e *ending) {
	j.ending = e
	j.updateState()
	for _, r := range j.regions {
		if r.state != stopping && r.state != ended {
			j.becomeStopping(r, "the job ends")
		}
	}
}

// endingDue gives the time at which waiting for commits ends.
func (j *job) endingDue() time.Time {
	if j.ending == nil {
		return noTime
	}
	return j.ending.settle
}

// advanceEnding runs after every message, since anything may have been the
// last that was awaited.
func (j *job) advanceEnding() {
	e := j.ending
	if e == nil || j.state.Final() {
		return
	}
	if !e.settle.IsZero() {
		j.maybeSettled(e)
		return
	}
	if !e.asked && j.allIn(ended) {
		e.asked = true
		j.leaveStore(e)
	}
}

// maybeSettled ends the wait for commits: they are done, or cannot be.
func (j *job) maybeSettled(e *ending) {
	open := j.protocol.Publishing() || j.protocol.Unsettled()
	if open && j.allIn(running) && j.now().Before(e.settle) {
		return
	}
	e.settle = noTime
	j.end(e)
	j.advanceEnding()
}

func (j *job) allIn(s regionState) bool {
	for _, r := range j.regions {
		if r.state != s {
			return false
		}
	}
	return true
}

// leaveStore queues behind all other visits, so that nothing of this job runs
// in the store when OnDone is called.
func (j *job) leaveStore(e *ending) {
	unsettled := j.protocol.Unsettled() || j.protocol.Publishing()
	if e.state == Canceled && !j.read {
		j.emitJob(slog.LevelInfo, JobEvent, "canceled before its checkpoints were read: if there are any, they stay")
	} else if e.state == Canceled && unsettled {
		j.emitJob(slog.LevelWarn, JobEvent, "canceled before all that is decided was committed; the checkpoints stay, run the job again to commit it")
	}
	all := j.cfg.Checkpoints.retention().DeleteAll(endOf(e.state), unsettled || !j.read)
	nowMs := j.now().UnixMilli()
	j.store(storeOp{
		run: func(ctx context.Context, log Log) error {
			if !all || log == nil {
				return nil
			}
			return log.DeleteAll(ctx, nowMs)
		},
		done: func(err error) bool {
			j.onLeft(e, err)
			return false
		},
	})
}

func endOf(s State) checkpoint.End {
	switch s {
	case Finished:
		return checkpoint.Finished
	case Stopped:
		return checkpoint.Stopped
	case Canceled:
		return checkpoint.Canceled
	}
	return checkpoint.Failed
}

func (j *job) onLeft(e *ending, err error) {
	if e != j.ending {
		return // fenced meanwhile
	}
	if isFenced(err) {
		j.becomeFenced(err)
		return
	}
	if err != nil {
		j.emitJob(slog.LevelWarn, JobEvent, "checkpoints were not deleted: %v", err)
	}
	j.becomeFinal(e)
}

func (j *job) becomeFinal(e *ending) {
	j.answer(TriggerResult{Err: fmt.Errorf("%w: it is %s", errEnded, e.state)})
	j.state = e.state
	if e.err == nil && len(j.doubts) > 0 {
		e.err = &InDoubtError{slices.Clone(j.doubts)}
	}
	level := slog.LevelInfo
	if e.err != nil {
		level = slog.LevelError
	}
	j.emitJob(level, JobEvent, "%s%s", e.state, suffix(e.err))
	if j.cfg.OnDone != nil {
		j.cfg.OnDone(j.result())
	}
}

func suffix(err error) string {
	if err == nil {
		return ""
	}
	return ": " + err.Error()
}

func (j *job) result() Result {
	return Result{
		State: j.ending.state, Err: j.ending.err, Checkpoint: j.protocol.Decided(), Restarts: j.restarts,
		Failures: slices.Clone(j.history.records), InDoubt: slices.Clone(j.doubts),
	}
}

// updateState derives the state that people see.
func (j *job) updateState() {
	if j.state.Final() {
		return
	}
	next := j.liveState()
	if next != j.state {
		j.emitJob(slog.LevelInfo, JobEvent, "%s -> %s", j.state, next)
		j.state = next
	}
}

func (j *job) liveState() State {
	switch {
	case j.ending != nil && j.ending.state == Canceled:
		return Canceling
	case j.ending != nil && (j.ending.state == Failed || j.ending.state == Fenced):
		return Failing
	case j.ending != nil || j.stop != nil:
		return Stopping
	case j.allIn(running):
		return Running
	case j.state == Starting:
		return Starting
	default:
		return Restarting
	}
}
