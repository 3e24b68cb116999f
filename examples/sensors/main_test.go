package main

import (
	"bytes"
	"context"
	"slices"
	"testing"

	"github.com/cockroachdb/datadriven"
)

// S48: the maximum temperature of each sensor in each minute, a runnable example
// with a golden output.
func TestS48_MaximumPerSensorAndMinute(t *testing.T) {
	datadriven.RunTest(t, "testdata/output.txt", func(t *testing.T, d *datadriven.TestData) string {
		var out bytes.Buffer
		if err := run(context.Background(), t.TempDir(), arrived(), &out); err != nil {
			t.Fatal(err)
		}
		return out.String()
	})
}

// A maximum below zero, one of a single reading, equal readings, and a reading
// at the borders of its minute, in small.
func TestSmall(t *testing.T) {
	readings := []Reading{
		{"a", 59_999, -5}, {"a", 60_000, -7}, {"a", 0, -5}, {"b", 30_000, 0}, {"a", 30_000, -5.1},
		{"a", 80_000, -8}, {"b", 59_999, 99}, // the clock is at the end of the first minute
		{"b", 60_000, 1},
	}
	var out bytes.Buffer
	if err := run(context.Background(), t.TempDir(), readings, &out); err != nil {
		t.Fatal(err)
	}
	warmest, late := straightLine(readings)
	if len(warmest) != 4 || len(late) != 1 || late[0].Celsius != 99 {
		t.Errorf("maxima %v and late %v: want four and the one of 99 °C", warmest, late)
	}
}

// A check that cannot fail proves nothing.
func TestCheckFindsFaults(t *testing.T) {
	readings := arrived()
	warmest, late := straightLine(readings)
	var good []Maximum
	for key, r := range warmest {
		start := key.minute.UnixMilli()
		good = append(good, Maximum{Key: key.sensor, Start: start, End: start + 60_000, Value: r})
	}
	if err := check(readings, good, late); err != nil {
		t.Fatal(err)
	}
	wrong := slices.Clone(good)
	wrong[0].Value.Celsius++
	for fault, maxima := range map[string][]Maximum{"lost": good[1:], "twice": append(slices.Clone(good), good[0]), "wrong": wrong} {
		if check(readings, maxima, late) == nil {
			t.Errorf("a maximum that is %s goes unseen", fault)
		}
	}
	if len(late) < 3 || check(readings, good, late[1:]) == nil || check(readings, good, append(late, late[0])) == nil {
		t.Errorf("of %d late readings one too few or too many goes unseen", len(late))
	}
}
