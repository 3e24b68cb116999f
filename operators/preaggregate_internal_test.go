package operators

import (
	"testing"

	"github.com/weirflow/weir/messages"
	"github.com/weirflow/weir/operators/plan"
	"github.com/weirflow/weir/persistence"
)

// preAggregated gives the plan of tips folded in two stages, by the types of the other tests of windows.
func preAggregated(t *testing.T) *plan.Plan {
	t.Helper()
	top := NewTopology("two").Parallelism(2)
	in := From(top, "in", Slice[fare](), Monotonous(func(fare) int64 { return 0 }))
	Aggregate(fares(in).Window(Tumbling(millis(10))).PreAggregate(), "tips", Aggregator[fare, int64, int64](sumTips{})).
		To("out", discardSink[WindowResult[string, int64]]{})
	p, err := top.Build()
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// A part that is late for the second stage, as after idleness it can be, counts for each of its records.
func TestLatePartsCountTheirRecords(t *testing.T) {
	second := preAggregated(t).Operator("tips").New()
	rt := testRuntime(nil)
	rt.Register = func(st persistence.State) error { return nil }
	if err := second.Init(rt); err != nil {
		t.Fatal(err)
	}
	if err := second.Open(); err != nil {
		t.Fatal(err)
	}
	parts := []part[string, int64]{{"a", 10, 3}, {"b", 20, 1}, {"a", 30, 5}}
	b := &plan.Batch{Values: &parts, Times: []int64{4, 4, 10}, Marks: []plan.Mark{{Index: 0, Watermark: 9}}}
	if err := second.Process(0, b); err != nil {
		t.Fatal(err)
	}
	if n := *rt.Counter(lateDropped); n != 4 {
		t.Fatalf("%d records dropped, want 3 + 1", n)
	}
}

// Parts go over the wire with key, accumulator and the number of their records, and come by the hash of their key; what
// is cut short is refused.
func TestPartsOnTheWire(t *testing.T) {
	edge := preAggregated(t).Operator("tips").Inputs[0]
	if edge.Partition != plan.Hash || edge.Type.Name() != "part int64 by string" {
		t.Fatalf("%v of %s", edge.Partition, edge.Type.Name())
	}
	parts := []part[string, int64]{{"a", -1, 1}, {"", 1 << 40, 300}}
	b := &plan.Batch{Values: &parts, Times: []int64{4, messages.MaxEventTime}, Marks: []plan.Mark{{Index: 1, Watermark: 3}}}
	edge.Keyer.Hash(b)
	if want := keyKindOf(mustCodec[string]()).hash("a"); b.Hashes[0] != want {
		t.Fatalf("hash %x, want that of the key, %x", b.Hashes[0], want)
	}
	p, err := edge.Type.Encode(nil, b)
	if err != nil {
		t.Fatal(err)
	}
	back := edge.Type.New(0)
	if err := edge.Type.Decode(back, p); err != nil {
		t.Fatal(err)
	}
	equalElements(t, "over the wire", elementsOf[part[string, int64]](t, back), elementsOf[part[string, int64]](t, b))
	for n := range p {
		if err := edge.Type.Decode(edge.Type.New(0), p[:n]); err == nil {
			t.Errorf("%d of %d bytes were read", n, len(p))
		}
	}
}
