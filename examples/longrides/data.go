package main

import (
	"cmp"
	"slices"
	"time"
)

// generate makes n rides, ten seconds apart. Every fortieth lasts for more than
// two hours, some for two hours to the millisecond, and some have no end. They
// come in with delays of up to 29 minutes, so that many an end comes before its
// beginning.
func generate(n int64) (events []Event) {
	first := time.Date(2013, 1, 1, 0, 0, 0, 0, time.UTC).UnixMilli()
	for ride := range n {
		began, lasts := first+ride*10_000, (1+ride*31%55)*60_000
		switch ride % 40 {
		case 7:
			lasts = long + 1 + ride
		case 27:
			lasts = long
		}
		events = append(events, Event{Ride: ride, At: began})
		if ride%40 != 13 {
			events = append(events, Event{Ride: ride, End: true, At: began + lasts})
		}
	}
	delay := func(e Event) int64 { return (e.Ride*7919 + e.At/60_000*104729) % 29 * 60_000 }
	slices.SortStableFunc(events, func(a, b Event) int { return cmp.Compare(a.At+delay(a), b.At+delay(b)) })
	return events
}
