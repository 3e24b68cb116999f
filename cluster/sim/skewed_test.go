package sim_test

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/weirflow/weir/cluster/sim"
	"github.com/weirflow/weir/operators"
)

// skewed is a topology whose key groups come to different clocks: source -> watch
// -> windows -> sink, where the windows show each record, and what is late goes to
// the same sink. What is late is chance then. But it is decided once, and functions
// hold the engine to that by their state. S110: the clock of a key never goes back,
// and a window that has fired for a key on time does not do so again, after any
// failure and at any other parallelism.
func skewed(o *sim.Outside, watermarks operators.WatermarkStrategy[event]) *operators.Topology {
	top := operators.NewTopology("skewed")
	in := operators.From(top, "events", sim.Source(o, "events", drawSkewed), watermarks)
	watched := operators.Process[int64, event, event](byKey(in), "watch", func(s *operators.States[int64]) *watch {
		return &watch{o: o, clock: operators.NewValueState[int64](s, "clock")}
	})
	late := operators.NewTag[event]("late")
	w := byKey(watched).Window(operators.Tumbling(ms(sizeOf(o)))).SideOutputLate(late)
	shown := operators.ProcessWindow(w, "windows", func(s *operators.WindowStates[int64]) *showing {
		return &showing{o: o, last: operators.NewValueState[int64](s.Global, "last")}
	})
	in.Parallelism(o.Parallelism("events", 4))
	watched.Parallelism(o.Parallelism("watch", 4))
	shown.Parallelism(o.Parallelism("windows", 4))
	operators.Union(shown, operators.SideOutput(shown, late)).To("out", sim.Sink[event](o, "out"))
	return top
}

func sizeOf(o *sim.Outside) int64 { return int64(o.Draw("size", 50, 400)) }

// expectEach: a record is either late or in a window that fires.
func expectEach(o *sim.Outside) {
	for _, split := range sim.Records[event](o, "events") {
		sim.Expect(o, "out", split...)
	}
}

// drawSkewed gives splits that begin together, of which each goes at a pace of its
// own, and is out of order.
func drawSkewed(rng *rand.Rand) [][]event {
	splits := make([][]event, 2+rng.IntN(3))
	id := int64(0)
	for i := range splits {
		now, pace := rng.Int64N(200), 10+rng.Int64N(100)
		for range 20 + rng.IntN(50) {
			now += rng.Int64N(pace)
			id++
			splits[i] = append(splits[i], event{ID: id, Key: rng.Int64N(8), At: now - rng.Int64N(80)})
		}
	}
	return splits
}

// behind are watermarks at which some records are late.
func behind(o *sim.Outside) operators.WatermarkStrategy[event] {
	return operators.BoundedOutOfOrderness(ms(int64(o.Draw("bound", 0, 100))), func(e event) int64 { return e.At }).
		Granularity(ms(int64(o.Draw("granularity", 1, 50))))
}

// watch passes records on, and finds out if the clock of a key goes back.
type watch struct {
	o     *sim.Outside
	clock operators.ValueState[int64]
}

func (w *watch) ProcessElement(ctx *keyedContext, e event) error {
	now := ctx.CurrentWatermark()
	if before, some := w.clock.Get(); some && now < before {
		w.o.Fail("S110: the clock of key %d has gone back from %d to %d", e.Key, before, now)
	}
	w.clock.Set(now)
	ctx.Emit(e)
	return nil
}

// showing emits the elements of a window, and finds out if it fires on time a
// second time, or behind a later one.
type showing struct {
	o    *sim.Outside
	last operators.ValueState[int64] // end of the last window of the key
}

func (f *showing) Process(c *windowContext, all []operators.Element[event]) error {
	f.o.MayFail()
	end := c.Window().End
	if last, some := f.last.Get(); some && end <= last || c.Firing() != operators.OnTime {
		f.o.Fail("S110: of key %d the window that ends at %d fires %v, after one that ends at %d", c.Key(), end, c.Firing(), last)
	}
	f.last.Set(end)
	for _, e := range all {
		c.Emit(e.Value)
	}
	return nil
}

// Without alignment the subtasks of one checkpoint are ahead of its barrier each by
// as much as its channels happen to be, so their clocks differ. S110: records
// may count twice, but none is lost, and no clock goes back.
func TestSimSkewed(t *testing.T) {
	topology := func(o *sim.Outside) *operators.Topology { return skewed(o, behind(o)) }
	slow := sim.Faults{Redeploys: 6, Kills: 1, Panics: 1, Delay: sim.Range{Max: 20 * time.Millisecond}}
	sim.Run(t, topology, sim.Seeds(60), slow).RequireAtLeastOnce(expectEach)
}

// Where splits fall silent, it is chance which subtask hears first that another is
// back, and whether it is behind. S110: each record counts once.
func TestSimSilent(t *testing.T) {
	topology := func(o *sim.Outside) *operators.Topology {
		return skewed(o, behind(o).Idle(ms([]int64{2, 10, 50, 200}[o.Draw("idle", 0, 3)])))
	}
	sim.Run(t, topology, sim.Seeds(60)).RequireExactlyOnce(expectEach)
}
