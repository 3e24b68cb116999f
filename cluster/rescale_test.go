package cluster_test

import (
	"context"
	"encoding/binary"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/weirflow/weir/cluster"
	"github.com/weirflow/weir/operators"
	"github.com/weirflow/weir/persistence/memory"
)

// keeper is a sink whose writers keep everything back until the end of input.
type keeper struct {
	mu   sync.Mutex
	all  []int64
	more chan struct{} // gets one for every writer that let go
}

func (k *keeper) Kind() operators.SinkKind { return operators.Plain }
func (k *keeper) Open(_ context.Context, c operators.SinkContext) (operators.Writer[int64], error) {
	return &keeping{keeper: k, c: c}, nil
}

type keeping struct {
	*keeper
	c    operators.SinkContext
	kept []int64
}

func (w *keeping) Write(_ context.Context, b *operators.Batch[int64]) error {
	w.kept = append(w.kept, b.Values...)
	return nil
}
func (w *keeping) Flush(context.Context) error { return nil }
func (w *keeping) Close() error                { return nil }

func (w *keeping) SnapshotState() (p []byte, err error) {
	for _, v := range w.kept {
		p = binary.AppendVarint(p, v)
	}
	return p, nil
}

func (w *keeping) RestoreState(parts [][]byte) error {
	for i, p := range parts {
		for i%w.c.Parallelism == w.c.Index && len(p) > 0 {
			v, n := binary.Varint(p)
			w.kept, p = append(w.kept, v), p[n:]
		}
	}
	return nil
}

func (w *keeping) Finish() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.all, w.kept = append(w.all, w.kept...), nil
	w.more <- struct{}{}
	return nil
}

// S89, S99: a subtask whose input had ended gets records again when what is before it
// has another parallelism: it is no longer at its end.
func TestEndedInputBeforeRescale(t *testing.T) {
	f, k := newFeed(), &keeper{more: make(chan struct{}, 4)}
	cfg := cluster.Config{Store: memory.Store(1 << 20), BatchRecords: 1}
	f.bounded = true
	f.add("a", 1, 2)
	f.add("b", 3)
	f.end("a")
	start := func(sources int) *cluster.Job {
		top := operators.NewTopology("kept").Parallelism(2)
		in := operators.From(top, "feed", f, operators.NoWatermarks[int64]()).Parallelism(sources)
		in.Filter("all", func(int64) bool { return true }).Unchained().To("out", k)
		job, err := cluster.Start(context.Background(), top, cfg)
		if err != nil {
			t.Fatal(err)
		}
		return job
	}
	job := start(2)
	<-k.more // subtask 0 has ended
	job.Stop(false)
	if err := job.Wait(); err != nil {
		t.Fatal(err)
	}
	f.add("b", 4, 5, 6, 7)
	f.end("b")
	if err := start(1).Wait(); err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(slices.Sorted(slices.Values(k.all))); got != "[1 2 3 4 5 6 7]" {
		t.Errorf("%s came out", got)
	}
}

// S41, S89, S111: what is late does not depend on a rescale, also where subtasks
// of the source had nothing to read: splits far apart go on at other
// parallelisms, or behind an operator more, and none of their records is late.
func TestNothingIsLateAfterRescale(t *testing.T) {
	for _, c := range []struct {
		before, after int
		more          bool // an operator
	}{{3, 2, false}, {3, 4, false}, {3, 3, true}, {2, 1, false}} {
		for range 3 {
			t.Run(fmt.Sprintf("%d to %d, another operator %v", c.before, c.after, c.more), func(t *testing.T) {
				f, p, late, cfg := newFeed(), &plain{}, &plain{}, cluster.Config{Store: memory.Store(1 << 20)}
				f.add("a", 1000, 50000)
				f.add("b", 1000, 2000)
				job, err := cluster.Start(context.Background(), apart(f, p, late, c.before, false), cfg)
				if err != nil {
					t.Fatal(err)
				}
				until(t, job, p, 1)
				job.Stop(false)
				if err := job.Wait(); err != nil {
					t.Fatal(err)
				}
				if job, err = cluster.Start(context.Background(), apart(f, p, late, c.after, c.more), cfg); err != nil {
					t.Fatal(err)
				}
				for range 2 { // the restored clocks are at the window
					if _, err := job.TriggerCheckpoint(context.Background()); err != nil {
						t.Fatal(err)
					}
				}
				f.add("b", 3000, 4000, 5000, 60000)
				f.add("a", 60000)
				until(t, job, p, 6)
				job.Stop(false)
				if err := job.Wait(); err != nil {
					t.Fatal(err)
				}
				if got := fmt.Sprint(p.sorted(), late.sorted()); got != "[1002 2001 3001 4001 5001 50001] []" {
					t.Errorf("windows and late records: %s", got)
				}
			})
		}
	}
}

// apart counts seconds, behind a source of its own parallelism.
func apart(f *feed, p, late *plain, sources int, more bool) *operators.Topology {
	top := operators.NewTopology("apart").Parallelism(1)
	in := operators.From(top, "feed", f, operators.Monotonous[int64](nil)).Parallelism(sources)
	if more {
		in.Filter("more", func(int64) bool { return true }).To("nowhere", none[int64]{})
	}
	tag := operators.NewTag[int64]("late")
	counts := operators.Aggregate(operators.KeyBy(in, func(int64) int64 { return 0 }).
		Window(operators.Tumbling(time.Second)).SideOutputLate(tag), "count", countInts{})
	operators.Map(counts, "row", func(r operators.WindowResult[int64, int64]) int64 { return r.Start + r.Value }).To("out", p)
	operators.SideOutput(counts, tag).To("late", late)
	return top
}
