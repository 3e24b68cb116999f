package actors

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	"google.golang.org/protobuf/proto"

	"github.com/weirflow/weir/actors/credit"
	"github.com/weirflow/weir/actors/env"
	"github.com/weirflow/weir/messages"
	"github.com/weirflow/weir/messages/mutant"
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
}

type startSubtask struct{} // parent: every node is deployed
type subtaskReady struct{} // to the parent: restored
type lingerTick struct{}   // what is pending has waited long enough
type drainCheck struct{}   // has anything come in since?
type wakeNode struct {     // a processing-time timer is due
	node *node
	at   int64
}

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
	return s.onMessage(m)
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
	case drainCheck:
		s.onDrainCheck()
	case lingerTick:
		s.lingering = false
		s.out.flush()
	case startSubtask:
		return s.start()
	case *snapshotDone:
		s.onSnapshotDone(m)
	case *prepareRetry:
		return s.onRetry(m)
	case *wakeNode:
		return s.onWake(m)
	case idleCheck:
		return s.source.onIdleCheck()
	case periodicTick:
		return s.source.onPeriodic()
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
		return s.onComplete(messages.CheckpointID(m.GetCheckpoint()))
	case *messages.CheckpointAborted:
		return s.onAborted(messages.CheckpointID(m.GetCheckpoint()))
	case *messages.AssignSplits:
		return s.onAssign(m)
	case *messages.StopSources:
		if s.source != nil {
			return s.source.stop(m.GetDrain())
		}
	case *messages.StatusRequest:
		s.tell(s.status())
	}
	return nil
}

// begin opens everything: operators, their restored state, channels.
func (s *subtask) begin() error {
	exchanges := s.openChannels()
	s.ops = newChain(s, exchanges)
	head := s.ops.nodes[0]
	if head.op.Source != nil {
		s.source = newSource(s, head)
	}
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
		s.sayHello()
		return s.source.start()
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

func (s *subtask) sayHello() {
	_, idle := s.clock()
	s.out.broadcast(element{kind: kindHello, watermark: s.head, idle: idle})
	s.out.flush()
}

// clock gives the subtask's event-time clock and whether it is idle.
func (s *subtask) clock() (watermark int64, idle bool) {
	if s.source != nil {
		return s.source.clock.Current(), s.source.clock.Idle()
	}
	return s.in.clock.Current(), s.in.clock.Idle()
}

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

// ready tells whether another batch may be worked off: every output has
// credit, and no sink waits for its transaction.
func (s *subtask) ready() bool {
	for _, n := range s.ops.nodes {
		if n.sink != nil && n.sink.paused() {
			return false
		}
	}
	return s.out.open()
}

// run works off what came in, as far as barriers and credit allow.
func (s *subtask) run() error {
	for s.started && s.in.waiting > 0 && s.ready() {
		i, e := s.in.next()
		if e == nil {
			return nil
		}
		s.busy()
		if err := s.consume(i, e); err != nil {
			return err
		}
	}
	return nil
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

// onHello sets a channel's clock; after the last one the subtask says hello
// itself and takes records.
func (s *subtask) onHello(i int, e *element) error {
	s.in.clock.Restore(i, e.watermark, e.idle)
	if s.in.hellos++; s.in.hellos < len(s.in.channels) {
		return nil
	}
	s.in.clock.RestoreCurrent(s.head)
	s.running = true
	s.sayHello()
	if s.in.clock.Raise() {
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

// onTrigger starts checkpoint n at a source. Others wait for barriers.
func (s *subtask) onTrigger(n messages.CheckpointID, savepoint bool) error {
	if s.source == nil || !s.running || n <= s.taken {
		return nil
	}
	s.taken = n
	waited := !s.ready()
	if err := s.snapshot(n, savepoint); err != nil || !waited {
		return err
	}
	return s.resume() // the sink that it waited for may have prepared now
}

func (s *subtask) onAssign(m *messages.AssignSplits) error {
	if s.source == nil {
		return nil
	}
	was := s.source.clock.Idle()
	if err := s.source.assign(m.GetAssignment().GetSplits()); err != nil {
		return s.source.n.fail(err)
	}
	if now := s.source.clock.Idle(); now != was && s.running {
		s.out.broadcast(element{kind: kindStatus, idle: now})
	}
	s.tell(&messages.SplitsAssigned{Job: string(s.o.Job), Attempt: uint64(s.attempt), Subtask: s.id.Proto(), Seq: m.GetSeq()})
	return s.source.pull()
}

// busy notes that something was worked off: what is pending leaves when the
// subtask has drained its input, and at the latest after the linger.
func (s *subtask) busy() {
	s.progress++
	if len(s.out.edges) == 0 {
		return
	}
	if !s.checking {
		s.check()
	}
	if !s.lingering {
		s.lingering = true
		s.after(s.o.Linger, lingerTick{})
	}
}

func (s *subtask) check() {
	s.checking, s.checked = true, s.progress
	s.toSelf(drainCheck{})
}

// onDrainCheck flushes when nothing was worked off since the check was sent:
// everything that was in the mailbox then has had its turn.
func (s *subtask) onDrainCheck() {
	s.checking = false
	if s.checked == s.progress {
		s.out.flush()
		return
	}
	s.check()
}

// wake sets a processing-time timer of a node; an earlier one that is set wins.
func (s *subtask) wake(n *node, at int64) {
	if n.cancel != nil {
		if n.wakeAt <= at {
			return
		}
		n.cancel()
	}
	n.wakeAt = at
	delay := time.Duration(max(at-s.now(), 0)) * time.Millisecond
	n.cancel = s.o.Env.After(delay, s.self, &wakeNode{node: n, at: at})
}

func (s *subtask) onWake(m *wakeNode) error {
	n := m.node
	if n.cancel == nil || n.wakeAt != m.at {
		return nil // an earlier one replaced it
	}
	n.cancel = nil
	if !s.running || !s.ready() { // what a timer emits needs credit and an open transaction, too
		s.wake(n, s.now()+s.o.Linger.Milliseconds()+1)
		return nil
	}
	s.busy()
	t, ok := n.inst.(plan.ProcessingTimer)
	if !ok {
		return nil
	}
	return n.guard(func() error { return t.OnProcessingTime(s.now()) })
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

func (s *subtask) send(to *actor.PID, m any) { s.o.Env.System().Root.Send(to, m) }

func (s *subtask) toSelf(m any) { s.send(s.self, m) }

func (s *subtask) tell(m proto.Message) { s.send(s.coordinator, m) }

func (s *subtask) now() int64 { return s.o.Env.Now().UnixMilli() }

// after sends a message to the subtask later. One that outlives the attempt
// finds nobody.
func (s *subtask) after(d time.Duration, m any) { s.o.Env.After(d, s.self, m) }

// work runs f off the mailbox under the attempt's context, which ends before the
// env's does. Joining the two by context.AfterFunc would take a goroutine, and
// when f hears of the end would depend on it.
func (s *subtask) work(name string, f func(context.Context) any) {
	s.o.Env.Work(s.self, name, func(context.Context) any { return f(s.ctx) })
}
