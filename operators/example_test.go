package operators_test

import (
	"context"
	"fmt"
	"time"

	"github.com/weirflow/weir/operators"
)

// Trip is a record of the examples.
type Trip struct {
	Zone     string
	Tip      int64 // cents
	PickedUp int64 // ms
}

func pickedUp(t Trip) int64 { return t.PickedUp }

// printer is a sink that prints; what it printed before a failure it prints
// again after it, so it is Plain.
type printer[T any] struct{}

func (printer[T]) String() string                { return "printer" }
func (printer[T]) Kind() operators.SinkKind      { return operators.Plain }
func (p printer[T]) Flush(context.Context) error { return nil }
func (p printer[T]) Close() error                { return nil }

func (p printer[T]) Open(context.Context, operators.SinkContext) (operators.Writer[T], error) {
	return p, nil
}

func (p printer[T]) Write(_ context.Context, b *operators.Batch[T]) error {
	for _, v := range b.Values {
		fmt.Println(v)
	}
	return nil
}

func trips(top *operators.Topology) *operators.Stream[Trip] {
	return operators.From(top, "trips", operators.Slice[Trip](), operators.BoundedOutOfOrderness(20*time.Minute, pickedUp))
}

// show prints a topology's plan, or what is wrong with it.
func show(top *operators.Topology) {
	p, err := top.Build()
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Print(p)
}

// A topology begins with From and ends with To; its plan says which operators
// run together, where records are exchanged, and what is guaranteed.
func Example() {
	top := operators.NewTopology("tips").Parallelism(2)
	clean := trips(top).Parallelism(1).Filter("clean", func(t Trip) bool { return t.Tip >= 0 })
	sums := operators.Reduce(operators.KeyBy(clean, func(t Trip) string { return t.Zone }), "sum", func(a, b Trip) Trip {
		a.Tip += b.Tip
		return a
	})
	sums.To("out", printer[Trip]{})

	show(top)

	// Output:
	// topology tips: 4 operators, 3 chains, 5 subtasks, 1 region, max parallelism 128
	//
	// chain 0 ×1, region 0
	//   trips  source  slice of 0, bounded; watermarks 20m0s behind, every 100ms
	//
	// chain 1 ×2, region 0
	//   clean  filter
	//
	// chain 2 ×2, region 0
	//   sum  reduce  state
	//   out  sink    printer; plain
	//
	// edges
	//   0  trips → clean  rebalance         cbor:operators_test.Trip
	//   1  clean → sum    hash by string    cbor:operators_test.Trip
	//   2  sum → out      forward, chained  cbor:operators_test.Trip
	//
	// end to end, with exactly-once checkpoints
	//   out: at least once: a plain sink shows twice what is written again after a failure
}

// Build tells everything that is wrong at once.
func ExampleTopology_Build() {
	top := operators.NewTopology("tips")
	fares := operators.Map(trips(top), "trips", func(t Trip) int64 { return t.Tip })
	fares.To("out", printer[int64]{}).Parallelism(200)
	fares.Filter("big", func(v int64) bool { return v > 10_000 })

	_, err := top.Build()
	fmt.Println(err)

	// Output:
	// topology "tips" cannot run:
	// operator "trips": the name stands for a source and a map; names are the identity of state, so give one of them another
	// operator "out": parallelism 200 is above the topology's max parallelism 128; lower it, or raise MaxParallelism before the first checkpoint
	// operator "big": nobody reads its output; end the stream with To and a sink, or leave the filter out
}

// KeyBy is a property of the way to the operator that reads the keyed stream.
func ExampleKeyBy() {
	top := operators.NewTopology("tips")
	byZone := operators.KeyBy(trips(top), func(t Trip) string { return t.Zone })
	biggest := operators.Reduce(byZone, "biggest", func(a, b Trip) Trip {
		if a.Tip > b.Tip {
			return a
		}
		return b
	}).Parallelism(4)
	biggest.To("out", printer[Trip]{}).Parallelism(4)

	show(top)

	// Output:
	// topology tips: 3 operators, 2 chains, 5 subtasks, 1 region, max parallelism 128
	//
	// chain 0 ×1, region 0
	//   trips  source  slice of 0, bounded; watermarks 20m0s behind, every 100ms
	//
	// chain 1 ×4, region 0
	//   biggest  reduce  state
	//   out      sink    printer; plain
	//
	// edges
	//   0  trips → biggest  hash by string    cbor:operators_test.Trip
	//   1  biggest → out    forward, chained  cbor:operators_test.Trip
	//
	// end to end, with exactly-once checkpoints
	//   out: at least once: a plain sink shows twice what is written again after a failure
}

// Rebalance spreads the records of few splits over many subtasks.
func ExampleStream_Rebalance() {
	top := operators.NewTopology("tips")
	operators.Map(trips(top).Rebalance(), "work", func(t Trip) int64 { return t.Tip }).Parallelism(3).
		To("out", printer[int64]{}).Parallelism(3)

	show(top)

	// Output:
	// topology tips: 3 operators, 2 chains, 4 subtasks, 1 region, max parallelism 128
	//
	// chain 0 ×1, region 0
	//   trips  source  slice of 0, bounded; watermarks 20m0s behind, every 100ms
	//
	// chain 1 ×3, region 0
	//   work  map
	//   out   sink  printer; plain
	//
	// edges
	//   0  trips → work  rebalance         cbor:operators_test.Trip
	//   1  work → out    forward, chained  int64
	//
	// end to end, with exactly-once checkpoints
	//   out: at least once: a plain sink shows twice what is written again after a failure
}

// An operator that is unchained gets subtasks of its own, so that it runs at
// the same time as what it reads from.
func ExampleStream_Unchained() {
	top := operators.NewTopology("tips")
	operators.Map(trips(top), "work", func(t Trip) int64 { return t.Tip }).Unchained().To("out", printer[int64]{})

	show(top)

	// Output:
	// topology tips: 3 operators, 2 chains, 2 subtasks, 1 region, max parallelism 128
	//
	// chain 0 ×1, region 0
	//   trips  source  slice of 0, bounded; watermarks 20m0s behind, every 100ms
	//
	// chain 1 ×1, region 0
	//   work  map
	//   out   sink  printer; plain
	//
	// edges
	//   0  trips → work  forward           cbor:operators_test.Trip
	//   1  work → out    forward, chained  int64
	//
	// end to end, with exactly-once checkpoints
	//   out: at least once: a plain sink shows twice what is written again after a failure
}

// Key groups bound the parallelism for the life of the state: they are what
// moves when a job goes on at another one.
func ExampleTopology_MaxParallelism() {
	top := operators.NewTopology("tips").MaxParallelism(1024).Parallelism(512)
	trips(top).To("out", printer[Trip]{})
	p, err := top.Build()
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(top.Name(), "has", p.MaxParallelism, "key groups and", len(p.Subtasks(0)), "subtasks")
	// Output:
	// tips has 1024 key groups and 512 subtasks
}

// A plan draws itself for Graphviz.
func ExampleTopology_dot() {
	top := operators.NewTopology("tips")
	trips(top).Unchained().To("out", printer[Trip]{}).Unchained()
	p, err := top.Build()
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Print(p.DOT())

	// Output:
	// digraph "tips" {
	//   rankdir=LR;
	//   node [shape=box, style=rounded];
	//   subgraph cluster_0 {
	//     label="chain 0 ×1";
	//     o0 [label="trips\nsource: slice of 0, bounded; watermarks 20m0s behind, every 100ms"];
	//   }
	//   subgraph cluster_1 {
	//     label="chain 1 ×1";
	//     o1 [label="out\nsink: printer\nat least once"];
	//   }
	//   o0 -> o1 [label="forward"];
	// }
}
