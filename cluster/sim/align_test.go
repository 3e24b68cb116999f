package sim_test

import (
	"slices"
	"testing"

	"github.com/weirflow/weir/cluster/sim"
	"github.com/weirflow/weir/operators"
)

// aligned reads three sources of several splits each, two into the same windows and
// one in a region of its own, which wait for each other in event time. S111: output
// is what it is without alignment, whatever fails. None waits for ever for a word
// that was lost, for one that comes from an attempt that is over, for a region that
// restarts, nor for splits that have ended or subtasks that have none.
var aligned = scenario{
	name: "aligned",
	topology: func(o *sim.Outside) *operators.Topology {
		top := operators.NewTopology("aligned").Parallelism(o.Parallelism("parallelism", 3))
		source := func(name string) *operators.Stream[reading] {
			strategy := operators.Monotonous(func(r reading) int64 { return r.At }).Granularity(ms(int64(o.Draw("granularity", 0, 2))*50)).
				Align("all", ms(int64(o.Draw("drift of "+name, 1, 3)*o.Draw("scale of "+name, 1, 200))))
			return operators.From(top, name, sim.Source(o, name, drawOrdered), strategy).Parallelism(o.Parallelism(name, 3))
		}
		both := operators.Union(source("ebb"), source("flood"))
		late := operators.NewTag[reading]("late")
		sum := operators.Aggregate(operators.KeyBy(both, func(r reading) int64 { o.MayFail(); return r.Key }).
			Window(operators.Tumbling(ms(500))).SideOutputLate(late), "sum", sumReadings{})
		sum.To("out", sim.Sink[operators.WindowResult[int64, total]](o, "out"))
		operators.SideOutput(sum, late).To("late", sim.Sink[reading](o, "late"))
		source("apart").Filter("even", isEven).To("evens", sim.Sink[reading](o, "evens"))
		return top
	},
	oracle: func(o *sim.Outside) {
		twin := &straightWindows{shape: shape{size: 500}, open: map[windowKey]total{}, watermark: noneYet, greatest: 1 << 62}
		for _, name := range []string{"ebb", "flood"} {
			for _, r := range slices.Concat(sim.Records[reading](o, name)...) {
				twin.record(r)
			}
		}
		twin.advance(1 << 62)
		sim.Expect(o, "out", twin.out...)
		for _, r := range slices.Concat(sim.Records[reading](o, "apart")...) {
			if isEven(r) {
				sim.Expect(o, "evens", r)
			}
		}
	},
}

func isEven(r reading) bool { return r.ID%2 == 0 }

// TestSimAligned runs sources that wait for each other under faults.
func TestSimAligned(t *testing.T) {
	sim.Run(t, aligned.topology, sim.Seeds(100)).RequireExactlyOnce(aligned.oracle)
}
