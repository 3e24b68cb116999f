package sim_test

import (
	"testing"

	"github.com/weirflow/weir/cluster/sim"
	"github.com/weirflow/weir/operators"
)

// combining sums up the readings of the windows scenario in two stages.
func combining(o *sim.Outside) *operators.Topology {
	top := operators.NewTopology("combining").Parallelism(o.Parallelism("parallelism", 3))
	shape := shapeOf(o)
	in := operators.From(top, "readings", sim.Source(o, "readings", drawReadings), operators.
		BoundedOutOfOrderness(ms(shape.bound), func(r reading) int64 { return r.At }).Granularity(ms(shape.granularity)))
	w := operators.KeyBy(in, func(r reading) int64 { return r.Key }).Window(operators.Tumbling(ms(shape.size))).AllowedLateness(ms(shape.lateness))
	operators.Aggregate(w.PreAggregate(), "sum", sumReadings{}).To("out", sim.Sink[operators.WindowResult[int64, total]](o, "out"))
	return top
}

// expectCombined is what one stage gives, each firing for a late reading included.
func expectCombined(o *sim.Outside) {
	shape := shapeOf(o)
	twin := &straightWindows{shape: shape, open: map[windowKey]total{}, watermark: noneYet, greatest: noneYet}
	for _, r := range sim.Records[reading](o, "readings")[0] {
		twin.record(r)
	}
	twin.advance(1 << 62)
	sim.Expect(o, "out", twin.out...)
}

// S64, S66, S111: windows that are folded in two stages give, firing by firing, what a straight line gives, at any
// parallelism, batch size, linger and speed, and after any failures: neither a checkpoint nor a restart loses what the
// first stage has in hand, and nothing is late there that is not late anyway.
func TestSimPreAggregate(t *testing.T) {
	sim.Run(t, combining, sim.Seeds(80)).RequireExactlyOnce(expectCombined)
}
