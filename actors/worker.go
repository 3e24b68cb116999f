package actors

import (
	"fmt"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	"google.golang.org/protobuf/proto"

	"github.com/weirflow/weir/messages"
)

// worker owns a node's subtasks. It registers with the coordinator, shows that
// it lives, and hands orders to the attempt they are meant for. When it hears
// nothing of the coordinator for too long it stops everything by itself: it may
// be cut off, and another node may already be doing its work.
type worker struct {
	o           *Options
	coordinator *actor.PID
	session     string // of the process

	self     *actor.PID
	attempts map[uint64]*actor.PID // alive
	beat     uint64
	heard    time.Time // of the coordinator, last
	known    bool      // the coordinator answered
	fences   int       // how often everything was stopped; each begins a new session
}

type beatTick struct{}

// NewWorker gives the props of a job's worker actor on this node. Its actor id
// must be the same on every node, for a subtask's address follows from it.
// session must differ from that of every earlier process of the same node.
func NewWorker(o Options, coordinator *actor.PID, session string) *actor.Props {
	o = o.withDefaults()
	return actor.PropsFromProducer(func() actor.Actor {
		return &worker{o: &o, coordinator: coordinator, session: session, attempts: map[uint64]*actor.PID{}}
	}, o.Env.Props()...)
}

// Receive handles one message.
func (w *worker) Receive(c actor.Context) {
	switch m := c.Message().(type) {
	case *actor.Started:
		w.self, w.heard = c.Self(), w.o.Env.Now()
		w.register(c)
		w.o.Env.After(w.o.HeartbeatEvery, w.self, beatTick{})
	case beatTick:
		w.onBeat(c)
	case *messages.Heartbeat:
		if m.GetSession() == w.sessionID() {
			w.known, w.heard = true, w.o.Env.Now()
		}
	case *messages.Deploy:
		w.onDeploy(c, m)
	case *messages.StopAttempt:
		w.onStopAttempt(c, m)
	case *actor.Terminated:
		w.onTerminated(c, m)
	case attemptMessage:
		w.pass(m)
	}
}

// attemptMessage is an order for one attempt.
type attemptMessage interface {
	proto.Message
	GetAttempt() uint64
}

// HandleFailure ends an attempt actor that failed itself, which is a bug of ours.
func (w *worker) HandleFailure(_ *actor.ActorSystem, supervisor actor.Supervisor, child *actor.PID, _ *actor.RestartStatistics, reason, _ any) {
	w.o.Logger.Error("attempt actor failed", "actor", child.GetId(), "reason", reason)
	if n, ok := w.numberOf(child); ok {
		f := &messages.Failure{Reason: fmt.Sprintf("attempt actor: %v", reason), Node: w.o.Node, KeyGroup: -1}
		w.send(&messages.AttemptFailed{Job: string(w.o.Job), Attempt: n, Failure: f})
	}
	supervisor.StopChildren(child)
}

// sessionID names this life of the worker to the coordinator, which gives up
// what an earlier one ran.
func (w *worker) sessionID() string { return fmt.Sprintf("%s.%d", w.session, w.fences) }

// register introduces the worker, and asks to be told when the connection to the
// coordinator breaks: what was under way on it is lost without a word.
func (w *worker) register(c actor.Context) {
	c.Watch(w.coordinator)
	w.send(&messages.RegisterWorker{
		Node: w.o.Node, Session: w.sessionID(),
		Worker: &messages.Address{Host: w.self.GetAddress(), Id: w.self.GetId()},
	})
}

func (w *worker) onBeat(c actor.Context) {
	if !w.known {
		w.register(c)
	}
	w.beat++
	w.send(&messages.Heartbeat{Node: w.o.Node, Session: w.sessionID(), Beat: w.beat})
	if silent := w.o.Env.Now().Sub(w.heard); silent > w.o.HeartbeatTimeout {
		w.fence(c, fmt.Sprintf("no word from the coordinator for %v", silent))
	}
	w.o.Env.After(w.o.HeartbeatEvery, w.self, beatTick{})
}

// fence stops everything here and starts over as a stranger.
func (w *worker) fence(c actor.Context, why string) {
	w.known, w.heard = false, w.o.Env.Now()
	w.fences++
	if len(w.attempts) == 0 {
		return
	}
	w.o.Logger.Warn("stopping every subtask", "reason", why)
	for _, pid := range c.Children() {
		c.Send(pid, &messages.StopAttempt{Job: string(w.o.Job)})
	}
}

func (w *worker) onDeploy(c actor.Context, d *messages.Deploy) {
	if _, ok := w.attempts[d.GetAttempt()]; ok {
		return // a repeat
	}
	if f := w.refusal(d); f != nil {
		w.send(&messages.AttemptFailed{Job: d.GetJob(), Attempt: d.GetAttempt(), Failure: f})
		return
	}
	props := actor.PropsFromProducer(func() actor.Actor { return newAttempt(w.o, d, w.coordinator) }, w.o.Env.Props()...)
	pid, err := c.SpawnNamed(props, attemptName(d.GetAttempt(), d.GetRegion()))
	if err != nil {
		f := &messages.Failure{Reason: "spawn: " + err.Error(), Node: w.o.Node, KeyGroup: -1}
		w.send(&messages.AttemptFailed{Job: d.GetJob(), Attempt: d.GetAttempt(), Failure: f})
		return
	}
	w.attempts[d.GetAttempt()] = pid
}

func (w *worker) refusal(d *messages.Deploy) *messages.Failure {
	if own := w.o.Plan.Fingerprint(); d.GetFingerprint() != own {
		return &messages.Failure{
			Reason: "the topology here has fingerprint " + own + ", the coordinator's " + d.GetFingerprint() + "; all nodes must run the same program",
			Node:   w.o.Node, KeyGroup: -1, Permanent: true,
		}
	}
	return nil
}

// onStopAttempt ends an attempt; one that is not here is already stopped.
func (w *worker) onStopAttempt(c actor.Context, m *messages.StopAttempt) {
	if pid, ok := w.attempts[m.GetAttempt()]; ok {
		c.Send(pid, m)
		return
	}
	w.send(&messages.AttemptStopped{Job: m.GetJob(), Attempt: m.GetAttempt(), Node: w.o.Node})
}

func (w *worker) onTerminated(c actor.Context, m *actor.Terminated) {
	if w.coordinator.Equal(m.GetWho()) {
		if m.GetWhy() == actor.TerminatedReason_AddressTerminated {
			w.fence(c, "the connection to the coordinator broke")
		}
		return
	}
	if attempt, ok := w.numberOf(m.GetWho()); ok {
		delete(w.attempts, attempt)
	}
}

// numberOf gives the attempt that an actor here runs.
func (w *worker) numberOf(who *actor.PID) (attempt uint64, ok bool) {
	for attempt, pid := range w.attempts { // order: at most one matches
		if pid.Equal(who) {
			return attempt, true
		}
	}
	return 0, false
}

// pass hands an order on. One for an attempt that is gone is stale.
func (w *worker) pass(m attemptMessage) {
	if pid, ok := w.attempts[m.GetAttempt()]; ok {
		w.o.Env.System().Root.Send(pid, m)
	}
}

func (w *worker) send(m proto.Message) { w.o.Env.System().Root.Send(w.coordinator, m) }
