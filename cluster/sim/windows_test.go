package sim_test

import (
	"math/rand/v2"
	"slices"
	"time"

	"github.com/weirflow/weir/cluster/sim"
	"github.com/weirflow/weir/operators"
)

// windows sums up readings in tumbling windows of event time, with disorder,
// lateness and a late side output, from one split. S111: output and late set are
// those of a straight line, at any parallelism, batch size, linger and speed, and
// after any failures.
var windows = scenario{
	name: "windows",
	topology: func(o *sim.Outside) *operators.Topology {
		top := operators.NewTopology("windows").Parallelism(o.Parallelism("parallelism", 3))
		shape := shapeOf(o)
		in := operators.From(top, "readings", sim.Source(o, "readings", drawReadings), operators.
			BoundedOutOfOrderness(ms(shape.bound), func(r reading) int64 { return r.At }).Granularity(ms(shape.granularity)))
		late := operators.NewTag[reading]("late")
		sum := operators.Aggregate(operators.KeyBy(in, func(r reading) int64 { return r.Key }).
			Window(operators.Tumbling(ms(shape.size))).AllowedLateness(ms(shape.lateness)).SideOutputLate(late), "sum", sumReadings{})
		sum.To("out", sim.Sink[operators.WindowResult[int64, total]](o, "out"))
		operators.SideOutput(sum, late).To("late", sim.Sink[reading](o, "late")).Parallelism(o.Parallelism("late", 2))
		return top
	},
	oracle: func(o *sim.Outside) {
		shape := shapeOf(o)
		twin := &straightWindows{shape: shape, open: map[windowKey]total{}, watermark: noneYet, greatest: noneYet}
		for _, r := range sim.Records[reading](o, "readings")[0] {
			twin.record(r)
		}
		twin.advance(1 << 62)
		sim.Expect(o, "out", twin.out...)
		sim.Expect(o, "late", twin.late...)
	},
}

// reading is a value at an event time in ms.
type reading struct{ ID, Key, At int64 }

type total struct{ Count, IDs int64 }

type sumReadings struct{}

func (sumReadings) CreateAccumulator() total { return total{} }
func (sumReadings) Add(a total, r reading) total {
	return total{a.Count + 1, a.IDs + r.ID}
}
func (sumReadings) Merge(a, b total) total { return total{a.Count + b.Count, a.IDs + b.IDs} }
func (sumReadings) Result(a total) total   { return a }

// drawReadings gives one split, in disorder: time goes on, and some readings are
// up to 1.5 s old.
func drawReadings(rng *rand.Rand) [][]reading {
	split := make([]reading, 50+rng.IntN(250))
	now := int64(rng.IntN(3)-1) * 2500 // some begin before 1970
	for i := range split {
		now += rng.Int64N(100)
		old := rng.Int64N(1 + rng.Int64N(1500))
		split[i] = reading{ID: int64(i), Key: rng.Int64N(8), At: now - old}
	}
	return [][]reading{split}
}

// shape is the windows' options, in ms.
type shape struct{ size, bound, lateness, granularity int64 }

func shapeOf(o *sim.Outside) shape {
	rng := o.Rand("shape")
	return shape{
		size: 100 + rng.Int64N(900), bound: rng.Int64N(600),
		lateness: rng.Int64N(2) * rng.Int64N(500), granularity: []int64{0, 1, 100, 250}[rng.IntN(4)],
	}
}

func ms(n int64) time.Duration { return time.Duration(n) * time.Millisecond }

const noneYet = -1 << 63

// straightWindows is the windows as one would write them without an engine: all
// of them are looked at whenever the watermark grows.
type straightWindows struct {
	shape
	open                map[windowKey]total
	watermark, greatest int64
	out                 []operators.WindowResult[int64, total]
	late                []reading
}

type windowKey struct{ start, key int64 }

func (w *straightWindows) record(r reading) {
	start := floorDiv(r.At, w.size) * w.size
	last := start + w.size - 1
	if last+w.lateness <= w.watermark {
		w.late = append(w.late, r)
	} else {
		k := windowKey{start, r.Key}
		w.open[k] = sumReadings{}.Add(w.open[k], r)
		if last <= w.watermark {
			w.emit(k)
		}
	}
	if r.At > w.greatest {
		w.greatest = r.At
		g := max(w.granularity, 1)
		w.advance(floorDiv(r.At-w.bound, g)*g - 1)
	}
}

// advance moves the watermark, which never falls.
func (w *straightWindows) advance(watermark int64) {
	old := w.watermark
	w.watermark = max(old, watermark)
	for k := range w.open { // order: the output is compared as a set
		last := k.start + w.size - 1
		if old < last && last <= w.watermark {
			w.emit(k)
		}
		if last+w.lateness <= w.watermark {
			delete(w.open, k)
		}
	}
}

func (w *straightWindows) emit(k windowKey) {
	w.out = append(w.out, operators.WindowResult[int64, total]{Key: k.key, Start: k.start, End: k.start + w.size, Value: w.open[k]})
}

func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}

// splits reads several splits, each in order and of another length, some of them
// empty, at parallelisms that leave subtasks without any. The watermark is the
// least of the splits', so nothing is late.
var splits = scenario{
	name: "splits",
	topology: func(o *sim.Outside) *operators.Topology {
		top := operators.NewTopology("splits")
		in := operators.From(top, "readings", sim.Source(o, "readings", drawOrdered), operators.
			Monotonous(func(r reading) int64 { return r.At }).Granularity(ms(50)))
		in.Parallelism(o.Parallelism("readings", 4))
		all := in.Filter("all", func(reading) bool { return true }).Parallelism(o.Parallelism("readings", 4)).Unchained()
		late := operators.NewTag[reading]("late")
		sum := operators.Aggregate(operators.KeyBy(all, func(r reading) int64 { return r.Key }).
			Window(operators.Tumbling(ms(500))).SideOutputLate(late), "sum", sumReadings{})
		sink := sum.To("out", sim.Sink[operators.WindowResult[int64, total]](o, "out"))
		operators.SideOutput(sum, late).To("late", sim.Sink[reading](o, "late"))
		sum.Parallelism(o.Parallelism("sum", 4))
		sink.Parallelism(o.Parallelism("out", 4))
		return top
	},
	oracle: func(o *sim.Outside) {
		all := slices.Concat(sim.Records[reading](o, "readings")...)
		twin := &straightWindows{shape: shape{size: 500}, open: map[windowKey]total{}, watermark: noneYet, greatest: 1 << 62}
		for _, r := range all {
			twin.record(r)
		}
		twin.advance(1 << 62)
		sim.Expect(o, "out", twin.out...)
	},
}

func drawOrdered(rng *rand.Rand) [][]reading {
	splits := make([][]reading, 1+rng.IntN(5))
	id := int64(0)
	for i := range splits {
		now := rng.Int64N(1000)
		for range rng.IntN(5) * rng.IntN(30) {
			now += rng.Int64N(80)
			id++
			splits[i] = append(splits[i], reading{ID: id, Key: rng.Int64N(6), At: now})
		}
	}
	return splits
}
