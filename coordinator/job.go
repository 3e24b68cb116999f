package coordinator

import (
	"cmp"
	"log/slog"
	"maps"
	"slices"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/weirflow/weir/actors/env"
	"github.com/weirflow/weir/coordinator/checkpoint"
	"github.com/weirflow/weir/messages"
	"github.com/weirflow/weir/persistence"
)

// Props are those of a coordinator's actor. The config must be valid.
func Props(cfg Config) (*actor.Props, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	c := cfg.withDefaults()
	return actor.PropsFromProducer(func() actor.Actor { return &shell{cfg: c} }, c.Env.Props()...), nil
}

// shell puts a job into an actor.
type shell struct {
	cfg Config
	job *job
	ctx actor.Context // of the message being handled
}

// Receive implements actor.Actor.
func (s *shell) Receive(ctx actor.Context) {
	s.ctx = ctx
	switch m := ctx.Message().(type) {
	case *actor.Started:
		s.job = newJob(s.cfg, ctx.Self(), s.send, s.watch)
		s.job.start()
	case *actor.Stopping, *actor.Restarting:
		if s.job != nil {
			s.job.timer.cancel()
		}
	case *actor.Stopped:
	default:
		s.job.receive(m)
	}
}

func (s *shell) send(to *actor.PID, msg any) { s.ctx.Send(to, msg) }
func (s *shell) watch(pid *actor.PID)        { s.ctx.Watch(pid) }

// job is the coordinator's state machine. It handles one message at a time and
// sets one timer, for the earliest of all that it waits for.
type job struct {
	cfg   Config
	env   env.Env
	self  *actor.PID
	send  func(*actor.PID, any)
	watch func(*actor.PID)

	state    State
	regions  []*region
	workers  workers
	protocol *checkpoint.Protocol
	current  current // the checkpoint under way, for people
	restart  Restarter
	restarts int
	history  history
	doubts   []*messages.InDoubt
	statuses map[messages.SubtaskID]*messages.SubtaskStatus
	stale    uint64 // messages of other attempts, dropped

	log     Log  // nil until the first claim has opened it
	read    bool // what is in the log is known: a region has been claimed
	owner   persistence.Owner
	queue   storeQueue
	corrupt map[messages.CheckpointID]string // checkpoints with a damaged blob, and which
	damaged map[uint64]bool                  // slots that were reported as unreadable
	known   map[messages.OperatorID]map[string][]byte
	lists   map[string]listResult // listings under way, by the name of their work
	seq     uint64                // of AssignSplits
	groups  []*groupClock         // of aligned sources, sorted by name

	stop   *Stop // asked for
	ending *ending
	timer  timer

	workersBy time.Time // the first deploy waits for Config.Workers until then; zero: no more
	beatAt    time.Time
	beats     uint64 // heartbeats sent
	statusAt  time.Time
}

func newJob(cfg Config, self *actor.PID, send func(*actor.PID, any), watch func(*actor.PID)) *job {
	rng := cfg.Env.Rand()
	j := &job{
		cfg: cfg, env: cfg.Env, self: self, send: send, watch: watch,
		state:    Starting,
		workers:  workers{},
		protocol: checkpoint.New(cfg.Checkpoints.kernel(), cfg.Topology.Regions),
		restart:  cfg.Restart.New(rng),
		statuses: map[messages.SubtaskID]*messages.SubtaskStatus{},
		owner:    persistence.Owner{Name: cfg.Owner, Nonce: rng.Uint64()},
		corrupt:  map[messages.CheckpointID]string{},
		damaged:  map[uint64]bool{},
		known:    map[messages.OperatorID]map[string][]byte{},
		lists:    map[string]listResult{},
		groups:   newGroupClocks(cfg.Topology.Sources),
	}
	for i, subtasks := range cfg.Topology.Regions {
		j.regions = append(j.regions, &region{index: i, subtasks: subtasks, sources: cfg.Topology.sourcesOf(i)})
	}
	return j
}

func (j *job) start() {
	now := j.now()
	j.workersBy = now.Add(j.cfg.WorkersWait)
	j.beatAt, j.statusAt = now, now.Add(j.cfg.StatusEvery)
	j.emitJob(slog.LevelInfo, JobEvent, "%s, restart strategy: %v", j.state, j.cfg.Restart)
	for _, r := range j.regions {
		j.becomeWaiting(r)
	}
	j.arm()
}

func (j *job) now() time.Time { return j.env.Now() }

// receive is the one switch over everything that can be said to a coordinator.
func (j *job) receive(msg any) {
	switch m := msg.(type) {
	case *messages.RegisterWorker:
		j.onRegister(m)
	case *messages.Heartbeat:
		j.onHeartbeat(m)
	case *actor.Terminated:
		j.onTerminated(m.GetWho())

	case *messages.Deployed:
		j.onDeployed(m)
	case *messages.AttemptFailed:
		j.onAttemptFailed(m)
	case *messages.AttemptStopped:
		j.onAttemptStopped(m)
	case *messages.SplitsAssigned:
		j.onSplitsAssigned(m)
	case *messages.SubtaskStatus:
		j.onSubtaskStatus(m)
	case *messages.SourceWatermark:
		j.onSourceWatermark(m)

	case *messages.CheckpointAck:
		j.onAck(m)
	case *messages.CheckpointDecline:
		j.onDecline(m)
	case *messages.CheckpointWanted:
		j.onWanted(m)
	case *messages.CheckpointCommitted:
		j.onCommitted(m)
	case *messages.SubtaskFinished:
		j.onFinished(m)

	case GetStatus:
		j.onGetStatus(m)
	case Trigger:
		j.onTrigger(m)
	case Cancel:
		j.onCancel()
	case Stop:
		j.onStop(m)

	case *storeResult:
		j.onStoreResult(m.err)
	case *listResult:
		j.onListed(m)
	case *env.WorkPanic:
		j.onWorkPanic(m)
	case *wake:
		j.onWake(m)
	}
	j.advanceEnding()
	j.arm()
}

// onWake does all that has become due.
func (j *job) onWake(w *wake) {
	if !j.timer.fired(w) {
		return
	}
	now := j.now()
	j.retryStore()
	j.beat(now)
	j.pollStatus(now)
	j.align(now)
	for _, r := range j.regions {
		j.onRegionTime(r, now)
	}
	j.do(j.protocol.Tick(now))
}

// due gives the earliest time at which onWake has something to do.
func (j *job) due() time.Time {
	if j.state.Final() {
		return time.Time{}
	}
	due := earliest(j.beatAt, j.statusAt, j.queue.retryAt, j.protocol.Due(), j.endingDue())
	for _, r := range j.regions {
		due = earliest(due, r.due(j.workersBy))
	}
	for _, g := range j.groups {
		due = earliest(due, g.at)
	}
	return due
}

// maybeRegion finds the region that an attempt belongs to, or counts the message
// as stale.
func (j *job) maybeRegion(attempt uint64) *region {
	for _, r := range j.regions {
		if attempt != 0 && r.attempt == messages.Attempt(attempt) {
			return r
		}
	}
	j.stale++
	return nil
}

// timer is the one timer of a job.
type timer struct {
	at    time.Time // zero: not set
	stop  func()
	count uint64 // of the newest one; an older one that still arrives is ignored
}

type wake struct{ count uint64 }

func (j *job) arm() {
	due := j.due()
	if due.Equal(j.timer.at) {
		return
	}
	j.timer.cancel()
	if due.IsZero() {
		return
	}
	j.timer.at = due
	j.timer.count++
	j.timer.stop = j.env.After(max(due.Sub(j.now()), 0), j.self, &wake{j.timer.count})
}

func (t *timer) cancel() {
	if t.stop != nil {
		t.stop()
	}
	t.at, t.stop = time.Time{}, nil
}

// fired tells whether w is the timer that is set, and unsets it.
func (t *timer) fired(w *wake) bool {
	if w.count != t.count || t.at.IsZero() {
		return false
	}
	t.at, t.stop = time.Time{}, nil
	return true
}

// earliest gives the first of the times that are set; zero: none is.
func earliest(times ...time.Time) time.Time {
	var first time.Time
	for _, t := range times {
		if !t.IsZero() && (first.IsZero() || t.Before(first)) {
			first = t
		}
	}
	return first
}

// sorted gives a map's keys in order: what goes over a map must not depend on chance.
func sorted[M ~map[K]V, K cmp.Ordered, V any](m M) []K {
	return slices.Sorted(maps.Keys(m))
}
