package cluster_test

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/weirflow/weir/cluster"
	"github.com/weirflow/weir/coordinator"
	"github.com/weirflow/weir/operators"
	"github.com/weirflow/weir/operators/files"
	"github.com/weirflow/weir/persistence"
	"github.com/weirflow/weir/persistence/memory"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// sums is a job that adds numbers a key and fails when told to.
func sums(t *testing.T, n int, out string, f func(v int64)) *operators.Topology {
	numbers := make([]int64, n)
	for i := range numbers {
		numbers[i] = int64(i)
	}
	top := operators.NewTopology("sums").Parallelism(2)
	in := operators.From(top, "numbers", operators.Slice(numbers...), operators.NoWatermarks[int64]())
	seen := operators.Map(in, "see", func(v int64) int64 { f(v); return v })
	sum := operators.Reduce(operators.KeyBy(seen, func(v int64) int64 { return v % 10 }), "sum", func(a, b int64) int64 { return a + b })
	sum.To("out", files.Sink[int64](out))
	return top
}

func read(t *testing.T, out string) []int64 {
	t.Helper()
	got, err := files.ReadAll[int64](out, files.AsJSONLines)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

// S102, S103: a user's panic costs an attempt, not a record: the function runs
// for some records twice, the state counts each once.
func TestS103_PanicIsRecovered(t *testing.T) {
	out := t.TempDir()
	var calls, panics atomic.Int64
	top := sums(t, 20000, out, func(v int64) {
		if calls.Add(1); v == 15000 && panics.Add(1) <= 2 {
			panic("no such number")
		}
	})
	job, err := cluster.Run(context.Background(), top, cluster.Config{
		Checkpoint: cluster.Every(5 * time.Millisecond), Restart: cluster.FixedDelay{Attempts: 3, Delay: time.Millisecond},
	})
	if err != nil {
		t.Fatal(err)
	}
	got := read(t, out)
	if len(got) != 20000 {
		t.Fatalf("%d results, want 20000", len(got))
	}
	last := int64(0)
	for _, v := range got {
		last = max(last, v)
	}
	if want := int64(9)*2000 + 10*(2000*1999/2); last != want {
		t.Errorf("greatest sum %d, want %d", last, want)
	}
	if calls.Load() <= 20000 {
		t.Errorf("%d calls: nothing was run again, so this test shows nothing", calls.Load())
	}
	if s := job.Status(); s.Restarts != 2 || s.State != coordinator.Finished {
		t.Errorf("%d restarts, state %s", s.Restarts, s.State)
	}
}

// A user's panic names operator, subtask, event time, key group and stack.
func TestFailureSaysWhere(t *testing.T) {
	top := sums(t, 100, t.TempDir(), func(v int64) {
		if v == 50 {
			panic("no such number")
		}
	})
	_, err := cluster.Run(context.Background(), top, cluster.Config{})
	var failed *coordinator.FailedError
	if !errors.As(err, &failed) {
		t.Fatalf("error %v, want a *coordinator.FailedError", err)
	}
	f := failed.History[0].Failure
	for _, part := range []string{`operator "see"`, "numbers[0]", "panic: no such number"} {
		if !strings.Contains(f.Error(), part) {
			t.Errorf("%q does not say %q", f.Error(), part)
		}
	}
	if !strings.Contains(f.GetStack(), "job_test.go") {
		t.Errorf("the stack does not lead to the user's function:\n%s", f.GetStack())
	}
}

// endless never ends: S16, S95, S96 need a job that goes on.
type endless struct{}

func (endless) Splits(context.Context) ([]string, error) { return []string{"only"}, nil }
func (endless) Open(_ context.Context, _ string, position []byte) (operators.Reader[int64], error) {
	r := &endlessReader{}
	if position != nil {
		r.next = int64(position[0]) | int64(position[1])<<8 | int64(position[2])<<16
	}
	return r, nil
}
func (endless) Info() operators.SourceInfo { return operators.SourceInfo{Replayable: true} }

type endlessReader struct{ next int64 }

func (r *endlessReader) Read(ctx context.Context, b *operators.Batch[int64], max int) error {
	for range min(max, 100) {
		b.Append(r.next, r.next)
		r.next++
	}
	return ctx.Err()
}
func (r *endlessReader) Position() []byte {
	return []byte{byte(r.next), byte(r.next >> 8), byte(r.next >> 16)}
}
func (r *endlessReader) Close() error      { return nil }
func (r *endlessReader) NonBlocking() bool { return false }

func endlessTopology(out string) *operators.Topology {
	top := operators.NewTopology("endless").Parallelism(2)
	in := operators.From(top, "numbers", endless{}, operators.Monotonous(func(v int64) int64 { return v }))
	sum := operators.Reduce(operators.KeyBy(in, func(v int64) int64 { return v % 10 }), "count", func(a, b int64) int64 { return max(a, b) })
	sum.To("out", files.Sink[int64](out))
	return top
}

// S95: the newest n checkpoints are kept, and cancel deletes them.
func TestS95_CancelDeletesCheckpoints(t *testing.T) {
	store := memory.Store(64 << 20)
	job, err := cluster.Start(context.Background(), endlessTopology(t.TempDir()), cluster.Config{
		Store: store, Checkpoint: cluster.Checkpoints{Retained: 3},
	})
	if err != nil {
		t.Fatal(err)
	}
	for range 5 {
		if _, err := job.TriggerCheckpoint(context.Background()); err != nil {
			t.Fatal(err)
		}
	}
	job.Cancel()
	if err := job.Wait(); err != nil {
		t.Fatal(err)
	}
	if s := job.Status(); s.State != coordinator.Canceled {
		t.Errorf("state %s", s.State)
	}
	keys, err := store.List(context.Background(), "endless/data")
	if err != nil || len(keys) != 0 {
		t.Errorf("left in the store: %v, %v", keys, err)
	}
}

// A job stopped without drain goes on where it was: nothing is lost, nothing
// comes twice, and no window fired early.
func TestStopAndGoOn(t *testing.T) {
	out, store := t.TempDir(), memory.Store(64<<20)
	for range 3 {
		job, err := cluster.Start(context.Background(), endlessTopology(out), cluster.Config{Store: store})
		if err != nil {
			t.Fatal(err)
		}
		for range 2 {
			if _, err := job.TriggerCheckpoint(context.Background()); err != nil {
				t.Fatal(err)
			}
		}
		job.Stop(false)
		if err := job.Wait(); err != nil {
			t.Fatal(err)
		}
		if s := job.Status(); s.State != coordinator.Stopped {
			t.Fatalf("state %s", s.State)
		}
	}
	got := read(t, out)
	seen := map[int64]bool{}
	for _, v := range got {
		if seen[v] {
			t.Fatalf("%d came twice", v)
		}
		seen[v] = true
	}
	for i := range int64(len(got)) {
		if !seen[i] {
			t.Fatalf("%d of %d is missing", i, len(got))
		}
	}
}

// When the context ends the job leaves at once, and its checkpoints stay.
func TestContextEnds(t *testing.T) {
	ctx, cancel := context.WithCancelCause(context.Background())
	job, err := cluster.Start(ctx, endlessTopology(t.TempDir()), cluster.Config{Checkpoint: cluster.Every(time.Millisecond)})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := job.TriggerCheckpoint(ctx); err != nil {
		t.Fatal(err)
	}
	cause := errors.New("the host goes down")
	cancel(cause)
	if err := job.Wait(); !errors.Is(err, cause) {
		t.Errorf("Wait: %v", err)
	}
}

// A second process on the same job and store takes it over; the first is told
// by whom.
func TestSecondJobFencesTheFirst(t *testing.T) {
	out, store := t.TempDir(), memory.Store(64<<20)
	cfg := cluster.Config{Store: store, Checkpoint: cluster.Every(2 * time.Millisecond)}
	first, err := cluster.Start(context.Background(), endlessTopology(out), cfg)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := first.TriggerCheckpoint(context.Background()); err != nil {
		t.Fatal(err)
	}
	second, err := cluster.Start(context.Background(), endlessTopology(out), cfg)
	if err != nil {
		t.Fatal(err)
	}
	var fenced *persistence.FencedError
	if err := first.Wait(); !errors.As(err, &fenced) || !strings.Contains(err.Error(), "pid") {
		t.Errorf("the first job ended with %v, want a FencedError that names the process", err)
	}
	for seen := 0; seen < 100; seen = len(read(t, out)) {
		if _, err := second.TriggerCheckpoint(context.Background()); err != nil {
			t.Fatal(err)
		}
	}
	second.Stop(false)
	if err := second.Wait(); err != nil {
		t.Fatal(err)
	}
	got := read(t, out)
	seen := map[int64]bool{}
	for _, v := range got {
		if seen[v] {
			t.Fatalf("%d came twice", v)
		}
		seen[v] = true
	}
	if len(got) == 0 || !seen[int64(len(got)-1)] {
		t.Errorf("%d results with holes", len(got))
	}
}
