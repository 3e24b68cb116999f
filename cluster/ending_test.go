package cluster_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/weirflow/weir/cluster"
	"github.com/weirflow/weir/operators"
	"github.com/weirflow/weir/persistence"
	"github.com/weirflow/weir/persistence/memory"
)

// asked is a feed that says when it is asked for its splits, and answers when it may.
type asked struct {
	*feed
	begun chan struct{}
	may   chan struct{}
}

func (a asked) Splits(ctx context.Context) ([]string, error) {
	close(a.begun)
	select {
	case <-a.may:
		return a.feed.Splits(ctx)
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// copied is a source and a sink.
func copied(source operators.Source[int64], sink operators.Sink[int64]) *operators.Topology {
	top := operators.NewTopology("copied").Parallelism(1)
	operators.From(top, "feed", source, operators.NoWatermarks[int64]()).To("out", sink)
	return top
}

// diedBeforeCommit leaves a store with a published checkpoint whose transaction,
// with 1, 2 and 3, is not committed.
func diedBeforeCommit(t *testing.T, o *outside) (*feed, persistence.CheckpointStore) {
	t.Helper()
	f, store := newFeed(), memory.Store(1<<20)
	f.add("a", 1, 2, 3)
	ctx, kill := context.WithCancel(context.Background())
	o.onCommit = func(*outside, string) error { kill(); return errors.New("the process dies") }
	written := make(chan struct{})
	o.onWrite = func(total int) {
		if total == 3 {
			close(written)
		}
	}
	job, err := cluster.Start(ctx, copied(f, o), cluster.Config{Store: store})
	if err != nil {
		t.Fatal(err)
	}
	<-written
	_, _ = job.TriggerCheckpoint(context.Background()) // it dies meanwhile, or right after
	<-ctx.Done()
	_ = job.Wait()
	o.onCommit, o.onWrite = nil, nil
	return f, store
}

func (o *outside) sorted() []int64 {
	o.mu.Lock()
	defer o.mu.Unlock()
	return slices.Sorted(slices.Values(o.visible))
}

// commits runs the job until what the checkpoint holds is committed.
func commits(t *testing.T, f *feed, o *outside, store persistence.CheckpointStore) {
	t.Helper()
	job, err := cluster.Start(context.Background(), copied(f, o), cluster.Config{Store: store})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := job.TriggerCheckpoint(context.Background()); err != nil {
		t.Fatal(err)
	}
	job.Stop(false)
	if err := job.Wait(); err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(o.sorted()); got != "[1 2 3]" {
		t.Errorf("%s is visible", got)
	}
}

// S18, S95: a cancel that comes while the job is still restoring does not delete
// a checkpoint whose transactions nobody has committed.
func TestCancelWhileRestoring(t *testing.T) {
	o := newOutside()
	f, store := diedBeforeCommit(t, o)
	a := asked{f, make(chan struct{}), make(chan struct{})}
	job, err := cluster.Start(context.Background(), copied(a, o), cluster.Config{Store: store})
	if err != nil {
		t.Fatal(err)
	}
	<-a.begun
	job.Cancel()
	if err := job.Wait(); err != nil {
		t.Fatal(err)
	}
	commits(t, f, o, store)
}

// S18: a sink that is no longer transactional does not take the place of one
// whose transactions are prepared: that is an error which names the remedy.
func TestSinkOfAnotherKind(t *testing.T) {
	o := newOutside()
	f, store := diedBeforeCommit(t, o)
	_, err := cluster.Run(context.Background(), copied(f, &plain{}), cluster.Config{Store: store})
	if err == nil || !strings.Contains(err.Error(), `"out"`) || !strings.Contains(err.Error(), "run the job once more with the sink of before") {
		t.Errorf("the plain sink: %v", err)
	}
	commits(t, f, o, store)
}

// S31: a split that falls idle advances the clock only while the sink takes
// records: not between two tries to prepare.
func TestNothingIsWrittenBetweenTwoPrepares(t *testing.T) {
	f, o := newFeed(), newOutside()
	f.add("a", 1000, 9000)
	f.add("b", 1100)
	var first time.Time
	o.onPrepare = func(*outside, string) error {
		if first.IsZero() {
			first = time.Now()
		}
		if time.Since(first) < 300*time.Millisecond {
			return errors.New("not now")
		}
		return nil
	}
	top := operators.NewTopology("idle").Parallelism(1)
	in := operators.From(top, "feed", f, operators.Monotonous[int64](nil).Idle(100*time.Millisecond))
	counts := operators.Aggregate(operators.KeyBy(in, func(int64) int64 { return 0 }).Window(operators.Tumbling(time.Second)), "count", countInts{})
	operators.Map(counts, "row", func(r operators.WindowResult[int64, int64]) int64 { return r.Start + r.Value }).To("out", o)
	written := make(chan struct{})
	o.onWrite = func(int) { close(written) }
	checkpoints := cluster.Checkpoints{TolerableFailures: -1}
	job, err := cluster.Start(context.Background(), top, cluster.Config{Store: memory.Store(1 << 20), Checkpoint: checkpoints})
	if err != nil {
		t.Fatal(err)
	}
	_, _ = job.TriggerCheckpoint(context.Background()) // it is declined, or waits for the last try
	<-written
	job.Stop(false)
	if err := job.Wait(); err != nil {
		t.Fatal(err)
	}
	for i, call := range o.order[1:] {
		if strings.HasSuffix(call, " write") && strings.HasSuffix(o.order[i], " prepare") {
			t.Errorf("a record was written into a transaction that was being prepared: %q", o.order)
		}
	}
}

// S107: a job that was drained has ended: running it again reads nothing, however
// much there is by now.
func TestDrainedJobReadsNothing(t *testing.T) {
	f, p, cfg := newFeed(), &plain{}, cluster.Config{Store: memory.Store(1 << 20)}
	f.add("a", 1000, 1500)
	job, err := cluster.Start(context.Background(), copied(f, p), cfg)
	if err != nil {
		t.Fatal(err)
	}
	until(t, job, p, 2)
	job.Stop(true)
	if err := job.Wait(); err != nil {
		t.Fatal(err)
	}
	f.add("a", 1600, 1700)
	for range 5 {
		if _, err := cluster.Run(context.Background(), copied(f, p), cfg); err != nil {
			t.Fatal(err)
		}
	}
	if got := fmt.Sprint(p.sorted()); got != "[1000 1500]" {
		t.Errorf("%s was written", got)
	}
}
