package sim_test

import (
	"testing"

	"github.com/weirflow/weir/cluster/sim"
	"github.com/weirflow/weir/operators"
)

// scenario is a topology with its oracle.
type scenario struct {
	name     string
	topology sim.Topology
	oracle   func(o *sim.Outside)
	check    sim.AtCheckpoint // may be nil
}

var scenarios = []scenario{drawn, sums, windows, process, drawn, regions, splits, asks, cascade}

// of chooses by seed, so that any number of seeds is spread over all scenarios. One
// that is there twice gets twice as many.
func of(o *sim.Outside) scenario { return scenarios[o.Seed()%uint64(len(scenarios))] }

// simulate is the simulation of all scenarios.
func simulate(t *testing.T, options ...sim.Option) *sim.Tally {
	t.Helper()
	check := sim.AtCheckpoint(func(o *sim.Outside, c *sim.Checkpoint) error {
		if check := of(o).check; check != nil {
			return check(o, c)
		}
		return nil
	})
	topology := func(o *sim.Outside) *operators.Topology { return of(o).topology(o) }
	return sim.Run(t, topology, append(options, check)...).RequireExactlyOnce(func(o *sim.Outside) { of(o).oracle(o) })
}

// TestSim runs whole jobs under faults. S10 to S18, S36, S37, S94, S98, S99,
// S110 and S111 hold for them.
func TestSim(t *testing.T) { simulate(t, sim.Seeds(300)) }

// A seed decides everything: two runs of it have equal traces.
func TestSimIsDeterministic(t *testing.T) {
	once, again := simulate(t, sim.Seeds(40)), simulate(t, sim.Seeds(40))
	for seed, hash := range once.Hashes {
		if again.Hashes[seed] != hash {
			t.Errorf("seed %d: trace hash %x, then %x", seed, hash, again.Hashes[seed])
		}
	}
}
