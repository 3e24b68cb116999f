package cluster_test

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/weirflow/weir/cluster"
	"github.com/weirflow/weir/coordinator"
	"github.com/weirflow/weir/messages"
	"github.com/weirflow/weir/operators"
	"github.com/weirflow/weir/persistence"
	"github.com/weirflow/weir/persistence/dir"
	"github.com/weirflow/weir/persistence/memory"
)

// counting is endlessTopology's little sister: a count a key, of a state type
// and under a name that a test chooses.
func counting[S any](name string, parallelism int, one func(v int64) S, add func(a, b S) S, out operators.Sink[S]) *operators.Topology {
	top := operators.NewTopology("counting").Parallelism(parallelism)
	in := operators.From(top, "numbers", endless{}, operators.NoWatermarks[int64]())
	ones := operators.Map(in, "one", one)
	operators.Reduce(operators.KeyBy(ones, func(S) int64 { return 1 }), name, add).To("out", out)
	return top
}

// stopped runs a topology for two checkpoints and stops it.
func stopped(t *testing.T, top *operators.Topology, cfg cluster.Config) error {
	t.Helper()
	job, err := cluster.Start(context.Background(), top, cfg)
	if err != nil {
		return err
	}
	for range 2 {
		if _, err := job.TriggerCheckpoint(context.Background()); err != nil {
			return job.Wait()
		}
	}
	job.Stop(false)
	return job.Wait()
}

type none[T any] struct{}

func (none[T]) Kind() operators.SinkKind { return operators.Plain }
func (none[T]) Open(context.Context, operators.SinkContext) (operators.Writer[T], error) {
	return none[T]{}, nil
}
func (none[T]) Write(context.Context, *operators.Batch[T]) error { return nil }
func (none[T]) Flush(context.Context) error                      { return nil }
func (none[T]) Close() error                                     { return nil }

func addInts(a, b int64) int64 { return a + b }
func oneInt(int64) int64       { return 1 }

// A topology that no longer fits the checkpoint is refused before any record
// flows, with what was, what is, and the remedy.
func TestRestoreOfAnotherTopology(t *testing.T) {
	store := memory.Store(64 << 20)
	cfg := cluster.Config{Store: store}
	if err := stopped(t, counting("sum", 1, oneInt, addInts, none[int64]{}), cfg); err != nil {
		t.Fatal(err)
	}
	type pair struct{ A, B int64 }
	for _, c := range []struct {
		name string
		top  *operators.Topology
		says []string
	}{
		{"renamed", counting("total", 1, oneInt, addInts, none[int64]{}), []string{`"sum"`, "name"}},
		{"retyped", counting("sum", 1, func(int64) pair { return pair{} }, func(a, b pair) pair { return pair{a.A + b.A, 0} }, none[pair]{}), []string{"sum", "int64", "pair"}},
		{"other groups", counting("sum", 1, oneInt, addInts, none[int64]{}).MaxParallelism(64), []string{"128", "64"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			err := stopped(t, c.top, cfg)
			if err == nil {
				t.Fatal("it was restored")
			}
			for _, part := range c.says {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("%q does not say %q", err, part)
				}
			}
		})
	}
	if err := stopped(t, counting("sum", 1, oneInt, addInts, none[int64]{}), cfg); err != nil {
		t.Errorf("the right topology: %v", err)
	}
}

// S89: a job restores at another parallelism, up and down; key groups move
// whole, so that no key is counted twice or from zero.
func TestS89_Rescale(t *testing.T) {
	o, store := newOutside(), memory.Store(64<<20)
	for _, parallelism := range []int{2, 3, 1, 2} {
		top := operators.NewTopology("rescaled").Parallelism(parallelism)
		in := operators.From(top, "numbers", endless{}, operators.NoWatermarks[int64]())
		perKey := operators.Map(in, "key", func(v int64) int64 { return v % 50 * 1_000_000 })
		operators.Reduce(operators.KeyBy(perKey, func(v int64) int64 { return v / 1_000_000 }), "count", func(a, _ int64) int64 { return a + 1 }).To("out", o)
		if err := stopped(t, top, cluster.Config{Store: store}); err != nil {
			t.Fatalf("parallelism %d: %v", parallelism, err)
		}
	}
	seen, greatest := map[int64]bool{}, map[int64]int64{}
	for _, v := range o.visible {
		if seen[v] {
			t.Fatalf("key %d was counted to %d twice", v/1_000_000, v%1_000_000)
		}
		seen[v] = true
		greatest[v/1_000_000] = max(greatest[v/1_000_000], v%1_000_000)
	}
	total := int64(0)
	for _, n := range greatest {
		total += n + 1
	}
	if total != int64(len(o.visible)) {
		t.Errorf("%d results, the counts say %d", len(o.visible), total)
	}
}

// S95, S96: failure keeps the newest n checkpoints; cancel with RetainOnCancel
// too, and another process can start from them.
func TestS96_RetainedOnCancel(t *testing.T) {
	path := t.TempDir()
	cfg := cluster.Config{Store: dir.Open(path), Checkpoint: cluster.Checkpoints{Retained: 3, RetainOnCancel: true}}
	job, err := cluster.Start(context.Background(), counting("sum", 2, oneInt, addInts, none[int64]{}), cfg)
	if err != nil {
		t.Fatal(err)
	}
	var last messages.CheckpointID
	for range 5 {
		if last, err = job.TriggerCheckpoint(context.Background()); err != nil {
			t.Fatal(err)
		}
	}
	job.Cancel()
	if err := job.Wait(); err != nil {
		t.Fatal(err)
	}
	log, err := persistence.OpenLog(context.Background(), dir.Open(path), "counting")
	if err != nil {
		t.Fatal(err)
	}
	if kept, _ := log.Manifests(); len(kept) != 3 || messages.CheckpointID(kept[0].GetCheckpoint()) != last {
		t.Errorf("%d checkpoints are kept, want 3 up to %d", len(kept), last)
	}
	job, err = cluster.Start(context.Background(), counting("sum", 2, oneInt, addInts, none[int64]{}), cluster.Config{Store: dir.Open(path)})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := job.TriggerCheckpoint(context.Background()); err != nil {
		t.Fatal(err)
	}
	if r := job.Status().Regions[0].Restored; r != last {
		t.Errorf("restored checkpoint %d, want %d", r, last)
	}
	job.Cancel()
	if err := job.Wait(); err != nil {
		t.Fatal(err)
	}
}

// S101, S102: the same failing job in three modes. At most once may lose, at
// least once may count twice, exactly once does neither.
func TestS102_ThreeModes(t *testing.T) {
	for _, c := range []struct {
		mode          cluster.Mode
		lossy, double bool
	}{{cluster.ExactlyOnce, false, false}, {cluster.AtLeastOnce, false, true}, {cluster.AtMostOnce, true, true}} {
		t.Run(fmt.Sprint("mode ", c.mode), func(t *testing.T) {
			p, slow := &plain{}, slowly()
			var failed atomic.Bool
			numbers := make([]int64, records)
			for i := range numbers {
				numbers[i] = int64(i)
			}
			top := operators.NewTopology("modes").Parallelism(2)
			in := operators.From(top, "numbers", operators.Slice(numbers...), operators.NoWatermarks[int64]())
			seen := operators.Map(in, "see", func(v int64) int64 {
				slow(v)
				if v == records*3/4 && !failed.Swap(true) {
					panic("once")
				}
				return v
			})
			// Every record has a key of its own: what it is counted to is how
			// often it affected the state.
			ones := operators.Map(seen, "one", func(v int64) int64 { return v*100 + 1 })
			operators.Reduce(operators.KeyBy(ones, func(v int64) int64 { return v / 100 }), "count", func(a, _ int64) int64 { return a + 1 }).To("out", p)
			cfg := fast()
			cfg.Mode = c.mode
			if _, err := cluster.Run(context.Background(), top, cfg); err != nil {
				t.Fatal(err)
			}
			times := map[int64]int64{}
			for _, v := range p.all {
				times[v/100] = max(times[v/100], v%100)
			}
			lost, double := 0, 0
			for v := range int64(records) {
				switch {
				case times[v] == 0:
					lost++
				case times[v] > 1:
					double++
				}
			}
			if (lost > 0 && !c.lossy) || (double > 0 && !c.double) {
				t.Errorf("%d records never counted, %d twice", lost, double)
			}
		})
	}
}

// S105: a damaged newest checkpoint is reported, and the one before is used.
func TestS105_FallsBack(t *testing.T) {
	store := memory.Store(64 << 20)
	cfg := cluster.Config{Store: store, Checkpoint: cluster.Checkpoints{Retained: 3, RetainOnCancel: true}}
	job, err := cluster.Start(context.Background(), counting("sum", 1, oneInt, addInts, none[int64]{}), cfg)
	if err != nil {
		t.Fatal(err)
	}
	var ids []messages.CheckpointID
	for range 3 {
		id, err := job.TriggerCheckpoint(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, id)
	}
	job.Cancel()
	if err := job.Wait(); err != nil {
		t.Fatal(err)
	}
	damageNewestBlob(t, store)
	var log lines
	cfg.Logger = slog.New(slog.NewTextHandler(&log, nil))
	job, err = cluster.Start(context.Background(), counting("sum", 1, oneInt, addInts, none[int64]{}), cfg)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := job.TriggerCheckpoint(context.Background()); err != nil {
		t.Fatal(err)
	}
	if r := job.Status().Regions[0].Restored; r != ids[1] {
		t.Errorf("restored checkpoint %d, want %d", r, ids[1])
	}
	if !log.has(fmt.Sprintf("kind=%s", coordinator.DamageEvent), fmt.Sprintf("checkpoint=%d", ids[2])) {
		t.Error("the damage was not reported")
	}
	job.Cancel()
	if err := job.Wait(); err != nil {
		t.Fatal(err)
	}
}

// lines collects a log.
type lines struct {
	mu  sync.Mutex
	all []string
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.all = append(l.all, string(p))
	return len(p), nil
}

// has tells whether one line holds all the parts.
func (l *lines) has(parts ...string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.ContainsFunc(l.all, func(line string) bool {
		return !slices.ContainsFunc(parts, func(part string) bool { return !strings.Contains(line, part) })
	})
}

// damageNewestBlob flips a byte of every blob of the newest checkpoint.
func damageNewestBlob(t *testing.T, store persistence.CheckpointStore) {
	t.Helper()
	ctx := context.Background()
	log, err := persistence.OpenLog(ctx, store, "counting")
	if err != nil {
		t.Fatal(err)
	}
	manifests, _ := log.Manifests()
	damaged := 0
	for _, sub := range manifests[0].GetSubtasks() {
		for _, op := range sub.GetOperators() {
			for _, b := range op.GetBlobs() {
				flip(t, store, b.GetKey())
				damaged++
			}
		}
	}
	if damaged == 0 {
		t.Fatal("the newest checkpoint has no blob")
	}
}

// An interval of nothing and other impossible options are refused at the start,
// each with its name.
func TestConfigIsChecked(t *testing.T) {
	_, err := cluster.Start(context.Background(), counting("sum", 1, oneInt, addInts, none[int64]{}), cluster.Config{
		Checkpoint: cluster.Every(0), Linger: -time.Second, Credits: -1, BatchRecords: 1 << 20, Job: "no/slash",
		Restart: cluster.FixedDelay{Delay: -1}, Mode: 7,
	})
	for _, part := range []string{"Checkpoints.Interval is 0s", "Config.Linger", "Config.Credits", "Config.BatchRecords", "Config.Job", "Delay", "Config.Mode is 7"} {
		if err == nil || !strings.Contains(err.Error(), part) {
			t.Errorf("%v does not say %q", err, part)
		}
	}
}
