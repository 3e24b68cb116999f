package cluster_test

import (
	"context"
	"fmt"
	"io"
	"log"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/weirflow/weir/actors/env"
	"github.com/weirflow/weir/cluster"
	"github.com/weirflow/weir/coordinator"
	"github.com/weirflow/weir/operators"
	"github.com/weirflow/weir/operators/files"
	"github.com/weirflow/weir/operators/plan"
	"github.com/weirflow/weir/persistence/dir"
	"github.com/weirflow/weir/persistence/memory"
)

func hottestOf(w io.Writer) *operators.Topology {
	top := operators.NewTopology("hottest")
	seconds := readings(top).Window(operators.Tumbling(time.Second))
	operators.Aggregate(seconds, "hottest", hottest{}).To("print", files.Print[operators.WindowResult[string, int]](w))
	return top
}

// Every option, with a store that outlives the process. Most jobs need
// Checkpoint and Store.
func ExampleConfig() {
	folder, err := os.MkdirTemp("", "config")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(folder)

	job, err := cluster.Run(context.Background(), hottestOf(io.Discard), cluster.Config{
		Job:          "hottest-of-the-house",
		Mode:         cluster.ExactlyOnce,
		Checkpoint:   cluster.Every(10 * time.Second),
		Store:        dir.Open(filepath.Join(folder, "state")),
		Backend:      memory.Backend(),
		Restart:      cluster.DefaultRestart,
		BatchRecords: 1024,
		Linger:       time.Millisecond,
		Credits:      4,
		StopTimeout:  time.Minute,
		Logger:       slog.New(slog.DiscardHandler),
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(job.Status().Job, job.Status().State)
	// Output:
	// hottest-of-the-house FINISHED
}

// application is the actor system of a program, which logs nowhere here.
func application() *actor.ActorSystem {
	nowhere := func(*actor.ActorSystem) *slog.Logger { return slog.New(slog.DiscardHandler) }
	return actor.NewActorSystem(actor.WithLoggerFactory(nowhere), actor.WithDeadLetterThrottleInterval(time.Millisecond))
}

// A job can live among the actors of an application. It spawns below one name
// of its own, and that is gone when Wait returns.
func ExampleConfig_system() {
	system := application()
	defer system.Shutdown()

	job, err := cluster.Run(context.Background(), hottestOf(io.Discard), cluster.Config{System: system})
	if err != nil {
		log.Fatal(err)
	}
	_, left := system.ProcessRegistry.GetLocal(cluster.RootID("hottest"))
	fmt.Println(job.Status().State, cluster.RootID("hottest"), left)
	// Output:
	// FINISHED weir-hottest false
}

// A mode that promises less is for jobs in which no channel shall wait; the plan
// says what is left of the guarantee.
func ExampleMode() {
	job, err := cluster.Run(context.Background(), hottestOf(io.Discard), cluster.Config{Mode: cluster.AtLeastOnce})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(job.Plan().Guarantees(plan.AtLeastOnce)[0])
	// Output:
	// print: at least once: a plain sink shows twice what is written again after a failure
}

// A job that may be canceled and yet go on, and that survives three failed
// checkpoints in a row.
func ExampleCheckpoints() {
	c := cluster.Checkpoints{
		Interval:          10 * time.Second,
		Timeout:           time.Minute,
		TolerableFailures: 3,
		Retained:          5,
		RetainOnCancel:    true,
	}
	fmt.Println(c.Validate())
	// Output: <nil>
}

// Most jobs need no more than an interval.
func ExampleEvery() {
	fmt.Println(cluster.Every(time.Second).Interval)
	// Output: 1s
}

// Prepare is for those who place a job on nodes themselves: a coordinator on
// one, a worker on each. Here there is one.
func ExamplePrepare() {
	d, err := cluster.Prepare(hottestOf(os.Stdout), cluster.Config{})
	if err != nil {
		log.Fatal(err)
	}
	system := application()
	defer system.Shutdown()
	node := env.NewReal(system)
	defer node.Close()

	done := make(chan coordinator.Result, 1)
	props, err := d.Coordinator(node, 1, nil, func(r coordinator.Result) { done <- r })
	if err != nil {
		log.Fatal(err)
	}
	pid, err := system.Root.SpawnNamed(props, cluster.CoordinatorID("hottest"))
	if err != nil {
		log.Fatal(err)
	}
	worker := system.Root.Spawn(d.Worker(node, "here", "first", pid))

	fmt.Println((<-done).State)
	system.Root.StopFuture(worker).Wait()
	system.Root.StopFuture(pid).Wait()
	// Output:
	// 1970-01-01T00:00:00.999Z {Key:attic Start:0 End:1000 Value:21}
	// 1970-01-01T00:00:01.999Z {Key:attic Start:1000 End:2000 Value:24}
	// 1970-01-01T00:00:02.999Z {Key:attic Start:2000 End:3000 Value:23}
	// FINISHED
}
