package main

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"
)

// S94, S103: a service that is busy, goes down or never answers loses and doubles
// no trip, and the order is kept, though some are asked for again.
func TestEnrich(t *testing.T) {
	var out strings.Builder
	s := newService(time.Microsecond)
	if err := run(context.Background(), t.TempDir(), s, generate(3_000), 20*time.Millisecond, &out); err != nil {
		t.Fatal(err)
	}
	if u := s.usage(); u.calls <= 3_000 || u.busy == 0 || u.most > 200 {
		t.Errorf("%d calls, %d of them to a busy service, %d at once; want more than 3000, some, and at most 100 in each of two attempts", u.calls, u.busy, u.most)
	}
	if lines := strings.Split(out.String(), "\n"); !strings.HasPrefix(lines[0], "Alphabet City") || !strings.Contains(out.String(), "3000 trips took") {
		t.Errorf("printed\n%s", out.String())
	}
}

// A check that cannot fail proves nothing.
func TestCheckFinds(t *testing.T) {
	trips := generate(1_000)
	for what, spoil := range map[string]func(r *result){
		"a lost trip":           func(r *result) { r.named = slices.Delete(r.named, 5, 6) },
		"a trip twice":          func(r *result) { r.named = slices.Insert(r.named, 5, r.named[5]) },
		"the last one twice":    func(r *result) { r.named = append(r.named, r.named[len(r.named)-1]) },
		"a wrong name":          func(r *result) { r.named[5].Zone = "Nowhere" },
		"trips out of order":    func(r *result) { r.named[5], r.named[6] = r.named[6], r.named[5] },
		"an unnamed trip lost":  func(r *result) { r.unnamed = nil },
		"an unnamed trip twice": func(r *result) { r.unnamed = append(r.unnamed, r.unnamed...) },
		"a trip of nobody":      func(r *result) { r.unnamed = append(r.unnamed, Trip{ID: 2_000}) },
		"a name for the unknown": func(r *result) {
			r.named = slices.Insert(r.named, 555, Named{r.unnamed[0], "Chelsea"})
			r.unnamed = nil
		},
	} {
		var r result
		for _, trip := range trips {
			if trip.Zone == unknownZone {
				r.unnamed = append(r.unnamed, trip)
			} else {
				r.named = append(r.named, Named{trip, nameOf(trip.Zone)})
			}
		}
		if err := r.check(trips); err != nil {
			t.Fatal(err)
		}
		if spoil(&r); r.check(trips) == nil {
			t.Errorf("%s goes unseen", what)
		}
	}
}
