package main

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"slices"

	"github.com/weirflow/weir/operators/files"
)

// result is what the job wrote.
type result struct {
	trips    []Trip
	unpaid   []Ride
	unridden []Fare
}

func read(folder string) (r result, err error) {
	if r.trips, err = files.ReadAll[Trip](folder+"/trips", files.AsJSONLines); err != nil {
		return r, err
	}
	if r.unpaid, err = files.ReadAll[Ride](folder+"/unpaid", files.AsJSONLines); err != nil {
		return r, err
	}
	r.unridden, err = files.ReadAll[Fare](folder+"/unridden", files.AsJSONLines)
	return r, err
}

// driver is the work of one.
type driver struct{ id, trips, minutes, tips int64 }

// perHour is in cents.
func (d *driver) perHour() int64 { return d.tips * 60 / d.minutes }

// print shows the drivers with the best tips.
func (r *result) print(out io.Writer) {
	byID := map[int64]*driver{}
	for _, t := range r.trips {
		d := byID[t.Ride.Driver]
		if d == nil {
			d = &driver{id: t.Ride.Driver}
			byID[d.id] = d
		}
		d.trips, d.minutes, d.tips = d.trips+1, d.minutes+t.Ride.Minutes, d.tips+t.Fare.Tip
	}
	best := slices.SortedFunc(maps.Values(byID), func(a, b *driver) int {
		return cmp.Or(cmp.Compare(b.perHour(), a.perHour()), cmp.Compare(a.id, b.id))
	})
	fmt.Fprintln(out, "driver   trips   hours   tips for an hour")
	for _, d := range best[:min(5, len(best))] {
		fmt.Fprintf(out, "%6d  %6d  %6d   %d.%02d $\n", d.id, d.trips, d.minutes/60, d.perHour()/100, d.perHour()%100)
	}
	fmt.Fprintf(out, "\n%d trips, %d rides without a fare, %d fares without a ride\n", len(r.trips), len(r.unpaid), len(r.unridden))
}

// check compares the result with a join over all that there is at once.
func (r *result) check(rides []Ride, fares []Fare) error {
	want := plainJoin(rides, fares)
	byRide := func(a, b Trip) int { return cmp.Compare(a.Ride.ID, b.Ride.ID) }
	byID := func(a, b Ride) int { return cmp.Compare(a.ID, b.ID) }
	ofRide := func(a, b Fare) int { return cmp.Compare(a.Ride, b.Ride) }
	return cmp.Or(
		same("trips", r.trips, want.trips, byRide),
		same("rides without a fare", r.unpaid, want.unpaid, byID),
		same("fares without a ride", r.unridden, want.unridden, ofRide))
}

func plainJoin(rides []Ride, fares []Fare) (r result) {
	of := map[int64]Fare{}
	for _, f := range fares {
		of[f.Ride] = f
	}
	for _, ride := range rides {
		if f, ok := of[ride.ID]; ok && !tooFar(ride, f) {
			r.trips = append(r.trips, Trip{Ride: ride, Fare: f})
			delete(of, ride.ID)
		} else {
			r.unpaid = append(r.unpaid, ride)
		}
	}
	r.unridden = slices.Collect(maps.Values(of))
	return r
}

// same compares two lists whatever their order.
func same[T comparable](what string, got, want []T, order func(a, b T) int) error {
	got, want = slices.SortedFunc(slices.Values(got), order), slices.SortedFunc(slices.Values(want), order)
	for i := range max(len(got), len(want)) {
		switch {
		case i >= len(want) || i < len(got) && order(got[i], want[i]) < 0:
			return fmt.Errorf("%s: %+v is one too many", what, got[i])
		case i >= len(got) || order(got[i], want[i]) > 0:
			return fmt.Errorf("%s: %+v is missing", what, want[i])
		case got[i] != want[i]:
			return fmt.Errorf("%s: %+v, want %+v", what, got[i], want[i])
		}
	}
	return nil
}
