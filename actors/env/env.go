// Package env is the one door through which engine code reaches time, chance,
// goroutines and mailboxes. Real is the world as it is; cluster/sim holds a
// world in which one seed decides everything.
//
// Engine code calls none of time.Now, time.Sleep, time.After, time.Tick,
// math/rand's globals or a bare go statement; arch_test.go enforces it.
//
// # Concurrency
//
// An Env belongs to one node and its methods may be called from any of its
// actors. Messages that it sends arrive as ordinary user messages.
package env

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/asynkron/protoactor-go/actor"
)

// Env is the world of one node.
type Env interface {
	// Now is the wall clock, in a simulation the virtual one.
	Now() time.Time
	// Rand gives a source of chance for the calling actor's own use; every call
	// gives a new one, seeded in a simulation.
	Rand() *rand.Rand
	// After sends msg to an actor once d has passed. cancel may be called at
	// any time; a message already under way still arrives.
	After(d time.Duration, to *actor.PID, msg any) (cancel func())
	// Work runs f, which may block, off the mailbox, and sends what it returns
	// (unless nil) to an actor. A panic in f arrives as *WorkPanic. cancel ends
	// f's context; the result, whatever it is, still arrives. Close waits for f.
	Work(to *actor.PID, name string, f func(ctx context.Context) any) (cancel func())
	// Props are the options every engine actor is spawned with: its mailbox
	// and dispatcher.
	Props() []actor.PropsOption
	// Step marks a labelled step of a protocol, e.g. "sink.prepared". A
	// simulation may end the node there, and then Step does not return.
	Step(label string)
	// System is the actor system of the node.
	System() *actor.ActorSystem
}

// WorkPanic is sent instead of a result when the function given to Work panicked.
type WorkPanic struct {
	Name  string
	Value any
	Stack []byte
}

func (p *WorkPanic) Error() string { return fmt.Sprintf("%s panicked: %v", p.Name, p.Value) }
