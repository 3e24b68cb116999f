package cluster_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/weirflow/weir/cluster"
	"github.com/weirflow/weir/operators"
)

// expiring is an outside that gives up transactions.
type expiring struct {
	*outside
	lifetime time.Duration
}

func (e expiring) Lifetime() time.Duration { return e.lifetime }

// S18: a job without periodic checkpoints takes one in time, before the outside gives up
// what its sink has open; and says why.
func TestCheckpointBeforeTransactionsExpire(t *testing.T) {
	o, f := newOutside(), newFeed()
	f.add("a", 1, 2, 3)
	committed := make(chan struct{}, 100)
	o.onCommit = func(*outside, string) error {
		committed <- struct{}{}
		return nil
	}
	top := operators.NewTopology("lasting")
	operators.From(top, "feed", f, operators.Monotonous[int64](nil)).To("out", expiring{o, 200 * time.Millisecond})
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	job, err := cluster.Start(ctx, top, cluster.Config{})
	if err != nil {
		t.Fatal(err)
	}
	events := job.Events(1000)
	defer events.Close()
	select {
	case <-committed:
	case <-ctx.Done():
		t.Fatal("nothing was committed")
	}
	for e := range events.C() {
		if strings.Contains(e.Text, `wanted by subtask`) {
			if want := `a transaction of sink "out" is `; !strings.Contains(e.Text, want) || !strings.Contains(e.Text, "and lasts 200ms") {
				t.Errorf("%s\nwant %s", e.Text, want)
			}
			break
		}
	}
	cancel()
	_ = job.Wait()
}

// A job whose checkpoints cannot come in time is refused before it runs.
func TestCheckpointsLongerThanTransactions(t *testing.T) {
	const remedy = "and a transaction of cluster_test.expiring lasts 15m0s; shorten those, or lengthen this"
	for _, c := range []struct {
		checkpoints cluster.Checkpoints
		want        string
	}{
		{cluster.Every(time.Second), ""},
		{cluster.Checkpoints{}, ""},
		{cluster.Every(13 * time.Minute), `operator "out": it may take 16m0s until what it writes is committed (Config.Checkpoint: Interval 13m0s, Timeout 3m0s), ` + remedy},
		{cluster.Checkpoints{Interval: time.Minute, Timeout: 8 * time.Minute}, `operator "out": it may take 16m0s until what it writes is committed (Config.Checkpoint: Interval 1m0s, Timeout 8m0s), ` + remedy},
		{cluster.Checkpoints{Timeout: 4 * time.Minute}, `operator "out": it may take 15m15s until what it writes is committed (Config.Checkpoint: Interval 0s, Timeout 4m0s), ` + remedy},
	} {
		top := operators.NewTopology("long")
		operators.From(top, "feed", newFeed(), operators.Monotonous[int64](nil)).To("out", expiring{newOutside(), 15 * time.Minute})
		_, err := cluster.Prepare(top, cluster.Config{Checkpoint: c.checkpoints})
		if got := text(err); got != c.want {
			t.Errorf("%s\nwant %s", got, c.want)
		}
	}
}

func text(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}
