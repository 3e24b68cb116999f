// Command sorter puts fifteen events that come out of order into order, by a
// process function with timers. It shows which watermark let each event go, and
// fails if one left too early, out of order, or not at all.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/weirflow/weir/cluster"
	"github.com/weirflow/weir/messages"
	"github.com/weirflow/weir/operators"
	"github.com/weirflow/weir/operators/files"
	"github.com/weirflow/weir/persistence/memory"
)

func main() {
	folder, err := os.MkdirTemp("", "weir-sorter-")
	if err != nil {
		log.Fatal(err)
	}
	err = run(context.Background(), folder, os.Stdout)
	os.RemoveAll(folder)
	if err != nil {
		log.Fatal(err)
	}
}

// run runs the job, shows what came out of it, and checks that.
func run(ctx context.Context, folder string, w io.Writer) error {
	out, late := filepath.Join(folder, "sorted"), filepath.Join(folder, "late")
	config := cluster.Config{Checkpoint: cluster.Every(time.Second), Store: memory.Store(1 << 20)}
	if _, err := cluster.Run(ctx, topology(out, late), config); err != nil {
		return err
	}
	sorted, err := files.ReadAll[Sorted](out, files.AsJSONLines)
	if err != nil {
		return err
	}
	lost, err := files.Committed(late)
	if err != nil {
		return err
	}
	show(w, sorted)
	return errors.Join(check(sorted), none(lost))
}

// topology is the job: the watermark grows with every event that is the latest so
// far, and stays behind it by the bound.
func topology(out, late string) *operators.Topology {
	top := operators.NewTopology("sorter")
	times := operators.BoundedOutOfOrderness(bound, func(e Event) int64 { return e.Time }).Granularity(time.Millisecond)
	sorted := sortAll(operators.From(top, "events", operators.Slice(input...), times))
	sorted.To("sorted", files.Sink[Sorted](out))
	operators.SideOutput(sorted, lateTag).To("late", files.Sink[Event](late))
	return top
}

// show draws a line for each event: when it came, and what let it go.
func show(w io.Writer, sorted []Sorted) {
	fmt.Fprintln(w, "in: ", times(input, func(e Event) int64 { return e.Time }))
	fmt.Fprintln(w, "out:", times(sorted, func(s Sorted) int64 { return s.Time }))
	for _, s := range sorted {
		by := fmt.Sprintf("watermark %d", s.Watermark)
		if s.Watermark == messages.MaxWatermark {
			by = "the end of the input"
		}
		came := slices.Index(input, Event{s.Time}) + 1
		fmt.Fprintf(w, "%4d  came as no. %2d, left at %s\n", s.Time, came, by)
	}
}

func times[E any](all []E, of func(E) int64) (ms []int64) {
	for _, e := range all {
		ms = append(ms, of(e))
	}
	return ms
}

// check compares with what a person would have done: all events, sorted, none
// before its watermark.
func check(sorted []Sorted) error {
	want := times(input, func(e Event) int64 { return e.Time })
	slices.Sort(want)
	got := times(sorted, func(s Sorted) int64 { return s.Time })
	if !slices.Equal(got, want) {
		return fmt.Errorf("out came %v, want %v", got, want)
	}
	for _, s := range sorted {
		if s.Watermark < s.Time {
			return fmt.Errorf("%d left at watermark %d, before its time", s.Time, s.Watermark)
		}
	}
	return nil
}

func none(late []string) error {
	if len(late) > 0 {
		return fmt.Errorf("there are late events, in %v; the bound of %v is too small", late, bound)
	}
	return nil
}
