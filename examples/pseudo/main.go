// Command pseudo computes what taxi drivers get in tips an hour three times
// over in one job: by windows, by a process function that keeps its hours by
// hand, and by the same function with a stricter rule of what is late. It says
// how the three differ, compares each with a straight-line program, and fails
// if one of them is not as it should be.
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
	folder, err := os.MkdirTemp("", "weir-pseudo-")
	if err != nil {
		log.Fatal(err)
	}
	err = run(context.Background(), folder, generated(), os.Stdout)
	os.RemoveAll(folder)
	if err != nil {
		log.Fatal(err)
	}
}

// run runs the job within a folder, reports to w, and gives an error if the job
// failed or its results are wrong.
func run(ctx context.Context, folder string, trips []Trip, w io.Writer) error {
	config := cluster.Config{Checkpoint: cluster.Every(time.Second), Store: dir.Open(filepath.Join(folder, "state"))}
	if _, err := cluster.Run(ctx, topology(trips, 2, intoFiles(folder)), config); err != nil {
		return err
	}
	got, err := committed(folder)
	if err != nil {
		return err
	}
	report(w, trips, got)
	return check(trips, got)
}

// intoFiles has each computation write its hours and late trips into folders of
// its own.
func intoFiles(folder string) sinks {
	return sinks{
		hours: func(by string) operators.Sink[HourTips] {
			return files.Sink[HourTips](filepath.Join(folder, by, "hours"))
		},
		late: func(by string) operators.Sink[Trip] { return files.Sink[Trip](filepath.Join(folder, by, "late")) },
	}
}

// committed reads back what the computations have written.
func committed(folder string) (map[string]outcome, error) {
	got := map[string]outcome{}
	for _, by := range computations {
		hours, err := files.ReadAll[HourTips](filepath.Join(folder, by, "hours"), files.AsJSONLines)
		if err != nil {
			return nil, err
		}
		late, err := files.ReadAll[Trip](filepath.Join(folder, by, "late"), files.AsJSONLines)
		if err != nil {
			return nil, err
		}
		got[by] = outcome{hours, late}.sorted()
	}
	return got, nil
}

// check compares every computation with the straight-line program. Equality
// with it makes the first two equal to each other.
func check(trips []Trip, got map[string]outcome) error {
	for _, by := range computations {
		if err := got[by].compare(straightLine(trips, lateBy[by])); err != nil {
			return fmt.Errorf("%s: %w", by, err)
		}
	}
	return nil
}
