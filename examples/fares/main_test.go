package main

import (
	"strings"
	"testing"
)

// S87, S88: each pair once, the unmatched of either side in their side outputs; and the result is what the check
// demands. Running the job again over what it left changes nothing.
func TestFares(t *testing.T) {
	folder := t.TempDir() + "/out/fares"
	rides, fares := generate(2_000)
	for range 2 {
		if err := run(folder, rides, fares); err != nil {
			t.Fatal(err)
		}
		found, err := read(folder)
		if err != nil {
			t.Fatal(err)
		}
		if err := found.check(rides, fares); err != nil {
			t.Fatal(err)
		}
		// Of 2000: 20 not paid, 20 paid too late, and 20 whose fare names another ride.
		if len(found.trips) != 1940 || len(found.unpaid) != 60 || len(found.unridden) != 40 {
			t.Errorf("%d trips, %d unpaid, %d unridden", len(found.trips), len(found.unpaid), len(found.unridden))
		}
		var out strings.Builder
		found.print(&out)
		if lines := strings.Split(out.String(), "\n"); len(lines) != 9 || lines[7] != "1940 trips, 60 rides without a fare, 40 fares without a ride" {
			t.Errorf("printed\n%s", out.String())
		}
	}
}

// The check finds what is missing, twice there, in the wrong place, or changed.
func TestCheckFinds(t *testing.T) {
	rides, fares := generate(200)
	for want, spoil := range map[string]func(*result){
		"trips: {Ride:{ID:0 ":     func(r *result) { r.trips = r.trips[1:] },
		"is one too many":         func(r *result) { r.trips = append(r.trips, r.trips[0]) },
		"rides without a fare: {": func(r *result) { r.unpaid = r.unpaid[1:] },
		"fares without a ride: {": func(r *result) { r.unridden = append(r.unridden, Fare{Ride: 1}) },
		", want {Ride:{ID:5 ":     func(r *result) { r.trips[5].Fare.Tip++ },
	} {
		r := plainJoin(rides, fares)
		if err := r.check(rides, fares); err != nil {
			t.Fatalf("before it was spoiled: %v", err)
		}
		spoil(&r)
		if err := r.check(rides, fares); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}
