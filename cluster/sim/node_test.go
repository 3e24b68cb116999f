package sim_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/weirflow/weir/actors/env"
	"github.com/weirflow/weir/cluster/sim"
)

// heard notes what an actor is told, without addresses.
func heard(log *[]string) actor.ReceiveFunc {
	return func(ctx actor.Context) {
		switch m := ctx.Message().(type) {
		case string:
			*log = append(*log, m)
		default:
			*log = append(*log, strings.TrimPrefix(show("%T", m), "*actor."))
		}
	}
}

func TestSystemMessagesOvertakeUserMessages(t *testing.T) {
	w := newWorld(t, sim.Config{Seed: 1})
	var log []string
	w.StartNode("n", func(e env.Env) {
		pid := spawn(e, "told", heard(&log))
		for _, m := range []string{"1", "2", "3"} {
			e.System().Root.Send(pid, m)
		}
		e.System().Root.Stop(pid)
	})
	mustRunFor(t, w, time.Second)
	equal(t, log, "[Started Stopping Stopped]")
}

// parent supervises as the engine does: when a child fails it stops all of them,
// waits until all are gone, and starts others under new names.
type parent struct {
	e       env.Env
	log     *[]string
	attempt int
	waiting int
	reason  any
}

func (p *parent) Receive(ctx actor.Context) {
	switch m := ctx.Message().(type) {
	case *actor.Started:
		p.startChildren(ctx)
	case *actor.Terminated:
		*p.log = append(*p.log, "gone "+m.Who.Id)
		if p.waiting--; p.waiting == 0 {
			p.startChildren(ctx)
		}
	}
}

func (p *parent) startChildren(ctx actor.Context) {
	p.attempt++
	for _, name := range []string{"x", "y"} {
		id := show("%s%d", name, p.attempt)
		props := actor.PropsFromFunc(func(ctx actor.Context) {
			if m, ok := ctx.Message().(string); ok {
				*p.log = append(*p.log, id+" "+m)
				if m == "boom" {
					panic("it burst")
				}
			}
		}, p.e.Props()...)
		pid, err := ctx.SpawnNamed(props, id)
		if err != nil {
			panic(err)
		}
		if p.attempt == 1 {
			ctx.Send(pid, map[string]string{"x": "boom", "y": "fine"}[name])
			p.e.After(time.Second, pid, "old")
		} else {
			ctx.Send(pid, "new")
		}
	}
}

func (p *parent) HandleFailure(_ *actor.ActorSystem, s actor.Supervisor, _ *actor.PID, _ *actor.RestartStatistics, reason, _ any) {
	p.reason = reason
	p.waiting = len(s.Children())
	s.StopChildren(slices.Clone(s.Children())...)
}

func TestParentDecidesAboutPanickedChild(t *testing.T) {
	sim.ForEachSeed(t, 50, func(seed uint64) error {
		w := sim.New(sim.Config{Seed: seed})
		defer w.Close()
		var log []string
		var p *parent
		w.StartNode("n", func(e env.Env) {
			p = &parent{e: e, log: &log}
			_, err := e.System().Root.SpawnNamed(actor.PropsFromProducer(func() actor.Actor { return p }, e.Props()...), "p")
			if err != nil {
				panic(err)
			}
		})
		if err := w.RunFor(2 * time.Second); err != nil {
			return err
		}
		slices.Sort(log)
		got := strings.Join(log, ", ")
		want := "gone p/x1, gone p/y1, x1 boom, x2 new, y1 fine, y2 new"
		withoutFine := strings.Replace(want, "y1 fine, ", "", 1) // stopped before its first message
		if got != want && got != withoutFine || p.reason != "it burst" {
			return fmt.Errorf("got %s; reason %v", got, p.reason)
		}
		return nil
	})
}

func TestKillAtLabelIsSudden(t *testing.T) {
	w := newWorld(t, sim.Config{Seed: 1})
	var log []string
	n := w.StartNode("n", func(e env.Env) {
		other := spawn(e, "other", heard(&log))
		cut := spawn(e, "cut", func(ctx actor.Context) {
			m, ok := ctx.Message().(string)
			if !ok {
				return
			}
			defer func() {
				if v := recover(); v != nil { // as the engine does, to add a stack
					ctx.Send(other, "from a deferred function")
					e.After(0, other, "from a deferred timer")
					panic(fmt.Errorf("wrapped: %v", v))
				}
			}()
			log = append(log, "before "+m)
			e.Step("cut")
			log = append(log, "after "+m)
		})
		for _, m := range []string{"1", "2", "3"} {
			e.System().Root.Send(cut, m)
		}
		e.After(time.Second, other, "a timer")
		e.After(0, other, "soon")
	})
	w.KillAt("cut", 2)
	mustRun(t, w, func() bool { return !n.Alive() })
	at := slices.DeleteFunc(slices.Clone(log), func(s string) bool { return s == "Started" || s == "soon" })
	equal(t, at, "[before 1 after 1 before 2]")
	mustRunFor(t, w, time.Minute)
	if slices.ContainsFunc(log, func(s string) bool { return strings.Contains(s, "defer") || s == "a timer" || s == "Stopping" }) {
		t.Fatalf("a dead node acted: %v", log)
	}
	equal(t, w.Passed("cut"), 2)
	equal(t, sim.Alive(n.Env()), false)
	err := w.Fail(errors.New("look"))
	if !strings.Contains(err.Error(), "kill of n at step cut, number 2") {
		t.Fatalf("the fault is not told:\n%v", err)
	}
}

func TestRestartForgets(t *testing.T) {
	w := newWorld(t, sim.Config{Seed: 3})
	var log []string
	n := w.StartNode("n", func(e env.Env) {
		pid := spawn(e, "told", heard(&log))
		e.After(time.Second, pid, show("timer of life %d", w.Node("n").Lives()))
	})
	mustRunFor(t, w, time.Second/2)
	n.Kill()
	n.Kill()
	mustRunFor(t, w, time.Second/4)
	n.Restart()
	mustRunFor(t, w, 5*time.Second)
	equal(t, log, "[Started Started timer of life 2]")

	n.Restart()
	if err := w.RunFor(0); err == nil || !strings.Contains(err.Error(), "node n is started while it is alive") {
		t.Fatalf("got %v", err)
	}
}

func TestKillInStartFunction(t *testing.T) {
	w := newWorld(t, sim.Config{Seed: 1})
	starts := 0
	n := w.StartNode("n", func(e env.Env) {
		starts++
		e.Step("starting")
		starts += 10
	})
	w.KillAt("starting", 1)
	mustRunFor(t, w, time.Second)
	equal(t, n.Alive(), false)
	n.Restart()
	mustRunFor(t, w, time.Second)
	equal(t, starts, 12)
}

func TestPausedNodeKnowsNothing(t *testing.T) {
	w := newWorld(t, sim.Config{Seed: 1})
	var log []string
	n := w.StartNode("n", func(e env.Env) {
		spawn(e, "told", func(ctx actor.Context) {
			if m, ok := ctx.Message().(string); ok {
				log = append(log, show("%s@%v", m, w.Elapsed().Truncate(time.Second)))
				return
			}
			e.After(1*time.Second, ctx.Self(), "a")
			e.After(2*time.Second, ctx.Self(), "b")
			e.After(20*time.Second, ctx.Self(), "c")
		})
	})
	mustRunFor(t, w, 500*time.Millisecond)
	n.Pause(5 * time.Second)
	n.Pause(9500 * time.Millisecond) // the longer one counts
	n.Pause(time.Second)
	mustRunFor(t, w, 9*time.Second)
	equal(t, log, "[]")
	mustRunFor(t, w, 20*time.Second)
	equal(t, log, "[a@10s b@10s c@20s]")
}

func TestClocksAreSkewed(t *testing.T) {
	w := newWorld(t, sim.Config{Seed: 1, Faults: sim.Faults{Skew: time.Minute}})
	var skews []time.Duration
	for _, name := range []string{"a", "b"} {
		n := w.StartNode(name, func(env.Env) {})
		skews = append(skews, n.Env().Now().Sub(w.Now()))
	}
	for _, s := range skews {
		if s.Abs() > time.Minute || s == 0 || skews[0] == skews[1] {
			t.Fatalf("got %v", skews)
		}
	}
}

// Drawn kills reach rare labels as well as frequent ones, and killed nodes return.
func TestDrawnKills(t *testing.T) {
	killed := make(map[string]int)
	sim.ForEachSeed(t, 100, func(seed uint64) error {
		w := sim.New(sim.Config{Seed: seed, Faults: sim.Faults{Kills: 4, Within: 20 * time.Second}})
		defer w.Close()
		n := w.StartNode("n", func(e env.Env) {
			turns := 0
			spawn(e, "turning", func(ctx actor.Context) {
				e.Step("often")
				if turns++; turns%20 == 0 {
					e.Step("rarely")
				}
				e.After(20*time.Millisecond, ctx.Self(), "again")
			})
		})
		if err := w.RunFor(2 * time.Minute); err != nil {
			return err
		}
		if !n.Alive() {
			return errors.New("the node stayed dead")
		}
		killed["all"] += n.Lives() - 1
		faults := strings.Join(w.Fail(errors.New("look")).(*sim.Failure).Faults, "\n")
		for _, label := range []string{"often", "rarely"} {
			killed[label] += strings.Count(faults, "at step "+label+",")
		}
		return nil
	})
	if killed["often"] < 10 || killed["rarely"] < 10 || killed["all"] < killed["often"]+killed["rarely"]+10 {
		t.Fatalf("got %v", killed)
	}
}
