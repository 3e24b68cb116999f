package sim_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	"go.uber.org/goleak"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/weirflow/weir/actors/env"
	"github.com/weirflow/weir/cluster/sim"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func newWorld(t *testing.T, config sim.Config) *sim.World {
	t.Helper()
	w := sim.New(config)
	t.Cleanup(w.Close)
	return w
}

// spawn starts an actor at the root of a node. It is stopped when it panics.
func spawn(e env.Env, name string, receive actor.ReceiveFunc) *actor.PID {
	props := actor.PropsFromFunc(receive, append(e.Props(), actor.WithGuardian(stopping{}))...)
	pid, err := e.System().Root.SpawnNamed(props, name)
	if err != nil {
		panic(err)
	}
	return pid
}

// stopping is a supervisor that stops whatever fails.
type stopping struct{}

func (stopping) HandleFailure(_ *actor.ActorSystem, s actor.Supervisor, child *actor.PID, _ *actor.RestartStatistics, _, _ any) {
	s.StopChildren(child)
}

func never() bool { return false }

func mustRun(t *testing.T, w *sim.World, until func() bool) {
	t.Helper()
	if err := w.Run(until, sim.Limits{}); err != nil {
		t.Fatal(err)
	}
}

func mustRunFor(t *testing.T, w *sim.World, d time.Duration) {
	t.Helper()
	if err := w.RunFor(d); err != nil {
		t.Fatal(err)
	}
}

func str(s string) *wrapperspb.StringValue { return wrapperspb.String(s) }
func num(n int64) *wrapperspb.Int64Value   { return wrapperspb.Int64(n) }
func at(address, id string) *actor.PID     { return actor.NewPID(address, id) }
func show(format string, a ...any) string  { return fmt.Sprintf(format, a...) }
func equal(t *testing.T, got, want any)    { t.Helper(); equalf(t, "", got, want) }
func equalf(t *testing.T, what string, got, want any) {
	t.Helper()
	if g, w := fmt.Sprint(got), fmt.Sprint(want); g != w {
		t.Fatalf("%s: got %s, want %s", what, g, w)
	}
}

// busy is a cluster that uses everything: three nodes that send each other
// numbers, do some work for each, and watch each other.
func busy(t *testing.T, seed uint64, trace *bytes.Buffer) *sim.World {
	w := newWorld(t, sim.Config{Seed: seed, Trace: trace, Faults: sim.Faults{
		Kills: 4, Breaks: 4, Partitions: 2, Pauses: 2, Duplicate: 0.5, Skew: time.Second,
	}})
	names := []string{"a", "b", "c"}
	for _, name := range names {
		w.StartNode(name, func(e env.Env) { startBusy(e, names) })
	}
	return w
}

func startBusy(e env.Env, names []string) {
	chance := e.Rand()
	next := func() *actor.PID { return at(names[chance.IntN(len(names))], "busy") }
	spawn(e, "busy", func(ctx actor.Context) {
		switch m := ctx.Message().(type) {
		case *actor.Started:
			for range 5 {
				e.After(time.Duration(chance.IntN(int(time.Second))), ctx.Self(), num(50))
			}
			ctx.Watch(next())
		case *actor.Terminated:
			ctx.Watch(next())
		case *wrapperspb.Int64Value:
			e.Step("counted")
			left := m.Value - 1
			e.Work(ctx.Self(), "halve", func(context.Context) any {
				e.Step("halved")
				return str(show("%d", left/2))
			})
			if left > 0 {
				ctx.Request(next(), num(left))
			}
		}
	})
}

func TestEqualSeedsGiveEqualRuns(t *testing.T) {
	hashes := make(map[uint64]uint64)
	sim.ForEachSeed(t, 15, func(seed uint64) error {
		var first, second bytes.Buffer
		w1, w2 := busy(t, seed, &first), busy(t, seed, &second)
		if err := errors.Join(w1.RunFor(40*time.Second), w2.RunFor(40*time.Second)); err != nil {
			return err
		}
		if !bytes.Equal(first.Bytes(), second.Bytes()) || w1.TraceHash() != w2.TraceHash() {
			return fmt.Errorf("two runs differ, first in line\n%s", firstDifference(first.String(), second.String()))
		}
		if other, seen := hashes[w1.TraceHash()]; seen {
			return fmt.Errorf("the seeds %d and %d give the same run", seed, other)
		}
		hashes[w1.TraceHash()] = seed
		if w1.Steps() < 100 {
			return fmt.Errorf("only %d steps: this shows nothing", w1.Steps())
		}
		return nil
	})
}

func firstDifference(a, b string) string {
	left, right := strings.Split(a, "\n"), strings.Split(b, "\n")
	for i := range left {
		if i >= len(right) || left[i] != right[i] {
			return show("%d: %s\n%d: %s", i, left[i], i, right[i])
		}
	}
	return "end of the shorter"
}

// One message a step, and any actor with work may be next: over some seeds every
// order of two independent actors is seen.
func TestAnyRunnableActorMayBeNext(t *testing.T) {
	orders := make(map[string]bool)
	sim.ForEachSeed(t, 200, func(seed uint64) error {
		w := newWorld(t, sim.Config{Seed: seed})
		var order strings.Builder
		w.StartNode("n", func(e env.Env) {
			for _, name := range []string{"x", "y"} {
				pid := spawn(e, name, func(ctx actor.Context) {
					if m, ok := ctx.Message().(string); ok {
						order.WriteString(name + m)
					}
				})
				e.System().Root.Send(pid, "1")
				e.System().Root.Send(pid, "2")
			}
		})
		err := w.RunFor(time.Second)
		orders[order.String()] = true
		return err
	})
	equal(t, len(orders), 6) // interleavings of x1 x2 with y1 y2
	for order := range orders {
		if strings.Index(order, "x1") > strings.Index(order, "x2") || strings.Index(order, "y1") > strings.Index(order, "y2") {
			t.Fatalf("out of order: %s", order)
		}
	}
}

func TestTimersFireInOrderOfTime(t *testing.T) {
	w := newWorld(t, sim.Config{Seed: 1})
	var got []string
	w.StartNode("n", func(e env.Env) {
		begin := e.Now()
		pid := spawn(e, "timed", func(ctx actor.Context) {
			if m, ok := ctx.Message().(string); ok {
				got = append(got, show("%s@%v", m, e.Now().Sub(begin).Round(time.Second)))
			}
		})
		e.After(3*time.Second, pid, "c")
		e.After(1*time.Second, pid, "a")
		cancel := e.After(2*time.Second, pid, "never")
		e.After(2*time.Second, pid, "b")
		cancel()
		cancel()
	})
	mustRun(t, w, func() bool { return len(got) == 3 })
	equal(t, got, "[a@1s b@2s c@3s]")
}

func TestRunFailsClearly(t *testing.T) {
	endless := func(e env.Env) {
		pid := spawn(e, "endless", func(ctx actor.Context) {
			e.Step("turned")
			ctx.Send(ctx.Self(), "again")
		})
		_ = pid
	}
	idle := func(env.Env) {}
	waking := func(e env.Env) {
		spawn(e, "waking", func(ctx actor.Context) { e.After(time.Minute, ctx.Self(), "again") })
	}
	for _, c := range []struct {
		name   string
		start  func(env.Env)
		limits sim.Limits
		want   error
		text   string
	}{
		{"stuck", idle, sim.Limits{}, sim.ErrStuck, "nothing can happen any more"},
		{"steps", endless, sim.Limits{Steps: 1000}, sim.ErrStepLimit, "1000 steps"},
		{"time", waking, sim.Limits{Time: time.Hour}, sim.ErrTimeLimit, "virtual time limit reached"},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t, sim.Config{Seed: 7, Replay: "go test -run X -sim.seed=7"})
			w.StartNode("n", c.start)
			err := w.Run(never, c.limits)
			if !errors.Is(err, c.want) {
				t.Fatalf("got %v, want %v", err, c.want)
			}
			for _, part := range []string{c.text, "seed 7,", "trace hash", "faults: 0", "last steps:\n", "n start", "replay: go test -run X -sim.seed=7"} {
				if c.name != "stuck" && part == "n start" {
					continue // long gone from the last lines
				}
				if !strings.Contains(err.Error(), part) {
					t.Fatalf("%q is missing in:\n%v", part, err)
				}
			}
			if again := w.Run(func() bool { return true }, sim.Limits{}); !errors.Is(again, c.want) {
				t.Fatalf("a failed world went on: %v", again)
			}
		})
	}
}

// The start function of a node and the conditions of a test are ours: their
// panics end the run, with the seed.
func TestPanicOutsideActorsFailsTheRun(t *testing.T) {
	w := newWorld(t, sim.Config{Seed: 5})
	w.StartNode("n", func(env.Env) { panic("no disk") })
	err := w.Run(never, sim.Limits{})
	if err == nil || !strings.Contains(err.Error(), "panic outside any actor: no disk") || !strings.Contains(err.Error(), "seed 5,") {
		t.Fatalf("got %v", err)
	}
}

func TestSpawnWithoutPropsFailsTheRun(t *testing.T) {
	idle := func(actor.Context) {}
	for name, start := range map[string]func(env.Env){
		"root": func(e env.Env) { e.System().Root.Spawn(actor.PropsFromFunc(idle)) },
		"child": func(e env.Env) {
			spawn(e, "parent", func(ctx actor.Context) {
				if _, ok := ctx.Message().(*actor.Started); ok {
					ctx.Spawn(actor.PropsFromFunc(idle))
				}
			})
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, sim.Config{Seed: 1})
			w.StartNode("n", start)
			if err := w.RunFor(time.Second); err == nil || !strings.Contains(err.Error(), "was spawned without env.Props") {
				t.Fatalf("got %v", err)
			}
		})
	}
}

func TestUnmeantFaultsAreNamed(t *testing.T) {
	for want, faults := range map[string]sim.Faults{
		"sim.Faults.Kills is -1; a count is 0 or more":                                      {Kills: -1},
		"sim.Faults.Delay is from 2s to 1s; it must begin at 0 or later and not end before": {Delay: sim.Range{Min: 2 * time.Second, Max: time.Second}},
		"sim.Faults.Duplicate is 1.5; a chance is from 0 to 1":                              {Duplicate: 1.5},
	} {
		equal(t, faults.Validate(), want)
		if err := newWorld(t, sim.Config{Faults: faults}).Run(never, sim.Limits{}); err == nil || !strings.Contains(err.Error(), want) {
			t.Fatalf("got %v", err)
		}
	}
}

// What is outside the nodes has its own chance, by seed and name.
func TestRandIsByName(t *testing.T) {
	draw := func(seed uint64, name string, before int) uint64 {
		w := newWorld(t, sim.Config{Seed: seed})
		for range before {
			w.Rand("other").Uint64()
		}
		return w.Rand(name).Uint64()
	}
	equal(t, draw(1, "store", 0), draw(1, "store", 3))
	if draw(1, "store", 0) == draw(2, "store", 0) || draw(1, "store", 0) == draw(1, "disk", 0) {
		t.Fatal("seed or name does not matter")
	}
}
