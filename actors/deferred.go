package actors

import (
	"context"

	"github.com/weirflow/weir/operators/plan"
)

// What an operator has done off the mailbox, and what waits until it is done.

// workDone comes back from a work that an operator asked for.
type workDone struct {
	node   *node
	result any
}

// workFor is Runtime.Work. A child of the attempt's context takes no goroutine.
func (s *subtask) workFor(n *node, name string, f func(context.Context) any) (cancel func()) {
	ctx, cancel := context.WithCancel(s.ctx)
	s.o.Env.Work(s.self, name, func(context.Context) any {
		defer cancel()
		return &workDone{node: n, result: f(ctx)}
	})
	return cancel
}

// takeResult hands a result to the operator that asked for it.
func (s *subtask) takeResult() error {
	d := s.results[0]
	s.results[0] = nil
	s.results = s.results[1:]
	w, ok := d.node.inst.(plan.Worker)
	if !ok {
		return nil
	}
	s.busy()
	if err := d.node.guard(func() error { return w.OnResult(d.result) }); err != nil {
		return err
	}
	return s.settle()
}

// settle does what waited for the last pending result.
func (s *subtask) settle() error {
	if s.pending() {
		return nil
	}
	s.tellIdle()
	if !s.ending {
		return nil
	}
	s.ending = false
	return s.endOfInput()
}

// afterTimer goes on with what a timer may have made room for.
func (s *subtask) afterTimer() error {
	if s.gate == nil && s.deferrer == nil {
		return nil
	}
	if err := s.settle(); err != nil {
		return err
	}
	return s.run()
}

// becomeDeferring learns what the head waits for, who keeps results back, and who steps.
func (s *subtask) becomeDeferring(head *node) {
	s.gate, _ = head.inst.(plan.Gate)
	for _, n := range s.ops.nodes {
		if _, ok := n.inst.(plan.Stepper); ok {
			s.steppers = append(s.steppers, n)
		} else if d, ok := n.inst.(plan.Deferrer); ok {
			s.deferrer = d
		}
	}
}

// gateOpen tells whether the head takes another batch.
func (s *subtask) gateOpen() bool { return s.gate == nil || s.gate.Ready() }

// pending tells whether results are to come of what is worked off.
func (s *subtask) pending() bool {
	return s.deferrer != nil && s.deferrer.Pending() || s.stepper() != nil
}
