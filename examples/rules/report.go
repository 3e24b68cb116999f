package main

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"time"
)

// report shows for each rule how many payments were above it while it was in
// force, the latest of them all, and how many there are.
func report(w io.Writer, alerts []Alert, rules []Rule) {
	count := map[Rule]int{}
	for _, a := range alerts {
		count[a.Rule]++
	}
	fmt.Fprintf(w, "%-10s  %-12s  %9s  %6s\n", "kind", "from", "limit", "alerts")
	for _, r := range slices.SortedStableFunc(slices.Values(rules), func(a, b Rule) int { return cmp.Compare(a.Kind, b.Kind) }) {
		fmt.Fprintf(w, "%-10s  %-12s  %9s  %6d\n", r.Kind, time.UnixMilli(r.From).UTC().Format("Jan 2 15:04"), limit(r), count[r])
	}
	fmt.Fprintf(w, "\n%d alerts\n", len(alerts))
}

func limit(r Rule) string {
	if r.Limit < 0 {
		return "none"
	}
	return fmt.Sprintf("%d.%02d $", r.Limit/100, r.Limit%100)
}
