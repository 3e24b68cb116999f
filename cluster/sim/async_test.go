package sim_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/weirflow/weir/cluster/sim"
	"github.com/weirflow/weir/operators"
)

// asks calls for every reading what takes a while, fails, and overtakes, and sums
// up the answers in windows. S94, S99, S103: the answers to each reading count
// once, whatever was under way when the job failed. S110, S111: no answer is late
// whose reading was not, and where one subtask asks, those are late that were.
var asks = scenario{
	name: "asks",
	topology: func(o *sim.Outside) *operators.Topology {
		top := operators.NewTopology("asks").Parallelism(o.Parallelism("parallelism", 3))
		d := asksOf(o)
		in := operators.From(top, "readings", sim.Source(o, "readings", drawFewReadings), operators.
			BoundedOutOfOrderness(ms(d.bound), func(r reading) int64 { return r.At }).Granularity(ms(d.granularity)))
		ask := operators.AsyncUnordered[reading, reading]
		if d.ordered {
			ask = operators.AsyncOrdered[reading, reading]
		}
		asked := ask(in, "ask", (&service{o: o, asked: map[int64]int{}}).answer, d.options)
		if !d.wide {
			in.Parallelism(1)
			asked.Parallelism(1)
		} else {
			in.Parallelism(o.Parallelism("readings", 3))
			asked.Parallelism(o.Parallelism("ask", 3))
		}
		late := operators.NewTag[reading]("late")
		sum := operators.Aggregate(operators.KeyBy(asked, func(r reading) int64 { return r.Key }).
			Window(operators.Tumbling(ms(d.size))).AllowedLateness(ms(d.lateness)).SideOutputLate(late), "sum", sumReadings{})
		sum.To("out", sim.Sink[operators.WindowResult[int64, total]](o, "out"))
		operators.SideOutput(sum, late).To("late", sim.Sink[reading](o, "late"))
		return top
	},
	oracle: func(o *sim.Outside) {
		d := asksOf(o)
		twin := &straightWindows{shape: d.shape, open: map[windowKey]total{}, watermark: noneYet, greatest: noneYet}
		for _, r := range sim.Records[reading](o, "readings")[0] {
			twin.answered(r)
		}
		twin.advance(1 << 62)
		sim.Expect(o, "out", twin.out...)
		sim.Expect(o, "late", twin.late...)
	},
}

// drawFewReadings gives so few that all can be asked for while a checkpoint waits:
// one whose barrier stands behind too many would never be complete.
func drawFewReadings(rng *rand.Rand) [][]reading {
	splits := drawReadings(rng)
	return [][]reading{splits[0][:20+len(splits[0])/3]}
}

// asksDrawn is what a seed decides.
type asksDrawn struct {
	shape
	ordered, wide bool
	options       operators.AsyncOptions
}

// asksOf draws the options. Where several subtasks ask, what is late depends on
// which is faster, so the bound is one at which nothing is; where answers come in
// any order, a late one must not make a window fire again.
func asksOf(o *sim.Outside) asksDrawn {
	d := asksDrawn{shape: shapeOf(o), ordered: o.Draw("ordered", 0, 1) == 1, wide: o.Draw("wide", 0, 1) == 1}
	if d.wide {
		d.bound = 2000
	}
	if !d.ordered {
		d.lateness = 0
	}
	d.options = operators.AsyncOptions{
		Capacity: o.Draw("capacity", 8, 40),
		Retry:    operators.AsyncRetry{Attempts: 3, Backoff: 3 * time.Millisecond, If: func(err error) bool { return err == errBusy }},
	}
	if o.Draw("timeout", 0, 1) == 1 {
		d.options.Timeout = ms(int64(o.Draw("timeout ms", 1, 20)))
		d.options.OnTimeout = operators.TimeoutResult(answers)
	}
	return d
}

var errBusy = errors.New("the service is busy")

// service answers in a process, and is busy at first for some of the readings.
type service struct {
	o     *sim.Outside
	asked map[int64]int
}

func (s *service) answer(ctx context.Context, r reading) ([]reading, error) {
	s.o.MayFail()
	if s.asked[r.ID]++; s.asked[r.ID] <= int(r.ID%9)-6 {
		return nil, errBusy
	}
	return answers(r)
}

// answers are none, one or two.
func answers(r reading) ([]reading, error) {
	other := reading{ID: 1000 + r.ID, Key: r.Key + 1, At: r.At}
	return []reading{{ID: 2000 + r.ID, Key: r.Key, At: r.At}, other}[:r.ID%3], nil
}

// answered takes in a reading: its answers come before the watermark that it causes.
func (w *straightWindows) answered(r reading) {
	all, _ := answers(r)
	greatest := w.greatest
	w.greatest = 1 << 62 // the answers cause none
	for _, a := range all {
		w.record(a)
	}
	if w.greatest = greatest; r.At > greatest {
		w.greatest = r.At
		g := max(w.granularity, 1)
		w.advance(floorDiv(r.At-w.bound, g)*g - 1)
	}
}

// TestSimAsks runs this scenario alone.
func TestSimAsks(t *testing.T) {
	sim.Run(t, asks.topology, sim.Seeds(100)).RequireExactlyOnce(asks.oracle)
}
