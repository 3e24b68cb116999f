package env_test

import (
	"context"
	"errors"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	"go.uber.org/goleak"

	"github.com/weirflow/weir/actors/env"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// catcher is an actor whose messages come out of a channel.
func catcher(t *testing.T) (*env.Real, *actor.PID, chan any) {
	t.Helper()
	e := env.NewReal(actor.NewActorSystem())
	caught := make(chan any, 100)
	pid := e.System().Root.Spawn(actor.PropsFromFunc(func(ctx actor.Context) {
		if _, lifecycle := ctx.Message().(*actor.Started); !lifecycle {
			caught <- ctx.Message()
		}
	}, e.Props()...))
	t.Cleanup(e.Close)
	return e, pid, caught
}

func TestWorkSendsItsResult(t *testing.T) {
	e, pid, caught := catcher(t)
	e.Work(pid, "silent", func(context.Context) any { return nil })
	e.Work(pid, "plain", func(context.Context) any { return "plain" })
	if got := <-caught; got != "plain" {
		t.Fatalf("got %v", got)
	}
}

func TestWorkPanicIsAMessage(t *testing.T) {
	e, pid, caught := catcher(t)
	e.Work(pid, "broken", func(context.Context) any { panic("no disk") })
	p := (<-caught).(*env.WorkPanic)
	if p.Error() != "broken panicked: no disk" || !strings.Contains(string(p.Stack), "real_test.go") {
		t.Fatalf("got %v\n%s", p, p.Stack)
	}
	e.Work(pid, "ended", func(context.Context) any { runtime.Goexit(); return nil })
	if p := (<-caught).(*env.WorkPanic); p.Value != env.ErrGoexit || p.Name != "ended" {
		t.Fatalf("got %v", p)
	}
}

func TestCancelledWorkStillAnswers(t *testing.T) {
	e, pid, caught := catcher(t)
	cancel := e.Work(pid, "waiting", func(ctx context.Context) any {
		<-ctx.Done()
		return ctx.Err()
	})
	cancel()
	if got := (<-caught).(error); !errors.Is(got, context.Canceled) {
		t.Fatalf("got %v", got)
	}
}

func TestAfter(t *testing.T) {
	e, pid, caught := catcher(t)
	cancel := e.After(time.Millisecond, pid, "never")
	cancel()
	begin := e.Now()
	fired := e.After(20*time.Millisecond, pid, "once")
	if got := <-caught; got != "once" || e.Now().Sub(begin) < 20*time.Millisecond {
		t.Fatalf("got %v after %v", got, e.Now().Sub(begin))
	}
	fired()
}

// Close cancels timers, ends works and waits for them; goleak sees that nothing
// is left.
func TestCloseWaits(t *testing.T) {
	e, pid, caught := catcher(t)
	e.After(time.Hour, pid, "never")
	ended := false
	begun := make(chan struct{})
	e.Work(pid, "waiting", func(ctx context.Context) any {
		close(begun)
		<-ctx.Done()
		ended = true
		return "ended"
	})
	<-begun
	e.Close()
	if !ended {
		t.Fatal("Close did not wait")
	}
	if got := <-caught; got != "ended" {
		t.Fatalf("got %v", got)
	}
	e.Close()
	e.After(0, pid, "too late")()
	e.Work(pid, "too late", func(context.Context) any { t.Error("work after Close"); return nil })()
	e.System().Root.Send(pid, "last")
	if got := <-caught; got != "last" {
		t.Fatalf("got %v", got)
	}
}

// Timers, cancels and Close meet in every order; the race detector and goleak
// look on, and a wrong count makes Close panic or wait for ever.
func TestTimersRaceWithClose(t *testing.T) {
	for range 20 {
		e, pid, _ := catcher(t)
		done := make(chan struct{})
		go func() {
			defer close(done)
			for i := range 40 {
				cancel := e.After(time.Duration(i%3)*time.Microsecond, pid, i)
				if i%2 == 0 {
					cancel()
				}
			}
		}()
		e.Close()
		<-done
	}
}

func TestRandIsFreshAtEveryCall(t *testing.T) {
	e, _, _ := catcher(t)
	if e.Rand().Uint64() == e.Rand().Uint64() {
		t.Fatal("two sources give the same number")
	}
	e.Step("does nothing")
}

// Any number of works run beside each other.
func TestWorksBesideEachOther(t *testing.T) {
	e, pid, caught := catcher(t)
	for range 3 {
		all := make(chan struct{})
		for range 100 {
			e.Work(pid, "one of many", func(ctx context.Context) any { <-all; return "done" })
		}
		close(all)
		for range 100 {
			if got := <-caught; got != "done" {
				t.Fatalf("got %v", got)
			}
		}
	}
}

// Actors outlive the world that they were spawned in, and go on.
func TestActorsAfterClose(t *testing.T) {
	e, pid, caught := catcher(t)
	e.Close()
	e.System().Root.Send(pid, "late")
	if got := <-caught; got != "late" {
		t.Fatalf("got %v", got)
	}
}
