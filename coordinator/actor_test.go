package coordinator_test

import (
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	"go.uber.org/goleak"

	"github.com/weirflow/weir/actors/env"
	"github.com/weirflow/weir/coordinator"
	"github.com/weirflow/weir/messages"
	"github.com/weirflow/weir/persistence"
	"github.com/weirflow/weir/persistence/memory"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var _ coordinator.Log = (*persistence.Log)(nil)

// node is an actor system in the real world.
type node struct {
	system *actor.ActorSystem
	env    *env.Real
}

func newNode(t *testing.T) *node {
	quiet := func(*actor.ActorSystem) *slog.Logger { return slog.New(slog.DiscardHandler) }
	n := &node{system: actor.NewActorSystem(actor.WithLoggerFactory(quiet),
		actor.WithDeadLetterThrottleInterval(time.Millisecond))} // its goroutine outlives the system by that
	n.env = env.NewReal(n.system)
	t.Cleanup(func() {
		n.env.Close()
		n.system.Shutdown()
	})
	return n
}

// obedient is a worker that does at once what it is told.
type obedient struct {
	coordinator *actor.PID
	tasks       map[uint64][]*messages.Subtask
}

func (o *obedient) Receive(c actor.Context) {
	switch m := c.Message().(type) {
	case *actor.Started:
		c.Send(o.coordinator, &messages.RegisterWorker{Node: "n", Session: "s", Worker: &messages.Address{Host: c.Self().Address, Id: c.Self().Id}})
	case *messages.Heartbeat:
		c.Send(o.coordinator, &messages.Heartbeat{Node: "n", Session: "s"})
	case *messages.Deploy:
		for _, t := range m.Tasks {
			o.tasks[m.Attempt] = append(o.tasks[m.Attempt], t.Subtask)
		}
		c.Send(o.coordinator, &messages.Deployed{Attempt: m.Attempt, Node: "n"})
	case *messages.StopAttempt:
		c.Send(o.coordinator, &messages.AttemptStopped{Attempt: m.Attempt, Node: "n"})
	case *messages.TriggerCheckpoint:
		for _, s := range o.tasks[m.Attempt] {
			c.Send(o.coordinator, &messages.CheckpointAck{Attempt: m.Attempt, Checkpoint: m.Checkpoint, Snapshot: &messages.SubtaskSnapshot{
				Subtask: s, Operators: []*messages.OperatorSnapshot{{Operator: s.Chain, Index: s.Index, Parallelism: 1}},
			}})
		}
	case *messages.CheckpointComplete:
		for _, s := range o.tasks[m.Attempt] {
			c.Send(o.coordinator, &messages.CheckpointCommitted{Attempt: m.Attempt, Checkpoint: m.Checkpoint, Subtask: s})
		}
	}
}

// run starts a coordinator with a worker and gives the events and the result.
func (n *node) run(t *testing.T, store persistence.CheckpointStore, owner string) (*actor.PID, *coordinator.Subscription, chan coordinator.Result) {
	t.Helper()
	events, done := &coordinator.Events{}, make(chan coordinator.Result, 1)
	sub := events.Subscribe(1000)
	props, err := coordinator.Props(coordinator.Config{
		Job: "job", Env: n.env, Store: store, Owner: owner, Events: events,
		Checkpoints: coordinator.Every(5 * time.Millisecond),
		Topology: coordinator.Topology{
			MaxParallelism: 8,
			Operators:      []*messages.OperatorMeta{{Name: "a", Kind: "map", Parallelism: 1}},
			Regions:        [][]messages.SubtaskID{{{Chain: "a"}}},
		},
		OnDone: func(r coordinator.Result) { done <- r },
	})
	if err != nil {
		t.Fatal(err)
	}
	pid := n.system.Root.Spawn(props)
	worker := n.system.Root.Spawn(actor.PropsFromProducer(func() actor.Actor {
		return &obedient{coordinator: pid, tasks: map[uint64][]*messages.Subtask{}}
	}))
	t.Cleanup(func() {
		_ = n.system.Root.StopFuture(pid).Wait() // first, or its heartbeats become dead letters
		_ = n.system.Root.StopFuture(worker).Wait()
	})
	return pid, sub, done
}

// await reads events until one has the text.
func await(t *testing.T, sub *coordinator.Subscription, text string) {
	t.Helper()
	deadline := time.After(20 * time.Second)
	for {
		select {
		case e := <-sub.C():
			if strings.Contains(e.Text, text) {
				return
			}
		case <-deadline:
			t.Fatalf("no event %q", text)
		}
	}
}

// TestActor: a coordinator as an actor over a real log: it takes checkpoints,
// answers its handle, stops with a last checkpoint, and its successor goes on.
func TestActor(t *testing.T) {
	n, store := newNode(t), memory.Store(0)
	pid, sub, done := n.run(t, store, "first")
	await(t, sub, "RUNNING")
	await(t, sub, "published")
	trigger := make(chan coordinator.TriggerResult, 1)
	n.system.Root.Send(pid, coordinator.Trigger{Reply: trigger})
	if r := <-trigger; r.Err != nil || r.Checkpoint == 0 {
		t.Errorf("trigger: %+v", r)
	}
	n.system.Root.Send(pid, coordinator.Stop{})
	first := <-done
	if first.State != coordinator.Stopped || first.Err != nil || first.Checkpoint == 0 {
		t.Fatalf("stopped as %+v", first)
	}
	status := make(chan coordinator.Status, 1)
	n.system.Root.Send(pid, coordinator.GetStatus{Reply: status})
	if s := <-status; s.State != coordinator.Stopped || s.Checkpoint.ID != first.Checkpoint {
		t.Errorf("status: %+v", s)
	}

	pid, sub, done = n.run(t, store, "second")
	await(t, sub, "restoring checkpoint")
	await(t, sub, "published")
	n.system.Root.Send(pid, coordinator.Cancel{})
	if r := <-done; r.State != coordinator.Canceled || r.Err != nil || r.Checkpoint <= first.Checkpoint {
		t.Errorf("canceled as %+v", r)
	}
	keys, err := store.List(t.Context(), "job/data")
	if err != nil || len(keys) != 0 {
		t.Errorf("left behind: %v %v", keys, err)
	}
}

// S10: a second coordinator of the same job on the same store takes it over; the
// first one publishes no more and ends with an error that names the second.
func TestS10_Takeover(t *testing.T) {
	n, store := newNode(t), memory.Store(0)
	_, sub, firstDone := n.run(t, store, "first")
	await(t, sub, "published")
	m := newNode(t)
	pid, sub, secondDone := m.run(t, store, "second")
	first := <-firstDone
	fenced := (*persistence.FencedError)(nil)
	if first.State != coordinator.Fenced || !errors.As(first.Err, &fenced) || fenced.By != "second" {
		t.Fatalf("first ended as %+v", first)
	}
	await(t, sub, "published")
	m.system.Root.Send(pid, coordinator.Stop{})
	if second := <-secondDone; second.State != coordinator.Stopped || second.Err != nil || second.Checkpoint <= first.Checkpoint {
		t.Errorf("second ended as %+v", second)
	}
}
