package main

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"slices"
	"time"
)

// printReport shows the busiest hours and the verdict.
func printReport(w io.Writer, want *outcome, v *verdict, kills int, took time.Duration) {
	fmt.Fprintf(w, "\nThe busiest hours, all zones (wall clock of New York):\n\n  hour              trips   tips in $\n")
	for _, h := range busiest(want.hours(), 8) {
		fmt.Fprintf(w, "  %s %6d %11s\n", formatHour(h.hour), h.Trips, dollars(h.TipCents))
	}
	fmt.Fprintf(w, "\n  committed       wanted    lost  duplicated  wrong\n")
	for _, line := range []struct {
		name string
		f    faults
	}{{"results", v.Results}, {"late trips", v.Late}} {
		fmt.Fprintf(w, "  %-12s %9d %7d %11d %6d\n", line.name, line.f.Want, line.f.Lost, line.f.Duplicated, line.f.Wrong)
	}
	for _, s := range v.Samples {
		fmt.Fprintf(w, "  %s\n", s)
	}
	fmt.Fprintf(w, "\n  %d trips, %d times killed and restarted, %.1f s: %s\n", want.Trips, kills, took.Seconds(), v)
}

func (v *verdict) String() string {
	if v.exactlyOnce() {
		return "exactly once"
	}
	return "NOT exactly once"
}

type busyHour struct {
	hour int64
	tally
}

// busiest gives the n hours with the most trips, the earlier first among equals.
func busiest(hours map[int64]tally, n int) []busyHour {
	var all []busyHour
	for _, hour := range slices.Sorted(maps.Keys(hours)) {
		all = append(all, busyHour{hour, hours[hour]})
	}
	slices.SortStableFunc(all, func(a, b busyHour) int { return cmp.Compare(b.Trips, a.Trips) })
	return all[:min(n, len(all))]
}

func dollars(cents int64) string { return fmt.Sprintf("%d.%02d", cents/100, cents%100) }
