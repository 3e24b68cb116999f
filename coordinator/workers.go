package coordinator

import (
	"log/slog"
	"maps"
	"slices"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/weirflow/weir/messages"
)

// worker is one node as the coordinator knows it. A worker that died stays
// known, so that it is told what to stop should it be heard again.
type worker struct {
	node, session string
	pid           *actor.PID
	alive         bool
	heard         time.Time
	left          map[messages.Attempt]bool // it may still run these; empty while it lives
}

type workers map[string]*worker

// alive gives the nodes that live, sorted.
func (ws workers) alive() []string {
	var nodes []string
	for _, node := range sorted(ws) {
		if ws[node].alive {
			nodes = append(nodes, node)
		}
	}
	return nodes
}

// onRegister takes a worker in, again and again until it hears the answer. A
// new session means that its process, or its worker, began anew: what the old
// one ran is gone.
func (j *job) onRegister(m *messages.RegisterWorker) {
	if j.state.Final() {
		return
	}
	w := j.workers[m.GetNode()]
	if w != nil && w.session != m.GetSession() {
		j.lose(w, "it began anew")
		w = nil
	}
	if w == nil {
		w = &worker{node: m.GetNode(), session: m.GetSession(), left: map[messages.Attempt]bool{}}
		j.workers[w.node] = w
	}
	w.pid = actor.NewPID(m.GetWorker().GetHost(), m.GetWorker().GetId())
	j.hear(w)
	j.sendBeat(w)
}

// onHeartbeat: one from a session that counts as dead brings it back to life;
// one from an unknown session is not answered, so that it registers again.
func (j *job) onHeartbeat(m *messages.Heartbeat) {
	w := j.workers[m.GetNode()]
	if w == nil || w.session != m.GetSession() || j.state.Final() {
		return
	}
	j.hear(w)
}

func (j *job) hear(w *worker) {
	w.heard = j.now()
	if w.alive {
		return
	}
	w.alive = true
	j.watch(w.pid)
	j.emit(Event{Level: slog.LevelInfo, Kind: WorkerEvent, Region: -1, Node: w.node, Text: "worker is here"})
	j.stopLeft(w)
	for _, r := range j.regions {
		if r.state == waiting {
			j.maybeClaim(r)
		}
	}
}

// stopLeft tells a worker that came back to end the attempts that went on
// without it.
func (j *job) stopLeft(w *worker) {
	for _, a := range slices.Sorted(maps.Keys(w.left)) {
		j.send(w.pid, &messages.StopAttempt{Job: string(j.cfg.Job), Attempt: uint64(a)})
	}
	clear(w.left)
}

func (j *job) onTerminated(who *actor.PID) {
	for _, node := range sorted(j.workers) {
		if w := j.workers[node]; w.alive && w.pid.Equal(who) {
			j.lose(w, "its worker has ended")
		}
	}
}

// beat shows every worker that the coordinator lives, and loses those that
// were not heard for too long.
func (j *job) beat(now time.Time) {
	if now.Before(j.beatAt) {
		return
	}
	j.beatAt = now.Add(j.cfg.HeartbeatEvery)
	for _, node := range j.workers.alive() {
		w := j.workers[node]
		if now.Sub(w.heard) >= j.cfg.HeartbeatTimeout {
			j.lose(w, "it was not heard for "+j.cfg.HeartbeatTimeout.String())
			continue
		}
		j.sendBeat(w)
	}
	j.remindStops()
}

func (j *job) sendBeat(w *worker) {
	j.beats++
	j.send(w.pid, &messages.Heartbeat{Node: w.node, Session: w.session, Beat: j.beats})
}

// lose fails every attempt that has tasks on the worker, as one failure.
func (j *job) lose(w *worker, why string) {
	if !w.alive {
		return
	}
	w.alive = false
	j.emit(Event{Level: slog.LevelWarn, Kind: WorkerEvent, Region: -1, Node: w.node, Text: "worker is lost: " + why})
	var hit []*region
	for _, r := range j.regions {
		if r.attempt == 0 || r.nodes[w.node] == nil {
			continue
		}
		w.left[r.attempt] = true
		if r.live() {
			hit = append(hit, r)
		}
		j.maybeStopped(r, w.node)
	}
	if len(hit) > 0 {
		j.fail(hit, failed("node %q was lost: %s", w.node, why).on(w.node))
	}
}
