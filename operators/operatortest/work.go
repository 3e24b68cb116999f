package operatortest

import (
	"context"
	"slices"

	"github.com/weirflow/weir/operators/plan"
)

// work is what a subtask asked to be done off its mailbox.
type work struct {
	node *node
	ctx  context.Context
	run  func(ctx context.Context) any
}

// ask is Runtime.Work. What is asked for waits for settle.
func (n *node) ask(_ string, f func(ctx context.Context) any) (cancel func()) {
	ctx, cancel := context.WithCancel(n.rt.Context)
	n.engine.works = append(n.engine.works, work{node: n, ctx: ctx, run: f})
	return cancel
}

// settle runs what subtasks asked for, one after the other in the order in which
// they did, also what they ask for meanwhile, has operators give what they give in
// steps, and ends what thereby comes to its end. Every call of a harness, driver or
// script does so before it returns; but where snapshots are to come between steps,
// these wait for the next call.
func (e *engine) settle() {
	e.t.Helper()
	e.work()
	for !e.halting && e.step() {
		e.work()
	}
	e.finish()
}

// rest settles what has waited.
func (e *engine) rest() {
	e.t.Helper()
	was := e.halting
	e.halting = false
	e.settle()
	e.halting = was
}

func (e *engine) work() {
	e.t.Helper()
	for len(e.works) > 0 {
		w := e.works[0]
		e.works = e.works[1:]
		result := w.run(w.ctx)
		if to, ok := w.node.inst.(plan.Worker); ok {
			w.node.check("OnResult", to.OnResult(result))
		}
	}
}

// step has the last operator that is in the middle of its results do a step, and
// tells whether there was one.
func (e *engine) step() bool {
	e.t.Helper()
	for _, all := range slices.Backward(e.nodes) {
		for _, n := range all {
			if s, ok := n.inst.(plan.Stepper); ok && s.Pending() {
				n.check("Step", s.Step())
				return true
			}
		}
	}
	return false
}

// pending tells whether results are still to come.
func (n *node) pending() bool {
	d, ok := n.inst.(plan.Deferrer)
	return ok && d.Pending()
}

// watermark is where an output is.
func (n *node) watermark(tag string) int64 {
	d, ok := n.inst.(plan.Deferrer)
	if _, steps := d.(plan.Stepper); !ok || steps && tag != "" {
		return n.clock.current
	}
	return d.OutputWatermark(n.clock.current)
}
