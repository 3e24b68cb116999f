package main

import (
	"strings"
	"testing"
)

// The plan says that both outputs are exactly once; a change that costs the
// example its promise must not pass unseen.
func TestPlanPromisesExactlyOnce(t *testing.T) {
	w := workFolders(t.TempDir())
	if _, err := writeTrips(w.trips(), generatedTrips(10, 1)); err != nil {
		t.Fatal(err)
	}
	plan, err := topology(newFileOutside(w), 100).Build()
	if err != nil {
		t.Fatal(err)
	}
	if text := plan.String(); strings.Count(strings.ToLower(text), "exactly once") != 2 {
		t.Errorf("the plan of the job is\n%s", text)
	}
}
