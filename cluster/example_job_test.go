package cluster_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"os"
	"path/filepath"
	"time"

	"github.com/weirflow/weir/cluster"
	"github.com/weirflow/weir/coordinator"
	"github.com/weirflow/weir/operators"
	"github.com/weirflow/weir/operators/files"
	"github.com/weirflow/weir/persistence"
	"github.com/weirflow/weir/persistence/memory"
)

// results is a sink whose records come out of a channel.
type results chan int

func (results) Kind() operators.SinkKind    { return operators.Plain }
func (results) Flush(context.Context) error { return nil }
func (results) Close() error                { return nil }

func (r results) Open(context.Context, operators.SinkContext) (operators.Writer[int], error) {
	return r, nil
}

func (r results) Write(ctx context.Context, b *operators.Batch[int]) error {
	for _, v := range b.Values {
		select {
		case r <- v:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// ledger is a file to which others add numbers, and the running sum that a job
// makes of them.
type ledger struct {
	path  string
	store persistence.CheckpointStore
	sums  results
}

func newLedger() *ledger {
	dir, err := os.MkdirTemp("", "ledger")
	if err != nil {
		log.Fatal(err)
	}
	l := &ledger{path: filepath.Join(dir, "numbers.jsonl"), store: memory.Store(0), sums: make(results)}
	l.add()
	return l
}

func (l *ledger) remove() { os.RemoveAll(filepath.Dir(l.path)) }

func (l *ledger) add(numbers ...int) {
	f, err := os.OpenFile(l.path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		log.Fatal(err)
	}
	defer f.Close()
	for _, n := range numbers {
		fmt.Fprintln(f, n)
	}
}

// start starts the job, which goes on from its last checkpoint.
func (l *ledger) start() *cluster.Job {
	top := operators.NewTopology("ledger")
	numbers := operators.From(top, "numbers", files.JSONLines[int](l.path, files.Watch(time.Millisecond)), operators.NoWatermarks[int]())
	all := operators.KeyBy(numbers, func(int) string { return "all" })
	operators.Reduce(all, "sum", func(a, b int) int { return a + b }).To("sums", l.sums)
	job, err := cluster.Start(context.Background(), top, cluster.Config{Store: l.store})
	if err != nil {
		log.Fatal(err)
	}
	return job
}

// A job that was stopped goes on where it was: sums and place in the file come
// from its last checkpoint.
func ExampleJob_Stop() {
	l := newLedger()
	defer l.remove()
	l.add(1, 2)

	job := l.start()
	fmt.Println(<-l.sums, <-l.sums)
	job.Stop(false)
	fmt.Println(job.Wait(), job.Status().State)

	l.add(4)
	job = l.start()
	fmt.Println(<-l.sums)
	job.Stop(true) // as at the end of the input: nothing is left to go on with
	fmt.Println(job.Wait(), job.Status().State)
	// Output:
	// 1 3
	// <nil> STOPPED
	// 7
	// <nil> FINISHED
}

// A job that was canceled is forgotten: the next one begins at the beginning.
func ExampleJob_Cancel() {
	l := newLedger()
	defer l.remove()
	l.add(1, 2)

	for range 2 {
		job := l.start()
		fmt.Println(<-l.sums, <-l.sums)
		job.Cancel()
		fmt.Println(job.Wait(), job.Status().State)
	}
	// Output:
	// 1 3
	// <nil> CANCELED
	// 1 3
	// <nil> CANCELED
}

// What is in a checkpoint is safe even if the job ends in the middle of things.
func ExampleJob_TriggerCheckpoint() {
	l := newLedger()
	defer l.remove()
	l.add(1, 2)

	job := l.start()
	fmt.Println(<-l.sums, <-l.sums)
	id, err := job.TriggerCheckpoint(context.Background())
	fmt.Println("checkpoint", id, err)
	fmt.Println(job.Status().Checkpoint.ID, job.Status().State)

	job.Stop(true)
	fmt.Println(job.Wait())
	// Output:
	// 1 3
	// checkpoint 1 <nil>
	// 1 RUNNING
	// <nil>
}

// Events tell what happens to a job from now on.
func ExampleJob_Events() {
	l := newLedger()
	defer l.remove()

	job := l.start()
	if _, err := job.TriggerCheckpoint(context.Background()); err != nil { // it runs now
		log.Fatal(err)
	}
	events := job.Events(100)
	job.Stop(true)
	fmt.Println(job.Wait())

	events.Close()
	for e := range events.C() {
		if e.Kind == coordinator.JobEvent {
			fmt.Println(e.Level, e.Text)
		}
	}
	fmt.Println(events.Dropped(), "dropped")
	// Output:
	// <nil>
	// INFO RUNNING -> STOPPING
	// INFO FINISHED
	// 0 dropped
}

// Plan is the topology as it runs.
func ExampleJob_Plan() {
	l := newLedger()
	defer l.remove()

	job := l.start()
	for _, op := range job.Plan().Operators {
		fmt.Println(op)
	}

	job.Cancel()
	fmt.Println(job.Wait())
	// Output:
	// operator "numbers"
	// operator "sum"
	// operator "sums"
	// <nil>
}

// Status counts what each operator took and gave.
func ExampleJob_Status() {
	job, err := cluster.Run(context.Background(), hottestOf(io.Discard), cluster.Config{})
	if err != nil {
		log.Fatal(err)
	}
	for _, op := range job.Status().Operators {
		fmt.Println(op.Operator, op.RecordsIn, op.RecordsOut)
	}
	// Output:
	// readings 4 4
	// hottest 4 3
	// print 3 0
}

// Two processes on one store are one too many: the second takes the job over,
// and the first one's error says by whom.
func ExampleFencedError() {
	l := newLedger()
	defer l.remove()
	l.add(1)
	first := l.start()
	<-l.sums

	second := l.start()
	<-l.sums
	_, err := first.TriggerCheckpoint(context.Background())
	fmt.Println(err != nil)

	var fenced *cluster.FencedError
	fmt.Println(errors.As(first.Wait(), &fenced), fenced.Job, fenced.Attempt, first.Status().State)
	second.Cancel()
	fmt.Println(second.Wait(), second.Status().State)
	// Output:
	// true
	// true ledger 2 FENCED
	// <nil> CANCELED
}
