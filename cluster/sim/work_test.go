package sim_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/weirflow/weir/actors/env"
	"github.com/weirflow/weir/cluster/sim"
)

// worker is a node with one actor that notes its results.
func worker(w *sim.World, results *[]any, begin func(e env.Env, self *actor.PID)) *sim.Node {
	return w.StartNode("n", func(e env.Env) {
		spawn(e, "worker", func(ctx actor.Context) {
			switch m := ctx.Message().(type) {
			case *actor.Started:
				begin(e, ctx.Self())
			case actor.AutoReceiveMessage:
			default:
				*results = append(*results, m)
			}
		})
	})
}

func TestWorkSendsItsResult(t *testing.T) {
	w := newWorld(t, sim.Config{Seed: 1})
	var results []any
	var ran []string
	worker(w, &results, func(e env.Env, self *actor.PID) {
		e.Work(self, "plain", func(ctx context.Context) any { ran = append(ran, show("%v", ctx.Err())); return "plain" })
		e.Work(self, "silent", func(context.Context) any { ran = append(ran, "silent"); return nil })
		e.Work(self, "broken", func(context.Context) any { panic("no disk") })
		e.Work(self, "cancelled", func(ctx context.Context) any { return ctx.Err() })()
	})
	mustRunFor(t, w, time.Minute)
	equal(t, len(ran), 2)
	equal(t, len(results), 3)
	for _, r := range results {
		switch r := r.(type) {
		case string:
			equal(t, r, "plain")
		case *env.WorkPanic:
			equal(t, r.Error(), "broken panicked: no disk")
			if !strings.Contains(string(r.Stack), "work_test.go") {
				t.Fatalf("the stack does not lead to the panic:\n%s", r.Stack)
			}
		case error:
			equal(t, errors.Is(r, context.Canceled), true)
		}
	}
}

// A work ends with its node: before it began, between two parts, or after its
// effect but before its result was heard of.
func TestWorkOfKilledNode(t *testing.T) {
	for _, c := range []struct{ name, want string }{
		{"before", "none"}, {"between", "half"}, {"after", "whole"},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t, sim.Config{Seed: 1})
			var results []any
			effect, unwound := "none", false
			asked := false
			n := worker(w, &results, func(e env.Env, self *actor.PID) {
				asked = true
				e.Work(self, "effect", func(context.Context) any {
					defer func() { unwound = true }()
					effect = "half"
					for range 20 { // a part ends at some of them
						e.Step("half")
					}
					effect = "whole"
					return "done"
				})
			})
			mustRun(t, w, func() bool {
				return map[string]bool{"before": asked, "between": effect == "half", "after": effect == "whole"}[c.name]
			})
			n.Kill()
			mustRunFor(t, w, time.Minute)
			equal(t, effect, c.want)
			equal(t, unwound, c.name != "before")
			equal(t, len(results), 0)
		})
	}
}

func TestKillAtLabelInWork(t *testing.T) {
	w := newWorld(t, sim.Config{Seed: 1})
	var results []any
	effects := 0
	n := worker(w, &results, func(e env.Env, self *actor.PID) {
		e.Work(self, "publish", func(context.Context) any {
			effects++
			e.Step("published")
			effects++
			return "done"
		})
	})
	w.KillAt("published", 1)
	mustRunFor(t, w, time.Minute)
	equal(t, effects, 1)
	equal(t, len(results), 0)
	n.Restart()
	mustRunFor(t, w, time.Minute)
	equal(t, effects, 3)
	equal(t, results, "[done]")
}

// Works of different nodes come between each other at their steps: a check and
// an act on it are not one.
func TestWorksInterleaveAtSteps(t *testing.T) {
	orders := make(map[string]bool)
	sim.ForEachSeed(t, 100, func(seed uint64) error {
		w := sim.New(sim.Config{Seed: seed})
		defer w.Close()
		var order strings.Builder
		for _, name := range []string{"a", "b"} {
			w.StartNode(name, func(e env.Env) {
				pid := spawn(e, "worker", func(actor.Context) {})
				e.Work(pid, "check and act", func(context.Context) any {
					order.WriteString(name + "1")
					e.Step("checked")
					order.WriteString(name + "2")
					return nil
				})
			})
		}
		err := w.RunFor(time.Minute)
		orders[order.String()] = true
		return err
	})
	equal(t, len(orders), 6)
}
