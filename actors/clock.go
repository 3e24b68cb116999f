package actors

import (
	"github.com/weirflow/weir/messages"
	"github.com/weirflow/weir/messages/mutant"
)

// The event-time clock of a subtask with inputs, from the hellos of its channels
// to their ends. A source has its own: sourceclock.go.

// clock gives the subtask's event-time clock and whether it is idle.
func (s *subtask) clock() (watermark int64, idle bool) {
	if s.source != nil {
		return s.source.clock.Current(), s.source.clock.Idle()
	}
	return s.in.clock.Current(), s.in.clock.Idle()
}

func (s *subtask) sayHello() {
	watermark, idle := s.clock()
	s.out.broadcast(element{kind: kindHello, watermark: watermark, idle: idle})
	s.out.flush()
}

// onHello sets a channel's clock; after the last one the subtask says hello
// itself and takes records.
func (s *subtask) onHello(i int, e *element) error {
	s.in.clock.Restore(i, e.watermark, e.idle)
	if s.in.hellos++; s.in.hellos < len(s.in.channels) {
		return nil
	}
	s.in.clock.RestoreCurrent(s.head)
	s.running = true
	grew := s.in.clock.Raise() // before the hello: a channel that says too little would count as lagging
	s.sayHello()
	if grew {
		return s.pushClock()
	}
	return nil
}

// onStatus makes a channel idle or active.
func (s *subtask) onStatus(i int, idle bool) error {
	was := s.in.clock.Idle()
	if s.in.clock.SetIdle(i, idle) {
		if err := s.pushClock(); err != nil {
			return err
		}
	}
	if now := s.in.clock.Idle(); now != was {
		s.out.broadcast(element{kind: kindStatus, idle: now})
	}
	return nil
}

// pushClock brings the operators a watermark that came without a batch.
func (s *subtask) pushClock() error {
	e := s.in.channels[0].edge
	return s.pushHead(e, e.Type.New(0).WithMark(s.in.clock.Current()))
}

func (s *subtask) onEnd(c *inChannel) error {
	c.ended = true
	if s.in.ended++; s.in.ended < len(s.in.channels) {
		return nil
	}
	if !mutant.On("lose-idle-end") && s.in.clock.End() { // inputs that were idle to their end
		if err := s.pushClock(); err != nil {
			return err
		}
	}
	return s.endOfInput()
}

// endOfInput passes the end on. Only an input that was drained, up to the
// maximum watermark, is finished; one that was stopped goes on another day.
func (s *subtask) endOfInput() error {
	if w, _ := s.clock(); w == messages.MaxWatermark {
		if err := s.ops.finish(); err != nil {
			return err
		}
		s.finished = true
	}
	s.out.broadcast(element{kind: kindEnd})
	s.o.Env.Step("subtask.finished")
	s.tell(&messages.SubtaskFinished{Job: string(s.o.Job), Attempt: uint64(s.attempt), Subtask: s.id.Proto()})
	return nil
}
