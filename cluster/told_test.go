package cluster_test

import (
	"context"
	"encoding/binary"
	"errors"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/weirflow/weir/cluster"
	"github.com/weirflow/weir/operators"
)

// S3: a source hears where its splits stand in checkpoints that are complete, one at a
// time, never further back than before; the last one is that of the end. That it gives
// errors does not matter.
func TestSourceHearsOfCheckpoints(t *testing.T) {
	f := newFeed()
	f.bounded = true
	const records = 100_000
	for _, split := range []string{"a", "b", "c"} {
		var times []int64
		for i := range int64(records) {
			times = append(times, i)
		}
		f.add(split, times...)
		f.end(split)
	}
	var mu sync.Mutex
	var calls atomic.Int64
	under, stood := map[string]bool{}, map[string]uint64{}
	f.onCheckpoint = func(_ context.Context, splits []string, positions [][]byte) error {
		mu.Lock()
		defer mu.Unlock()
		for i, split := range splits {
			if under[split] {
				t.Errorf("two calls at a time for split %q", split)
			}
			at := binary.BigEndian.Uint64(positions[i])
			if at < stood[split] {
				t.Errorf("split %q stands at %d after %d", split, at, stood[split])
			}
			under[split], stood[split] = true, at
		}
		mu.Unlock()
		runtime.Gosched()
		mu.Lock()
		for _, split := range splits {
			under[split] = false
		}
		if calls.Add(1)%2 == 0 {
			return errors.New("the outside is away")
		}
		return nil
	}
	top := operators.NewTopology("told").Parallelism(2)
	in := operators.From(top, "feed", f, operators.Monotonous[int64](nil))
	operators.Map(in, "same", func(v int64) int64 { return v }).To("out", &plain{})
	job, err := cluster.Run(t.Context(), top, cluster.Config{Checkpoint: cluster.Every(time.Millisecond)})
	if err != nil {
		t.Fatal(err)
	}
	if n := job.Status().Restarts; n > 0 {
		t.Errorf("the job was restarted %d times", n)
	}
	for _, split := range []string{"a", "b", "c"} {
		if stood[split] != records {
			t.Errorf("split %q stands at %d at the end, want %d", split, stood[split], records)
		}
	}
	if calls.Load() < 2 {
		t.Errorf("%d calls are too few to prove anything", calls.Load())
	}
}

// The outside hears of no checkpoint that was not complete: what it heard is what a
// restored job goes on from, or before that.
func TestSourceHearsOfCompleteCheckpointsOnly(t *testing.T) {
	f := newFeed()
	f.bounded = true
	var times []int64
	for i := range int64(50_000) {
		times = append(times, i)
	}
	f.add("a", times...)
	f.end("a")
	var heard, failures atomic.Int64
	f.onCheckpoint = func(_ context.Context, _ []string, positions [][]byte) error {
		heard.Store(int64(binary.BigEndian.Uint64(positions[0])))
		return nil
	}
	top := operators.NewTopology("told").Parallelism(1)
	in := operators.From(top, "feed", f, operators.Monotonous[int64](nil))
	first := true
	checked := operators.Map(in, "checked", func(v int64) int64 {
		if first && v < heard.Load() {
			t.Errorf("after a restart record %d is read, and the outside has heard of %d", v, heard.Load())
		}
		if first = false; v == 20_000 && failures.CompareAndSwap(0, 1) || v == 40_000 && failures.CompareAndSwap(1, 2) {
			first = true
			panic("a bad moment")
		}
		return v
	})
	checked.To("out", &plain{})
	config := cluster.Config{Checkpoint: cluster.Every(time.Millisecond), Restart: cluster.FixedDelay{Attempts: 5, Delay: time.Millisecond}}
	if _, err := cluster.Run(t.Context(), top, config); err != nil {
		t.Fatal(err)
	}
	if heard.Load() != 50_000 || failures.Load() < 2 {
		t.Errorf("the outside has heard of %d records, want 50000, after %d failures", heard.Load(), failures.Load())
	}
}
