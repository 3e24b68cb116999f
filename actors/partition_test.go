package actors

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/weirflow/weir/actors/credit"
	"github.com/weirflow/weir/messages"
	"github.com/weirflow/weir/operators"
	"github.com/weirflow/weir/operators/plan"
)

// partitioned is the exchange behind a PartitionBy to three subtasks, and what it puts on their channels.
func partitioned(t *testing.T, way func(in *operators.Stream[int64]) *operators.Stream[int64]) (f *fan, sent []*strings.Builder) {
	top := operators.NewTopology("partition")
	in := operators.From(top, "in", operators.Slice[int64](), operators.NoWatermarks[int64]())
	way(in).To("out", sinkOf{}).Parallelism(3)
	p, err := top.Build()
	if err != nil {
		t.Fatal(err)
	}
	edge := p.Operator("in").Outputs[0]
	x := newExchange(edge, 0, 512, p.MaxParallelism, func() {})
	for i := range 3 {
		log := &strings.Builder{}
		sent = append(sent, log)
		x.channels = append(x.channels, &outChannel{
			id:     messages.ChannelID{To: i},
			window: credit.NewWindow(8, func(*element) bool { return true }, func(e *element) { fmt.Fprintln(log, showElement(e)) }),
		})
	}
	n := &node{op: p.Operator("in"), id: messages.SubtaskID{Chain: "in"}, rt: &plan.Runtime{}}
	return &fan{node: n, types: edge.Type, targets: []plan.Output{x}}, sent
}

func numbers() *plan.Batch {
	return &plan.Batch{Values: &[]int64{0, 4, 5, 7}, Times: []int64{10, 14, 15, 17}, Marks: []plan.Mark{{Index: 1, Watermark: 9}, {Index: 4, Watermark: 16}}}
}

// Records go where the function says, and where Broadcast says that is everywhere; marks go to all channels, each at its
// place among the records there, and the greatest where several meet.
func TestPartitionByAndBroadcast(t *testing.T) {
	for name, c := range map[string]struct {
		way  func(in *operators.Stream[int64]) *operators.Stream[int64]
		want [3]string
	}{
		"by function": {
			func(in *operators.Stream[int64]) *operators.Stream[int64] {
				return in.PartitionBy(func(v int64, n int) int { return int(v) % n })
			},
			[3]string{"batch 0@10 wm16", "batch wm9 4@14 7@17 wm16", "batch wm9 5@15 wm16"},
		},
		"broadcast": {
			func(in *operators.Stream[int64]) *operators.Stream[int64] { return in.Broadcast() },
			[3]string{"batch 0@10 wm9 4@14 5@15 7@17 wm16", "batch 0@10 wm9 4@14 5@15 7@17 wm16", "batch 0@10 wm9 4@14 5@15 7@17 wm16"},
		},
	} {
		f, sent := partitioned(t, c.way)
		if err := f.Push(numbers()); err != nil {
			t.Fatal(err)
		}
		f.targets[0].(*exchange).flush()
		for i, log := range sent {
			if got := strings.TrimSpace(log.String()); got != c.want[i] {
				t.Errorf("%s: subtask %d got %q, want %q", name, i, got, c.want[i])
			}
		}
	}
}

// A number that is no subtask, and a panic, are failures of the sending operator that name the record.
func TestPartitionByFails(t *testing.T) {
	for want, f := range map[string]func(v int64, n int) int{
		"PartitionBy: its function gave subtask 3 of 3; let it give 0 to 2":  func(v int64, n int) int { return int(v) - 2 },
		"PartitionBy: its function gave subtask -1 of 3; let it give 0 to 2": func(v int64, n int) int { return max(4-int(v), -1) % 4 },
		"PartitionBy: panic: no way": func(v int64, n int) int {
			if v == 5 {
				panic("no way")
			}
			return 0
		},
	} {
		b := numbers()
		*b.Values.(*[]int64) = []int64{2, 4, 5, 7}
		out, _ := partitioned(t, func(in *operators.Stream[int64]) *operators.Stream[int64] { return in.PartitionBy(f) })
		var failed *messages.Failure
		if err := out.Push(b); !errors.As(err, &failed) {
			t.Fatalf("%v is no failure", err)
		}
		if failed.GetReason() != want || failed.GetOperator() != "in" || !failed.GetHasRecord() || failed.GetRecordTimeMs() != 15 || failed.GetKeyGroup() != -1 {
			t.Errorf("%v\nwant %s, of operator in at 15", failed, want)
		}
		if panicked := strings.Contains(want, "panic"); panicked != (failed.GetStack() != "") {
			t.Errorf("%s: stack %q", want, failed.GetStack())
		}
	}
}
