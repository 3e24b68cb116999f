package main

import (
	"bytes"
	"context"
	"path/filepath"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"

	"github.com/weirflow/weir/cluster"
	"github.com/weirflow/weir/operators/files"
)

// S48: sessions per user per week, a runnable example with a golden output.
func TestS48_SessionsPerUserPerWeek(t *testing.T) {
	datadriven.RunTest(t, "testdata/output.txt", func(t *testing.T, d *datadriven.TestData) string {
		var out bytes.Buffer
		if err := run(context.Background(), t.TempDir(), arrived(), &out); err != nil {
			t.Fatal(err)
		}
		return out.String()
	})
}

// S71: windows behind windows hold exactly the parts, at any parallelism and
// batch size: no session gets lost or late in between.
func TestS71_AnyParallelism(t *testing.T) {
	clicks := arrived()
	for _, p := range []int{1, 3} {
		for _, batch := range []int{1, 512} {
			folder := t.TempDir()
			if _, err := cluster.Run(context.Background(), topology(clicks, folder).Parallelism(p), cluster.Config{BatchRecords: batch}); err != nil {
				t.Fatal(err)
			}
			counts, err := files.ReadAll[Week](filepath.Join(folder, "counts"), files.AsJSONLines)
			if err != nil {
				t.Fatal(err)
			}
			if err := check(straightLine(clicks), counts); err != nil {
				t.Errorf("parallelism %d, batches of %d: %v", p, batch, err)
			}
		}
	}
}

// Borders: clicks exactly half an hour apart are one session and 1 ms more makes
// two; a session belongs to the week in which its half hour ends.
func TestBorders(t *testing.T) {
	half, sunday := pause.Milliseconds(), time.Date(2019, 3, 10, 23, 30, 0, 0, time.UTC).UnixMilli()
	clicks := []Click{
		{"a", sunday - 4*half - 1}, {"a", sunday - 3*half - 1}, {"a", sunday - 2*half}, // two, and one of one click
		{"b", sunday}, {"c", sunday + 1}, // ends at midnight, and after it
	}
	monday := time.Date(2019, 3, 4, 0, 0, 0, 0, time.UTC)
	want := map[weekOf]Usage{{"a", monday}: {2, 3}, {"b", monday}: {1, 1}, {"c", monday.AddDate(0, 0, 7)}: {1, 1}}
	folder := t.TempDir()
	if err := run(context.Background(), folder, clicks, new(bytes.Buffer)); err != nil {
		t.Error(err)
	}
	counts, err := files.ReadAll[Week](filepath.Join(folder, "counts"), files.AsJSONLines)
	if err != nil {
		t.Fatal(err)
	}
	if err := check(want, counts); err != nil {
		t.Error(err)
	}
}

// The clicks are what the question is about: out of order, some exactly half an
// hour apart, a week that somebody is away, and a session that ends in a fifth
// week.
func TestClicks(t *testing.T) {
	clicks := arrived()
	back, last := 0, map[string]int64{}
	for i, c := range clicks {
		if i > 0 && c.Ms < clicks[i-1].Ms {
			back++
		}
		last[c.User] = max(last[c.User], c.Ms)
		if behind := last[c.User] - c.Ms; behind > delays.Milliseconds() {
			t.Fatalf("%+v is %d ms behind", c, behind)
		}
	}
	atLimit, times := 0, map[Click]bool{}
	for _, c := range clicks {
		times[c] = true
	}
	for c := range times {
		if times[Click{c.User, c.Ms + pause.Milliseconds()}] {
			atLimit++
		}
	}
	if back < len(clicks)/10 || atLimit < 10 || len(straightLine(clicks)) != 4*len(users)-1+1 {
		t.Errorf("of %d clicks %d come behind a later one and %d have one half an hour later; %d weeks", len(clicks), back, atLimit, len(straightLine(clicks)))
	}
}

// A check that cannot fail proves nothing.
func TestCheckFindsFaults(t *testing.T) {
	clicks := []Click{{"a", 0}, {"a", (7 * day).Milliseconds()}}
	week := func(n int64, sessions int) Week {
		start := (monday - 7*day + time.Duration(n)*7*day).Milliseconds()
		return Week{Key: "a", Start: start, End: start + (7 * day).Milliseconds(), Value: Usage{sessions, 1}}
	}
	want := straightLine(clicks)
	if err := check(want, []Week{week(0, 1), week(1, 1)}); err != nil {
		t.Fatal(err)
	}
	for fault, got := range map[string][]Week{
		"lost":    {week(1, 1)},
		"twice":   {week(0, 1), week(1, 1), week(0, 1)},
		"wrong":   {week(0, 1), week(1, 2)},
		"a guess": {week(0, 1), week(1, 1), week(2, 1)},
	} {
		if check(want, got) == nil {
			t.Errorf("a count that is %s goes unseen", fault)
		}
	}
}
