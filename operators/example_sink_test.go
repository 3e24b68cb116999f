package operators_test

import (
	"context"
	"fmt"
	"sync"

	"github.com/weirflow/weir/operators"
	"github.com/weirflow/weir/operators/plan"
)

// Latest is a sink that keeps the latest tip of each zone. A replay writes the
// same values over the same keys, so it is Idempotent.
type Latest struct {
	mu   sync.Mutex
	tips map[string]int64
}

// Kind is what Build derives the guarantee from.
func (l *Latest) Kind() operators.SinkKind { return operators.Idempotent }

// Open gives each subtask a writer.
func (l *Latest) Open(context.Context, operators.SinkContext) (operators.Writer[Trip], error) {
	return latestWriter{l}, nil
}

type latestWriter struct{ *Latest }

func (w latestWriter) Write(_ context.Context, b *operators.Batch[Trip]) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, t := range b.Values {
		w.tips[t.Zone] = t.Tip
	}
	return nil
}

func (w latestWriter) Flush(context.Context) error { return nil } // Write kept nothing back
func (w latestWriter) Close() error                { return nil }

func ExampleSink() {
	top := operators.NewTopology("tips")
	latest := &Latest{tips: map[string]int64{}}
	some(top, Trip{"Harlem", 250, at(1, 0)}, Trip{"Chelsea", 70, at(1, 20)}, Trip{"Harlem", 100, at(1, 30)}).To("latest", latest)

	p, err := top.Build()
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(p.Guarantees(plan.ExactlyOnce)[0])
	run(top)
	fmt.Println(latest.tips)

	// Output:
	// latest: effectively once: sources replay, and the sink overwrites with the same
	// map[Chelsea:70 Harlem:100]
}

// A sink has a parallelism of its own, and may be kept apart from what writes
// to it.
func ExampleSinkRef_Parallelism() {
	top := operators.NewTopology("numbers")
	operators.From(top, "numbers", operators.Slice(1, 2, 3), operators.NoWatermarks[int]()).To("out", printer[int]{}).Parallelism(2)

	show(top)

	// Output:
	// topology numbers: 2 operators, 2 chains, 3 subtasks, 1 region, max parallelism 128
	//
	// chain 0 ×1, region 0
	//   numbers  source  slice of 3, bounded; no watermarks
	//
	// chain 1 ×2, region 0
	//   out  sink  printer; plain
	//
	// edges
	//   0  numbers → out  rebalance  int
	//
	// end to end, with exactly-once checkpoints
	//   out: at least once: a plain sink shows twice what is written again after a failure
}

// A sink with subtasks of its own writes while the next batch is made.
func ExampleSinkRef_Unchained() {
	top := operators.NewTopology("numbers")
	operators.From(top, "numbers", operators.Slice(1, 2, 3), operators.NoWatermarks[int]()).To("out", printer[int]{}).Unchained()

	show(top)

	// Output:
	// topology numbers: 2 operators, 2 chains, 2 subtasks, 1 region, max parallelism 128
	//
	// chain 0 ×1, region 0
	//   numbers  source  slice of 3, bounded; no watermarks
	//
	// chain 1 ×1, region 0
	//   out  sink  printer; plain
	//
	// edges
	//   0  numbers → out  forward  int
	//
	// end to end, with exactly-once checkpoints
	//   out: at least once: a plain sink shows twice what is written again after a failure
}
