// Command embed shows weir inside an application that has an actor system of
// its own. The host's actors go on answering while the job beside them fails
// three times and recovers; at the end the job's result is exact and the host
// is as it was before. The program checks all of that and fails if it is not so.
package main

import (
	"context"
	"fmt"
	"io"
	"log"
	"os"
	"path/filepath"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/weirflow/weir/cluster"
	"github.com/weirflow/weir/operators"
	"github.com/weirflow/weir/operators/files"
	"github.com/weirflow/weir/persistence/dir"
)

func main() {
	folder, err := os.MkdirTemp("", "weir-embed-")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(folder)
	if err := run(context.Background(), folder, os.Stdout); err != nil {
		log.Fatal(err)
	}
}

// run is the application: its actors, and a job among them.
func run(ctx context.Context, folder string, w io.Writer) error {
	system := quietSystem()
	defer system.Shutdown()
	host := startHost(system)
	defer host.stop()

	job, err := cluster.Run(ctx, topology(folder, &failures{}), cluster.Config{
		System:     system,
		Checkpoint: cluster.Every(20 * time.Millisecond),
		Restart:    cluster.FixedDelay{Attempts: len(failsAt), Delay: 20 * time.Millisecond},
		Store:      dir.Open(filepath.Join(folder, "state")),
	})
	if err != nil {
		return fmt.Errorf("the job: %w", err)
	}
	report := host.end()
	status := job.Status()
	fmt.Fprintf(w, "the job failed and restarted %d times, and is %s\n", status.Restarts, status.State)
	fmt.Fprintf(w, "the host's actors answered %d questions meanwhile, the slowest after %v\n", report.answers, report.slowest.Round(10*time.Microsecond))
	return check(status, report, system, folder)
}

// check says what is not as it should be.
func check(status cluster.Status, report hostReport, system *actor.ActorSystem, folder string) error {
	if status.Restarts != len(failsAt) {
		return fmt.Errorf("the job restarted %d times, want %d", status.Restarts, len(failsAt))
	}
	if report.missed > 0 || report.answers == 0 {
		return fmt.Errorf("the host's actors answered %d questions and missed %d", report.answers, report.missed)
	}
	if _, left := system.ProcessRegistry.GetLocal(cluster.RootID("embed")); left {
		return fmt.Errorf("actor %s is still there", cluster.RootID("embed"))
	}
	return checkResults(folder)
}

// checkResults compares what the job committed with what it had to.
func checkResults(folder string) error {
	got, err := files.ReadAll[operators.WindowResult[int64, int64]](filepath.Join(folder, "sums"), files.AsJSONLines)
	if err != nil {
		return err
	}
	want := straightLine()
	for _, r := range got {
		key := slot{r.Key, r.Start}
		if sum, ok := want[key]; !ok || sum != r.Value {
			return fmt.Errorf("key %d, window %d: the job gives %d; want %d, once", r.Key, r.Start, r.Value, sum)
		}
		delete(want, key)
	}
	if len(want) > 0 {
		return fmt.Errorf("%d results are missing", len(want))
	}
	return nil
}
