package sim_test

import (
	"fmt"
	"math/rand/v2"

	"github.com/weirflow/weir/cluster/sim"
	"github.com/weirflow/weir/operators"
)

// sums adds numbers up, key by key: numbers -> map -> running sum -> sink. A key
// has one number only, so the sums do not depend on the order of splits.
var sums = scenario{
	name: "sums",
	topology: func(o *sim.Outside) *operators.Topology {
		top := operators.NewTopology("sums")
		in := operators.From(top, "numbers", sim.Source(o, "numbers", drawNumbers), operators.NoWatermarks[int64]())
		pairs := operators.Map(in, "pair", func(v int64) pair {
			o.MayFail()
			return pair{v, v + 1}
		})
		sum := operators.Reduce(operators.KeyBy(pairs, func(p pair) int64 { return p.Key }), "sum", func(a, b pair) pair {
			return pair{a.Key, a.Sum + b.Sum}
		})
		sink := sum.To("out", sim.Sink[pair](o, "out"))
		in.Parallelism(o.Parallelism("numbers", 3))
		pairs.Parallelism(o.Parallelism("pair", 3))
		sum.Parallelism(o.Parallelism("sum", 3))
		sink.Parallelism(o.Parallelism("out", 3))
		return top
	},
	oracle: func(o *sim.Outside) {
		count := map[int64]int64{}
		for _, split := range sim.Records[int64](o, "numbers") {
			for _, v := range split {
				count[v]++
				sim.Expect(o, "out", pair{v, count[v] * (v + 1)})
			}
		}
	},
	check: foldIsState,
}

type pair struct{ Key, Sum int64 }

func drawNumbers(rng *rand.Rand) [][]int64 {
	splits := make([][]int64, 1+rng.IntN(4))
	for i := range splits {
		for range rng.IntN(200) {
			splits[i] = append(splits[i], rng.Int64N(20))
		}
	}
	return splits
}

// foldIsState: S94, S99: the state in every checkpoint is the fold of the input
// up to its positions.
func foldIsState(o *sim.Outside, c *sim.Checkpoint) error {
	want := map[int64]int64{}
	read := c.Read("numbers")
	for i, split := range sim.Records[int64](o, "numbers") {
		for _, v := range split[:read[fmt.Sprint(i)]] {
			want[v] += v + 1
		}
	}
	zeros := make([]pair, 20)
	for v := range zeros {
		zeros[v].Key = int64(v)
	}
	got, err := sim.Probe[pair, pair](c, "sum", zeros...)
	if err != nil {
		return err
	}
	for _, g := range got {
		if g.Sum != want[g.Key] {
			return fmt.Errorf("the sum of key %d is %d, the input up to %v adds up to %d", g.Key, g.Sum, read, want[g.Key])
		}
	}
	return nil
}
