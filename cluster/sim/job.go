package sim

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/weirflow/weir/actors/env"
	"github.com/weirflow/weir/cluster"
	"github.com/weirflow/weir/messages"
	"github.com/weirflow/weir/operators/plan"
	"github.com/weirflow/weir/persistence"
	"github.com/weirflow/weir/persistence/memory"
)

// job is one seed: a world with nodes that run a topology, and what lies outside.
type job struct {
	sim    *Simulation
	mode   cluster.Mode
	params params
	w      *World
	things *things
	oracle *Outside // as the oracle sees it
	expect func(o *Outside)

	inner  persistence.CheckpointStore // what the store holds in truth
	faulty persistence.CheckpointStore

	checkLog   checkLog
	plan       *plan.Plan // of the newest deployment
	supervisor *supervisor
}

// storeBytes is more than any job here keeps.
const storeBytes = 64 << 20

func newJob(s *Simulation, seed uint64, mode cluster.Mode, expect func(o *Outside), trace io.Writer) *job {
	p := drawParams(rand.New(rand.NewPCG(seed, 0x5eed)), mode, s.faults)
	j := &job{sim: s, mode: mode, params: p, expect: expect}
	j.w = New(Config{Seed: seed, Faults: p.faults, Trace: trace})
	if p.slow {
		usual := j.w.faults.Work
		j.w.faults.Work.Max = 300 * time.Millisecond
		j.w.schedule(nil, j.w.faults.Within, "the store is quick again", func() { j.w.faults.Work = usual })
	}
	j.things = &things{w: j.w, params: p, inputs: map[string]any{}, ledgers: map[string]*ledger{}, chance: j.w.Rand("chance")}
	j.oracle = &Outside{things: j.things}
	inner := memory.Store(storeBytes)
	j.inner = inner
	j.faulty = newFaultyStore(j.w, &watchedStore{CheckpointStore: inner, onSlot: func(key string, r *messages.LogRecord) {
		j.things.checks.onSlot(key, r)
	}}, p.faults.Store)
	return j
}

// The limits within which a job must finish once the world is kind again. The
// coordinator's own patience with a deploy whose answer was lost, five minutes,
// is the greatest of the times that may add up.
const (
	finishWithin = 30 * time.Minute
	settleFor    = 30 * time.Second
	mostSteps    = 1_000_000
)

// run gives what was wrong, or nil.
func (j *job) run() error {
	defer j.w.Close()
	if err := j.prepare(); err != nil {
		return j.w.Fail(err)
	}
	j.supervisor = newSupervisor(j)
	j.supervisor.start()
	j.planPanics()
	limits := Limits{Steps: mostSteps, Time: finishWithin}
	if err := j.w.Run(func() bool { return j.supervisor.finished }, limits); err != nil {
		return j.explained(err)
	}
	if err := j.w.RunFor(settleFor); err != nil {
		return j.explained(err)
	}
	j.things.checks.atEnd()
	return j.explained(j.w.failed())
}

// prepare asks the topology for its sources and sinks, and the oracle for what it
// expects of them.
func (j *job) prepare() error {
	if err := j.onDeploy(0); err != nil {
		return err
	}
	j.expect(j.oracle)
	j.things.checks = newChecks(j)
	j.w.onMessage = j.things.checks.onMessage
	return nil
}

// onDeploy asks the topology which subtasks a deployment has.
func (j *job) onDeploy(number int) error {
	j.oracle.deploy = number
	d, err := j.deployment(nil)
	if err != nil {
		return err
	}
	j.plan, j.checkLog.subtasks = d.Plan, nil
	for r := range d.Plan.Regions {
		j.checkLog.subtasks = append(j.checkLog.subtasks, d.Plan.Subtasks(r)...)
	}
	return nil
}

// deployment builds the topology for a process; nil is the oracle.
func (j *job) deployment(e env.Env) (*cluster.Deployment, error) {
	o, config := j.oracle, j.params.config
	if e != nil {
		o = &Outside{things: j.things, env: e.(*nodeEnv), deploy: j.supervisor.deploy}
		config.Store = &processStore{CheckpointStore: j.faulty, env: o.env}
		config.Logger = j.logger(o.env)
	}
	d, err := cluster.Prepare(j.sim.topology(o), config)
	if err != nil {
		return nil, fmt.Errorf("cluster.Prepare: %w", err)
	}
	return d, nil
}

// logger puts what the engine logs between the lines of a trace that is written
// to a file. It is no part of the trace itself.
func (j *job) logger(e *nodeEnv) *slog.Logger {
	if j.w.trace.out == nil {
		return nil
	}
	said := slog.NewTextHandler(j.w.trace.out, &slog.HandlerOptions{Level: slog.LevelDebug, ReplaceAttr: withoutTime})
	return slog.New(said).With("node", e.life.name())
}

func withoutTime(_ []string, a slog.Attr) slog.Attr {
	if a.Key == slog.TimeKey || a.Key == "stack" {
		return slog.Attr{}
	}
	return a
}

func (j *job) planPanics() {
	j.w.planFault(j.params.faults.Panics, "fault: panic", func() { j.things.panics++ })
}

// explained adds the drawn parameters to a failure.
func (j *job) explained(err error) error {
	var f *Failure
	if errors.As(err, &f) {
		c := j.params.config
		f.Setting = fmt.Sprintf("mode %d, %d nodes, input lasts %v (hasty %v, slow store %v), batches of %d, linger %v, %d credits, checkpoints %+v, restart %v, faults within %v",
			j.mode, j.params.nodes, j.params.lasts, j.params.hasty, j.params.slow, c.BatchRecords, c.Linger, c.Credits, c.Checkpoint, c.Restart, j.params.faults.Within)
		if j.plan != nil {
			f.Topology = strings.TrimSuffix(j.things.note, "\n") + "\n" + j.plan.Text(plan.Mode(j.mode))
		}
	}
	return err
}
