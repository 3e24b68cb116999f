package actors

import (
	"fmt"

	"github.com/weirflow/weir/messages"
	"github.com/weirflow/weir/messages/mutant"
	"github.com/weirflow/weir/operators/plan"
)

// How a batch gets through a subtask: it arrives on a channel, waits until the
// outputs have credit, goes through the chain, and its credit goes back.

func (s *subtask) onFrame(f *messages.Frame) error {
	if messages.Attempt(f.GetAttempt()) != s.attempt {
		s.stale++
		return nil
	}
	i, ok := s.in.byID[f.GetChannel().ID()]
	if !ok {
		return fmt.Errorf("frame on channel %s, which does not lead here", f.GetChannel().ID())
	}
	e, err := elementOf(f, s.in.channels[i].edge.Type)
	if err != nil {
		return fmt.Errorf("channel %s, element %d: %w", f.GetChannel().ID(), f.GetSeq(), err)
	}
	return s.onElement(e)
}

func (s *subtask) onElement(e *element) error {
	if e.attempt != s.attempt {
		s.stale++
		return nil
	}
	if _, err := s.in.arrive(e); err != nil {
		return err
	}
	return s.run()
}

// ready tells whether a source or a timer may give something to work off: it is
// able to leave, and no operator has results of the last batch pending.
func (s *subtask) ready() bool { return s.able() && s.stepper() == nil }

// able tells whether what is worked off can leave: every output has credit, and
// no sink waits for its transaction.
func (s *subtask) able() bool {
	for _, n := range s.ops.nodes {
		if n.sink != nil && n.sink.paused() {
			return false
		}
	}
	return s.out.open()
}

// run works off what came in, as far as barriers, gates and credit allow, what
// operators had done elsewhere first.
func (s *subtask) run() error {
	for s.started && s.able() {
		if s.running && len(s.results) > 0 {
			if err := s.takeResult(); err != nil {
				return err
			}
			continue
		}
		i, e := s.next()
		if e == nil {
			return nil
		}
		s.busy()
		s.fed = s.fed || e.kind != kindBarrier
		if err := s.consume(i, e); err != nil {
			return err
		}
	}
	return nil
}

func (s *subtask) next() (channel int, e *element) {
	if s.in.waiting == 0 {
		return 0, nil
	}
	switch {
	case s.fed && s.running && s.stepper() != nil:
		return s.in.next(only(kindBarrier))
	case !s.gateOpen():
		return s.in.next(anything &^ only(kindBatch))
	}
	return s.in.next(anything)
}

func (s *subtask) consume(i int, e *element) error {
	c := s.in.channels[i]
	switch e.kind {
	case kindHello:
		return s.onHello(i, e)
	case kindBatch:
		s.in.advance(i, e.batch)
		if err := s.pushHead(c.edge, e.batch); err != nil {
			return err
		}
		s.tellIdle() // a channel may have ended, of which only idle ones are left
		s.giveBack(c, e)
	case kindBarrier:
		if out := s.in.align.OnBarrier(i, e.checkpoint); out.Complete != 0 {
			s.taken = out.Complete
			return s.snapshot(out.Complete, e.savepoint)
		}
	case kindStatus:
		return s.onStatus(i, e.idle)
	case kindEnd:
		return s.onEnd(c)
	}
	return nil
}

func (s *subtask) pushHead(e *plan.Edge, b *plan.Batch) error {
	if b.Len() == 0 && len(b.Marks) == 0 {
		return nil
	}
	return s.ops.nodes[0].process(e.Port, nil, b)
}

// giveBack returns the credit of a consumed batch, within a node with the batch.
func (s *subtask) giveBack(c *inChannel, e *element) {
	if mutant.On("credit-leak") && c.seq%16 == 0 {
		return
	}
	if c.remote {
		s.send(c.from, &messages.Credit{Job: string(s.o.Job), Attempt: uint64(s.attempt), Channel: c.id.Proto(), Batches: 1})
		return
	}
	c.edge.Type.Reset(e.batch)
	s.send(c.from, (*creditReturn)(e))
}

func (s *subtask) onCredit(attempt messages.Attempt, id messages.ChannelID, batches int, spent *plan.Batch) error {
	if attempt != s.attempt {
		s.stale++
		return nil
	}
	if err := s.out.onCredit(id, batches, spent, s.o.Credits+1); err != nil {
		return fmt.Errorf("channel %s: %w", id, err)
	}
	return s.resume()
}

// resume goes on with what waited for credit or for a transaction.
func (s *subtask) resume() error {
	if s.source == nil {
		return s.run()
	}
	if s.source.ticking {
		return nil
	}
	return s.source.pull()
}

// onRetry has a sink prepare again.
func (s *subtask) onRetry(m *prepareRetry) error {
	if err := m.sink.onRetry(s.ctx); err != nil {
		return err
	}
	return s.resume()
}

// sender numbers elements and puts them on the wire or into the mailbox.
func (s *subtask) sender(c *outChannel, edge *plan.Edge) func(*element) {
	return func(e *element) {
		c.seq++
		e.attempt, e.channel, e.seq = s.attempt, c.id, c.seq
		if !c.remote {
			s.send(c.to, e)
			return
		}
		f, err := frameOf(s.o.Job, e, edge.Type)
		if err != nil {
			s.must(&messages.Failure{Operator: string(edge.From.Name), Subtask: s.id.Proto(), Reason: err.Error(), KeyGroup: -1})
		}
		s.send(c.to, f)
		if e.kind == kindBatch {
			edge.Type.Reset(e.batch)
			c.spare = append(c.spare, e.batch)
		}
	}
}
