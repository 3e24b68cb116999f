package operatortest

import (
	"context"

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
// they did, also what they ask for meanwhile, and ends what thereby comes to its
// end. Every call of a harness, driver or script does so before it returns.
func (e *engine) settle() {
	e.t.Helper()
	for len(e.works) > 0 {
		w := e.works[0]
		e.works = e.works[1:]
		result := w.run(w.ctx)
		if to, ok := w.node.inst.(plan.Worker); ok {
			w.node.check("OnResult", to.OnResult(result))
		}
	}
	e.finish()
}

// pending tells whether results are still to come.
func (n *node) pending() bool {
	d, ok := n.inst.(plan.Deferrer)
	return ok && d.Pending()
}

// watermark is where the outputs are.
func (n *node) watermark() int64 {
	if d, ok := n.inst.(plan.Deferrer); ok {
		return d.OutputWatermark(n.clock.current)
	}
	return n.clock.current
}
