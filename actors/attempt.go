package actors

import (
	"context"
	"errors"
	"fmt"

	"github.com/asynkron/protoactor-go/actor"
	"google.golang.org/protobuf/proto"

	"github.com/weirflow/weir/messages"
	"github.com/weirflow/weir/operators/plan"
)

// attempt supervises the subtasks of one region on one node during one life of
// the job. The first failure stops them all; none is ever restarted in place,
// for its mailbox would carry old records into new state.
//
// States: opening (subtasks restore), running, stopping (every Terminated is
// awaited under the StopDeadline), stopped (waits for StopAttempt).
type attempt struct {
	o           *Options
	deploy      *messages.Deploy
	coordinator *actor.PID
	ctx         context.Context
	cancel      context.CancelFunc

	self     *actor.PID
	tasks    []*messages.Task      // on this node
	children map[string]*actor.PID // alive, by pid
	order    []*actor.PID          // all, as spawned
	ready    int
	stopping bool
	asked    bool                    // StopAttempt came: answer, then end
	failed   *messages.AttemptFailed // the first failure; told again until StopAttempt comes
	late     string
}

type stopDeadline struct{} // some subtask does not end
type tellAgain struct{}    // the coordinator may not have heard of the failure

func newAttempt(o *Options, d *messages.Deploy, coordinator *actor.PID) *attempt {
	a := &attempt{o: o, deploy: d, coordinator: coordinator, children: map[string]*actor.PID{}}
	a.ctx, a.cancel = context.WithCancel(context.Background())
	for _, t := range d.GetTasks() {
		if t.GetNode() == o.Node {
			a.tasks = append(a.tasks, t)
		}
	}
	return a
}

// Receive handles one message; see the states above.
func (a *attempt) Receive(c actor.Context) {
	switch m := c.Message().(type) {
	case *actor.Started:
		a.self = c.Self()
		a.becomeOpening(c)
	case *actor.Stopping:
		a.cancel()
	case subtaskReady:
		a.onReady()
	case *messages.Start:
		a.forward(startSubtask{})
	case *messages.StopAttempt:
		a.onStop(c)
	case *actor.Terminated:
		a.onTerminated(c, m.GetWho())
	case stopDeadline:
		a.onDeadline(c)
	case tellAgain:
		a.tellFailure()
	case *messages.AssignSplits:
		a.forwardTo(m, m.GetAssignment().GetOperator(), int(m.GetAssignment().GetIndex()))
	case *messages.GroupWatermark:
		a.forwardToSources(m)
	case proto.Message:
		if !a.stopping {
			a.forward(m)
		}
	}
}

// HandleFailure is protoactor's question what to do with a child that failed.
func (a *attempt) HandleFailure(_ *actor.ActorSystem, supervisor actor.Supervisor, child *actor.PID, _ *actor.RestartStatistics, reason, _ any) {
	var f *messages.Failure
	if err, ok := reason.(error); !ok || !errors.As(err, &f) {
		f = &messages.Failure{Reason: fmt.Sprintf("panic in %s: %v", child.GetId(), reason), KeyGroup: -1}
	}
	a.report(f)
	a.becomeStopping(supervisor.(actor.Context))
}

func (a *attempt) report(f *messages.Failure) {
	f.Node, f.TimeMs = a.o.Node, a.o.Env.Now().UnixMilli()
	a.o.Logger.Error("attempt failed", "attempt", a.deploy.GetAttempt(), "error", f.Error(), "stack", f.GetStack())
	m := &messages.AttemptFailed{Job: string(a.o.Job), Attempt: a.deploy.GetAttempt(), Failure: f}
	if a.failed != nil {
		a.send(a.coordinator, m) // a consequence, most likely: for the history
		return
	}
	a.failed = m
	a.tellFailure()
}

// tellFailure tells of the failure, again and again until it is answered.
func (a *attempt) tellFailure() {
	if a.asked {
		return
	}
	a.send(a.coordinator, a.failed)
	a.o.Env.After(a.o.HeartbeatTimeout, a.self, tellAgain{})
}

func (a *attempt) becomeOpening(c actor.Context) {
	w := &wiring{o: a.o, deploy: a.deploy, supervisor: a.self.GetId()}
	for _, t := range a.tasks {
		s := w.subtask(t.GetSubtask().ID())
		if s == nil {
			a.report(&messages.Failure{Subtask: t.GetSubtask(), Reason: "the plan of this node has no such subtask; all nodes must run the same program", KeyGroup: -1, Permanent: true})
			a.becomeStopping(c)
			return
		}
		s.coordinator, s.ctx = a.coordinator, a.ctx
		props := actor.PropsFromProducer(func() actor.Actor { return s }, a.o.Env.Props()...)
		pid, err := c.SpawnNamed(props, subtaskName(s.id))
		if err != nil {
			a.report(&messages.Failure{Subtask: t.GetSubtask(), Reason: "spawn: " + err.Error(), KeyGroup: -1})
			a.becomeStopping(c)
			return
		}
		a.children[pid.GetId()] = pid
		a.order = append(a.order, pid)
	}
}

func (a *attempt) onReady() {
	if a.ready++; a.ready == len(a.tasks) && !a.stopping {
		a.send(a.coordinator, &messages.Deployed{Job: string(a.o.Job), Attempt: a.deploy.GetAttempt(), Node: a.o.Node})
	}
}

func (a *attempt) onStop(c actor.Context) {
	a.asked = true
	a.becomeStopping(c)
	a.maybeStopped(c)
}

// becomeStopping ends every subtask. What they read or write off their
// mailboxes ends with the context.
func (a *attempt) becomeStopping(c actor.Context) {
	if a.stopping {
		return
	}
	a.stopping = true
	a.cancel()
	for _, pid := range a.order {
		if _, alive := a.children[pid.GetId()]; alive {
			c.Stop(pid)
		}
	}
	a.o.Env.After(a.o.StopDeadline, a.self, stopDeadline{})
}

func (a *attempt) onTerminated(c actor.Context, who *actor.PID) {
	delete(a.children, who.GetId())
	if !a.stopping {
		a.report(&messages.Failure{Reason: "subtask " + who.GetId() + " ended by itself", KeyGroup: -1})
		a.becomeStopping(c)
	}
	a.maybeStopped(c)
}

// onDeadline gives up waiting: the coordinator is told, and the next attempt
// may start, for everything of this one is fenced by its number.
func (a *attempt) onDeadline(c actor.Context) {
	for _, pid := range a.order {
		if _, alive := a.children[pid.GetId()]; alive {
			a.late = fmt.Sprintf("%s did not end within %s", pid.GetId(), a.o.StopDeadline)
		}
	}
	if a.late != "" {
		a.o.Logger.Error("attempt does not end", "attempt", a.deploy.GetAttempt(), "error", a.late)
		a.maybeStopped(c)
	}
}

func (a *attempt) maybeStopped(c actor.Context) {
	if !a.asked || (len(a.children) > 0 && a.late == "") {
		return
	}
	a.send(a.coordinator, &messages.AttemptStopped{Job: string(a.o.Job), Attempt: a.deploy.GetAttempt(), Node: a.o.Node, Error: a.late})
	c.Stop(a.self)
}

func (a *attempt) forward(m any) {
	for _, pid := range a.order {
		a.send(pid, m)
	}
}

func (a *attempt) forwardTo(m proto.Message, operator string, index int) {
	for i, t := range a.tasks {
		if op := a.o.Plan.Operator(messages.OperatorID(operator)); op != nil && i < len(a.order) &&
			t.GetSubtask().ID() == (messages.SubtaskID{Chain: chainOf(a.o.Plan, op), Index: index}) {
			a.send(a.order[i], m)
		}
	}
}

// forwardToSources spares the others what only sources want to know.
func (a *attempt) forwardToSources(m proto.Message) {
	for i, t := range a.tasks {
		if op := a.o.Plan.Operator(t.GetSubtask().ID().Chain); op != nil && op.Source != nil && i < len(a.order) && !a.stopping {
			a.send(a.order[i], m)
		}
	}
}

func chainOf(p *plan.Plan, op *plan.Operator) messages.OperatorID {
	return p.Chains[op.Chain].Head().Name
}

func (a *attempt) send(to *actor.PID, m any) { a.o.Env.System().Root.Send(to, m) }
