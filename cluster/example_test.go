package cluster_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"time"

	"github.com/weirflow/weir/cluster"
	"github.com/weirflow/weir/operators"
	"github.com/weirflow/weir/operators/files"
)

// reading is a record of the examples.
type reading struct {
	Sensor string
	Ms     int64 // since 1970
	Value  int
}

func readings(top *operators.Topology) *operators.KeyedStream[string, reading] {
	source := operators.Slice(
		reading{"attic", 100, 20}, reading{"attic", 900, 21},
		reading{"attic", 1_500, 24}, reading{"attic", 2_000, 23})
	stream := operators.From(top, "readings", source, operators.Monotonous(func(r reading) int64 { return r.Ms }))
	return operators.KeyBy(stream, func(r reading) string { return r.Sensor })
}

// hottest is an operators.Aggregator.
type hottest struct{}

func (hottest) CreateAccumulator() int      { return 0 }
func (hottest) Add(most int, r reading) int { return max(most, r.Value) }
func (hottest) Merge(a, b int) int          { return max(a, b) }
func (hottest) Result(most int) int         { return most }

// Run works a topology off and waits for its end.
func ExampleRun() {
	top := operators.NewTopology("hottest")
	seconds := readings(top).Window(operators.Tumbling(time.Second))
	operators.Aggregate(seconds, "hottest", hottest{}).To("print", files.Print[operators.WindowResult[string, int]](os.Stdout))

	job, err := cluster.Run(context.Background(), top, cluster.Config{})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(job.Status().State)

	// Output:
	// 1970-01-01T00:00:00.999Z {Key:attic Start:0 End:1000 Value:21}
	// 1970-01-01T00:00:01.999Z {Key:attic Start:1000 End:2000 Value:24}
	// 1970-01-01T00:00:02.999Z {Key:attic Start:2000 End:3000 Value:23}
	// FINISHED
}

// Start gives the handle of a job that runs: what happens to it can be followed
// while it does.
func ExampleStart() {
	top := operators.NewTopology("sum")
	sum := operators.Reduce(readings(top), "sum", func(a, b reading) reading {
		return reading{b.Sensor, b.Ms, a.Value + b.Value}
	})
	sum.To("print", files.Print[reading](os.Stdout))

	job, err := cluster.Start(context.Background(), top, cluster.Config{Restart: cluster.FixedDelay{Attempts: 3, Delay: time.Second}})
	if err != nil {
		log.Fatal(err)
	}
	<-job.Done()
	if err := job.Wait(); err != nil {
		log.Fatal(err)
	}
	fmt.Println(job.Status().Restarts, "restarts")

	// Output:
	// 1970-01-01T00:00:00.100Z {Sensor:attic Ms:100 Value:20}
	// 1970-01-01T00:00:00.900Z {Sensor:attic Ms:900 Value:41}
	// 1970-01-01T00:00:01.500Z {Sensor:attic Ms:1500 Value:65}
	// 1970-01-01T00:00:02.000Z {Sensor:attic Ms:2000 Value:88}
	// 0 restarts
}

// silence reports a sensor from which nothing came for a second of event time.
type silence struct{ last operators.ValueState[int64] }

func newSilence(s *operators.States[string]) *silence {
	return &silence{last: operators.NewValueState[int64](s, "last")}
}

func (f *silence) ProcessElement(ctx *operators.Context[string, string], r reading) error {
	f.last.Set(r.Ms)
	ctx.RegisterEventTimer(r.Ms + 1000)
	return nil
}

func (f *silence) OnTimer(ctx *operators.Context[string, string], at int64, _ operators.Domain) error {
	if last, _ := f.last.Get(); last+1000 == at {
		ctx.Emit(ctx.Key() + " is silent")
	}
	return nil
}

// A process function has state and timers for each key.
func ExampleRun_process() {
	top := operators.NewTopology("silence")
	operators.Process(readings(top), "silence", newSilence).To("print", files.Print[string](os.Stdout))

	if _, err := cluster.Run(context.Background(), top, cluster.Config{}); err != nil {
		log.Fatal(err)
	}

	// Output:
	// 1970-01-01T00:00:03.000Z attic is silent
}

// Everything that is wrong is told at once, with the remedy.
func ExampleConfig_Validate() {
	fmt.Println(cluster.Config{BatchRecords: -1, Checkpoint: cluster.Every(0)}.Validate())

	// Output:
	// Checkpoints.Interval is 0s; give a positive duration, or leave it out for no periodic checkpoints
	// Config.BatchRecords is -1; give 1 to 65536, or leave it out for 512
}
