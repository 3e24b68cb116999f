package main

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"time"
)

// place names a result.
type place struct {
	sensor string
	minute time.Time // its beginning
}

// straightLine is one loop over the readings as they arrive: the warmest of each
// sensor and minute, and those that came when the minute was closed. It shares
// no code with the job.
func straightLine(readings []Reading) (warmest map[place]Reading, late []Reading) {
	warmest = map[place]Reading{}
	latest := int64(math.MinInt64)
	for _, r := range readings {
		minute := time.UnixMilli(r.Ms).UTC().Truncate(time.Minute)
		complete := time.UnixMilli(latest).Add(-waits) // every reading before it is there
		key := place{r.Sensor, minute}
		best, known := warmest[key]
		switch {
		case latest > math.MinInt64 && !minute.Add(time.Minute).After(complete):
			late = append(late, r)
		case !known, r.Celsius > best.Celsius, r.Celsius == best.Celsius && r.Ms < best.Ms:
			warmest[key] = r
		}
		latest = max(latest, r.Ms)
	}
	return warmest, late
}

// check says what the job has wrong.
func check(readings []Reading, maxima []Maximum, late []Reading) error {
	want, wantLate := straightLine(readings)
	for _, m := range maxima {
		key := place{m.Key, time.UnixMilli(m.Start).UTC()}
		if r, ok := want[key]; !ok || r != m.Value {
			return fmt.Errorf("%s at %s: the job has %+v; want %+v, once", m.Key, key.minute.Format("15:04"), m.Value, r)
		}
		delete(want, key)
	}
	if len(want) > 0 {
		return fmt.Errorf("%d maxima are missing", len(want))
	}
	if got, want := sorted(late), sorted(wantLate); !slices.Equal(got, want) {
		return fmt.Errorf("the job says that %v are late; want %v", got, want)
	}
	return nil
}

func sorted(readings []Reading) []Reading {
	return slices.SortedFunc(slices.Values(readings), func(a, b Reading) int {
		return cmp.Or(cmp.Compare(a.Ms, b.Ms), cmp.Compare(a.Sensor, b.Sensor), cmp.Compare(a.Celsius, b.Celsius))
	})
}
