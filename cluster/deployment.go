package cluster

import (
	"cmp"
	"errors"
	"fmt"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/weirflow/weir/actors"
	"github.com/weirflow/weir/actors/env"
	"github.com/weirflow/weir/coordinator"
	"github.com/weirflow/weir/messages"
	"github.com/weirflow/weir/operators"
	"github.com/weirflow/weir/operators/plan"
)

// Deployment is a topology with its configuration, checked, to be put on
// nodes. Start puts it on this process; a simulation on several.
type Deployment struct {
	Plan   *plan.Plan
	Config Config // with its defaults
}

// Prepare builds the topology and checks the configuration; the error names
// everything that is wrong with either.
func Prepare(top *operators.Topology, cfg Config) (*Deployment, error) {
	if top == nil {
		return nil, errors.New("cluster: the topology is nil; give one made by operators.NewTopology")
	}
	p, err := top.Build()
	if err := errors.Join(err, cfg.Validate()); err != nil {
		return nil, err
	}
	if cfg.Checkpoint, err = fitLifetimes(p, cfg.Checkpoint); err != nil {
		return nil, err
	}
	return &Deployment{Plan: p, Config: cfg.withDefaults(p)}, nil
}

// fitLifetimes sees that the transactions of sinks last until they are committed. A
// checkpoint that is taken early is asked for with a quarter of that time left.
func fitLifetimes(p *plan.Plan, c coordinator.Checkpoints) (_ coordinator.Checkpoints, err error) {
	for _, op := range p.Operators {
		if op.Lifetime > 0 {
			c = c.Within(op.Lifetime)
		}
	}
	for _, op := range p.Operators {
		longest := c.Longest()
		if c.Interval == 0 {
			longest = op.Lifetime*3/4 + c.Timeout
		}
		if op.Lifetime > 0 && longest >= op.Lifetime {
			err = errors.Join(err, fmt.Errorf("operator %q: it may take %v until what it writes is committed (Config.Checkpoint: Interval %v, Timeout %v), and a transaction of %s lasts %v; shorten those, or lengthen this",
				op.Name, longest, c.Interval, c.Timeout, op.Detail, op.Lifetime))
		}
	}
	return c, err
}

// Coordinator gives the props of the job's coordinator on a node. onDone is
// called once, on its mailbox, and must not block; events may be nil.
func (d *Deployment) Coordinator(e env.Env, nodes int, events *coordinator.Events, onDone func(coordinator.Result)) (*actor.Props, error) {
	c := d.Config
	return coordinator.Props(coordinator.Config{
		Job: messages.JobID(c.Job), Topology: topologyOf(d.Plan), Env: e, Store: c.Store, Owner: owner(),
		Checkpoints: c.Checkpoint, Restart: c.Restart, AtMostOnce: c.Mode == AtMostOnce,
		Workers: nodes, StopTimeout: 2 * c.StopTimeout, Events: events, Logger: c.Logger, OnDone: onDone,
	})
}

// Worker gives the props of the job's worker on a node. session must differ
// from that of every earlier process of the node.
func (d *Deployment) Worker(e env.Env, node, session string, coordinator *actor.PID) *actor.Props {
	c := d.Config
	return actors.NewWorker(actors.Options{
		Job: messages.JobID(c.Job), Node: node, Plan: d.Plan, Env: e, Store: c.Store, Backend: c.Backend,
		Mode: c.Mode.alignment(), BatchRecords: c.BatchRecords, Linger: c.Linger, Credits: c.Credits,
		StopDeadline: c.StopTimeout, Logger: c.Logger,
	}, coordinator, session)
}

// root is the one actor that a job spawns at the root of an actor system.
// Coordinator and worker are its children; when one of them fails, which is a
// bug of ours, the job ends with that as its error.
type root struct {
	d       *Deployment
	env     env.Env
	events  *coordinator.Events
	onDone  func(coordinator.Result)
	onBegun func() // the children can be spoken to
	onGone  func() // a child has ended: it answers no more
	onEnded func() // everything below has ended
	failure error  // why a child is being stopped
}

// CoordinatorID is the actor id of the coordinator of a job, and RootID that of
// the actor above it.
func CoordinatorID(job string) string { return RootID(job) + "/coordinator" }

// RootID is the name under which a job spawns at the root of an actor system.
func RootID(job string) string { return "weir-" + job }

// Receive spawns the children and tells when they are gone.
func (r *root) Receive(c actor.Context) {
	switch m := c.Message().(type) {
	case *actor.Started:
		if err := r.spawn(c); err != nil {
			r.onDone(coordinator.Result{State: coordinator.Failed, Err: err})
		}
		r.onBegun()
	case *actor.Terminated:
		r.onGone()
		err := cmp.Or(r.failure, fmt.Errorf("actor %s has ended by itself", m.GetWho().GetId()))
		r.onDone(coordinator.Result{State: coordinator.Failed, Err: err})
	case *actor.Stopped:
		r.onEnded()
	}
}

func (r *root) spawn(c actor.Context) error {
	props, err := r.d.Coordinator(r.env, 1, r.events, r.onDone)
	if err != nil {
		return err
	}
	pid, err := c.SpawnNamed(props, "coordinator")
	if err != nil {
		return fmt.Errorf("spawn coordinator: %w", err)
	}
	session := fmt.Sprintf("%x", r.env.Rand().Uint64())
	if _, err := c.SpawnNamed(r.d.Worker(r.env, "local", session, pid), "worker"); err != nil {
		return fmt.Errorf("spawn worker: %w", err)
	}
	return nil
}

// HandleFailure ends the job, once the child has ended: neither may restart in
// place, and one that is suspended would never answer.
func (r *root) HandleFailure(_ *actor.ActorSystem, supervisor actor.Supervisor, child *actor.PID, _ *actor.RestartStatistics, reason, _ any) {
	r.failure = fmt.Errorf("actor %s failed: %v", child.GetId(), reason)
	supervisor.StopChildren(child)
}
