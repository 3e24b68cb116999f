package sim_test

import (
	"github.com/weirflow/weir/cluster/sim"
	"github.com/weirflow/weir/operators"
)

// regions is a job of two independent pipelines, which fail alone and share
// checkpoints: the union of two sources, counted key by key, and a filter of a
// third.
var regions = scenario{
	name: "regions",
	topology: func(o *sim.Outside) *operators.Topology {
		top := operators.NewTopology("regions").Parallelism(o.Parallelism("parallelism", 2))
		source := func(name string) *operators.Stream[int64] {
			return operators.From(top, name, sim.Source(o, name, drawNumbers), operators.NoWatermarks[int64]()).Parallelism(o.Parallelism(name, 2))
		}
		both := operators.Union(source("left"), source("right"))
		ones := operators.Map(both, "one", func(v int64) pair {
			o.MayFail()
			return pair{v, 1}
		})
		count := operators.Reduce(operators.KeyBy(ones, func(p pair) int64 { return p.Key }), "count", func(a, b pair) pair {
			return pair{a.Key, a.Sum + b.Sum}
		})
		count.To("counts", sim.Sink[pair](o, "counts"))
		source("other").Filter("even", func(v int64) bool { return v%2 == 0 }).To("evens", sim.Sink[int64](o, "evens"))
		return top
	},
	oracle: func(o *sim.Outside) {
		count := map[int64]int64{}
		for _, source := range []string{"left", "right"} {
			for _, split := range sim.Records[int64](o, source) {
				for _, v := range split {
					count[v]++
					sim.Expect(o, "counts", pair{v, count[v]})
				}
			}
		}
		for _, split := range sim.Records[int64](o, "other") {
			for _, v := range split {
				if v%2 == 0 {
					sim.Expect(o, "evens", v)
				}
			}
		}
	},
}
