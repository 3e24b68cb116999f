package cluster_test

import (
	"context"
	"encoding/binary"
	"fmt"
	"slices"
	"sync"
	"testing"

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
