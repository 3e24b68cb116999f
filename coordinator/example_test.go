package coordinator_test

import (
	"fmt"
	"time"

	"github.com/weirflow/weir/coordinator"
)

// A strategy is a value; its Restarter counts the failures of one job.
func ExampleRestartStrategy() {
	var strategy coordinator.RestartStrategy = coordinator.Exponential{
		Initial: time.Second, Max: 5 * time.Second, Multiplier: 2, Attempts: 4,
	}
	fmt.Println(strategy)
	restarter, now := strategy.New(nil), time.Unix(0, 0) // no jitter, so no chance
	for {
		delay, giveUp := restarter.OnFailure(now)
		if giveUp {
			fmt.Println("give up")
			return
		}
		fmt.Println(delay)
		now = now.Add(delay)
	}
	// Output:
	// restart after 1s, 2 times as long each time, up to 5s, at most 4 times
	// 1s
	// 2s
	// 4s
	// 5s
	// give up
}

// An option that cannot be is refused with its name, its value and the remedy.
func ExampleCheckpoints_Validate() {
	fmt.Println(coordinator.Every(-time.Second).Validate())
	// Output:
	// Checkpoints.Interval is -1s; give a positive duration, or leave it out for no periodic checkpoints
}
