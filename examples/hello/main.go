// Command hello is the program of README: it counts visits per page and minute
// into files, exactly once.
package main

import (
	"context"
	"fmt"
	"log"
	"time"

	"github.com/weirflow/weir/cluster"
	"github.com/weirflow/weir/operators"
	"github.com/weirflow/weir/operators/files"
	"github.com/weirflow/weir/persistence/dir"
)

type Visit struct {
	Page string
	Ms   int64 // since 1970
}

type count struct{}

func (count) CreateAccumulator() int { return 0 }
func (count) Add(n int, _ Visit) int { return n + 1 }
func (count) Merge(a, b int) int     { return a + b }
func (count) Result(n int) int       { return n }

func main() {
	var visits []Visit
	for i := range 100_000 {
		visits = append(visits, Visit{Page: fmt.Sprintf("/page/%d", i%7), Ms: int64(i) * 25})
	}
	top := operators.NewTopology("hello")
	stream := operators.From(top, "visits", operators.Slice(visits...), operators.Monotonous(func(v Visit) int64 { return v.Ms }))
	minutes := operators.KeyBy(stream, func(v Visit) string { return v.Page }).Window(operators.Tumbling(time.Minute))
	operators.Aggregate(minutes, "count", count{}).To("files", files.Sink[operators.WindowResult[string, int]]("out"))
	config := cluster.Config{Checkpoint: cluster.Every(time.Second), Store: dir.Open("state")}
	if _, err := cluster.Run(context.Background(), top, config); err != nil {
		log.Fatal(err)
	}
	counts, err := files.ReadAll[operators.WindowResult[string, int]]("out", files.AsJSONLines)
	total := 0
	for _, c := range counts {
		total += c.Value
	}
	if err != nil || total != len(visits) {
		log.Fatal(total, " visits were counted: ", err)
	}
	fmt.Printf("%d visits in %d counts, such as %+v\n", total, len(counts), counts[0])
}
