package main

import (
	"bufio"
	"cmp"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"
)

// sorted is what comes of a file: rides and lines in its order, hours by time
// and side.
type sorted struct {
	City, Elsewhere []Ride
	Leaving         []Leaving
	Hours           []hourCount
	Broken          []Broken
}

// straightLine reads the file line by line. It shares no code with weir.
func straightLine(path string) (s *sorted, err error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	s = &sorted{}
	lines := bufio.NewScanner(f)
	for n := int64(1); lines.Scan(); n++ {
		if n == 1 {
			continue // the header
		}
		if r, field, ok := parse(lines.Text()); ok {
			s.add(r)
		} else {
			s.Broken = append(s.Broken, Broken{Line: n, Field: field, Text: lines.Text()})
		}
	}
	s.count()
	return s, lines.Err()
}

// parse reads a line, or says which field is at fault, if it is one.
func parse(line string) (r Ride, field string, ok bool) {
	fields := strings.Split(line, ",")
	if len(fields) != 6 || strings.Contains(line, `"`) {
		return r, "", false
	}
	var errs [6]error
	r.ID, errs[0] = strconv.ParseInt(fields[0], 10, 64)
	r.PickedUp, errs[1] = time.Parse(time.DateTime, fields[1])
	for i, place := range []*float64{&r.FromLon, &r.FromLat, &r.ToLon, &r.ToLat} {
		*place, errs[2+i] = strconv.ParseFloat(fields[2+i], 64)
	}
	names := []string{"ride", "picked_up", "from_lon", "from_lat", "to_lon", "to_lat"}
	for i, err := range errs {
		if err != nil {
			return r, names[i], false
		}
	}
	return r, "", true
}

func (s *sorted) add(r Ride) {
	outside := func(lon, lat float64) bool { return lon < west || lon > east || lat < south || lat > north }
	if outside(r.FromLon, r.FromLat) {
		s.Elsewhere = append(s.Elsewhere, r)
		return
	}
	s.City = append(s.City, r)
	if !outside(r.ToLon, r.ToLat) {
		return
	}
	side := "west"
	if r.ToLon > east {
		side = "east"
	}
	if r.ToLat < south {
		side = "south"
	}
	if r.ToLat > north {
		side = "north"
	}
	s.Leaving = append(s.Leaving, Leaving{r.ID, side})
}

// count counts by hour what left the city.
func (s *sorted) count() {
	picked := map[int64]time.Time{}
	for _, r := range s.City {
		picked[r.ID] = r.PickedUp
	}
	counts := map[hourCount]int{}
	for _, l := range s.Leaving {
		hour := picked[l.Ride].Truncate(time.Hour)
		counts[hourCount{Key: l.Toward, Start: hour.UnixMilli(), End: hour.Add(time.Hour).UnixMilli()}]++
	}
	for h, n := range counts {
		h.Value = n
		s.Hours = append(s.Hours, h)
	}
}

// compare says what is wrong with s, its order included. The order of the sides
// within an hour and the words of a reason are nobody's business.
func (s *sorted) compare(want *sorted) error {
	wordless := func(b Broken) Broken { b.Reason = ""; return b }
	return errors.Join(
		sameList("ride in the city", s.City, want.City, Ride.equal),
		sameList("ride elsewhere", s.Elsewhere, want.Elsewhere, Ride.equal),
		sameList("leaving ride", s.Leaving, want.Leaving, func(a, b Leaving) bool { return a == b }),
		sameList("hour", byTime(s.Hours), byTime(want.Hours), func(a, b hourCount) bool { return a == b }),
		sameList("broken line", s.Broken, want.Broken, func(a, b Broken) bool { return wordless(a) == wordless(b) && a.Reason != "" }))
}

func (r Ride) equal(o Ride) bool {
	at := r.PickedUp
	r.PickedUp = o.PickedUp
	return r == o && at.Equal(o.PickedUp)
}

func byTime(hours []hourCount) []hourCount {
	return slices.SortedFunc(slices.Values(hours), func(a, b hourCount) int {
		return cmp.Or(cmp.Compare(a.Start, b.Start), cmp.Compare(a.Key, b.Key))
	})
}

func sameList[T any](what string, got, want []T, equal func(got, want T) bool) error {
	for i := range min(len(got), len(want)) {
		if !equal(got[i], want[i]) {
			return fmt.Errorf("%s %d is %+v, want %+v", what, i+1, got[i], want[i])
		}
	}
	if len(got) != len(want) {
		return fmt.Errorf("%d times a %s, want %d", len(got), what, len(want))
	}
	return nil
}
