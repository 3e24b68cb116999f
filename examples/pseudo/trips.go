package main

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"
)

const drivers = 12

// generated gives a day's trips in the order in which they ended: the same
// trips wherever it runs.
func generated() []Trip {
	dice := rand.NewPCG(1, 2)
	below := func(n int) int64 { return int64(dice.Uint64() % uint64(n)) }
	type ended struct {
		Trip
		ms int64
	}
	var all []ended
	for d := range drivers {
		midnight := time.Date(2019, 3, 23, 0, 0, 0, 0, time.UTC)
		minute := time.Minute.Milliseconds()
		for at := midnight.UnixMilli(); ; {
			at += below(int(15 * minute)) // waiting for somebody
			t := Trip{Driver: fmt.Sprintf("driver %02d", d+1), PickupMs: at, TipCents: below(900)}
			at += minute + below(int(25*minute))
			if below(12) == 0 {
				at += below(int(75 * minute)) // a long way
			}
			if at >= midnight.AddDate(0, 0, 1).UnixMilli() {
				break
			}
			all = append(all, ended{t, at})
		}
	}
	slices.SortStableFunc(all, func(a, b ended) int { return cmp.Compare(a.ms, b.ms) })
	trips := make([]Trip, len(all))
	for i := range all {
		trips[i] = all[i].Trip
		trips[i].ID = int64(i + 1)
	}
	return trips
}
