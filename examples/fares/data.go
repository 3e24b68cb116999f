package main

import (
	"slices"
	"time"
)

// generate makes n rides, half a minute apart, and their fares, both in the
// order of time. Of a hundred rides one is not paid, one is paid the next day,
// and one fare has no ride.
func generate(n int64) (rides []Ride, fares []Fare) {
	began := time.Date(2013, 1, 1, 0, 0, 0, 0, time.UTC).UnixMilli()
	for id := range n {
		minutes := 5 + id*7919%50
		r := Ride{ID: id, Driver: id * id % 23, Began: began + id*30_000, Minutes: minutes}
		f := Fare{Ride: id, Paid: r.Began + minutes*60_000, Tip: id * 104729 % (20 * minutes)}
		switch id % 100 {
		case 17: // rode away
		case 41:
			f.Paid += 24 * 3_600_000
		case 77:
			f.Ride += n // nobody knows whose it is
		}
		rides = append(rides, r)
		if id%100 != 17 {
			fares = append(fares, f)
		}
	}
	slices.SortStableFunc(fares, func(a, b Fare) int { return int(a.Paid - b.Paid) })
	return rides, fares
}
