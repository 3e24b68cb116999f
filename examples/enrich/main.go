// Command enrich asks a slow service for the name of every trip's zone, many
// trips at a time, and keeps their order. The service is busy now and then, knows
// nothing of one zone, and once fails so badly that the job starts again from its
// last checkpoint. The program compares what it wrote with a loop over the trips,
// and exits with 1 if they differ.
package main

import (
	"context"
	"fmt"
	"io"
	"log"
	"os"
	"path/filepath"
	"time"

	"github.com/weirflow/weir/cluster"
	"github.com/weirflow/weir/operators"
	"github.com/weirflow/weir/operators/files"
	"github.com/weirflow/weir/persistence/dir"
)

// Trip is what comes in.
type Trip struct {
	ID    int64
	Began int64 // ms since 1970
	Zone  int64
}

func began(t Trip) int64 { return t.Began }

// Named is a trip with the name of its zone.
type Named struct {
	Trip Trip
	Zone string
}

// unnamed are trips for whose zone no answer came in time.
var unnamed = operators.NewTag[Trip]("unnamed")

func main() {
	folder, err := os.MkdirTemp("", "weir-enrich-")
	if err != nil {
		log.Fatal(err)
	}
	err = run(context.Background(), folder, newService(time.Millisecond), generate(3_000), 500*time.Millisecond, os.Stdout)
	os.RemoveAll(folder)
	if err != nil {
		log.Fatal(err)
	}
}

// run enriches trips into files below folder, reports to w, and gives an error if
// the job failed or the result is wrong.
func run(ctx context.Context, folder string, s *service, trips []Trip, timeout time.Duration, w io.Writer) error {
	start := time.Now()
	config := cluster.Config{
		Checkpoint: cluster.Every(100 * time.Millisecond), Store: dir.Open(filepath.Join(folder, "state")),
		BatchRecords: 32, Credits: 2, // a barrier waits for all records between it and the service: let there be few
	}
	if _, err := cluster.Run(ctx, topology(folder, s, trips, timeout), config); err != nil {
		return err
	}
	var r result
	var err error
	if r.named, err = files.ReadAll[Named](filepath.Join(folder, "named"), files.AsJSONLines); err != nil {
		return err
	}
	if r.unnamed, err = files.ReadAll[Trip](filepath.Join(folder, "unnamed"), files.AsJSONLines); err != nil {
		return err
	}
	r.report(w, s, time.Since(start))
	return r.check(trips)
}

// topology asks for a hundred trips at once. A busy service is asked again, after
// a while that doubles; what takes longer than timeout in all goes aside.
func topology(folder string, s *service, trips []Trip, timeout time.Duration) *operators.Topology {
	top := operators.NewTopology("enrich")
	in := operators.From(top, "trips", operators.Slice(trips...), operators.Monotonous(began))
	named := operators.AsyncOrdered(in, "zones", s.name, operators.AsyncOptions{
		Capacity:  100,
		Timeout:   timeout,
		OnTimeout: operators.TimeoutToSide(unnamed),
		Retry: operators.AsyncRetry{
			Attempts: 5, Backoff: 5 * time.Millisecond, MaxBackoff: 50 * time.Millisecond,
			If: func(err error) bool { return err == errBusy },
		},
	})
	named.To("named", files.Sink[Named](filepath.Join(folder, "named")))
	operators.SideOutput(named, unnamed).To("unnamed", files.Sink[Trip](filepath.Join(folder, "unnamed")))
	return top
}

// generate makes n trips, a second apart, from twelve zones; few begin in the one
// that nobody knows.
func generate(n int64) (trips []Trip) {
	for id := range n {
		zone := (id*id + id/7) % 12
		if id%1000 == 555 {
			zone = unknownZone
		}
		trips = append(trips, Trip{ID: id, Began: id * 1000, Zone: zone})
	}
	return trips
}

// result is what the job wrote, in its order.
type result struct {
	named   []Named
	unnamed []Trip
}

// report says what came out, for people.
func (r *result) report(w io.Writer, s *service, took time.Duration) {
	count := map[string]int{}
	for _, n := range r.named {
		count[n.Zone]++
	}
	for _, name := range zones {
		if count[name] > 0 {
			fmt.Fprintf(w, "%-16s %5d trips\n", name, count[name])
		}
	}
	fmt.Fprintf(w, "%-16s %5d trips\n\n", "no answer", len(r.unnamed))
	u := s.usage()
	fmt.Fprintf(w, "%d trips took %d calls, at most %d at once: to %d the service was busy, and one failed the job, which went on from its last checkpoint.\n",
		len(r.named)+len(r.unnamed), u.calls, u.most, u.busy)
	fmt.Fprintf(w, "The calls took %v together, and the job %v.\n", u.worked.Round(100*time.Millisecond), took.Round(100*time.Millisecond))
}

// check compares the result with a loop over the trips: each is there once, with
// the right name, in its order. Of those aside, most are from the unknown zone; on
// a machine that is slow enough others may be, too.
func (r *result) check(trips []Trip) error {
	named, aside := r.named, r.unnamed
	for _, t := range trips {
		switch {
		case len(named) > 0 && named[0] == Named{t, nameOf(t.Zone)} && t.Zone != unknownZone:
			named = named[1:]
		case len(aside) > 0 && aside[0] == t:
			aside = aside[1:]
		default:
			return fmt.Errorf("trip %+v is neither the next with a name nor the next without", t)
		}
	}
	if len(named)+len(aside) > 0 {
		return fmt.Errorf("%d trips are too many", len(named)+len(aside))
	}
	return nil
}
