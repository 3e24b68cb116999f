package main

import (
	"cmp"
	"math/rand/v2"
	"slices"
	"time"
)

// users of the site, the eager ones first.
var users = []string{"ada", "bob", "cleo", "dan", "eve"}

// began is a Monday.
var began = time.Date(2019, 3, 4, 0, 0, 0, 0, time.UTC).UnixMilli()

// arrived makes the clicks of four weeks in the order in which they come in, the
// same wherever it runs: ada visits often, eve hardly ever.
func arrived() []Click {
	var clicks []Click
	for i := range users {
		clicks = append(clicks, visits(i)...)
	}
	delay := func(c Click) int64 { return c.Ms * 7919 % delays.Milliseconds() }
	slices.SortStableFunc(clicks, func(a, b Click) int { return cmp.Compare(a.Ms+delay(a), b.Ms+delay(b)) })
	return clicks
}

// visits makes the clicks of one user. Some pauses are as long as a session
// allows, to the millisecond.
func visits(i int) (clicks []Click) {
	dice := rand.NewPCG(uint64(i), 4)
	below := func(n int64) int64 { return int64(dice.Uint64() % uint64(n)) }
	minute := time.Minute.Milliseconds()
	for at := began + below(24*60*minute); at < began+28*day.Milliseconds(); at += below(int64(i+1) * 6 * 60 * minute) {
		for range 1 + below(20) {
			if !away(i, at) {
				clicks = append(clicks, Click{users[i], at})
			}
			at += [...]int64{below(2 * minute), below(2 * minute), below(30 * minute), 30 * minute}[below(4)]
		}
	}
	return clicks
}

// away: all are after the fourth week, and dan is on holiday in the third.
func away(i int, at int64) bool {
	week := (at - began) / (7 * day).Milliseconds()
	return week > 3 || week == 2 && users[i] == "dan"
}
