package sim_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/weirflow/weir/cluster/sim"
	"github.com/weirflow/weir/operators"
)

// refused is a test that is to fail. It notes why, and goes no further.
type refused struct{ testing.TB }

type reason string

func (refused) Fatalf(format string, args ...any) { panic(reason(fmt.Sprintf(format, args...))) }

// failureOf is why a simulation fails.
func failureOf(t *testing.T, topology sim.Topology, oracle func(o *sim.Outside)) (why string) {
	t.Helper()
	defer func() {
		r, ok := recover().(reason)
		if why = string(r); !ok {
			t.Error("it did not fail")
		}
	}()
	sim.Run(refused{t}, topology, sim.Seeds(1), sim.Faults{}).RequireExactlyOnce(oracle)
	return ""
}

func mustSay(t *testing.T, why string, words ...string) {
	t.Helper()
	for _, w := range words {
		if !strings.Contains(why, w) {
			t.Errorf("%q is not in the failure:\n%s", w, why)
		}
	}
}

// A failure shows what nobody expected, the job's plan, and the note above it.
func TestFailureShowsTopology(t *testing.T) {
	why := failureOf(t, replayable, func(o *sim.Outside) { o.Note("ids from 5 on\n") })
	mustSay(t, why, `sink "out" has 5 1 times, expected 0 times`, "topology:\nids from 5 on\ntopology passing: ", "count  process  state")
}

// A function of the topology can end the run.
func TestFunctionFailsRun(t *testing.T) {
	topology := func(o *sim.Outside) *operators.Topology {
		top := operators.NewTopology("judging")
		in := operators.From(top, "ids", sim.Source(o, "ids", drawIDs), operators.NoWatermarks[int64]())
		in.Filter("judge", func(id int64) bool {
			if id == 7 {
				o.Fail("%d is none", id)
			}
			return true
		}).To("out", sim.Sink[int64](o, "out"))
		return top
	}
	mustSay(t, failureOf(t, topology, expectIDs), "simulation failed: 7 is none")
}
