package cluster_test

import (
	"context"
	"encoding/json"
	"sync"
	"testing"

	"github.com/weirflow/weir/cluster"
	"github.com/weirflow/weir/operators"
	"github.com/weirflow/weir/persistence/memory"
)

// hoarder is a sink that lets go of records in hundreds only. What it keeps
// back at a barrier is in the checkpoint.
type hoarder struct {
	mu  sync.Mutex
	out []int64
}

type hoarding struct {
	h    *hoarder
	c    operators.SinkContext
	kept []int64
}

func (h *hoarder) Kind() operators.SinkKind { return operators.Plain }
func (h *hoarder) Open(_ context.Context, c operators.SinkContext) (operators.Writer[int64], error) {
	return &hoarding{h: h, c: c}, nil
}

func (w *hoarding) Write(_ context.Context, b *operators.Batch[int64]) error {
	w.kept = append(w.kept, b.Values...)
	w.h.mu.Lock()
	defer w.h.mu.Unlock()
	for len(w.kept) >= 100 {
		w.h.out = append(w.h.out, w.kept[:100]...)
		w.kept = w.kept[100:]
	}
	return nil
}
func (w *hoarding) Flush(context.Context) error { return nil }
func (w *hoarding) Close() error                { return nil }

func (w *hoarding) Finish() error {
	w.h.mu.Lock()
	defer w.h.mu.Unlock()
	w.h.out = append(w.h.out, w.kept...)
	w.kept = nil
	return nil
}

func (w *hoarding) SnapshotState() ([]byte, error) { return json.Marshal(w.kept) }
func (w *hoarding) RestoreState(parts [][]byte) error {
	for i, p := range parts {
		if i%w.c.Parallelism != w.c.Index {
			continue
		}
		var kept []int64
		if err := json.Unmarshal(p, &kept); err != nil {
			return err
		}
		w.kept = append(w.kept, kept...)
	}
	return nil
}

// S25: what a function holds back at the barrier goes into the checkpoint and
// is in the restored function, also when there are more or fewer of them.
func TestS25_BufferIsRestored(t *testing.T) {
	h, store := &hoarder{}, memory.Store(1<<20)
	for _, parallelism := range []int{2, 3, 1} {
		top := operators.NewTopology("hoard").Parallelism(parallelism)
		in := operators.From(top, "numbers", endless{}, operators.NoWatermarks[int64]())
		in.Rebalance().To("out", h)
		if err := stopped(t, top, cluster.Config{Store: store, BatchRecords: 33}); err != nil {
			t.Fatal(err)
		}
	}
	seen := map[int64]bool{}
	greatest := int64(0)
	for _, v := range h.out {
		if seen[v] {
			t.Fatalf("%d came out twice", v)
		}
		seen[v] = true
		greatest = max(greatest, v)
	}
	if held := greatest + 1 - int64(len(h.out)); held >= 100*3 || len(h.out) == 0 {
		t.Errorf("%d came out, up to %d: %d are missing, more than the sinks may hold", len(h.out), greatest, held)
	}
}

// S25: at the end of input what was kept back goes out.
func TestS25_BufferGoesOutAtTheEnd(t *testing.T) {
	h := &hoarder{}
	numbers := make([]int64, 1234)
	top := operators.NewTopology("hoard").Parallelism(2)
	in := operators.From(top, "numbers", operators.Slice(numbers...), operators.NoWatermarks[int64]())
	in.Rebalance().To("out", h)
	if _, err := cluster.Run(context.Background(), top, cluster.Config{}); err != nil {
		t.Fatal(err)
	}
	if len(h.out) != len(numbers) {
		t.Errorf("%d of %d came out", len(h.out), len(numbers))
	}
}
