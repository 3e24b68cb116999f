package operatortest

import (
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/weirflow/weir/actors/watermark"
	"github.com/weirflow/weir/messages"
	"github.com/weirflow/weir/operators"
	"github.com/weirflow/weir/operators/plan"
)

// shown writes a batch as its records, with "|w" for a watermark w.
func shown(b *plan.Batch) string {
	var text []string
	marks := b.Marks
	for i := 0; i <= b.Len(); i++ {
		for ; len(marks) > 0 && marks[0].Index == i; marks = marks[1:] {
			text = append(text, fmt.Sprintf("|%d", marks[0].Watermark))
		}
		if i < b.Len() {
			text = append(text, fmt.Sprint(valueAt(b, i)))
		}
	}
	return strings.Join(text, " ")
}

// Marks go to every channel, each at its place among the records there.
func TestExchange(t *testing.T) {
	rows, err := operators.RowTypeOf[int]()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		partition plan.Partitioning
		channels  int
		want      string
	}{
		{plan.Forward, 1, "[1 2 |5 3 |7]"},
		{plan.Broadcast, 2, "[1 2 |5 3 |7] [1 2 |5 3 |7]"},
		{plan.Rebalance, 3, "[|5 |7] [1 2 |5 3 |7] [|5 |7]"},
		{plan.Hash, 2, "[1 |5 3 |7] [2 |5 |7]"},
		{plan.ByFunction, 2, "[2 |5 |7] [1 |5 3 |7]"},
	} {
		b := batchOf(t, rows, []int{1, 2, 3}, []int64{1, 2, 3})
		b.Hashes = []uint64{0, 1 << 63, 1}
		b.Marks = []plan.Mark{{Index: 2, Watermark: 5}, {Index: 3, Watermark: 7}}
		x := &exchange{edge: &plan.Edge{Partition: c.partition, Type: rows}, channels: make([]channel, c.channels), groups: 128, next: 1, target: []int32{1, 0, 1}}
		if c.partition != plan.Rebalance {
			x.next = 0
		}
		var got []string
		for _, part := range x.split(b) {
			got = append(got, "["+shown(part)+"]")
		}
		if strings.Join(got, " ") != c.want {
			t.Errorf("partitioning %d: %v, want %s", c.partition, got, c.want)
		}
		if c.partition == plan.Rebalance && x.next != 2 {
			t.Errorf("the next batch goes to %d, want 2", x.next)
		}
	}
}

// A function that names no subtask fails with the operator that sends and the record.
func TestPartitionByFails(t *testing.T) {
	mustFail(t, func(t TB) {
		h := Keyed(t, func(in *operators.Stream[int]) *operators.Stream[int] {
			on := operators.Map(in, "on", func(v int) int { return v })
			return operators.Map(on.PartitionBy(func(v, n int) int { return v + n }), "behind", func(v int) int { return v }).Parallelism(2)
		})
		h.Process(5, 3)
	}, `operator "on", subtask`, `PartitionBy: its function gave subtask 7 of 2; let it give 0 to 1 (record of event time 3)`)
}

// The merge of watermarks is that of a job where nothing is idle.
func TestClockIsThatOfAJob(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 4).Draw(t, "channels")
		twin, c := watermark.NewMerge(n), clock{current: messages.NoWatermark}
		for range n {
			c.add(messages.NoWatermark)
		}
		for range rapid.IntRange(0, 20).Draw(t, "marks") {
			i, w := rapid.IntRange(0, n-1).Draw(t, "channel"), rapid.Int64Range(-5, 20).Draw(t, "watermark")
			want := twin.Advance(i, w)
			if got := c.advance(i, w); got != want || c.current != twin.Current() {
				t.Fatalf("channel %d at %d: clock %d, grew: %v; want %d, %v", i, w, c.current, got, twin.Current(), want)
			}
		}
	})
}

// What an operator pushes is held to the invariants of a batch.
func TestMarksAreChecked(t *testing.T) {
	for want, b := range map[string]*plan.Batch{
		"pushed watermark 3 at 0 of 0 records, behind watermark 3": {Marks: []plan.Mark{{Watermark: 3}}},
		"pushed watermark 4 at 1 of 0 records":                     {Marks: []plan.Mark{{Index: 1, Watermark: 4}}},
		"pushed watermark 5 at 0 of 1 records, behind watermark 4": {Times: []int64{0}, Marks: []plan.Mark{{Index: 1, Watermark: 4}, {Watermark: 5}}},
	} {
		mustFail(t, func(t TB) {
			n := &node{op: &plan.Operator{Name: "x"}, engine: &engine{t: t}}
			_ = (&fan{node: n, mark: 3}).Push(b)
		}, want)
	}
}
