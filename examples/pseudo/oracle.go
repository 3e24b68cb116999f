package main

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"time"
)

// The straight-line program: one loop over the trips as they arrive. It has
// sums by hour and driver and the latest pick-up, and shares no code with the
// job.

// outcome is what a computation gives: hours by time and driver, late trips by
// number.
type outcome struct {
	Hours []HourTips
	Late  []Trip
}

// lateBy says for each computation what is late when the stream counts as
// complete up to watermark.
var lateBy = map[string]func(at, hourEnd, watermark time.Time) bool{
	byWindows: func(_, hourEnd, watermark time.Time) bool { return !hourEnd.After(watermark.Add(time.Millisecond)) },
	byHand:    func(_, hourEnd, watermark time.Time) bool { return !hourEnd.After(watermark.Add(time.Millisecond)) },
	byClock:   func(at, _, watermark time.Time) bool { return !at.After(watermark) },
}

func straightLine(trips []Trip, late func(at, hourEnd, watermark time.Time) bool) outcome {
	type hour struct {
		driver string
		end    int64
	}
	sums := map[hour]int64{}
	var o outcome
	latest := int64(math.MinInt64)
	for _, t := range trips {
		end := t.at().Truncate(time.Hour).Add(time.Hour)
		if latest > math.MinInt64 && late(t.at(), end, time.UnixMilli(latest).Add(-waits-time.Millisecond)) {
			o.Late = append(o.Late, t)
		} else {
			sums[hour{t.Driver, end.UnixMilli()}] += t.TipCents
		}
		latest = max(latest, t.PickupMs)
	}
	for h, cents := range sums {
		o.Hours = append(o.Hours, HourTips{h.driver, h.end - 1, cents})
	}
	return o.sorted()
}

func (o outcome) sorted() outcome {
	slices.SortFunc(o.Hours, func(a, b HourTips) int {
		return cmp.Or(cmp.Compare(a.LastMs, b.LastMs), cmp.Compare(a.Driver, b.Driver), cmp.Compare(a.Cents, b.Cents))
	})
	slices.SortFunc(o.Late, func(a, b Trip) int { return cmp.Compare(a.ID, b.ID) })
	return o
}

// compare says what is wrong with o. Lists are compared, so that what is there
// twice is a fault.
func (o outcome) compare(want outcome) error {
	if err := sameList("hour", o.Hours, want.Hours); err != nil {
		return err
	}
	return sameList("late trip", o.Late, want.Late)
}

func sameList[T comparable](what string, got, want []T) error {
	for i := range min(len(got), len(want)) {
		if got[i] != want[i] {
			return fmt.Errorf("%s %d is %+v, want %+v", what, i+1, got[i], want[i])
		}
	}
	if len(got) != len(want) {
		return fmt.Errorf("%d times a %s, want %d", len(got), what, len(want))
	}
	return nil
}

func (o outcome) cents() (sum int64) {
	for _, h := range o.Hours {
		sum += h.Cents
	}
	return sum
}
