package coordinator

import (
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/weirflow/weir/messages"
	"github.com/weirflow/weir/persistence"
)

// failure is why an attempt ended: what people read, and the error it came
// from where there is one.
type failure struct {
	*messages.Failure
	err error
}

func failed(format string, args ...any) *failure {
	return &failure{Failure: &messages.Failure{Reason: fmt.Sprintf(format, args...), KeyGroup: -1}}
}

// because makes a failure of an error. What another attempt would meet again
// in the same way is permanent.
func because(err error) *failure {
	f := failed("%v", err)
	f.err = err
	newer, other := (*persistence.FormatError)(nil), (*persistence.OtherJobError)(nil)
	f.Permanent = errors.As(err, &newer) || errors.As(err, &other)
	return f
}

func (f *failure) forGood() *failure       { f.Permanent = true; return f }
func (f *failure) on(node string) *failure { f.Node = node; return f }

// cause is the error that users can ask with errors.As.
func (f *failure) cause() error {
	if f.err != nil {
		return f.err
	}
	return f.Failure
}

func (j *job) onAttemptFailed(m *messages.AttemptFailed) {
	if r := j.maybeRegion(m.GetAttempt()); r != nil {
		f := m.GetFailure()
		if f == nil {
			f = failed("the worker gave no reason").Failure
		}
		j.fail([]*region{r}, &failure{Failure: f})
	}
}

// fail ends the attempts of some regions for one reason. The restart strategy
// is asked once, however many regions it hits. What fails while an attempt is
// ending already is its consequence, and remembered as such.
func (j *job) fail(regions []*region, f *failure) {
	var hit []*region
	for _, r := range regions {
		first := r.state == claiming || r.state == listing || r.live()
		j.record(r, f, first)
		if first {
			hit = append(hit, r)
		}
	}
	if len(hit) == 0 {
		return
	}
	if j.ending != nil { // the job awaits commits that will not come any more
		j.ending.settle = noTime
		j.end(j.ending)
		return
	}
	delay, limit := j.judge(hit, f)
	if limit != "" {
		j.becomeFailing(f, limit)
		return
	}
	j.restarts++
	for _, r := range hit {
		r.delay = delay
		j.becomeStopping(r, fmt.Sprintf("region %d failed: %s", r.index, f.GetReason()))
	}
}

func (j *job) record(r *region, f *failure, first bool) {
	j.history.add(FailureRecord{Time: j.now(), Region: r.index, Attempt: r.attempt, Failure: f.Failure, First: first})
	if first {
		j.emitRegion(r, slog.LevelError, FailureEvent, "attempt failed: %v", f.Failure)
	} else {
		j.emitRegion(r, slog.LevelWarn, FailureEvent, "failed as well: %v", f.Failure)
	}
}

// judge gives the delay before the restart, or what forbids it. A damaged
// checkpoint is no failure of the job: it can happen once a checkpoint only,
// and costs no attempt of the strategy.
func (j *job) judge(hit []*region, f *failure) (delay time.Duration, limit string) {
	if blob := f.GetCorruptBlob(); blob != "" && j.onCorrupt(hit[0], blob) {
		return 0, ""
	}
	if f.GetPermanent() {
		return 0, "a restart cannot help"
	}
	delay, giveUp := j.restart.OnFailure(j.now())
	if giveUp {
		return 0, j.cfg.Restart.String()
	}
	return delay, ""
}

// becomeStopping ends the attempt on every node that lives. The checkpoint
// under way is aborted first, so that what was prepared is dropped in order.
func (j *job) becomeStopping(r *region, why string) {
	was := r.state
	r.enter(stopping, j.now().Add(j.cfg.StopTimeout))
	j.updateState()
	j.do(j.protocol.RegionDown(j.now(), r.index, why))
	clear(r.awaited)
	if was == deploying || was == running {
		j.stopAttempt(r)
	}
	j.maybeStopped(r, "")
}

func (j *job) stopAttempt(r *region) {
	for _, node := range r.sortedNodes() {
		if w := j.workers[node]; w.alive && w.pid.Equal(r.nodes[node]) {
			r.awaited[node] = true
			j.send(w.pid, &messages.StopAttempt{Job: string(j.cfg.Job), Attempt: uint64(r.attempt)})
		}
	}
}

// onAttemptStopped: a worker that heard nothing of us for too long stops by
// itself; then the others must stop, too.
func (j *job) onAttemptStopped(m *messages.AttemptStopped) {
	r := j.maybeRegion(m.GetAttempt())
	if r == nil {
		return
	}
	if r.live() && r.nodes[m.GetNode()] != nil {
		j.fail([]*region{r}, failed("node %q has stopped by itself: it did not hear the coordinator", m.GetNode()).on(m.GetNode()))
	}
	if m.GetError() != "" {
		j.emitRegion(r, slog.LevelWarn, RegionEvent, "node %q did not stop: %s", m.GetNode(), m.GetError())
	}
	j.maybeStopped(r, m.GetNode())
}

// remindStops repeats what nodes have not answered, for messages get lost.
func (j *job) remindStops() {
	for _, r := range j.regions {
		for _, node := range sorted(r.awaited) {
			if r.state == stopping {
				j.send(r.nodes[node], &messages.StopAttempt{Job: string(j.cfg.Job), Attempt: uint64(r.attempt)})
			}
		}
	}
}

func (j *job) onStopTimeout(r *region) {
	j.emitRegion(r, slog.LevelWarn, RegionEvent, "nodes %q did not stop within %v and are left behind", sorted(r.awaited), j.cfg.StopTimeout)
	clear(r.awaited)
	j.maybeStopped(r, "")
}

// maybeStopped goes on when no node is awaited any more. The attempt's number
// is void from here: what still comes of it is stale.
func (j *job) maybeStopped(r *region, node string) {
	if r.state != stopping {
		return
	}
	if delete(r.awaited, node); len(r.awaited) > 0 {
		return
	}
	r.attempt = 0
	if j.ending != nil {
		r.enter(ended, noTime)
		return
	}
	j.emitRegion(r, slog.LevelInfo, RegionEvent, "stopped, restart in %v", r.delay)
	r.enter(backoff, j.now().Add(r.delay))
	j.onRegionTime(r, j.now())
}
