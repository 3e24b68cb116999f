package main

import (
	"fmt"
	"maps"
	"slices"
	"time"
)

// weekOf names a result.
type weekOf struct {
	user   string
	monday time.Time
}

// straightLine goes through each user's clicks in their order. It knows neither
// watermarks nor windows; weeks come from the calendar.
func straightLine(clicks []Click) map[weekOf]Usage {
	byUser, weeks := map[string][]int64{}, map[weekOf]Usage{}
	for _, c := range clicks {
		byUser[c.User] = append(byUser[c.User], c.Ms)
	}
	for user, times := range byUser {
		slices.Sort(times)
		n := 0
		for i, ms := range times {
			n++
			if i+1 < len(times) && times[i+1]-ms <= pause.Milliseconds() {
				continue
			}
			week := weekOf{user, mondayBefore(time.UnixMilli(ms).Add(pause - time.Millisecond))}
			weeks[week] = Usage{weeks[week].Sessions + 1, weeks[week].Clicks + n}
			n = 0
		}
	}
	return weeks
}

// mondayBefore is the beginning of the week.
func mondayBefore(t time.Time) time.Time {
	t = t.UTC()
	since := (int(t.Weekday()) + 6) % 7
	return time.Date(t.Year(), t.Month(), t.Day()-since, 0, 0, 0, 0, time.UTC)
}

// check says what the job counted wrong.
func check(want map[weekOf]Usage, got []Week) error {
	missing := maps.Clone(want)
	for _, r := range got {
		week := weekOf{r.Key, time.UnixMilli(r.Start).UTC()}
		if u, ok := missing[week]; !ok || u != r.Value || r.End-r.Start != (7*day).Milliseconds() {
			return fmt.Errorf("%s in the week of %s: the job has %+v, want %+v, once", r.Key, week.monday.Format(time.DateOnly), r.Value, u)
		}
		delete(missing, week)
	}
	if len(missing) > 0 {
		return fmt.Errorf("%d of %d counts are missing: %v", len(missing), len(want), missing)
	}
	return nil
}
