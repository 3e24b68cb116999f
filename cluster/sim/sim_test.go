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

var scenarios = []scenario{sums, windows, process, regions, splits}

// of chooses by seed, so that any number of seeds is spread over all scenarios.
func of(o *sim.Outside) scenario { return scenarios[o.Seed()%uint64(len(scenarios))] }

// TestSim runs whole jobs under faults.
func TestSim(t *testing.T) {
	sim.Run(t,
		func(o *sim.Outside) *operators.Topology { return of(o).topology(o) },
		sim.Seeds(300),
		sim.AtCheckpoint(func(o *sim.Outside, c *sim.Checkpoint) error {
			if check := of(o).check; check != nil {
				return check(o, c)
			}
			return nil
		}),
	).RequireExactlyOnce(func(o *sim.Outside) { of(o).oracle(o) })
}
