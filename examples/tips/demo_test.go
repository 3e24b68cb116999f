package main

import (
	"bytes"
	"os"
	"strings"
	"testing"
)

// TestMain lets the test's binary be the job that a demo starts and kills.
func TestMain(m *testing.M) {
	if os.Getenv(runAsMain) != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

// A small demo: real processes, killed three times, generated trips.
func TestDemo(t *testing.T) {
	var out bytes.Buffer
	d := &demo{Trips: 6000, Kills: 3, Seed: 5, Folder: workFolders(t.TempDir()), Out: &out}
	if err := d.run(t.Context()); err != nil {
		t.Fatalf("%v\n%s", err, &out)
	}
	for _, want := range []string{"6000 trips, 3 times killed and restarted", "exactly once", "late trips"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q is not in the report:\n%s", want, &out)
		}
	}
}

// From Kafka into Kafka, with a stand-in for a broker in a process of its own.
func TestDemoInKafka(t *testing.T) {
	var out bytes.Buffer
	d := &demo{Trips: 6000, Kills: 3, Seed: 5, Kafka: "fake", Folder: workFolders(t.TempDir()), Out: &out}
	if err := d.run(t.Context()); err != nil {
		t.Fatalf("%v\n%s", err, &out)
	}
	for _, want := range []string{"6000 trips, 3 times killed and restarted", "exactly once", "no transaction is open"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q is not in the report:\n%s", want, &out)
		}
	}
}

// The same trips are late in every run, at any speed.
func TestLateTripsAreTheSame(t *testing.T) {
	var runs [2]*committed
	for i, rate := range []float64{0, 20_000} {
		w := workFolders(t.TempDir())
		if _, err := writeTrips(w.trips(), generatedTrips(10_000, 11)); err != nil {
			t.Fatal(err)
		}
		if err := runJob(t.Context(), w, newFileOutside(w), rate); err != nil {
			t.Fatal(err)
		}
		runs[i] = newCommitted(newFileOutside(w))
		if err := runs[i].refresh(); err != nil {
			t.Fatal(err)
		}
	}
	want := &outcome{Results: map[zoneHour]tally{}, Late: map[uint64]*Trip{}}
	for id, copies := range runs[0].Late {
		want.Late[id] = copies[0]
	}
	for key, copies := range runs[0].Results {
		want.Results[key] = copies[0]
	}
	if v := compare(want, runs[1]); !v.exactlyOnce() || v.Late.Want < 100 {
		t.Errorf("the second run differs from the first: results %+v, late %+v", v.Results, v.Late)
	}
}
