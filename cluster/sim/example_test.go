package sim_test

import (
	"fmt"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/weirflow/weir/actors/env"
	"github.com/weirflow/weir/cluster/sim"
)

// Two nodes; one is killed and started again while the other keeps asking.
func Example() {
	w := sim.New(sim.Config{Seed: 42})
	defer w.Close()

	server := w.StartNode("server", func(e env.Env) {
		spawn(e, "echo", func(ctx actor.Context) {
			if m, ok := ctx.Message().(*wrapperspb.StringValue); ok {
				e.Step("asked")
				ctx.Respond(m)
			}
		})
	})
	var answer string
	w.StartNode("client", func(e env.Env) {
		spawn(e, "client", func(ctx actor.Context) {
			switch m := ctx.Message().(type) {
			case *wrapperspb.StringValue:
				answer = m.Value
			default:
				ctx.Request(actor.NewPID("server", "echo"), wrapperspb.String("hello"))
				e.After(time.Second, ctx.Self(), "ask again")
			}
		})
	})

	w.KillAt("asked", 1)
	if err := w.Run(func() bool { return !server.Alive() }, sim.Limits{}); err != nil {
		panic(err)
	}
	server.Restart()
	if err := w.Run(func() bool { return answer != "" }, sim.Limits{}); err != nil {
		panic(err)
	}
	fmt.Println(answer, "after", server.Lives(), "lives")
	// Output: hello after 2 lives
}
