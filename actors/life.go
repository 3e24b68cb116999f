package actors

import (
	"fmt"
	"runtime/debug"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/weirflow/weir/actors/credit"
	"github.com/weirflow/weir/messages"
	"github.com/weirflow/weir/messages/mutant"
)

// begin opens everything: operators, their restored state, channels.
func (s *subtask) begin() error {
	exchanges := s.openChannels()
	s.ops = newChain(s, exchanges)
	head := s.ops.nodes[0]
	if head.op.Source != nil {
		s.source = newSource(s, head)
	}
	s.becomeDeferring(head)
	if err := s.ops.init(); err != nil {
		return err
	}
	if err := s.restoreAll(); err != nil {
		return err
	}
	s.head = head.clock
	if s.source != nil {
		if err := s.source.assign(s.splits); err != nil {
			return head.fail(err)
		}
		s.source.restoreClock(s.head)
		s.source.stopped, s.source.drain = s.restore.GetFinal(), s.restore.GetFinal() // it ended, drained: nothing follows
	}
	if err := s.ops.open(); err != nil {
		return err
	}
	s.o.Env.Step("subtask.opened")
	s.send(s.parent, subtaskReady{})
	return nil
}

func (s *subtask) openChannels() map[int]*exchange {
	s.in = newInputs(s.channels.in, s.o.Mode, messages.CheckpointID(s.restore.GetCheckpoint()))
	s.taken = messages.CheckpointID(s.restore.GetCheckpoint())
	s.out = &outputs{byID: map[messages.ChannelID]*outChannel{}}
	exchanges := map[int]*exchange{}
	for _, e := range s.chain.Outputs {
		x := newExchange(e, s.id.Index, s.o.BatchRecords, s.o.Plan.MaxParallelism, s.busy)
		x.channels = s.channels.out[e.Index]
		for _, c := range x.channels {
			if c != nil {
				s.out.byID[c.id] = c
				c.window = credit.NewWindow(s.o.Credits, func(el *element) bool { return el.kind == kindBatch }, s.sender(c, e))
			}
		}
		s.out.edges = append(s.out.edges, x)
		exchanges[e.Index] = x
	}
	return exchanges
}

// start lets records flow. A source says hello at once, others once all their
// inputs did. It may be told again.
func (s *subtask) start() error {
	if s.started {
		return nil
	}
	if err := s.ops.recover(s.ctx); err != nil {
		return err
	}
	s.started = true
	if s.source != nil {
		s.running = true
		grew := s.source.clock.Raise()
		s.sayHello()
		return s.source.start(grew)
	}
	return s.run()
}

// watchNeighbours asks to be told when a connection to another node breaks. What
// was under way on it is lost without a word: a lost element may be the last one
// of its channel, which no gap shows, and a lost credit shows nowhere.
func (s *subtask) watchNeighbours(c actor.Context) {
	if mutant.On("connection-unwatched") {
		return
	}
	for _, in := range s.in.channels {
		if in.remote {
			c.Watch(in.from)
		}
	}
	for _, x := range s.out.edges {
		for _, out := range x.channels {
			if out != nil && out.remote {
				c.Watch(out.to)
			}
		}
	}
}

// onTerminated ends the attempt with a connection. A neighbour that ended by
// itself is its own node's to report.
func (s *subtask) onTerminated(m *actor.Terminated) error {
	if m.GetWhy() != actor.TerminatedReason_AddressTerminated {
		return nil
	}
	return fmt.Errorf("the connection to %s broke: what was under way to %s may be lost", m.GetWho().GetAddress(), m.GetWho().GetId())
}

// end closes everything. It must not panic: protoactor would never end the actor.
func (s *subtask) end() {
	defer func() {
		if r := recover(); r != nil {
			s.o.Logger.Error("subtask did not end cleanly", "subtask", s.id.String(), "panic", r, "stack", string(debug.Stack()))
		}
	}()
	if s.ops != nil {
		s.ops.close(s.o.Logger)
	}
	if s.source != nil {
		s.source.close()
	}
}
