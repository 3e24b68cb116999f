// Command sensors finds the maximum temperature of each sensor in each minute,
// in event time. Readings come over a bad network, seconds late and out of
// order; what comes when its minute is closed goes to the side. The program
// compares results and late readings with a straight-line program, and fails if
// they differ.
package main

import (
	"context"
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

func main() {
	folder, err := os.MkdirTemp("", "weir-sensors-")
	if err != nil {
		log.Fatal(err)
	}
	err = run(context.Background(), folder, arrived(), os.Stdout)
	os.RemoveAll(folder)
	if err != nil {
		log.Fatal(err)
	}
}

// Reading is what a sensor measured.
type Reading struct {
	Sensor  string
	Ms      int64 // of the measurement, since 1970
	Celsius float64
}

func sensorOf(r Reading) string { return r.Sensor }
func timeOf(r Reading) int64    { return r.Ms }

// waits is how far the clock stays behind the latest measurement. It is part of
// the question: a reading that takes longer may find its minute closed.
const waits = 20 * time.Second

// Maximum is the warmest reading of a sensor within a minute.
type Maximum = operators.WindowResult[string, Reading]

// topology finds the maxima. Watermarks follow every reading, so that it is
// easy to say where they stand.
func topology(readings []Reading, folder string) *operators.Topology {
	top := operators.NewTopology("sensors").Parallelism(2)
	clock := operators.BoundedOutOfOrderness(waits, timeOf).Granularity(0)
	stream := operators.From(top, "readings", operators.Slice(readings...), clock).Parallelism(1) // one split

	late := operators.NewTag[Reading]("late")
	minutes := operators.KeyBy(stream, sensorOf).Window(operators.Tumbling(time.Minute)).SideOutputLate(late)
	warmest := operators.ReduceWindow(minutes, "warmest", warmer)

	warmest.To("maxima", files.Sink[Maximum](filepath.Join(folder, "maxima")))
	operators.SideOutput(warmest, late).To("late", files.Sink[Reading](filepath.Join(folder, "late")))
	return top
}

// warmer gives the warmer reading, and of equals the earlier.
func warmer(a, b Reading) Reading {
	if b.Celsius > a.Celsius || b.Celsius == a.Celsius && b.Ms < a.Ms {
		return b
	}
	return a
}

// run works off readings within a folder, reports to w, and gives an error if
// the job failed or its results are wrong.
func run(ctx context.Context, folder string, readings []Reading, w io.Writer) error {
	config := cluster.Config{Checkpoint: cluster.Every(time.Second), Store: dir.Open(filepath.Join(folder, "state"))}
	if _, err := cluster.Run(ctx, topology(readings, folder), config); err != nil {
		return err
	}
	maxima, err := files.ReadAll[Maximum](filepath.Join(folder, "maxima"), files.AsJSONLines)
	if err != nil {
		return err
	}
	late, err := files.ReadAll[Reading](filepath.Join(folder, "late"), files.AsJSONLines)
	if err != nil {
		return err
	}
	report(w, readings, maxima, late)
	return check(readings, maxima, late)
}
