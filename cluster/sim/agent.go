package sim

import (
	"fmt"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/weirflow/weir/cluster"
	"github.com/weirflow/weir/coordinator"
)

// agent is the one root actor of a process. It runs the node's worker, for the
// newest coordinator that it was told of, and that coordinator if it is to run
// here.
type agent struct {
	s   *supervisor
	env *nodeEnv
	d   *cluster.Deployment

	follows lead
	worker  *actor.PID // nil: none yet
	workers int        // begun so far
	leaving bool       // the worker was told to end, for another is to follow
}

func spawnAgent(s *supervisor, e *nodeEnv, d *cluster.Deployment) {
	a := &agent{s: s, env: e, d: d}
	stop := actor.WithGuardian(actor.NewOneForOneStrategy(0, 0, func(any) actor.Directive { return actor.StopDirective }))
	props := actor.PropsFromProducer(func() actor.Actor { return a }, append(e.Props(), stop)...)
	if _, err := e.System().Root.SpawnNamed(props, cluster.RootID(d.Config.Job)); err != nil {
		s.job.w.fail(fmt.Errorf("spawn agent: %w", err))
	}
}

// tellAgent tells a process of a new coordinator.
func tellAgent(l *life, job string, leader lead) {
	l.system.Root.Send(l.system.NewLocalPID(cluster.RootID(job)), leader)
}

// Receive handles one message.
func (a *agent) Receive(c actor.Context) {
	switch m := c.Message().(type) {
	case *actor.Started:
		a.follow(c, a.s.leader)
	case lead:
		a.follow(c, m)
	case *actor.Terminated:
		a.onTerminated(c, m.GetWho())
	}
}

// follow turns to a newer coordinator.
func (a *agent) follow(c actor.Context, l lead) {
	if l.number <= a.follows.number {
		return
	}
	a.follows = l
	if l.life == a.env.life {
		a.lead(c, l)
	}
	if a.worker == nil {
		a.startWorker(c)
	} else if !a.leaving {
		a.leaving = true
		c.Stop(a.worker)
	}
}

// lead begins a coordinator.
func (a *agent) lead(c actor.Context, l lead) {
	props, err := a.d.Coordinator(a.env, a.s.job.params.nodes, nil, func(r coordinator.Result) {
		if Alive(a.env) {
			a.s.onDone(l, r)
		}
	})
	if err == nil {
		_, err = c.SpawnNamed(props, l.actor())
	}
	if err != nil {
		a.s.job.w.fail(fmt.Errorf("start coordinator: %w", err))
	}
}

func (a *agent) startWorker(c actor.Context) {
	leader := actor.NewPID(a.follows.life.node.address, c.Self().Id+"/"+a.follows.actor())
	a.workers++
	session := fmt.Sprintf("%s-%d", a.env.life.name(), a.workers)
	pid, err := c.SpawnNamed(a.d.Worker(a.env, a.env.life.node.address, session, leader), "worker")
	if err != nil {
		a.s.job.w.fail(fmt.Errorf("start worker: %w", err))
		return
	}
	a.worker, a.leaving = pid, false
}

func (a *agent) onTerminated(c actor.Context, who *actor.PID) {
	switch {
	case a.worker.Equal(who): // told to leave, or stopped by a fault
		a.startWorker(c)
	case a.s.leader.life == a.env.life && who.Id == c.Self().Id+"/"+a.s.leader.actor():
		a.s.electLater(a.s.leader)
	}
}

// HandleFailure ends a child that failed; its end is noticed by onTerminated.
// Only a fault may be the reason.
func (a *agent) HandleFailure(_ *actor.ActorSystem, supervisor actor.Supervisor, child *actor.PID, _ *actor.RestartStatistics, reason, _ any) {
	supervisor.StopChildren(child)
	if _, planned := reason.(crashed); !planned {
		a.s.job.w.fail(fmt.Errorf("%s/%s failed: %v", a.env.life.name(), child.Id, reason))
	}
}
