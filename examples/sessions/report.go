package main

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"time"
)

// report prints a row for each week and a column for each user: sessions, and
// how many clicks they had on average. Who was not there has no result.
func report(w io.Writer, clicks int, counts []Week) {
	byWeek := map[int64]map[string]Usage{}
	for _, r := range counts {
		if byWeek[r.Start] == nil {
			byWeek[r.Start] = map[string]Usage{}
		}
		byWeek[r.Start][r.Key] = r.Value
	}
	fmt.Fprintf(w, "%d clicks: sessions a week, and clicks in each\n\n%-12s", clicks, "week of")
	for _, user := range users {
		fmt.Fprintf(w, "%12s", user)
	}
	for _, week := range slices.Sorted(maps.Keys(byWeek)) {
		fmt.Fprintf(w, "\n%-12s", time.UnixMilli(week).UTC().Format(time.DateOnly))
		for _, user := range users {
			fmt.Fprintf(w, "%12s", shown(byWeek[week], user))
		}
	}
	fmt.Fprintln(w)
}

func shown(usage map[string]Usage, user string) string {
	if u, ok := usage[user]; ok {
		return fmt.Sprintf("%d of %.1f", u.Sessions, float64(u.Clicks)/float64(u.Sessions))
	}
	return "-"
}
