package main

import (
	"slices"
	"testing"

	"github.com/weirflow/weir/operators"
	"github.com/weirflow/weir/operators/files"
	"github.com/weirflow/weir/operators/operatortest"
)

// S78: each long ride is told of once, whatever the order of its events, and what the check demands is there. Running
// it again changes nothing.
func TestLongRides(t *testing.T) {
	folder := t.TempDir() + "/out/longrides"
	events := generate(2_000)
	for range 2 {
		if err := run(folder, events); err != nil {
			t.Fatal(err)
		}
		alerts, err := files.ReadAll[Alert](folder+"/alerts", files.AsJSONLines)
		if err != nil {
			t.Fatal(err)
		}
		if err := check(alerts, events); err != nil {
			t.Error(err)
		}
		if len(alerts) != 100 { // of 2000: 50 too long, 50 without an end
			t.Errorf("%d alerts", len(alerts))
		}
	}
}

// S78: nothing is left of a ride that is over: once the clock has passed all
// there was, state is empty and no timer is pending, also after a restart on
// more subtasks in the middle.
func TestStateIsEmptyAfterwards(t *testing.T) {
	h := operatortest.Keyed(t, func(in *operators.Stream[Event]) *operators.Stream[Alert] {
		return operators.Process(operators.KeyBy(in, func(e Event) int64 { return e.Ride }), "watch", newWatch)
	})
	events, greatest := generate(2_000), int64(0)
	for i, e := range events {
		h.Process(e, e.At)
		greatest = max(greatest, e.At)
		h.Watermark(greatest - disorder.Milliseconds() - 1)
		if i == len(events)/2 {
			if h.StateSize() == 0 || h.Timers() != h.StateSize() {
				t.Errorf("half way there are %d entries and %d timers, want as many", h.StateSize(), h.Timers())
			}
			h.Restore(h.Snapshot(), 3)
		}
	}
	h.Watermark(greatest + long + 1)
	if h.StateSize() != 0 || h.Timers() != 0 {
		t.Errorf("%d entries and %d timers are left", h.StateSize(), h.Timers())
	}
	var alerts []Alert
	for _, r := range h.Output() {
		alerts = append(alerts, r.Value)
	}
	if err := check(alerts, events); err != nil {
		t.Error(err)
	}
}

// The events are in the disorder that the program is about.
func TestEndsBeforeBeginnings(t *testing.T) {
	seen, before := map[int64]bool{}, 0
	events := generate(2_000)
	for _, e := range events {
		if e.End && !seen[e.Ride] {
			before++
		}
		seen[e.Ride] = true
	}
	if before < 100 || before > 1000 {
		t.Errorf("%d ends come before their beginnings", before)
	}
}

// The check finds what is missing, and what is there twice.
func TestCheckFinds(t *testing.T) {
	alert, events := []Alert{{Ride: 3, Began: 5}}, []Event{{Ride: 3, At: 5}, {Ride: 4, At: 5}, {Ride: 4, At: 5 + long, End: true}}
	if err := check(alert, events); err != nil {
		t.Error(err)
	}
	if check(nil, events) == nil || check(slices.Repeat(alert, 2), events) == nil || check([]Alert{{Ride: 4, Began: 5}}, events) == nil {
		t.Error("it found nothing")
	}
}
