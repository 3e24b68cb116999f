package main

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"time"
)

var explained = map[string]string{
	byWindows: "windows of an hour",
	byHand:    "kept by hand; late: the hour is closed",
	byClock:   "kept by hand; late: behind the clock",
}

// report says what came out, for people.
func report(w io.Writer, trips []Trip, got map[string]outcome) {
	fmt.Fprintf(w, "%d trips of %d drivers in a day; the clock stays %v behind the latest pick-up\n\n", len(trips), drivers, waits)
	fmt.Fprintf(w, "%-40s %6s %11s %10s\n", "", "hours", "late trips", "tips")
	for _, by := range computations {
		o := got[by]
		fmt.Fprintf(w, "%-40s %6d %11d %10s\n", explained[by], len(o.Hours), len(o.Late), dollars(o.cents()))
	}
	reportDropped(w, got[byWindows].Late, got[byClock].Late)
	reportBest(w, got[byWindows].Hours)
}

// reportDropped names trips that only the stricter rule drops.
func reportDropped(w io.Writer, closed, behind []Trip) {
	var open []Trip
	for _, t := range behind {
		if !slices.Contains(closed, t) {
			open = append(open, t)
		}
	}
	fmt.Fprintf(w, "\nThe stricter rule dropped %d trips whose hour was still open, among them\n", len(open))
	for _, t := range open[:min(3, len(open))] {
		fmt.Fprintf(w, "  %s, picked up at %s, tip %s\n", t.Driver, t.at().Format("15:04:05.000"), dollars(t.TipCents))
	}
}

// reportBest names the best hours.
func reportBest(w io.Writer, hours []HourTips) {
	best := slices.SortedStableFunc(slices.Values(hours), func(a, b HourTips) int { return cmp.Compare(b.Cents, a.Cents) })
	fmt.Fprintf(w, "\nThe best hours\n")
	for _, h := range best[:min(5, len(best))] {
		fmt.Fprintf(w, "  %s  until %s  %s\n", h.Driver, time.UnixMilli(h.LastMs+1).UTC().Format("15:04"), dollars(h.Cents))
	}
}

func dollars(cents int64) string { return fmt.Sprintf("$%d.%02d", cents/100, cents%100) }
