package env

import (
	"context"
	"errors"
	"math/rand/v2"
	"runtime/debug"
	"sync"
	"time"

	"github.com/asynkron/protoactor-go/actor"
)

// Real is the world as it is: the wall clock, timers of the Go runtime, one
// goroutine for each call of Work, protoactor's own mailbox, whose actors run on
// the same goroutines. No other code of the engine starts a goroutine.
//
// The number of works running at once is not bounded here: a bound that made
// Work wait would block a mailbox, and with it Stop and every barrier. Each
// caller keeps the number of its unanswered works small and says how small.
type Real struct {
	system *actor.ActorSystem
	ctx    context.Context // parent of every work's context, ended by Close
	end    context.CancelFunc

	mu      sync.Mutex
	closed  bool                     // once true, running only falls
	timers  map[*time.Timer]struct{} // set, neither fired nor cancelled
	running sync.WaitGroup           // works, and timers that are set or firing

	goroutines goroutines
}

var _ Env = (*Real)(nil)

// ErrGoexit is the Value of a *WorkPanic whose function called runtime.Goexit.
var ErrGoexit = errors.New("the function ended its goroutine by runtime.Goexit")

// NewReal gives the real world to the actors of system, which it does not own:
// Close leaves the system as it is.
func NewReal(system *actor.ActorSystem) *Real {
	ctx, end := context.WithCancel(context.Background())
	return &Real{system: system, ctx: ctx, end: end, timers: make(map[*time.Timer]struct{})}
}

// Close ends the context of every work, cancels every timer, and returns when
// all works and timer callbacks have. Results of works that end meanwhile are
// still sent. From then on After and Work do nothing. It must not be called
// from within a work, for which it would wait. Calling it again is harmless.
func (r *Real) Close() {
	r.mu.Lock()
	r.closed = true
	r.mu.Unlock()
	r.end()
	r.cancelTimers()
	r.running.Wait()
	r.goroutines.close()
}

// cancelTimers cancels what is set; a callback already begun is waited for.
func (r *Real) cancelTimers() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for timer := range r.timers { // order: each is only cancelled
		delete(r.timers, timer)
		if timer.Stop() {
			r.running.Done()
		}
	}
}

// Now is the wall clock.
func (r *Real) Now() time.Time { return time.Now() }

// Rand gives a source seeded by the runtime; not for secrets.
func (r *Real) Rand() *rand.Rand {
	return rand.New(rand.NewPCG(rand.Uint64(), rand.Uint64()))
}

// Props is a dispatcher that uses goroutines again. The mailbox is protoactor's
// unbounded one.
func (r *Real) Props() []actor.PropsOption {
	return []actor.PropsOption{actor.WithDispatcher(&r.goroutines)}
}

// Step does nothing: here a node ends by itself.
func (r *Real) Step(string) {}

// System is the actor system given to NewReal.
func (r *Real) System() *actor.ActorSystem { return r.system }

// After sends msg once d has passed.
func (r *Real) After(d time.Duration, to *actor.PID, msg any) (cancel func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return func() {}
	}
	r.running.Add(1)
	var timer *time.Timer // the callback reads it under mu, so after it is set
	timer = time.AfterFunc(d, func() {
		defer r.running.Done()
		if r.take(&timer) {
			r.system.Root.Send(to, msg)
		}
	})
	r.timers[timer] = struct{}{}
	return func() {
		if r.take(&timer) && timer.Stop() {
			r.running.Done()
		}
	}
}

// take takes a timer out of the set; false if someone else did. The callback
// counts running down, unless Stop says that it will never be called.
func (r *Real) take(timer **time.Timer) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	_, set := r.timers[*timer]
	delete(r.timers, *timer)
	return set
}

// Work runs f on a goroutine of its own.
func (r *Real) Work(to *actor.PID, name string, f func(ctx context.Context) any) (cancel func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return func() {}
	}
	ctx, cancel := context.WithCancel(r.ctx)
	r.running.Add(1)
	r.goroutines.Schedule(func() {
		defer r.running.Done()
		defer cancel()
		r.run(ctx, to, name, f)
	})
	return cancel
}

// run calls f and sends what came of it. A panic becomes a message, so that
// user code called from a work cannot end the process.
func (r *Real) run(ctx context.Context, to *actor.PID, name string, f func(ctx context.Context) any) {
	var result any = &WorkPanic{Name: name, Value: ErrGoexit}
	defer func() {
		if v := recover(); v != nil {
			result = &WorkPanic{Name: name, Value: v, Stack: debug.Stack()}
		}
		if result != nil {
			r.system.Root.Send(to, result)
		}
	}()
	result = f(ctx)
}
