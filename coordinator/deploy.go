package coordinator

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/weirflow/weir/messages"
	"github.com/weirflow/weir/persistence"
)

// becomeWaiting begins a new life of a region.
func (j *job) becomeWaiting(r *region) {
	r.life++
	*r = region{index: r.index, subtasks: r.subtasks, sources: r.sources, life: r.life, state: waiting}
	j.maybeClaim(r)
}

// maybeClaim claims as soon as there is somebody to deploy to. Only the first
// deploy waits for all that are expected.
func (j *job) maybeClaim(r *region) {
	n := len(j.workers.alive())
	if n >= j.cfg.Workers {
		j.workersBy = noTime
	}
	if !j.workersBy.IsZero() && !j.now().Before(j.workersBy) {
		j.workersBy = noTime
		j.emitJob(slog.LevelWarn, WorkerEvent, "%d of %d workers came within %v", n, j.cfg.Workers, j.cfg.WorkersWait)
	}
	if n > 0 && j.workersBy.IsZero() {
		j.becomeClaiming(r)
	}
}

// claimed is what the log said to a claim.
type claimed struct {
	log       Log // opened by the first claim
	attempt   messages.Attempt
	newest    messages.CheckpointID
	manifests []*messages.Manifest
	damaged   []persistence.Damaged
}

func (j *job) becomeClaiming(r *region) {
	r.enter(claiming, noTime)
	life, got := r.life, &claimed{}
	reason, nowMs := j.reason(r), j.now().UnixMilli()
	j.store(storeOp{
		run: func(ctx context.Context, log Log) error {
			got.log = log
			return j.claim(ctx, got, reason, nowMs)
		},
		done: func(err error) bool {
			j.log = got.log
			if r.life == life && r.state == claiming {
				j.onClaimed(r, got, err)
			}
			return false
		},
	})
}

// claim runs off the mailbox. One log serves all claims of a coordinator: should
// it have been replaced since the last, the log says so instead of claiming.
func (j *job) claim(ctx context.Context, got *claimed, reason string, nowMs int64) (err error) {
	if got.log == nil {
		if got.log, err = j.openLog(ctx); err != nil {
			return err
		}
	}
	if got.attempt, err = got.log.Claim(ctx, j.owner, reason, nowMs); err != nil {
		return err
	}
	if got.newest, err = got.log.LastCheckpoint(ctx); err != nil {
		return err
	}
	got.manifests, got.damaged = got.log.Manifests()
	return nil
}

// reason tells people in the log why an attempt began.
func (j *job) reason(r *region) string {
	for _, f := range slices.Backward(j.history.records) {
		if f.Region == r.index && f.First {
			return fmt.Sprintf("restart of region %d after: %s", r.index, f.Failure.GetReason())
		}
	}
	return fmt.Sprintf("start of region %d", r.index)
}

func (j *job) onClaimed(r *region, got *claimed, err error) {
	if isFenced(err) {
		j.becomeFenced(err)
		return
	}
	if err != nil {
		j.fail([]*region{r}, because(err))
		return
	}
	r.attempt = got.attempt
	j.env.Step("coordinator.claimed")
	j.protocol.Found(got.newest)
	if r.restored, err = j.choose(got.manifests, got.damaged); err != nil {
		j.fail([]*region{r}, because(err).forGood())
		return
	}
	j.read = true
	j.protocol.Restoring(r.base())
	j.emitRegion(r, slog.LevelInfo, RegionEvent, "attempt claimed, restoring %s", restoring(r.restored))
	j.becomeListing(r)
}

func restoring(m *messages.Manifest) string {
	if m == nil {
		return "nothing"
	}
	return fmt.Sprintf("checkpoint %d", m.GetCheckpoint())
}

// becomeDeploying places the region's subtasks and sends them to their nodes.
func (j *job) becomeDeploying(r *region) {
	nodes := j.workers.alive()
	if len(nodes) == 0 {
		j.becomeWaiting(r)
		return
	}
	r.enter(deploying, j.now().Add(j.cfg.DeployTimeout))
	tasks := j.place(r, nodes)
	msg := &messages.Deploy{
		Job:         string(j.cfg.Job),
		Attempt:     uint64(r.attempt),
		Region:      int32(r.index),
		Fingerprint: j.cfg.Topology.Fingerprint,
		Coordinator: &messages.Address{Host: j.self.GetAddress(), Id: j.self.GetId()},
		Tasks:       tasks,
		Splits:      j.assignSplits(r),
		Restore:     r.restored,
	}
	j.sendAll(r, msg)
}

// place fills r.placed, r.nodes and r.awaited.
func (j *job) place(r *region, alive []string) []*messages.Task {
	r.placed, r.nodes, r.awaited = map[messages.SubtaskID]string{}, map[string]*actor.PID{}, map[string]bool{}
	var tasks []*messages.Task
	for _, s := range r.subtasks {
		node := j.cfg.Place(s, alive)
		w := j.workers[node]
		if w == nil || !w.alive {
			panic(fmt.Sprintf("Config.Place put %v on %q, which is none of %q", s, node, alive))
		}
		r.placed[s], r.nodes[node], r.awaited[node] = node, w.pid, true
		tasks = append(tasks, &messages.Task{Subtask: s.Proto(), Node: node, Host: w.pid.GetAddress()})
	}
	return tasks
}

func (j *job) onDeployed(m *messages.Deployed) {
	r := j.maybeRegion(m.GetAttempt())
	if r == nil || r.state != deploying {
		return
	}
	if delete(r.awaited, m.GetNode()); len(r.awaited) == 0 {
		j.becomeRunning(r)
	}
}

func (j *job) onDeployTimeout(r *region) {
	j.fail([]*region{r}, failed("nodes %q did not deploy within %v", sorted(r.awaited), j.cfg.DeployTimeout))
}

// becomeRunning lets records flow. Sources are told to end before anything is
// triggered, when that was asked for.
func (j *job) becomeRunning(r *region) {
	r.enter(running, noTime)
	j.env.Step("coordinator.deployed")
	j.beginAlignment(r)
	j.sendAll(r, &messages.Start{Job: string(j.cfg.Job), Attempt: uint64(r.attempt)})
	j.emitRegion(r, slog.LevelInfo, RegionEvent, "runs on %q", r.sortedNodes())
	if j.stop != nil {
		j.stopSources(r)
	}
	j.startDiscovery(r)
	j.updateState()
	j.do(j.protocol.RegionUp(j.now(), r.index, r.base(), r.restored.GetFinal()))
}

func isFenced(err error) bool {
	fenced := (*persistence.FencedError)(nil)
	return errors.As(err, &fenced)
}
