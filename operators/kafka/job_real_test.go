//go:build kafka

package kafka_test

import (
	"errors"
	"testing"
	"time"
)

// S2, S8, S19, S20: the job fails, is given up and begun anew at other parallelism, while
// its broker dies and comes back: each running sum is there once, nothing is left open.
func testSumsThroughDeaths(t *testing.T, kill func() error) {
	s := newStand(t, 4, []string{"in", "out"})
	deaths, died := make(chan struct{}, 2), make(chan error, 1)
	go func() {
		var err error
		for range deaths {
			err = errors.Join(err, kill())
		}
		died <- err
	}()
	pace := time.NewTicker(time.Millisecond) // for work to last longer than a checkpoint
	defer pace.Stop()
	r := &sums{
		records: 200_000, every: 100 * time.Millisecond, lives: []int{2, 3, 1},
		panics: []int64{20_000, 45_000, 70_000, 95_000, 120_000, 145_000, 170_000, 200_000},
		onSeen: func(n int64) {
			if n == 60_000 || n == 130_000 {
				deaths <- struct{}{}
			}
			if n%100 == 0 {
				<-pace.C
			}
		},
	}
	func() {
		defer close(deaths)
		r.run(s)
	}()
	s.must(<-died)
}
