package actors

import (
	"github.com/weirflow/weir/messages"
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

// sayHello tells the receivers where the outputs are: at the clock, unless an
// operator has results pending. Those must not come behind the watermark that the
// receivers begin with.
func (s *subtask) sayHello() {
	_, idle := s.clock()
	s.idle = idle && !s.pending()
	for _, x := range s.out.edges {
		x.broadcast(element{kind: kindHello, watermark: s.watermarkOn(x.edge), idle: s.idle})
	}
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
	if s.in.clock.SetIdle(i, idle) {
		if err := s.pushClock(); err != nil {
			return err
		}
	}
	s.tellIdle()
	return nil
}

// tellIdle tells the receivers whether to wait for watermarks of this subtask.
// While results are pending they must.
func (s *subtask) tellIdle() {
	_, idle := s.clock()
	if idle = idle && !s.pending(); idle != s.idle {
		s.idle = idle
		s.out.broadcast(element{kind: kindStatus, idle: idle})
	}
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
	s.ending = true
	return s.settle()
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
