package operators_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
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

// Event times come from the records; a trip may come 20 minutes after a later
// one and still be on time.
func ExampleFrom() {
	top := operators.NewTopology("tips")
	strategy := operators.BoundedOutOfOrderness(20*time.Minute, func(t Trip) int64 { return t.PickedUp }).
		Granularity(time.Second).
		Idle(time.Minute)
	operators.From(top, "trips", operators.Slice(Trip{Zone: "Harlem"}), strategy).To("out", printer[Trip]{})

	show(top)

	// Output:
	// topology tips: 2 operators, 1 chain, 1 subtask, 1 region, max parallelism 128
	//
	// chain 0 ×1, region 0
	//   trips  source  slice of 1, bounded; watermarks 20m0s behind, every 1s, idle after 1m0s
	//   out    sink    printer; plain
	//
	// edges
	//   0  trips → out  forward, chained  cbor:operators_test.Trip
	//
	// end to end, with exactly-once checkpoints
	//   out: at least once: a plain sink shows twice what is written again after a failure
}

func ExampleMap() {
	top := operators.NewTopology("tips")
	operators.Map(trips(top), "dollars", func(t Trip) float64 { return float64(t.Tip) / 100 }).To("out", printer[float64]{})

	show(top)

	// Output:
	// topology tips: 3 operators, 1 chain, 1 subtask, 1 region, max parallelism 128
	//
	// chain 0 ×1, region 0
	//   trips    source  slice of 0, bounded; watermarks 20m0s behind, every 100ms
	//   dollars  map
	//   out      sink    printer; plain
	//
	// edges
	//   0  trips → dollars  forward, chained  cbor:operators_test.Trip
	//   1  dollars → out    forward, chained  float64
	//
	// end to end, with exactly-once checkpoints
	//   out: at least once: a plain sink shows twice what is written again after a failure
}

func ExampleStream_Filter() {
	top := operators.NewTopology("tips")
	trips(top).Filter("generous", func(t Trip) bool { return t.Tip > 1000 }).To("out", printer[Trip]{})

	show(top)

	// Output:
	// topology tips: 3 operators, 1 chain, 1 subtask, 1 region, max parallelism 128
	//
	// chain 0 ×1, region 0
	//   trips     source  slice of 0, bounded; watermarks 20m0s behind, every 100ms
	//   generous  filter
	//   out       sink    printer; plain
	//
	// edges
	//   0  trips → generous  forward, chained  cbor:operators_test.Trip
	//   1  generous → out    forward, chained  cbor:operators_test.Trip
	//
	// end to end, with exactly-once checkpoints
	//   out: at least once: a plain sink shows twice what is written again after a failure
}

// A FlatMap gives any number of records for one, and may fail.
func ExampleFlatMap() {
	top := operators.NewTopology("words")
	lines := operators.From(top, "lines", operators.Slice("to be or not"), operators.NoWatermarks[string]())
	words := operators.FlatMap(lines, "split", func(line string, out *operators.Out[string]) error {
		if line == "" {
			return errors.New("an empty line")
		}
		for _, w := range strings.Fields(line) {
			out.Emit(w)
		}
		return nil
	})
	words.To("out", printer[string]{})

	show(top)

	// Output:
	// topology words: 3 operators, 1 chain, 1 subtask, 1 region, max parallelism 128
	//
	// chain 0 ×1, region 0
	//   lines  source   slice of 1, bounded; no watermarks
	//   split  flatmap
	//   out    sink     printer; plain
	//
	// edges
	//   0  lines → split  forward, chained  string
	//   1  split → out    forward, chained  string
	//
	// end to end, with exactly-once checkpoints
	//   out: at least once: a plain sink shows twice what is written again after a failure
}

// A side output is a stream of its own type.
func ExampleSideOutput() {
	top := operators.NewTopology("tips")
	alerts := operators.NewTag[string]("alerts")
	checked := operators.FlatMap(trips(top), "check", func(t Trip, out *operators.Out[Trip]) error {
		if t.Tip > 100_000 {
			alerts.Emit(out, "a tip of "+fmt.Sprint(t.Tip)+" in "+t.Zone)
		}
		out.Emit(t)
		return nil
	}, alerts)
	checked.To("out", printer[Trip]{})
	operators.SideOutput(checked, alerts).To("alerts", printer[string]{})

	show(top)

	// Output:
	// topology tips: 4 operators, 1 chain, 1 subtask, 1 region, max parallelism 128
	//
	// chain 0 ×1, region 0
	//   trips   source   slice of 0, bounded; watermarks 20m0s behind, every 100ms
	//   check   flatmap  side outputs alerts
	//   out     sink     printer; plain
	//   alerts  sink     printer; plain
	//
	// edges
	//   0  trips → check          forward, chained  cbor:operators_test.Trip
	//   1  check → out            forward, chained  cbor:operators_test.Trip
	//   2  check/alerts → alerts  forward, chained  string
	//
	// end to end, with exactly-once checkpoints
	//   out: at least once: a plain sink shows twice what is written again after a failure
	//   alerts: at least once: a plain sink shows twice what is written again after a failure
}

func ExampleUnion() {
	top := operators.NewTopology("tips")
	green := operators.From(top, "green", operators.Slice[Trip](), operators.Monotonous(pickedUp))
	yellow := operators.From(top, "yellow", operators.Slice[Trip](), operators.Monotonous(pickedUp))
	operators.Union(green, yellow).To("out", printer[Trip]{})

	show(top)

	// Output:
	// topology tips: 3 operators, 3 chains, 3 subtasks, 1 region, max parallelism 128
	//
	// chain 0 ×1, region 0
	//   green  source  slice of 0, bounded; watermarks 0s behind, every 100ms
	//
	// chain 1 ×1, region 0
	//   yellow  source  slice of 0, bounded; watermarks 0s behind, every 100ms
	//
	// chain 2 ×1, region 0
	//   out  sink  printer; plain
	//
	// edges
	//   0  green → out   forward  cbor:operators_test.Trip
	//   1  yellow → out  forward  cbor:operators_test.Trip
	//
	// end to end, with exactly-once checkpoints
	//   out: at least once: a plain sink shows twice what is written again after a failure
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

// endOfFile is a user's watermark generator: only a marker record moves event
// time on.
type endOfFile struct{}

func (endOfFile) OnEvent(t Trip, time int64) (int64, bool) { return time, t.Zone == "" }
func (endOfFile) OnPeriodic(int64) (int64, bool)           { return 0, false }

func ExamplePunctuated() {
	top := operators.NewTopology("tips")
	strategy := operators.Punctuated(pickedUp, func() operators.WatermarkGenerator[Trip] { return endOfFile{} })
	operators.From(top, "trips", operators.Slice[Trip](), strategy).To("out", printer[Trip]{})

	show(top)

	// Output:
	// topology tips: 2 operators, 1 chain, 1 subtask, 1 region, max parallelism 128
	//
	// chain 0 ×1, region 0
	//   trips  source  slice of 0, bounded; watermarks by a user's generator
	//   out    sink    printer; plain
	//
	// edges
	//   0  trips → out  forward, chained  cbor:operators_test.Trip
	//
	// end to end, with exactly-once checkpoints
	//   out: at least once: a plain sink shows twice what is written again after a failure
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

// A codec is chosen by type, and its name tells when the type has changed.
func ExampleCodecOf() {
	c, err := operators.CodecOf[Trip]()
	if err != nil {
		fmt.Println(err)
		return
	}
	p, _ := c.Append(nil, Trip{Zone: "Harlem", Tip: 250})
	v, _, _ := c.Decode(p)
	fmt.Println(c.Name())
	fmt.Println(v)

	_, err = operators.CodecOf[struct{ Done chan bool }]()
	fmt.Println(err)

	// Output:
	// cbor:operators_test.Trip{PickedUp int64, Tip int64, Zone string}
	// {Harlem 250 0}
	// struct { Done chan bool } cannot be encoded: struct { Done chan bool }.Done is a chan: leave it out
}
