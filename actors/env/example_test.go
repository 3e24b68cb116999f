package env_test

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/weirflow/weir/actors/env"
)

// quiet is an actor system that logs nowhere.
func quiet() *actor.ActorSystem {
	nowhere := func(*actor.ActorSystem) *slog.Logger { return slog.New(slog.DiscardHandler) }
	return actor.NewActorSystem(actor.WithLoggerFactory(nowhere), actor.WithDeadLetterThrottleInterval(time.Millisecond))
}

// greeter works and waits through its world, so that a simulation can decide
// when either ends.
type greeter struct {
	env  env.Env
	done chan bool
}

func (g *greeter) Receive(ctx actor.Context) {
	switch m := ctx.Message().(type) {
	case *actor.Started:
		g.env.Work(ctx.Self(), "read", func(context.Context) any { return "hello" })
	case string:
		fmt.Println(m)
		g.env.After(time.Millisecond, ctx.Self(), time.Millisecond)
	case time.Duration:
		fmt.Println(m, "later")
		close(g.done)
	}
}

// What an actor starts comes back to it as a message.
func Example() {
	system := quiet()
	defer system.Shutdown()
	world := env.NewReal(system)
	defer world.Close()

	g := &greeter{env: world, done: make(chan bool)}
	system.Root.Spawn(actor.PropsFromFunc(g.Receive, world.Props()...))
	<-g.done
	// Output:
	// hello
	// 1ms later
}

// A Mailbox delivers when it is told to, one message at a time.
func ExampleMailbox() {
	system := quiet()
	defer system.Shutdown()
	box := &env.Mailbox{}
	pid := system.Root.Spawn(actor.PropsFromFunc(func(ctx actor.Context) {
		if m, ok := ctx.Message().(string); ok {
			fmt.Println("received", m)
		}
	}, actor.WithMailbox(func() actor.Mailbox { return box })))

	system.Root.Send(pid, "one")
	system.Root.Send(pid, "two")
	for box.Ready() {
		fmt.Printf("deliver %T\n", box.Next())
		box.Deliver()
	}
	// Output:
	// deliver *actor.Started
	// deliver string
	// received one
	// deliver string
	// received two
}

// A work that panics sends that instead of a result.
func ExampleWorkPanic() {
	system := quiet()
	defer system.Shutdown()
	world := env.NewReal(system)
	defer world.Close()

	done := make(chan bool)
	pid := system.Root.Spawn(actor.PropsFromFunc(func(ctx actor.Context) {
		if p, ok := ctx.Message().(*env.WorkPanic); ok {
			fmt.Println(p.Name, "-", p)
			close(done)
		}
	}))
	world.Work(pid, "read", func(context.Context) any { panic("no disk") })
	<-done
	// Output:
	// read - read panicked: no disk
}
