package sim_test

import (
	"testing"

	"github.com/asynkron/protoactor-go/actor"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/weirflow/weir/actors/env"
	"github.com/weirflow/weir/cluster/sim"
)

// A step of a small actor that sends one message on: on one node, then to
// another, where the message is marshalled and travels.
func BenchmarkStep(b *testing.B) {
	for name, addresses := range map[string][]string{"local": {"a"}, "remote": {"a", "b"}} {
		b.Run(name, func(b *testing.B) {
			w := sim.New(sim.Config{Seed: 1})
			defer w.Close()
			for i, address := range addresses {
				w.StartNode(address, func(e env.Env) { startRing(e, addresses[(i+1)%len(addresses)]) })
			}
			if err := w.Run(func() bool { return w.Passed("begun") == 10*len(addresses) }, sim.Limits{}); err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			b.ResetTimer()
			last := w.Steps() + uint64(b.N)
			if err := w.Run(func() bool { return w.Steps() >= last }, sim.Limits{Steps: uint64(b.N) + 1, Time: 1 << 62}); err != nil {
				b.Fatal(err)
			}
		})
	}
}

// startRing spawns ten actors, each of which sends what it gets to its namesake.
func startRing(e env.Env, next string) {
	for _, name := range []string{"0", "1", "2", "3", "4", "5", "6", "7", "8", "9"} {
		to := at(next, name)
		spawn(e, name, func(ctx actor.Context) {
			switch m := ctx.Message().(type) {
			case *actor.Started:
				e.Step("begun")
				ctx.Send(to, num(1))
			case *wrapperspb.Int64Value:
				ctx.Send(to, m)
			}
		})
	}
}

// Start, kill and forget one node.
func BenchmarkNodeLife(b *testing.B) {
	w := sim.New(sim.Config{Seed: 1})
	defer w.Close()
	n := w.StartNode("n", func(e env.Env) { startRing(e, "n") })
	for b.Loop() {
		n.Kill()
		n.Restart()
	}
}
