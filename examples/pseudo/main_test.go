package main

import (
	"bytes"
	"context"
	"sync"
	"testing"

	"github.com/cockroachdb/datadriven"
	"pgregory.net/rapid"

	"github.com/weirflow/weir/cluster"
	"github.com/weirflow/weir/operators"
)

// The program's check holds, and it says what it always says.
func TestOutput(t *testing.T) {
	datadriven.RunTest(t, "testdata/output.txt", func(t *testing.T, d *datadriven.TestData) string {
		var out bytes.Buffer
		if err := run(context.Background(), t.TempDir(), generated(), &out); err != nil {
			t.Fatal(err)
		}
		return out.String()
	})
}

// A check that cannot fail proves nothing.
func TestCheckFindsFaults(t *testing.T) {
	trips := generated()
	good := map[string]outcome{}
	for _, by := range computations {
		good[by] = straightLine(trips, lateBy[by])
	}
	if err := check(trips, good); err != nil {
		t.Fatalf("the straight-line program differs from itself: %v", err)
	}
	for _, by := range computations {
		o := good[by]
		first := o.Hours[0]
		wrong := first
		wrong.Cents++
		for fault, hours := range map[string][]HourTips{
			"lost": o.Hours[1:], "twice": append([]HourTips{first}, o.Hours...), "another sum": append([]HourTips{wrong}, o.Hours[1:]...),
		} {
			good[by] = outcome{hours, o.Late}
			if check(trips, good) == nil {
				t.Errorf("%s: an hour that is %s goes unseen", by, fault)
			}
		}
		for fault, late := range map[string][]Trip{"lost": o.Late[1:], "twice": append([]Trip{o.Late[0]}, o.Late...)} {
			good[by] = outcome{o.Hours, late}
			if check(trips, good) == nil {
				t.Errorf("%s: a late trip that is %s goes unseen", by, fault)
			}
		}
		good[by] = o
	}
}

// S79, on the engine: whatever the disorder, the parallelism and the batches, hours kept by hand and what they call
// late equal the windows', and the straight-line program's. S80: with the stricter rule they equal the windows' only
// where no trip is behind the clock while its hour is open.
func TestS79_S80_AnyDisorder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		trips := disordered(t)
		var l lists
		config := cluster.Config{BatchRecords: rapid.SampledFrom([]int{1, 7, 512}).Draw(t, "batch")}
		top := topology(trips, rapid.IntRange(1, 3).Draw(t, "parallelism"), intoLists(&l))
		if _, err := cluster.Run(context.Background(), top, config); err != nil {
			t.Fatal(err)
		}
		got := l.outcomes()
		if err := check(trips, got); err != nil {
			t.Fatal(err)
		}
		if err := got[byHand].compare(got[byWindows]); err != nil {
			t.Fatalf("by hand, against windows: %v", err)
		}
		behind := len(straightLine(trips, lateBy[byClock]).Late) > len(straightLine(trips, lateBy[byWindows]).Late)
		if err := got[byClock].compare(got[byWindows]); (err == nil) == behind {
			t.Fatalf("a trip is behind the clock in an open hour: %v; the stricter rule against windows: %v", behind, err)
		}
	})
}

// disordered draws trips whose order and times are only loosely related, before
// and after 1970.
func disordered(t *rapid.T) []Trip {
	trips := make([]Trip, rapid.IntRange(0, 120).Draw(t, "trips"))
	clock := rapid.Int64Range(-3*hourMs, 3*hourMs).Draw(t, "start")
	most := rapid.SampledFrom([]int64{0, hourMs / 3, 3 * hourMs}).Draw(t, "disorder")
	for i := range trips {
		clock += rapid.Int64Range(0, hourMs/4).Draw(t, "step")
		at := clock - rapid.Int64Range(0, most).Draw(t, "delay")
		trips[i] = Trip{ID: int64(i + 1), Driver: rapid.SampledFrom([]string{"ann", "bob", "cem"}).Draw(t, "driver"),
			PickupMs: nearBorder(t, at), TipCents: rapid.Int64Range(0, 999).Draw(t, "tip")}
	}
	return trips
}

// nearBorder moves some times to the first or last ms of their hour.
func nearBorder(t *rapid.T, at int64) int64 {
	switch rapid.IntRange(0, 5).Draw(t, "border") {
	case 0:
		return lastMs(at)
	case 1:
		return lastMs(at) - hourMs + 1
	}
	return at
}

// lists are sinks in memory.
type lists struct {
	hours [3]list[HourTips]
	late  [3]list[Trip]
}

func intoLists(l *lists) sinks {
	index := map[string]int{byWindows: 0, byHand: 1, byClock: 2}
	return sinks{
		hours: func(by string) operators.Sink[HourTips] { return &l.hours[index[by]] },
		late:  func(by string) operators.Sink[Trip] { return &l.late[index[by]] },
	}
}

func (l *lists) outcomes() map[string]outcome {
	got := map[string]outcome{}
	for i, by := range computations {
		got[by] = outcome{l.hours[i].values, l.late[i].values}.sorted()
	}
	return got
}

// list is a plain sink that keeps what it gets; its writers share it.
type list[T any] struct {
	mu     sync.Mutex // guards values
	values []T
}

func (l *list[T]) Kind() operators.SinkKind    { return operators.Plain }
func (l *list[T]) Flush(context.Context) error { return nil }
func (l *list[T]) Close() error                { return nil }

func (l *list[T]) Open(context.Context, operators.SinkContext) (operators.Writer[T], error) {
	return l, nil
}

func (l *list[T]) Write(_ context.Context, b *operators.Batch[T]) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.values = append(l.values, b.Values...)
	return nil
}
