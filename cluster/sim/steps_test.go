package sim_test

import (
	"math/rand/v2"
	"slices"

	"github.com/weirflow/weir/cluster/sim"
	"github.com/weirflow/weir/operators"
)

// cascade sums up the sums of windows in windows just as long. What the first
// operator gives lies at the very end of a window of the second one, so a watermark
// that goes on before all of it has left makes the rest late. Where batches and
// credits are few it leaves in steps. The second may be in the same subtask.
var cascade = scenario{
	name: "cascade",
	topology: func(o *sim.Outside) *operators.Topology {
		top := operators.NewTopology("cascade")
		in := operators.From(top, "readings", sim.Source(o, "readings", drawCrowd), operators.
			Monotonous(func(r reading) int64 { return r.At }).Granularity(ms(50))).Parallelism(o.Parallelism("readings", 2))
		late := operators.NewTag[operators.WindowResult[int64, total]]("late")
		first := operators.Aggregate(operators.KeyBy(in, func(r reading) int64 { return r.Key }).
			Window(operators.Tumbling(ms(500))), "first", sumReadings{}).Parallelism(o.Parallelism("first", 3))
		second := operators.Aggregate(operators.KeyBy(first, parity).
			Window(operators.Tumbling(ms(500))).SideOutputLate(late), "second", sumTotals{}).Parallelism(o.Parallelism("second", 2))
		second.To("out", sim.Sink[operators.WindowResult[int64, total]](o, "out"))
		operators.SideOutput(second, late).To("late", sim.Sink[operators.WindowResult[int64, total]](o, "late"))
		return top
	},
	oracle: func(o *sim.Outside) {
		sums := map[windowKey]total{}
		for _, r := range slices.Concat(sim.Records[reading](o, "readings")...) {
			k := windowKey{floorDiv(r.At, 500) * 500, r.Key % 2}
			sums[k] = sumReadings{}.Add(sums[k], r)
		}
		for k, sum := range sums { // order: the output is compared as a set
			sim.Expect(o, "out", operators.WindowResult[int64, total]{Key: k.key, Start: k.start, End: k.start + 500, Value: sum})
		}
	},
}

// drawCrowd gives few windows of many keys.
func drawCrowd(rng *rand.Rand) [][]reading {
	splits := make([][]reading, 1+rng.IntN(2))
	id := int64(0)
	for i := range splits {
		now := rng.Int64N(1000)
		for range 100 + rng.IntN(200) {
			now += rng.Int64N(12)
			id++
			splits[i] = append(splits[i], reading{ID: id, Key: rng.Int64N(60), At: now})
		}
	}
	return splits
}

func parity(r operators.WindowResult[int64, total]) int64 { return r.Key % 2 }

type sumTotals struct{ sumReadings }

func (sumTotals) Add(a total, r operators.WindowResult[int64, total]) total {
	return total{a.Count + r.Value.Count, a.IDs + r.Value.IDs}
}
