package sim_test

import (
	"github.com/weirflow/weir/cluster/sim"
	"github.com/weirflow/weir/operators"
)

// process counts with all that a keyed process has: value, list and map state,
// timers of event time and of processing time, and side outputs. It judges
// lateness itself, by the watermark that it sees.
var process = scenario{
	name: "process",
	topology: func(o *sim.Outside) *operators.Topology {
		top := operators.NewTopology("process").Parallelism(o.Parallelism("parallelism", 3))
		in := operators.From(top, "readings", sim.Source(o, "readings", drawReadings), operators.
			BoundedOutOfOrderness(ms(shapeOf(o).bound), func(r reading) int64 { return r.At }).Granularity(ms(shapeOf(o).granularity)))
		buckets := operators.Process[int64, reading, bucket](operators.KeyBy(in, func(r reading) int64 { return r.Key }), "buckets",
			func(s *operators.States[int64]) *counter { return newCounter(s, o) }, lateTag, tenthTag, seenTag)
		buckets.To("out", sim.Sink[bucket](o, "out"))
		operators.SideOutput(buckets, lateTag).To("late", sim.Sink[reading](o, "late"))
		operators.SideOutput(buckets, tenthTag).To("tenth", sim.Sink[pair](o, "tenth")).Parallelism(1)
		operators.SideOutput(buckets, seenTag).To("seen", sim.Sink[int64](o, "seen"))
		return top
	},
	oracle: straightBuckets,
}

var (
	lateTag  = operators.NewTag[reading]("late")
	tenthTag = operators.NewTag[pair]("tenth")
	seenTag  = operators.NewTag[int64]("seen")
)

// bucket is how many readings a key has in a span of event time.
type bucket struct{ Key, Span, Count int64 }

const bucketSize = 1000 // ms

// endOfTime is a timer that only the end of the input reaches.
const endOfTime = 1 << 61

// counter counts the readings of a key by span, in map state, and emits a count
// when its span is over. It keeps ids in a list until a while has passed in
// processing time, or the input is over. A value counts all of them.
type counter struct {
	o     *sim.Outside
	count operators.ValueState[int64]
	ids   operators.ListState[int64]
	spans operators.MapState[int64, int64]
}

func newCounter(s *operators.States[int64], o *sim.Outside) *counter {
	return &counter{
		o:     o,
		count: operators.NewValueState[int64](s, "count"),
		ids:   operators.NewListState[int64](s, "ids"),
		spans: operators.NewMapState[int64, int64](s, "spans"),
	}
}

type counterContext = operators.Context[int64, bucket]

func (c *counter) ProcessElement(ctx *counterContext, r reading) error {
	c.o.MayFail()
	if r.At <= ctx.CurrentWatermark() {
		lateTag.Emit(ctx, r)
		return nil
	}
	n, _ := c.count.Get()
	c.count.Set(n + 1)
	if (n+1)%10 == 0 {
		tenthTag.Emit(ctx, pair{r.Key, n + 1})
	}
	if c.ids.Len() == 0 {
		ctx.RegisterProcessingTimer(ctx.CurrentProcessingTime() + 20 + r.ID%100)
	}
	c.ids.Append(r.ID)
	span := floorDiv(r.At, bucketSize)
	in, _ := c.spans.Get(span)
	c.spans.Put(span, in+1)
	ctx.RegisterEventTimer((span+1)*bucketSize - 1)
	ctx.RegisterEventTimer(endOfTime)
	return nil
}

func (c *counter) OnTimer(ctx *counterContext, at int64, d operators.Domain) error {
	c.o.MayFail()
	if d == operators.ProcessingTime || at == endOfTime {
		for id := range c.ids.All() {
			seenTag.Emit(ctx, id)
		}
		c.ids.Clear()
		return nil
	}
	span := floorDiv(at, bucketSize)
	n, _ := c.spans.Get(span)
	c.spans.Delete(span)
	ctx.Emit(bucket{ctx.Key(), span, n})
	return nil
}

// straightBuckets is the same without an engine.
func straightBuckets(o *sim.Outside) {
	bound, g := shapeOf(o).bound, max(shapeOf(o).granularity, 1)
	watermark, greatest := int64(noneYet), int64(noneYet)
	count, spans := map[int64]int64{}, map[bucket]int64{}
	for _, r := range sim.Records[reading](o, "readings")[0] {
		if r.At <= watermark {
			sim.Expect(o, "late", r)
		} else {
			sim.Expect(o, "seen", r.ID)
			spans[bucket{Key: r.Key, Span: floorDiv(r.At, bucketSize)}]++
			if count[r.Key]++; count[r.Key]%10 == 0 {
				sim.Expect(o, "tenth", pair{r.Key, count[r.Key]})
			}
		}
		if r.At > greatest {
			greatest = r.At
			watermark = max(watermark, floorDiv(r.At-bound, g)*g-1)
		}
	}
	for b, n := range spans { // order: the output is compared as a set
		sim.Expect(o, "out", bucket{b.Key, b.Span, n})
	}
}
