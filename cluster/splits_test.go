package cluster_test

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/weirflow/weir/cluster"
	"github.com/weirflow/weir/operators"
	"github.com/weirflow/weir/persistence/memory"
)

// feed is an unbounded source whose splits and records a test adds while the
// job runs. A record is its event time.
type feed struct {
	mu     sync.Mutex
	splits map[string][]int64
	more   chan struct{} // closed and replaced when something was added
	ended  map[string]bool

	bounded bool // it has the splits that it begins with, until they end

	onCheckpoint func(ctx context.Context, splits []string, positions [][]byte) error
}

func newFeed() *feed {
	return &feed{splits: map[string][]int64{}, more: make(chan struct{}), ended: map[string]bool{}}
}

func (f *feed) add(split string, times ...int64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.splits[split] = append(f.splits[split], times...)
	f.changed()
}

func (f *feed) end(split string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.ended[split] = true
	f.changed()
}

func (f *feed) changed() {
	close(f.more)
	f.more = make(chan struct{})
}

func (f *feed) Info() operators.SourceInfo {
	if f.bounded {
		return operators.SourceInfo{Replayable: true, Bounded: true, OnCheckpoint: f.onCheckpoint}
	}
	return operators.SourceInfo{Replayable: true, DiscoverEvery: time.Millisecond}
}

func (f *feed) Splits(context.Context) ([]string, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	var ids []string
	for id := range f.splits {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	return ids, nil
}

func (f *feed) Open(_ context.Context, split string, p []byte) (operators.Reader[int64], error) {
	r := &feedReader{f: f, split: split}
	if p != nil {
		r.next = int(binary.BigEndian.Uint64(p))
	}
	return r, nil
}

type feedReader struct {
	f     *feed
	split string
	next  int
}

func (r *feedReader) Read(ctx context.Context, b *operators.Batch[int64], most int) error {
	for {
		r.f.mu.Lock()
		ready, more, ended := r.f.splits[r.split][r.next:], r.f.more, r.f.ended[r.split]
		r.f.mu.Unlock()
		if len(ready) > 0 {
			for _, at := range ready[:min(most, len(ready))] {
				b.Append(at, at)
				r.next++
			}
			return nil
		}
		if ended {
			return io.EOF
		}
		select {
		case <-more:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (r *feedReader) Position() []byte { return binary.BigEndian.AppendUint64(nil, uint64(r.next)) }
func (r *feedReader) Close() error     { return nil }

// seconds counts the records of every second of a feed into p.
func seconds(f *feed, p *plain, parallelism int) *operators.Topology {
	top := operators.NewTopology("seconds").Parallelism(parallelism)
	in := operators.From(top, "feed", f, operators.Monotonous[int64](nil))
	counts := operators.Aggregate(operators.KeyBy(in, func(int64) int64 { return 0 }).Window(operators.Tumbling(time.Second)), "count", countInts{})
	operators.Map(counts, "row", func(r operators.WindowResult[int64, int64]) int64 { return r.Start + r.Value }).To("out", p)
	return top
}

type countInts struct{}

func (countInts) CreateAccumulator() int64     { return 0 }
func (countInts) Add(acc int64, _ int64) int64 { return acc + 1 }
func (countInts) Merge(a, b int64) int64       { return a + b }
func (countInts) Result(acc int64) int64       { return acc }
func (p *plain) sorted() []int64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Sorted(slices.Values(p.all))
}

// until takes checkpoints until the sink shows n values.
func until(t *testing.T, job *cluster.Job, p *plain, n int) {
	t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for len(p.sorted()) < n {
		if time.Now().After(deadline) {
			t.Fatalf("%d of %d windows fired: %v", len(p.sorted()), n, p.sorted())
		}
		if _, err := job.TriggerCheckpoint(context.Background()); err != nil {
			t.Fatal(err)
		}
	}
}

// A split that is found while its subtask was idle makes the subtask active: its
// windows fire.
func TestSplitForAnIdleSubtask(t *testing.T) {
	f, p := newFeed(), &plain{}
	job, err := cluster.Start(context.Background(), seconds(f, p, 2), cluster.Config{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := job.TriggerCheckpoint(context.Background()); err != nil { // both subtasks run, and are idle
		t.Fatal(err)
	}
	f.add("late comer", 100, 200, 1100, 2500)
	until(t, job, p, 2)
	if got := fmt.Sprint(p.sorted()); got != "[2 1001]" {
		t.Errorf("windows %s", got)
	}
	job.Cancel()
	if err := job.Wait(); err != nil {
		t.Fatal(err)
	}
}

// S89, S110: a source whose splits are apart in event time goes on at another
// parallelism: the clock is that of the split that is behind, and it moves.
func TestSourceClockAfterRescale(t *testing.T) {
	f, p, store := newFeed(), &plain{}, memory.Store(1<<20)
	f.add("a", 500, 1500, 5000)
	f.add("b", 600, 1200)
	for _, parallelism := range []int{1, 2, 1} {
		job, err := cluster.Start(context.Background(), seconds(f, p, parallelism), cluster.Config{Store: store})
		if err != nil {
			t.Fatal(err)
		}
		until(t, job, p, 1)
		if parallelism != 1 {
			f.add("a", 6000)
			f.add("b", 2500, 6000)
			until(t, job, p, 4)
		}
		job.Stop(false)
		if err := job.Wait(); err != nil {
			t.Fatal(err)
		}
	}
	if got := fmt.Sprint(p.sorted()); got != "[2 1002 2001 5001]" {
		t.Errorf("windows %s", got)
	}
}
