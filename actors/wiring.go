package actors

import (
	"fmt"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/weirflow/weir/messages"
	"github.com/weirflow/weir/operators/plan"
)

// channels are where a subtask's neighbours are.
type channels struct {
	in  []*inChannel
	out map[int][]*outChannel // by edge; entry i leads to subtask i, nil where none does
}

// wiring makes the subtasks of a deployment. Who talks to whom is a pure
// function of plan and placement, so every node knows every address.
type wiring struct {
	o          *Options
	deploy     *messages.Deploy
	supervisor string // id of the attempt actor, the same on every node
}

func attemptName(attempt uint64, region int32) string {
	return fmt.Sprintf("a%d-r%d", attempt, region)
}

func subtaskName(id messages.SubtaskID) string { return fmt.Sprintf("%s-%d", id.Chain, id.Index) }

// subtask makes one subtask, or nil when the plan has none of that name.
func (w *wiring) subtask(id messages.SubtaskID) *subtask {
	for _, c := range w.o.Plan.Chains {
		if c.Head().Name == id.Chain && id.Index < c.Parallelism {
			return &subtask{
				o: w.o, id: id, chain: c, attempt: messages.Attempt(w.deploy.GetAttempt()), restore: w.deploy.GetRestore(),
				splits: w.splits(c.Head(), id.Index), channels: w.channels(c, id.Index),
			}
		}
	}
	return nil
}

func (w *wiring) splits(op *plan.Operator, index int) []*messages.SplitState {
	for _, a := range w.deploy.GetSplits() {
		if a.GetOperator() == string(op.Name) && int(a.GetIndex()) == index {
			return a.GetSplits()
		}
	}
	return nil
}

func (w *wiring) channels(c *plan.Chain, index int) channels {
	ch := channels{out: map[int][]*outChannel{}}
	for _, e := range c.Inputs {
		for from := range e.From.Parallelism {
			if connects(e, from, index) {
				pid, remote := w.pid(e.From, from)
				ch.in = append(ch.in, &inChannel{id: messages.ChannelID{Edge: e.Index, From: from, To: index}, edge: e, from: pid, remote: remote})
			}
		}
	}
	for _, e := range c.Outputs {
		out := make([]*outChannel, e.To.Parallelism)
		for to := range out {
			if connects(e, index, to) {
				pid, remote := w.pid(e.To, to)
				out[to] = &outChannel{id: messages.ChannelID{Edge: e.Index, From: index, To: to}, to: pid, remote: remote}
			}
		}
		ch.out[e.Index] = out
	}
	return ch
}

// connects tells whether an edge has a channel between two subtasks.
func connects(e *plan.Edge, from, to int) bool {
	return e.Partition != plan.Forward || from == to
}

// pid gives the address of the subtask that runs an operator, and whether it
// is on another node.
func (w *wiring) pid(op *plan.Operator, index int) (pid *actor.PID, remote bool) {
	id := messages.SubtaskID{Chain: chainOf(w.o.Plan, op), Index: index}
	for _, t := range w.deploy.GetTasks() {
		if t.GetSubtask().ID() == id {
			return actor.NewPID(t.GetHost(), w.supervisor+"/"+subtaskName(id)), t.GetNode() != w.o.Node
		}
	}
	panic(fmt.Sprintf("weir: deployment of attempt %d does not place subtask %s", w.deploy.GetAttempt(), id))
}
