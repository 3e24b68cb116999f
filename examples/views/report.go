package main

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"time"

	"github.com/weirflow/weir/operators"
)

// report prints a row for each minute and a column for each page. A page that
// nobody looked at within a minute has no result.
func report(w io.Writer, views int, counts []operators.WindowResult[string, int]) {
	byMinute := map[int64]map[string]int{}
	for _, r := range counts {
		if byMinute[r.Start] == nil {
			byMinute[r.Start] = map[string]int{}
		}
		byMinute[r.Start][r.Key] += r.Value
	}
	fmt.Fprintf(w, "%d page views, by minute\n\n%-8s", views, "")
	for _, page := range pages {
		fmt.Fprintf(w, "%9s", page)
	}
	for _, minute := range slices.Sorted(maps.Keys(byMinute)) {
		fmt.Fprintf(w, "\n%-8s", time.UnixMilli(minute).UTC().Format("15:04"))
		for _, page := range pages {
			fmt.Fprintf(w, "%9s", shown(byMinute[minute], page))
		}
	}
	fmt.Fprintln(w)
}

func shown(counts map[string]int, page string) string {
	if n, ok := counts[page]; ok {
		return fmt.Sprint(n)
	}
	return "-"
}
