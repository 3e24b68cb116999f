package operators_test

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/weirflow/weir/cluster"
	"github.com/weirflow/weir/operators"
)

// whereabouts is a sink that notes which of its subtasks got what.
type whereabouts struct {
	mu  sync.Mutex
	got map[string]int // "value to subtask"
}

func (w *whereabouts) Kind() operators.SinkKind { return operators.Plain }

func (w *whereabouts) Open(_ context.Context, c operators.SinkContext) (operators.Writer[row], error) {
	return whereaboutsOf{w, c.Index}, nil
}

type whereaboutsOf struct {
	*whereabouts
	index int
}

func (w whereaboutsOf) Flush(context.Context) error { return nil }
func (w whereaboutsOf) Close() error                { return nil }

func (w whereaboutsOf) Write(_ context.Context, b *operators.Batch[row]) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, r := range b.Values {
		w.got[fmt.Sprintf("%d to %d", r.N, w.index)]++
	}
	return nil
}

// partitionedRows is a source of five rows, in one subtask, and a sink of three.
func partitionedRows(sink operators.Sink[row], way func(in *rows) *rows) *operators.Topology {
	top := operators.NewTopology("partition")
	in := operators.From(top, "in", operators.Slice(row{N: 1}, row{N: 2}, row{N: 3}, row{N: 4}, row{N: 5}), operators.Monotonous(func(r row) int64 { return r.N }))
	way(in).To("out", sink).Parallelism(3)
	return top
}

// S50: what is neither keyed nor all in one subtask goes where it is told, in a job: by a function, to everybody, or
// straight on to a subtask of its own; a later word replaces an earlier one, and a key replaces both.
func TestPartitioning(t *testing.T) {
	byNumber := func(r row, n int) int { return int(r.N) % n }
	everybody := []string{}
	for n := range 5 {
		everybody = append(everybody, fmt.Sprintf("%d to 0", n+1), fmt.Sprintf("%d to 1", n+1), fmt.Sprintf("%d to 2", n+1))
	}
	chosen := []string{"1 to 1", "2 to 2", "3 to 0", "4 to 1", "5 to 2"}
	for name, c := range map[string]struct {
		way  func(in *rows) *rows
		want []string
	}{
		"by function": {func(in *rows) *rows { return in.PartitionBy(byNumber) }, chosen},
		"by function, of a part": {func(in *rows) *rows {
			return operators.Union(in.Filter("odd", func(r row) bool { return r.N%2 == 1 }), in.Filter("even", func(r row) bool { return r.N%2 == 0 })).PartitionBy(byNumber)
		}, chosen},
		"broadcast":     {func(in *rows) *rows { return in.Broadcast() }, everybody},
		"the last word": {func(in *rows) *rows { return in.Broadcast().PartitionBy(byNumber) }, chosen},
		"and back":      {func(in *rows) *rows { return in.PartitionBy(byNumber).Broadcast() }, everybody},
	} {
		sink := &whereabouts{got: map[string]int{}}
		if _, err := cluster.Run(context.Background(), partitionedRows(sink, c.way), cluster.Config{}); err != nil {
			t.Fatal(err)
		}
		if got := slices.Sorted(maps.Keys(sink.got)); !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
		for what, times := range sink.got {
			if times != 1 {
				t.Errorf("%s: %s came %d times", name, what, times)
			}
		}
	}
	top := partitionedRows(&whereabouts{}, func(in *rows) *rows {
		keyed := operators.KeyBy(in.PartitionBy(func(row, int) int { panic("asked") }), rowKey)
		return operators.Reduce(keyed, "sum", func(_, b row) row { return b }).Parallelism(3)
	})
	p, err := top.Build()
	if err != nil {
		t.Fatal(err)
	}
	if want := "in → sum   hash by int64"; !strings.Contains(p.String(), want) {
		t.Errorf("no %q in\n%s", want, p)
	}
}

// The plan names every way to spread records. Unchained keeps subtask by subtask, through a channel.
func TestPartitioningInThePlan(t *testing.T) {
	for want, way := range map[string]func(in *rows) *rows{
		"in → out  by function  ":      func(in *rows) *rows { return in.PartitionBy(func(row, int) int { return 0 }) },
		"in → out  broadcast  ":        func(in *rows) *rows { return in.Broadcast() },
		"in → out  rebalance  ":        func(in *rows) *rows { return in },
		"on → out  forward, chained  ": func(in *rows) *rows { return operators.Map(in, "on", func(r row) row { return r }).Parallelism(3) },
		"in → on   forward           ": func(in *rows) *rows {
			return operators.Map(in.Parallelism(3), "on", func(r row) row { return r }).Parallelism(3).Unchained()
		},
	} {
		p, err := partitionedRows(&whereabouts{}, way).Build()
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(p.String(), want) {
			t.Errorf("no %q in\n%s", want, p)
		}
	}
}

// A function that names no subtask, or panics, fails the job with the operator that sends and the record; none at all is
// told by Build.
func TestPartitionByErrors(t *testing.T) {
	for want, f := range map[string]func(row, int) int{
		`operator "in" in subtask in[0] at the record of event time 3 ms: PartitionBy: its function gave subtask 3 of 3; let it give 0 to 2`: func(r row, n int) int { return int(r.N) },
		`operator "in" in subtask in[0] at the record of event time 1 ms: PartitionBy: panic: no way`:                                        func(row, int) int { panic("no way") },
	} {
		top := partitionedRows(&whereabouts{got: map[string]int{}}, func(in *rows) *rows { return in.PartitionBy(f) })
		if _, err := cluster.Run(context.Background(), top, cluster.Config{Restart: cluster.NoRestart{}}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v\nwant %s", err, want)
		}
	}
	_, err := partitionedRows(&whereabouts{}, func(in *rows) *rows { return in.PartitionBy(nil) }).Build()
	if want := `operator "in": the function of PartitionBy behind it is nil; give it one`; err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("%v\nwant %s", err, want)
	}
}
