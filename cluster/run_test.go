package cluster_test

import (
	"context"
	"fmt"
	"sort"
	"testing"
	"time"

	"github.com/weirflow/weir/cluster"
	"github.com/weirflow/weir/operators"
	"github.com/weirflow/weir/operators/files"
)

type click struct {
	User string
	At   int64
}

func clicks(n int) []click {
	all := make([]click, n)
	for i := range all {
		all[i] = click{User: fmt.Sprintf("u%d", i%7), At: int64(i) * 10}
	}
	return all
}

type count struct{}

func (count) CreateAccumulator() int64     { return 0 }
func (count) Add(acc int64, _ click) int64 { return acc + 1 }
func (count) Merge(a, b int64) int64       { return a + b }
func (count) Result(acc int64) int64       { return acc }

func TestRunCountsClicks(t *testing.T) {
	for _, parallelism := range []int{1, 2, 3} {
		t.Run(fmt.Sprint("parallelism ", parallelism), func(t *testing.T) {
			out := t.TempDir()
			top := operators.NewTopology("clicks").Parallelism(parallelism)
			in := operators.From(top, "clicks", operators.Slice(clicks(10000)...), operators.Monotonous(func(c click) int64 { return c.At }))
			kept := operators.Map(in, "same", func(c click) click { return c })
			counts := operators.Aggregate(operators.KeyBy(kept, func(c click) string { return c.User }).Window(operators.Tumbling(time.Second)), "counts", count{})
			counts.To("out", files.Sink[operators.WindowResult[string, int64]](out))
			ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
			defer cancel()
			job, err := cluster.Run(ctx, top, cluster.Config{Checkpoint: cluster.Every(50 * time.Millisecond)})
			if err != nil {
				t.Fatal(err)
			}
			got, err := files.ReadAll[operators.WindowResult[string, int64]](out, files.AsJSONLines)
			if err != nil {
				t.Fatal(err)
			}
			total := int64(0)
			for _, r := range got {
				total += r.Value
			}
			sort.Slice(got, func(i, k int) bool { return got[i].Start < got[k].Start })
			if total != 10000 || len(got) != 700 {
				t.Fatalf("%d results with %d clicks\n%v\n%+v", len(got), total, job.Plan(), job.Status())
			}
		})
	}
}
