package sim

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/weirflow/weir/actors/env"
)

// nodeEnv is the world as one process sees it. Once that process is dead,
// nothing done through it has an effect.
type nodeEnv struct {
	life  *life
	props []actor.PropsOption
}

var _ env.Env = (*nodeEnv)(nil)

// Alive reports whether the process that was given this env still lives. A
// simulated outside thing, say a store, asks it before it does what it is told:
// the deferred functions of a killed call still run.
func Alive(e env.Env) bool { return !e.(*nodeEnv).life.dead }

// killed is what a call panics with when its node has died in it.
type killed struct{ node string }

func (k killed) String() string { return "node " + k.node + " was killed here by the simulation" }

// crashed is what a call panics with when a fault ends only the actor, or the
// work, that made it.
type crashed struct{ label string }

func (c crashed) String() string { return "crashed by the simulation at step " + c.label }

// task is whose code runs now.
type task struct {
	life *life
	work *work // unless it is an actor or an event
}

func (e *nodeEnv) Now() time.Time { return e.life.world.Now().Add(e.life.skew) }

func (e *nodeEnv) Rand() *rand.Rand {
	e.life.rands++
	return e.life.world.Rand(fmt.Sprintf("%s %d", e.life.name(), e.life.rands))
}

func (e *nodeEnv) Props() []actor.PropsOption { return slices.Clone(e.props) }

func (e *nodeEnv) System() *actor.ActorSystem { return e.life.system }

func (e *nodeEnv) After(d time.Duration, to *actor.PID, msg any) (cancel func()) {
	l := e.life
	if l.dead {
		return func() {}
	}
	ev := l.world.schedule(l, l.world.now+d, "timer", func() { l.system.Root.Send(to, msg) })
	return func() { ev.run = nil }
}

// Step counts the label, ends the node or the actor if a fault wants that, and
// lets others go first if it is a work that calls.
func (e *nodeEnv) Step(label string) {
	l := e.life
	if l.dead {
		panic(killed{l.name()})
	}
	w := l.world
	w.trace.line(w.now, l, "", "step", label)
	switch w.pass(l, label) {
	case endsProcess:
		l.kill()
		panic(killed{l.name()})
	case endsActor:
		panic(crashed{label})
	}
	if k := w.current.work; k != nil && w.rand.IntN(2) == 0 {
		k.letOthersGo()
	}
}

func (e *nodeEnv) Work(to *actor.PID, name string, f func(ctx context.Context) any) (cancel func()) {
	l := e.life
	if l.dead {
		return func() {}
	}
	k := newWork(l, to, name, f)
	l.works = append(l.works, k)
	k.proceedSoon()
	return k.cancel
}
