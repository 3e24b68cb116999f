package sim

import (
	"math/rand/v2"
	"time"

	"github.com/weirflow/weir/cluster"
	"github.com/weirflow/weir/persistence/memory"
	"github.com/weirflow/weir/persistence/persistencetest"
)

// params are what a seed decides before the world begins.
type params struct {
	nodes  int
	faults Faults
	config cluster.Config
	lasts  time.Duration // about how long the sources take to read everything
	hasty  bool          // sources never wait
	slow   bool          // the store is slow while faults happen, so that checkpoints time out
}

// drawParams draws them. given are the faults that were asked for, nil for any.
func drawParams(rng *rand.Rand, mode cluster.Mode, given *Faults) params {
	p := params{nodes: oneOf(rng, 1, 2, 2, 3, 3), lasts: oneOf(rng, 200*time.Millisecond, 2*time.Second, 8*time.Second)}
	if p.hasty = rng.IntN(8) == 0; p.hasty {
		p.lasts = 30 * time.Millisecond
	}
	p.config = cluster.Config{
		Mode:         mode,
		Checkpoint:   drawCheckpoints(rng, p.lasts),
		Restart:      drawRestart(rng),
		BatchRecords: oneOf(rng, 1, 7, 512),
		Linger:       oneOf(rng, 100*time.Microsecond, 0, 50*time.Millisecond),
		Credits:      oneOf(rng, 1, 1, 2, 3, 8),
		StopTimeout:  oneOf(rng, time.Second, 30*time.Second),
	}
	if given != nil {
		p.faults = *given
	} else {
		p.faults = drawFaults(rng)
	}
	p.slow = p.faults.Work == (Range{}) && given == nil && rng.IntN(4) == 0
	if p.faults.Within == 0 {
		p.faults.Within = p.lasts + p.lasts/4
	}
	if rng.IntN(3) == 0 {
		p.config.Backend = persistencetest.OnHeap(memory.Backend()) // state in the form it has on disk
	}
	return p
}

func drawCheckpoints(rng *rand.Rand, lasts time.Duration) cluster.Checkpoints {
	c := cluster.Every(max(lasts/time.Duration(4+rng.IntN(40)), 5*time.Millisecond))
	c.MinPause = oneOf(rng, 0, 0, c.Interval/2)
	c.Timeout = oneOf(rng, 100*time.Millisecond, time.Second, 10*time.Second)
	c.TolerableFailures = oneOf(rng, 0, 1, 3, -1)
	c.Retained = 1 + rng.IntN(3)
	c.CommitRetry = oneOf(rng, 50*time.Millisecond, time.Second)
	return c
}

func drawRestart(rng *rand.Rand) cluster.RestartStrategy {
	if rng.IntN(2) == 0 {
		return cluster.FixedDelay{Attempts: -1, Delay: oneOf(rng, 0, 10*time.Millisecond, 500*time.Millisecond)}
	}
	return cluster.Exponential{Initial: 10 * time.Millisecond, Max: 2 * time.Second, Multiplier: 2, Jitter: 0.2, ResetAfter: 10 * time.Second}
}

// drawFaults leaves out some kinds of AllFaults.
func drawFaults(rng *rand.Rand) Faults {
	f := AllFaults
	for _, n := range []*int{&f.Kills, &f.Crashes, &f.Elections, &f.Breaks, &f.Partitions, &f.Pauses, &f.Panics, &f.Redeploys} {
		if rng.IntN(2) == 0 {
			*n = 0
		}
	}
	for _, chance := range []*float64{&f.Duplicate, &f.Store, &f.Sink} {
		if rng.IntN(2) == 0 {
			*chance = 0
		}
	}
	if rng.IntN(2) == 0 {
		f.Skew = 0
	}
	return f
}

func oneOf[T any](rng *rand.Rand, values ...T) T { return values[rng.IntN(len(values))] }
