package actors

import (
	"github.com/weirflow/weir/messages"
	"github.com/weirflow/weir/messages/mutant"
	"github.com/weirflow/weir/operators/plan"
)

// How an operator with very many results at once gives them in steps.
//
// Invariants: one step is done for each stepTick, and at most one of those is on its
// way; a step begins only where a batch could. While results are pending no source is
// read and no timer fires, and of what came in on channels at most one element is
// worked off between two steps, barriers not counted. So a barrier waits for a step,
// and for one more for each batch that is before it on its channel; and as a step
// gives more results than a batch has records, given two credits or more, the firing gets
// done all the same.
// Who is not ready comes again, and the last step resumes all others.

type stepTick struct{} // do a step

// stepper is the operator that steps next, the last one with results pending.
func (s *subtask) stepper() *node {
	for i := len(s.steppers) - 1; i >= 0; i-- {
		if n := s.steppers[i]; n.inst.(plan.Stepper).Pending() {
			return n
		}
	}
	return nil
}

// goStepping asks for a step by a message to itself, behind all that is in the
// mailbox, if one is due and may be done. It runs after every message.
func (s *subtask) goStepping() {
	if len(s.steppers) > 0 && !s.stepping && s.running && s.stepper() != nil && s.able() {
		s.stepping = true
		s.toSelf(stepTick{})
	}
}

func (s *subtask) onStep() error {
	s.stepping, s.fed = false, false
	n := s.stepper()
	if n == nil || !s.able() {
		return s.resume()
	}
	s.busy()
	if err := n.guard(n.inst.(plan.Stepper).Step); err != nil {
		return err
	}
	s.o.Env.Step("subtask.stepped")
	if err := s.settle(); err != nil {
		return err
	}
	return s.resume()
}

// inputWatermark is the event-time clock of an operator: of what has come to it
// through the operators before it, whose results may be pending.
func (s *subtask) inputWatermark(n *node) int64 {
	if n == s.ops.nodes[0] {
		watermark, _ := s.clock()
		return watermark
	}
	least := messages.MaxWatermark
	for _, e := range n.op.Inputs {
		least = min(least, s.watermarkOn(e))
	}
	return least
}

// watermarkOn is the watermark that has left on an edge of this subtask, or that
// an attempt begins with on it.
func (s *subtask) watermarkOn(e *plan.Edge) int64 {
	n := s.ops.node(e.From)
	input := s.inputWatermark(n)
	d, ok := n.inst.(plan.Deferrer)
	_, steps := d.(plan.Stepper)
	if !ok || steps && e.Tag != "" || mutant.On("hello-ahead") {
		return input
	}
	return d.OutputWatermark(input)
}
