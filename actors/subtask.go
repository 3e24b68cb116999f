package actors

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"

	"github.com/asynkron/protoactor-go/actor"
	"google.golang.org/protobuf/proto"

	"github.com/weirflow/weir/actors/env"
	"github.com/weirflow/weir/messages"
	"github.com/weirflow/weir/operators/plan"
)

// subtask is the actor that runs one parallel instance of a chain.
//
// Its life: Started opens the operators and restores their state; startSubtask
// lets records flow; an error ends it, and with it the attempt. It never
// restarts in place.
type subtask struct {
	o           *Options
	id          messages.SubtaskID
	chain       *plan.Chain
	attempt     messages.Attempt
	restore     *messages.Manifest
	splits      []*messages.SplitState // of the head, when it is a source
	channels    channels               // where its neighbours are
	coordinator *actor.PID
	ctx         context.Context // ends with the attempt

	self      *actor.PID
	parent    *actor.PID
	ops       *chain
	in        *inputs
	out       *outputs
	source    *source               // nil unless the head is one
	started   bool                  // startSubtask came: sinks have begun
	running   bool                  // startSubtask came and every input said hello
	finished  bool                  // end of input was worked off
	completed messages.CheckpointID // greatest that was told complete
	taken     messages.CheckpointID // greatest whose snapshot was taken
	progress  uint64                // grows with everything that is worked off
	checking  bool                  // a drainCheck is on its way
	checked   uint64                // progress when it was sent
	lingering bool                  // a lingerTick is on its way
	stale     uint64                // messages of other attempts
	head      int64                 // clock of the head as restored
	results   []*workDone           // came in and wait for credit; bounded by who asked for the works
	gate      plan.Gate             // the head's, or nil
	deferrer  plan.Deferrer         // nil: nobody keeps results back for as long as calls take. It is alone, so the head
	steppers  []*node               // in the order of the chain
	stepping  bool                  // a stepTick is on its way
	fed       bool                  // something but a barrier was worked off since the last step
	ending    bool                  // every input ended, and results are pending
	idle      bool                  // as the outputs were told last
}

type startSubtask struct{} // parent: every node is deployed
type subtaskReady struct{} // to the parent: restored
type lingerTick struct{}   // what is pending has waited long enough
type drainCheck struct{}   // has anything come in since?

// Receive is the subtask's one door. A failure leaves it as a panic with a
// *messages.Failure, which protoactor brings to the attempt's HandleFailure.
func (s *subtask) Receive(c actor.Context) {
	switch m := c.Message().(type) {
	case *actor.Started:
		s.self, s.parent = c.Self(), c.Parent()
		s.must(s.begin())
	case *actor.Stopping:
		s.end()
	case *actor.Stopped, *actor.Restarting:
	case *actor.Terminated:
		s.must(s.onTerminated(m))
	case startSubtask:
		s.watchNeighbours(c)
		s.must(s.guarded(m))
	default:
		s.must(s.guarded(m))
	}
}

// guarded turns a panic of ours into a failure that keeps its stack.
func (s *subtask) guarded(m any) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = &messages.Failure{Subtask: s.id.Proto(), Reason: fmt.Sprintf("panic: %v", r), Stack: string(debug.Stack()), KeyGroup: -1}
		}
	}()
	if err := s.onMessage(m); err != nil {
		return err
	}
	s.goStepping()
	return nil
}

func (s *subtask) must(err error) {
	if err == nil {
		return
	}
	var f *messages.Failure
	if !errors.As(err, &f) {
		f = &messages.Failure{Subtask: s.id.Proto(), Reason: err.Error(), KeyGroup: -1}
	}
	panic(f)
}

func (s *subtask) onMessage(m any) error {
	switch m := m.(type) {
	case *element:
		return s.onElement(m)
	case *messages.Frame:
		return s.onFrame(m)
	case *creditReturn:
		return s.onCredit(m.attempt, m.channel, 1, m.batch)
	case *messages.Credit:
		return s.onCredit(messages.Attempt(m.GetAttempt()), m.GetChannel().ID(), int(m.GetBatches()), nil)
	case pullTick:
		s.source.ticking = false
		return s.source.pull()
	case *readDone:
		return s.source.onRead(m)
	case *told:
		return s.source.onTold(m)
	case stepTick:
		return s.onStep()
	case drainCheck:
		s.onDrainCheck()
	case lingerTick:
		s.lingering = false
		s.out.flush()
	case startSubtask:
		return s.start()
	case *snapshotDone:
		s.onSnapshotDone(m)
	case *workDone:
		s.results = append(s.results, m)
		return s.run()
	case *prepareRetry:
		return s.onRetry(m)
	case *ageCheck:
		m.sink.age.check()
	case *wakeNode:
		return s.onWake(m)
	case idleCheck:
		return s.source.onIdleCheck()
	case periodicTick:
		return s.source.onPeriodic()
	case alignTick:
		s.source.onAlignTick()
	case alignSoon:
		s.source.onAlignSoon()
	case *env.WorkPanic:
		return &messages.Failure{Subtask: s.id.Proto(), Reason: m.Error(), Stack: string(m.Stack), KeyGroup: -1}
	case proto.Message:
		return s.onOrder(m)
	}
	return nil
}

// onOrder takes what the coordinator says. The worker passes on only what is
// meant for this attempt.
func (s *subtask) onOrder(m proto.Message) error {
	switch m := m.(type) {
	case *messages.TriggerCheckpoint:
		return s.onTrigger(messages.CheckpointID(m.GetCheckpoint()), m.GetSavepoint())
	case *messages.CheckpointComplete:
		s.onHeard(m.GetHeard())
		return s.onComplete(messages.CheckpointID(m.GetCheckpoint()))
	case *messages.CheckpointAborted:
		return s.onAborted(messages.CheckpointID(m.GetCheckpoint()))
	case *messages.AssignSplits:
		return s.onAssign(m)
	case *messages.StopSources:
		if s.source != nil {
			return s.source.stop(m.GetDrain())
		}
	case *messages.GroupWatermark:
		if s.source != nil {
			return s.source.onGroup(m)
		}
	case *messages.StatusRequest:
		s.tell(s.status())
	}
	return nil
}

func (s *subtask) onAssign(m *messages.AssignSplits) error {
	if s.source == nil {
		return nil
	}
	if err := s.source.assign(m.GetAssignment().GetSplits()); err != nil {
		return s.source.n.fail(err)
	}
	if s.running {
		s.tellIdle()
	}
	s.tell(&messages.SplitsAssigned{Job: string(s.o.Job), Attempt: uint64(s.attempt), Subtask: s.id.Proto(), Seq: m.GetSeq()})
	return s.source.pull()
}

func (s *subtask) send(to *actor.PID, m any) { s.o.Env.System().Root.Send(to, m) }

func (s *subtask) toSelf(m any) { s.send(s.self, m) }

func (s *subtask) tell(m proto.Message) { s.send(s.coordinator, m) }

func (s *subtask) now() int64 { return s.o.Env.Now().UnixMilli() }

// work runs f off the mailbox under the attempt's context, which ends before the
// env's does. Joining the two by context.AfterFunc would take a goroutine, and
// when f hears of the end would depend on it.
func (s *subtask) work(name string, f func(context.Context) any) {
	s.o.Env.Work(s.self, name, func(context.Context) any { return f(s.ctx) })
}
