package plan_test

import (
	"fmt"

	"github.com/weirflow/weir/operators"
	"github.com/weirflow/weir/operators/files"
	"github.com/weirflow/weir/operators/plan"
)

// A plan says how a topology runs: what is fused into which subtasks, and what
// is guaranteed at its sinks.
func Example() {
	top := operators.NewTopology("lengths")
	lines := operators.From(top, "lines", operators.Slice("a", "bc"), operators.NoWatermarks[string]())
	lengths := operators.Map(lines.Rebalance(), "length", func(s string) int { return len(s) }).Parallelism(2)
	lengths.To("out", files.Sink[int]("out")).Parallelism(2)
	p, err := top.Build()
	if err != nil {
		fmt.Println(err)
		return
	}

	for _, c := range p.Chains {
		fmt.Println(c.Head(), "runs", len(c.Operators), "operators in", c.Parallelism, "subtasks")
	}
	fmt.Println(p.Subtasks(0))
	for _, mode := range []plan.Mode{plan.ExactlyOnce, plan.AtLeastOnce} {
		fmt.Println(mode, "-", p.Guarantees(mode)[0])
	}
	// Output:
	// operator "lines" runs 1 operators in 1 subtasks
	// operator "length" runs 2 operators in 2 subtasks
	// [lines[0] length[0] length[1]]
	// exactly-once checkpoints - out: exactly once: sources replay, and the sink commits with the checkpoint
	// at-least-once checkpoints - out: at least once: records that overtake a barrier count again after a failure
}

// Two topologies of one fingerprint can take each other's checkpoints as their
// own.
func ExamplePlan_Fingerprint() {
	build := func(parallelism int, name string) *plan.Plan {
		top := operators.NewTopology("lengths").Parallelism(parallelism)
		lines := operators.From(top, "lines", operators.Slice("a", "bc"), operators.NoWatermarks[string]())
		operators.Map(lines, name, func(s string) int { return len(s) }).To("out", files.Sink[int]("out"))
		p, err := top.Build()
		if err != nil {
			panic(err)
		}
		return p
	}
	one := build(1, "length")
	fmt.Println(one.Fingerprint() == build(4, "length").Fingerprint())
	fmt.Println(one.Fingerprint() == build(1, "size").Fingerprint())
	// Output:
	// true
	// false
}
