// Command views counts page views a minute for each page, in event time, out of
// the logs of two web servers. Each log is in order and the two together are
// not; no view is late, for a minute closes when both logs are past it. The
// program compares its counts with a straight-line program, and fails if they
// differ.
package main

import (
	"context"
	"fmt"
	"io"
	"log"
	"os"
	"path/filepath"
	"time"

	"github.com/weirflow/weir/cluster"
	"github.com/weirflow/weir/operators"
	"github.com/weirflow/weir/operators/files"
	"github.com/weirflow/weir/persistence/dir"
)

func main() {
	folder, err := os.MkdirTemp("", "weir-views-")
	if err != nil {
		log.Fatal(err)
	}
	err = run(context.Background(), folder, os.Stdout)
	os.RemoveAll(folder)
	if err != nil {
		log.Fatal(err)
	}
}

// View is a line of a log.
type View struct {
	Ms   int64  `json:"ms"` // since 1970
	Page string `json:"page"`
}

func pageOf(v View) string { return v.Page }
func timeOf(v View) int64  { return v.Ms }

// topology counts the views of the logs within a folder. Each log is a split
// with a clock of its own, whoever reads it.
func topology(folder string) *operators.Topology {
	top := operators.NewTopology("views").Parallelism(2)
	views := operators.From(top, "logs", files.JSONLines[View](filepath.Join(folder, "*.log")), operators.Monotonous(timeOf))

	late := operators.NewTag[View]("late")
	minutes := operators.KeyBy(views, pageOf).Window(operators.Tumbling(time.Minute)).SideOutputLate(late)
	counts := operators.Aggregate(minutes, "count", count{})

	counts.To("counts", files.Sink[operators.WindowResult[string, int]](filepath.Join(folder, "counts")))
	operators.SideOutput(counts, late).To("late", files.Sink[View](filepath.Join(folder, "late")))
	return top
}

// count is an operators.Aggregator.
type count struct{}

func (count) CreateAccumulator() int { return 0 }
func (count) Add(n int, _ View) int  { return n + 1 }
func (count) Merge(a, b int) int     { return a + b }
func (count) Result(n int) int       { return n }

// run writes the logs into a folder, counts them there, reports to w, and gives
// an error if the job failed or counted wrong.
func run(ctx context.Context, folder string, w io.Writer) error {
	views, err := writeLogs(folder)
	if err != nil {
		return err
	}
	config := cluster.Config{Checkpoint: cluster.Every(time.Second), Store: dir.Open(filepath.Join(folder, "state"))}
	if _, err := cluster.Run(ctx, topology(folder), config); err != nil {
		return err
	}
	counts, err := files.ReadAll[operators.WindowResult[string, int]](filepath.Join(folder, "counts"), files.AsJSONLines)
	if err != nil {
		return err
	}
	late, err := files.ReadAll[View](filepath.Join(folder, "late"), files.AsJSONLines)
	if err != nil {
		return err
	}
	report(w, len(views), counts)
	return check(straightLine(views), counts, late)
}

// minuteOf names a result.
type minuteOf struct {
	page   string
	minute time.Time // its beginning
}

// straightLine counts by one loop, without event time: nothing is late.
func straightLine(views []View) map[minuteOf]int {
	counts := map[minuteOf]int{}
	for _, v := range views {
		counts[minuteOf{v.Page, time.UnixMilli(v.Ms).UTC().Truncate(time.Minute)}]++
	}
	return counts
}

// check says what the job counted wrong. It uses up want.
func check(want map[minuteOf]int, got []operators.WindowResult[string, int], late []View) error {
	for _, r := range got {
		key := minuteOf{r.Key, time.UnixMilli(r.Start).UTC()}
		if n, ok := want[key]; !ok || n != r.Value {
			return fmt.Errorf("%s at %s: the job counts %d views; want %d, once", r.Key, key.minute.Format("15:04"), r.Value, n)
		}
		delete(want, key)
	}
	if len(want) > 0 || len(late) > 0 {
		return fmt.Errorf("%d counts are missing and %d views are late; want none", len(want), len(late))
	}
	return nil
}
