package main

import (
	"fmt"
	"hash/fnv"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"
)

func collect(t *testing.T, source func(yield func(*Trip) error) error) []*Trip {
	t.Helper()
	var trips []*Trip
	if err := source(func(trip *Trip) error { trips = append(trips, trip); return nil }); err != nil {
		t.Fatal(err)
	}
	return trips
}

// The generator gives the same trips on every machine and with every Go.
func TestGeneratorGolden(t *testing.T) {
	sum := fnv.New64a()
	for _, trip := range collect(t, generatedTrips(20_000, 1)) {
		fmt.Fprintln(sum, trip.PickupMs, trip.DropoffMs, trip.PickupZone, trip.DropoffZone, trip.Passengers,
			trip.FareCents, trip.TipCents, trip.TollsCents, trip.TotalCents, trip.Color, trip.Payment)
	}
	if got := sum.Sum64(); got != goldenTrips {
		t.Errorf("checksum of 20000 generated trips is %#x, want %#x", got, uint64(goldenTrips))
	}
}

const goldenTrips = 0x3af1a60aa81ca8f4

func TestGeneratorShape(t *testing.T) {
	trips := collect(t, generatedTrips(20_000, 7))
	if len(trips) != 20_000 {
		t.Fatalf("%d trips", len(trips))
	}
	zones, long := map[string]bool{}, 0
	for i, trip := range trips {
		zones[trip.PickupZone] = true
		if i > 0 && trip.DropoffMs < trips[i-1].DropoffMs {
			t.Fatalf("trip %d ends before the one ahead of it", i)
		}
		if trip.PickupMs >= trip.DropoffMs || trip.TotalCents < trip.FareCents+trip.TipCents {
			t.Fatalf("impossible trip %v", trip)
		}
		if trip.DropoffMs-trip.PickupMs > lateAfterMs {
			long++
		}
	}
	if len(zones) < 150 || len(zones) > generatedZones {
		t.Errorf("trips begin in %d zones", len(zones))
	}
	if share := float64(long) / float64(len(trips)); share < 0.1 || share > 0.3 {
		t.Errorf("%.2f of the trips last longer than the bound on disorder", share)
	}
}

func TestTripsSurviveTheFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "trips.pb")
	want := collect(t, generatedTrips(1000, 3))
	if n, err := writeTrips(path, generatedTrips(1000, 3)); n != 1000 || err != nil {
		t.Fatal(n, err)
	}
	got := collect(t, func(yield func(*Trip) error) error { return readTrips(path, yield) })
	for i := range want {
		want[i].Id = uint64(i + 1)
	}
	if !slices.EqualFunc(got, want, func(a, b *Trip) bool { return proto.Equal(a, b) }) {
		t.Error("trips changed on their way through the file")
	}
}

const header = "pickup,dropoff,passengers,distance,fare,tip,tolls,total,color,payment,pickup_zone,dropoff_zone,pickup_borough,dropoff_borough\n"

func writeCSV(t *testing.T, rows string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "trips.csv")
	if err := os.WriteFile(path, []byte(rows), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

// Arrival order is drop-off order, whatever the order of the file.
func TestCSV(t *testing.T) {
	path := writeCSV(t, header+
		"2019-03-23 20:21:09,2019-03-23 20:27:24,1,1.6,7.0,2.15,0.0,12.95,yellow,credit card,Lenox Hill West,UN/Turtle Bay South,Manhattan,Manhattan\n"+
		"2019-03-04 16:11:55,2019-03-04 16:19:00,2,0.79,5.0,0.0,0.0,9.3,green,,,Astoria,,Queens\n")
	trips := collect(t, csvTrips(path))
	want := []*Trip{
		{PickupMs: 1551715915000, DropoffMs: 1551716340000, PickupZone: unknownZone, DropoffZone: "Astoria", Passengers: 2,
			FareCents: 500, TotalCents: 930, Color: "green"},
		{PickupMs: 1553372469000, DropoffMs: 1553372844000, PickupZone: "Lenox Hill West", DropoffZone: "UN/Turtle Bay South", Passengers: 1,
			FareCents: 700, TipCents: 215, TotalCents: 1295, Color: "yellow", Payment: "credit card"},
	}
	if !slices.EqualFunc(trips, want, func(a, b *Trip) bool { return proto.Equal(a, b) }) {
		t.Errorf("got %v\nwant %v", trips, want)
	}
}

func TestBadCSV(t *testing.T) {
	good := "2019-03-23 20:21:09,2019-03-23 20:27:24,1,1.6,7.0,2.15,0.0,12.95,yellow,cash,A,B,C,D\n"
	for name, c := range map[string]struct{ rows, want string }{
		"empty":   {"", "header: EOF"},
		"column":  {strings.Replace(header, "tip", "gift", 1) + good, `trips.csv:2: no column "tip" in the header`},
		"amount":  {header + good + strings.Replace(good, "2.15", "2.155", 1), `trips.csv:3: column "tip": "2.155": not an amount with at most two decimals`},
		"time":    {header + strings.Replace(good, "20:27:24", "20:77:24", 1), `trips.csv:2: column "dropoff": "2019-03-23 20:77:24": parsing time`},
		"integer": {header + strings.Replace(good, ",1,", ",one,", 1), `trips.csv:2: column "passengers": "one": strconv.Atoi`},
		"short":   {header + "2019-03-23 20:21:09\n", "record on line 2: wrong number of fields"},
	} {
		err := csvTrips(writeCSV(t, c.rows))(func(*Trip) error { return nil })
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v; want one with %q", name, err, c.want)
		}
	}
	if err := csvTrips("nowhere.csv")(nil); err == nil || !strings.Contains(err.Error(), "nowhere.csv") {
		t.Errorf("missing file: %v", err)
	}
}

func TestFloor(t *testing.T) {
	for _, c := range [][3]int64{{0, 100, 0}, {99, 100, 0}, {100, 100, 100}, {-1, 100, -100}, {-100, 100, -100}, {-101, 100, -200}, {math.MaxInt64, 1, math.MaxInt64}} {
		if got := floor(c[0], c[1]); got != c[2] {
			t.Errorf("floor(%d, %d) = %d, want %d", c[0], c[1], got, c[2])
		}
	}
}
