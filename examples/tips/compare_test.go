package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"google.golang.org/protobuf/proto"
)

// trip begins at a minute of the day's first hours and is paid one cent.
func testTrip(id uint64, zone string, pickup int64) *Trip {
	return &Trip{Id: id, PickupZone: zone, PickupMs: pickup, TipCents: 1}
}

func straightLineOver(t *testing.T, trips ...*Trip) *outcome {
	t.Helper()
	path := filepath.Join(t.TempDir(), "trips.pb")
	_, err := writeTrips(path, func(yield func(*Trip) error) error {
		for _, trip := range trips {
			if err := yield(trip); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	o, err := straightLine(path)
	if err != nil {
		t.Fatal(err)
	}
	return o
}

// The hour [0, 1 h) closes with the first trip that begins 20 min after its
// end: that trip's watermark is the hour's last ms.
func TestStraightLineLate(t *testing.T) {
	closing := hourMs + lateAfterMs
	for _, c := range []struct {
		latest int64
		late   bool
	}{{closing - 1, false}, {closing, true}, {closing + granularityMs - 1, true}} {
		o := straightLineOver(t, testTrip(1, "A", 0), testTrip(2, "A", c.latest), testTrip(3, "A", hourMs-1), testTrip(4, "A", hourMs))
		if _, late := o.Late[3]; late != c.late || o.Trips != 4 {
			t.Errorf("after a trip at %d the trip at %d is late: %v, want %v", c.latest, hourMs-1, late, c.late)
		}
		if sum := o.Results[zoneHour{"A", hourMs}]; sum != (tally{2, 2}) {
			t.Errorf("the open hour has %v", sum)
		}
	}
}

// A comparison that cannot fail proves nothing: each kind of fault is found.
func TestCompareFindsFaults(t *testing.T) {
	trips := []*Trip{testTrip(1, "A", 0), testTrip(2, "B", 3*hourMs), testTrip(3, "A", 1)}
	want := straightLineOver(t, trips...)
	rowA, rowB := row{"A", formatHour(0), 1, 1}, row{"B", formatHour(3 * hourMs), 1, 1}
	changed := proto.Clone(trips[2]).(*Trip)
	changed.TipCents++
	for name, c := range map[string]struct {
		rows          []row
		late          []*Trip
		results, side faults
	}{
		"exact":          {[]row{rowA, rowB}, trips[2:], faults{Want: 2}, faults{Want: 1}},
		"lost":           {[]row{rowB}, nil, faults{Want: 2, Lost: 1}, faults{Want: 1, Lost: 1}},
		"duplicated":     {[]row{rowA, rowB, rowA}, []*Trip{trips[2], trips[2]}, faults{Want: 2, Duplicated: 1}, faults{Want: 1, Duplicated: 1}},
		"changed":        {[]row{{"A", rowA.Hour, 1, 2}, rowB}, []*Trip{changed}, faults{Want: 2, Wrong: 1}, faults{Want: 1, Wrong: 1}},
		"unwanted":       {[]row{rowA, rowB, {"C", rowA.Hour, 1, 1}}, trips[1:], faults{Want: 2, Wrong: 1}, faults{Want: 1, Wrong: 1}},
		"nothing at all": {nil, nil, faults{Want: 2, Lost: 2}, faults{Want: 1, Lost: 1}},
	} {
		v := compare(want, commit(t, c.rows, c.late))
		if v.Results != c.results || v.Late != c.side || v.exactlyOnce() != (name == "exact") {
			t.Errorf("%s: results %+v, late %+v", name, v.Results, v.Late)
		}
	}
}

// commit writes rows and late trips as the job's sinks do.
func commit(t *testing.T, rows []row, late []*Trip) *committed {
	t.Helper()
	w := workFolders(t.TempDir())
	for _, folder := range []string{w.results(), w.late(), filepath.Join(w.results(), ".weir")} {
		if err := os.MkdirAll(folder, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	var text []byte
	for _, r := range rows {
		line, err := json.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		text = append(append(text, line...), '\n')
	}
	if err := os.WriteFile(filepath.Join(w.results(), "a.jsonl"), text, 0o644); err != nil {
		t.Fatal(err)
	}
	var lateText []byte
	for _, trip := range late {
		body, err := proto.Marshal(trip)
		if err != nil {
			t.Fatal(err)
		}
		lateText = append(append(lateText, byte(len(body))), body...)
	}
	if err := os.WriteFile(filepath.Join(w.late(), "a.pb"), lateText, 0o644); err != nil {
		t.Fatal(err)
	}
	got := newCommitted(newFileOutside(w))
	if err := got.refresh(); err != nil {
		t.Fatal(err)
	}
	return got
}
