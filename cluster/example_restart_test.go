package cluster_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"sync/atomic"
	"time"

	"github.com/weirflow/weir/cluster"
	"github.com/weirflow/weir/operators"
	"github.com/weirflow/weir/operators/files"
)

// fragile is a topology whose function fails the first so many times that it
// sees an even number.
func fragile(failures int64) *operators.Topology {
	var failed atomic.Int64
	top := operators.NewTopology("fragile")
	numbers := operators.From(top, "numbers", operators.Slice(1, 2), operators.Monotonous(func(n int) int64 { return int64(n) }))
	operators.Map(numbers, "halve", func(n int) int {
		if n%2 == 0 && failed.Add(1) <= failures {
			panic("cannot be halved today")
		}
		return n / 2
	}).Filter("small", func(n int) bool { return n > 0 }).To("print", files.Print[int](os.Stdout))
	return top
}

// A failed attempt is rolled back and tried again, soon.
func ExampleFixedDelay() {
	job, err := cluster.Run(context.Background(), fragile(2), cluster.Config{
		Restart: cluster.FixedDelay{Attempts: 3, Delay: time.Millisecond},
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(job.Status().State, "after", job.Status().Restarts, "restarts")
	// Output:
	// 1970-01-01T00:00:00.002Z 1
	// FINISHED after 2 restarts
}

// Without a restart the first failure is the last. It names the function and
// says why.
func ExampleNoRestart() {
	job, err := cluster.Run(context.Background(), fragile(1), cluster.Config{Restart: cluster.NoRestart{}})

	var failed *cluster.FailedError
	fmt.Println(errors.As(err, &failed), job.Status().State)
	fmt.Println(err)
	// Output:
	// true FAILED
	// job "fragile" failed after 0 restarts (no restart): operator "halve" in subtask numbers[0] at the record of event time 2 ms: panic: cannot be halved today
}

// Waiting longer each time spares what is down, and jitter keeps many jobs from
// coming back at once.
func ExampleExponential() {
	strategy := cluster.Exponential{
		Initial: 100 * time.Millisecond, Max: 10 * time.Second, Multiplier: 2, Jitter: 0.1, ResetAfter: time.Minute,
	}
	fmt.Println(strategy)
	fmt.Println(strategy == cluster.DefaultRestart)
	// Output:
	// restart after 100ms, 2 times as long each time, up to 10s
	// true
}

// A failure now and then is no reason to give up; three within a minute are.
func ExampleFailureRate() {
	var strategy cluster.RestartStrategy = cluster.FailureRate{Failures: 2, Per: time.Minute, Delay: time.Second}
	fmt.Println(strategy)

	now := time.Unix(0, 0)
	restarter := strategy.New(nil)
	for _, after := range []time.Duration{0, time.Minute, 30 * time.Second, 10 * time.Second} {
		now = now.Add(after)
		fmt.Println(restarter.OnFailure(now))
	}
	// Output:
	// at most 2 failures in 1m0s, restart after 1s
	// 1s false
	// 1s false
	// 1s false
	// 0s true
}

// Wait gives an error when there is something to do about it; the state tells
// one end from another.
func ExampleJob_Wait() {
	job, err := cluster.Start(context.Background(), fragile(1), cluster.Config{})
	if err != nil {
		log.Fatal(err)
	}
	err = job.Wait()
	switch job.Status().State {
	case cluster.Finished:
		fmt.Println("all is committed")
	case cluster.Stopped, cluster.Canceled:
		fmt.Println("somebody asked for it")
	case cluster.Fenced:
		fmt.Println("another process goes on:", err)
	case cluster.Failed:
		var failed *cluster.FailedError
		if errors.As(err, &failed) {
			fmt.Println("after", failed.Restarts, "restarts:", failed.Cause)
		}
	}
	// Output:
	// after 0 restarts: operator "halve" in subtask numbers[0] at the record of event time 2 ms: panic: cannot be halved today
}

// A sink that lost a transaction must not keep quiet about it: the job ends, and
// says where records may be missing.
func ExampleInDoubtError() {
	sink := newOutside()
	sink.onCommit = func(*outside, string) error { return fmt.Errorf("no such transaction: %w", operators.ErrInDoubt) }
	top := operators.NewTopology("lossy")
	operators.From(top, "numbers", operators.Slice[int64](1, 2), operators.NoWatermarks[int64]()).To("sink", sink)

	_, err := cluster.Run(context.Background(), top, cluster.Config{})

	var doubts *cluster.InDoubtError
	fmt.Println(errors.As(err, &doubts), len(doubts.InDoubt))
	fmt.Println(err)
	// Output:
	// true 1
	// 1 transactions are in doubt, the first of sink[0] at checkpoint 1: writer.Commit: no such transaction: transaction in doubt
}
