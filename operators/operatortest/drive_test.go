package operatortest

import (
	"strings"
	"testing"
	"time"

	"github.com/weirflow/weir/messages"
	"github.com/weirflow/weir/operators"
)

// source and sink of the topologies here; the kit never opens them.
func from(top *operators.Topology, name string) *operators.Stream[event] {
	return operators.From(top, name, byHand[event]{}, operators.Monotonous[event](nil))
}

func TestDrive(t *testing.T) {
	top := operators.NewTopology("drive")
	all := operators.Union(from(top, "left"), from(top, "right"))
	out := operators.Process[string, event, event](operators.KeyBy(all, keyOf), "sorter", newSorter, lateTag).Parallelism(3)
	out.To("sorted", intoHand[event]{}).Parallelism(2)
	operators.SideOutput(out, lateTag).To("late", intoHand[event]{})

	d := Drive(t, top)
	left, right, sortedPipe, late := In[event](d, "left"), In[event](d, "right"), Out[event](d, "sorted"), Out[event](d, "late")
	left.Send(a(5), 5)
	left.Send(a(3), 3)
	right.Send(a(4), 4)
	left.Watermark(5)
	same(t, "one side alone holds the watermark back", sortedPipe.Records(), nil)
	if sortedPipe.Watermark() != messages.NoWatermark || d.Timers() != 3 || d.StateSize() != 3 {
		t.Errorf("watermark %d, %d timers, %d entries; want none, 3, 3", sortedPipe.Watermark(), d.Timers(), d.StateSize())
	}
	right.Watermark(4)
	same(t, "both at 4", sortedPipe.Records(), []Record[event]{At(a(3), 3), At(a(4), 4)})
	if sortedPipe.Watermark() != 4 || late.Watermark() != 4 {
		t.Errorf("watermarks %d and %d, want 4", sortedPipe.Watermark(), late.Watermark())
	}
	left.Send(a(1), 1)
	same(t, "late", late.Records(), []Record[event]{At(a(1), 1)})
	left.Close()
	left.Close()
	same(t, "left closed", sortedPipe.Records(), nil)
	if sortedPipe.Ended() {
		t.Error("ended while right is open")
	}
	right.Close()
	same(t, "both closed", sortedPipe.Records(), []Record[event]{At(a(5), 5)})
	if !sortedPipe.Ended() || sortedPipe.Watermark() != messages.MaxWatermark {
		t.Error("not ended")
	}
	d.Close()
}

// where tells which subtask of how many works on a record.
type where struct{ index, of int }

func (f *where) Open(info operators.OpenContext) error {
	f.index, f.of = info.Index, info.Parallelism
	return nil
}

func (f *where) ProcessElement(ctx *operators.Context[string, event], e event) error {
	ctx.Emit(event{e.Key, f.index})
	return nil
}

// Keys go to the subtask that owns their key group, whatever subtask sends them;
// a round robin goes round; and subtasks of a source are spoken to one by one.
func TestDrivePartitions(t *testing.T) {
	top := operators.NewTopology("drive").Parallelism(4)
	in := from(top, "in").Parallelism(2)
	operators.Process[string, event, event](operators.KeyBy(in, keyOf), "where",
		func(*operators.States[string]) *where { return &where{} }).To("keys", intoHand[event]{})
	counted := func(name string, s *operators.Stream[event]) *operators.Stream[event] {
		return operators.Map(s, name, func(e event) event { return e })
	}
	counted("forward", in).Parallelism(2).To("forwards", intoHand[event]{}).Parallelism(2)
	counted("spread", in.Rebalance()).To("spreads", intoHand[event]{})

	d := Drive(t, top)
	pipe, keys := In[event](d, "in"), Out[event](d, "keys")
	owner := map[string]int{}
	seen := map[int]bool{}
	for i := range 64 {
		key := string(rune('A' + i%32))
		pipe.Send(event{key, 0}, int64(i))
		got := keys.Records()
		if len(got) != 1 || got[0].Time != int64(i) {
			t.Fatalf("record %d gave %v", i, got)
		}
		if was, known := owner[key]; known && was != got[0].Value.Value {
			t.Errorf("key %s went to subtask %d and to %d", key, was, got[0].Value.Value)
		}
		owner[key], seen[got[0].Value.Value] = got[0].Value.Value, true
	}
	if len(seen) != 4 {
		t.Errorf("32 keys went to the subtasks %v, want all of 4", seen)
	}
	if n := len(Out[event](d, "forwards").Records()) + len(Out[event](d, "spreads").Records()); n != 128 {
		t.Errorf("%d records forward and spread, want 64 and 64", n)
	}
	pipe.Subtask(1).Watermark(9)
	if w := Out[event](d, "spreads").Watermark(); w != messages.NoWatermark {
		t.Errorf("one subtask of two raised the watermark to %d", w)
	}
	pipe.Watermark(7)
	if w := Out[event](d, "spreads").Watermark(); w != 7 {
		t.Errorf("the watermark is %d, want 7", w)
	}
}

// A watermark reaches who reads from several subtasks once all of them have it.
func TestDriveRebalances(t *testing.T) {
	top := operators.NewTopology("drive")
	rebalanced := operators.Map(from(top, "in").Rebalance(), "here", func(e event) event { return e }).Parallelism(3)
	operators.Process[string, event, event](operators.KeyBy(rebalanced, keyOf), "sorter", newSorter, lateTag).To("out", intoHand[event]{})
	d := Drive(t, top)
	in := In[event](d, "in")
	for i := range 9 {
		in.Send(a(i), int64(i))
	}
	in.Watermark(4)
	if got := Out[event](d, "out").Records(); len(got) != 5 {
		t.Errorf("at 4 came %v, want 0 to 4", got)
	}
}

func TestDriveRefuses(t *testing.T) {
	drive := func(t TB) *Driver {
		top := operators.NewTopology("drive")
		from(top, "in").To("out", intoHand[event]{})
		return Drive(t, top)
	}
	for want, f := range map[string]func(t TB){
		`there is no source "input" in the topology; it has ["in"]`:      func(t TB) { In[event](drive(t), "input") },
		`there is no sink "in" in the topology; it has ["out"]`:          func(t TB) { Out[event](drive(t), "in") },
		`operator "in" has records of type operatortest.event, not int`:  func(t TB) { In[int](drive(t), "in") },
		`operator "out" has records of type operatortest.event, not int`: func(t TB) { Out[int](drive(t), "out") },
		`operator "in" has no subtask 1; its parallelism is 1`:           func(t TB) { In[event](drive(t), "in").Subtask(1) },
		`came after the end of its input`:                                func(t TB) { p := In[event](drive(t), "in"); p.Close(); p.Send(a(1), 1) },
		`give ms since 1970`:                                             func(t TB) { In[event](drive(t), "in").Send(a(1), messages.MaxWatermark) },
		`never sent`:                                                     func(t TB) { In[event](drive(t), "in").Watermark(messages.NoWatermark) },
		`never goes back`:                                                func(t TB) { drive(t).AdvanceProcessingTime(-time.Second) },
		`topology "empty" cannot run`:                                    func(t TB) { Drive(t, operators.NewTopology("empty")) },
	} {
		if got := failureOf(f); !strings.Contains(got, want) {
			t.Errorf("the failure is %q, want %q", got, want)
		}
	}
}
