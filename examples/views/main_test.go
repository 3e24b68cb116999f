package main

import (
	"bytes"
	"context"
	"path/filepath"
	"testing"

	"github.com/cockroachdb/datadriven"

	"github.com/weirflow/weir/cluster"
	"github.com/weirflow/weir/operators"
	"github.com/weirflow/weir/operators/files"
)

// S48: views per minute, a runnable example with a golden output.
func TestS48_ViewsPerMinute(t *testing.T) {
	datadriven.RunTest(t, "testdata/output.txt", func(t *testing.T, d *datadriven.TestData) string {
		var out bytes.Buffer
		if err := run(context.Background(), t.TempDir(), &out); err != nil {
			t.Fatal(err)
		}
		return out.String()
	})
}

// The counts do not depend on who reads which log, nor on batches: with views
// of one server long past a minute that the other has not begun, none is late.
func TestAnyParallelism(t *testing.T) {
	for _, p := range []int{1, 3} {
		for _, batch := range []int{1, 512} {
			folder := t.TempDir()
			views, err := writeLogs(folder)
			if err != nil {
				t.Fatal(err)
			}
			config := cluster.Config{BatchRecords: batch}
			if _, err := cluster.Run(context.Background(), topology(folder).Parallelism(p), config); err != nil {
				t.Fatal(err)
			}
			counts, err := files.ReadAll[operators.WindowResult[string, int]](filepath.Join(folder, "counts"), files.AsJSONLines)
			if err != nil {
				t.Fatal(err)
			}
			late, err := files.ReadAll[View](filepath.Join(folder, "late"), files.AsJSONLines)
			if err != nil {
				t.Fatal(err)
			}
			if err := check(straightLine(views), counts, late); err != nil {
				t.Errorf("parallelism %d, batches of %d: %v", p, batch, err)
			}
		}
	}
}

// Each log is in order, and one after the other they are not: the question is
// not trivial.
func TestLogs(t *testing.T) {
	views, err := writeLogs(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	back := 0
	for i := 1; i < len(views); i++ {
		if views[i].Ms < views[i-1].Ms {
			back++
		}
	}
	if back != 1 {
		t.Errorf("time goes back %d times, want once, between the logs", back)
	}
}

// A check that cannot fail proves nothing.
func TestCheckFindsFaults(t *testing.T) {
	views := []View{{Ms: 1, Page: "/"}, {Ms: 61_000, Page: "/"}}
	good := []operators.WindowResult[string, int]{{Key: "/", End: 60_000, Value: 1}, {Key: "/", Start: 60_000, End: 120_000, Value: 1}}
	if err := check(straightLine(views), good, nil); err != nil {
		t.Fatal(err)
	}
	wrong := []operators.WindowResult[string, int]{good[0], {Key: "/", Start: 60_000, End: 120_000, Value: 2}}
	for fault, counts := range map[string][]operators.WindowResult[string, int]{"lost": good[1:], "twice": append(good, good[0]), "wrong": wrong} {
		if check(straightLine(views), counts, nil) == nil {
			t.Errorf("a count that is %s goes unseen", fault)
		}
	}
	if check(straightLine(views), good, views[:1]) == nil {
		t.Error("a late view goes unseen")
	}
}
