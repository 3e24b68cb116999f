package sim

import (
	"flag"
	"fmt"
	"io"
	"os"
	"testing"
	"time"

	"github.com/weirflow/weir/cluster"
	"github.com/weirflow/weir/operators"
)

var traceFile = flag.String("sim.trace", "", "write the trace of a simulated job here; for one seed")

// Topology makes what runs. It is called once for each process of each seed, and
// must depend on nothing but what it is given: two nodes share no pointers.
type Topology func(o *Outside) *operators.Topology

// Simulation is a job about to be run in many simulated worlds.
type Simulation struct {
	t        testing.TB
	topology Topology
	seeds    int
	faults   *Faults // nil: drawn, see AllFaults
	checks   []func(o *Outside, c *Checkpoint) error
}

// Option is what Run takes besides a topology.
type Option interface{ option(*Simulation) }

// Seeds is how many worlds a job is run in; 100 by default. The flag -sim.seeds
// overrides it.
type Seeds int

func (n Seeds) option(s *Simulation) { s.seeds = int(n) }

func (f Faults) option(s *Simulation) { s.faults = &f }

// AtCheckpoint is asked about every checkpoint as it is published.
type AtCheckpoint func(o *Outside, c *Checkpoint) error

func (f AtCheckpoint) option(s *Simulation) { s.checks = append(s.checks, f) }

// AllFaults is what a job meets unless Faults are given: of these, each seed
// leaves about half of the kinds out, so that one does not hide another.
var AllFaults = Faults{
	Kills: 4, Crashes: 5, Elections: 2, Breaks: 8, Partitions: 2, Pauses: 2, Panics: 3, Redeploys: 2,
	Duplicate: 0.5, Skew: time.Second, Store: 0.05, Sink: 0.05,
}

// Run prepares to run a whole job in many simulated worlds: 1 to 3 nodes, a
// coordinator on one of them and a worker on each, sources, sinks and a
// checkpoint store outside. Nodes, actors and connections fail as Faults say;
// batch size, linger, credits and the pace of checkpoints are drawn for each
// seed. After a while the faults end, and then the job must finish.
//
// One of the Require methods runs it.
func Run(t testing.TB, topology Topology, options ...Option) *Simulation {
	s := &Simulation{t: t, topology: topology, seeds: 100}
	for _, o := range options {
		o.option(s)
	}
	return s
}

// RequireExactlyOnce demands that what is committed is what the oracle expects,
// each record once, at any time and in every world. The oracle is a straight-line
// program over Input that says what it expects by Expect and Allow.
func (s *Simulation) RequireExactlyOnce(oracle func(o *Outside)) *Tally {
	s.t.Helper()
	return s.run(cluster.ExactlyOnce, oracle)
}

// RequireAtLeastOnce runs the job in that mode and demands that what the oracle
// expects is committed once or more.
func (s *Simulation) RequireAtLeastOnce(oracle func(o *Outside)) *Tally {
	s.t.Helper()
	return s.run(cluster.AtLeastOnce, oracle)
}

// RequireAtMostOnce runs the job in that mode and demands that what is committed
// is what the oracle expects, once or not at all.
func (s *Simulation) RequireAtMostOnce(oracle func(o *Outside)) *Tally {
	s.t.Helper()
	return s.run(cluster.AtMostOnce, oracle)
}

func (s *Simulation) run(mode cluster.Mode, oracle func(o *Outside)) *Tally {
	s.t.Helper()
	sum := &Tally{Hashes: map[uint64]uint64{}}
	eachSeed(s.t, s.seeds, func(seed uint64) error {
		trace, closeTrace := s.trace()
		defer closeTrace()
		j := newJob(s, seed, mode, oracle, trace)
		defer sum.add(j)
		return j.run()
	})
	s.t.Log(sum)
	return sum
}

func (s *Simulation) trace() (io.Writer, func()) {
	if *traceFile == "" || *oneSeed == 0 {
		return nil, func() {}
	}
	f, err := os.Create(*traceFile)
	if err != nil {
		s.t.Fatal(fmt.Errorf("-sim.trace: %w", err))
	}
	return f, func() { f.Close() }
}
