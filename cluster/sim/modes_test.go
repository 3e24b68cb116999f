package sim_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/weirflow/weir/cluster/sim"
	"github.com/weirflow/weir/operators"
)

// passing counts ids key by key and passes each on.
func passing(o *sim.Outside, source operators.Source[int64]) *operators.Topology {
	top := operators.NewTopology("passing")
	in := operators.From(top, "ids", source, operators.NoWatermarks[int64]())
	count := operators.Process[int64, int64, int64](operators.KeyBy(in, func(id int64) int64 { return id % 5 }), "count",
		func(s *operators.States[int64]) *passer {
			return &passer{o: o, count: operators.NewValueState[int64](s, "count")}
		})
	ids := count.To("out", sim.Sink[int64](o, "out"))
	in.Parallelism(o.Parallelism("ids", 3))
	count.Parallelism(o.Parallelism("count", 3))
	ids.Parallelism(o.Parallelism("out", 3))
	return top
}

// passer counts ids and passes them on. Asked with one below 5, which no source
// gives, it emits the count.
type passer struct {
	o     *sim.Outside
	count operators.ValueState[int64]
}

func (p *passer) ProcessElement(ctx *operators.Context[int64, int64], id int64) error {
	p.o.MayFail()
	n, _ := p.count.Get()
	if id < 5 {
		ctx.Emit(n)
		return nil
	}
	p.count.Set(n + 1)
	ctx.Emit(id)
	return nil
}

// drawIDs gives numbers from 5 on, of which no two are equal.
func drawIDs(rng *rand.Rand) [][]int64 {
	splits := make([][]int64, 1+rng.IntN(3))
	id := int64(4)
	for i := range splits {
		for range rng.IntN(150) {
			id++
			splits[i] = append(splits[i], id)
		}
	}
	return splits
}

func replayable(o *sim.Outside) *operators.Topology {
	return passing(o, sim.Source(o, "ids", drawIDs))
}

func expectIDs(o *sim.Outside) {
	for _, split := range sim.Records[int64](o, "ids") {
		sim.Expect(o, "out", split...)
	}
}

// S102: one job that fails in the same ways in three modes. Exactly once: neither
// loss nor duplicates.
func TestSimS102_ExactlyOnce(t *testing.T) {
	if sum := sim.Run(t, replayable, sim.Seeds(60)).RequireExactlyOnce(expectIDs); sum.Twice+sum.Lost > 0 {
		t.Errorf("%d twice, %d lost", sum.Twice, sum.Lost)
	}
}

// S101, S102: without alignment nothing is lost, from the output or from the
// state, but records may count twice, and do.
func TestSimS101_AtLeastOnce(t *testing.T) {
	sum := sim.Run(t, replayable, sim.Seeds(60), sim.AtCheckpoint(stateIsNotLess)).RequireAtLeastOnce(expectIDs)
	if sum.Twice == 0 && sum.Seeds >= 60 {
		t.Error("nothing came twice, so this shows nothing")
	}
}

func stateIsNotLess(o *sim.Outside, c *sim.Checkpoint) error {
	want, read := map[int64]int64{}, c.Read("ids")
	for i, split := range sim.Records[int64](o, "ids") {
		for _, id := range split[:read[fmt.Sprint(i)]] {
			want[id%5]++
		}
	}
	got, err := sim.Probe[int64, int64](c, "count", 0, 1, 2, 3, 4)
	for key, n := range got {
		if n < want[int64(key)] {
			return fmt.Errorf("key %d counts %d records, at least %d were read", key, n, want[int64(key)])
		}
	}
	return err
}

// S102: where nothing is restored and the source cannot replay, records are lost
// and none comes twice.
func TestSimS102_AtMostOnce(t *testing.T) {
	live := func(o *sim.Outside) *operators.Topology {
		return passing(o, sim.Source(o, "ids", drawIDs).Live())
	}
	sum := sim.Run(t, live, sim.Seeds(60)).RequireAtMostOnce(expectIDs)
	if sum.Lost == 0 && sum.Seeds >= 60 {
		t.Error("nothing was lost, so this shows nothing")
	}
}
