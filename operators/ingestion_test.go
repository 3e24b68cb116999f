package operators_test

import (
	"slices"
	"testing"
	"time"

	"github.com/weirflow/weir/operators"
	"github.com/weirflow/weir/operators/operatortest"
	"github.com/weirflow/weir/operators/plan"
)

// arrival is a clock of a split, asked by hand.
type arrival struct {
	t    *testing.T
	spec *plan.SourceSpec
	plan.SplitClock
}

func clockBy(t *testing.T, strategy operators.WatermarkStrategy[Trip]) *arrival {
	top := operators.NewTopology("tips")
	operators.From(top, "trips", operators.Slice[Trip](), strategy).To("out", printer[Trip]{})
	p, err := top.Build()
	if err != nil {
		t.Fatal(err)
	}
	spec := p.Operator("trips").Source
	return &arrival{t, spec, spec.Source.NewClock()}
}

// observe gives a trip's time and the watermark behind it, or NoTime.
func (c *arrival) observe(v Trip, now int64) (at, watermark int64) {
	c.t.Helper()
	b := c.spec.Type.New(1)
	*b.Values.(*[]Trip), b.Times = []Trip{v}, []int64{operators.NoTime}
	if a, ok := c.SplitClock.(plan.ArrivalClock); ok {
		a.Arrive(now)
	}
	if err := c.Observe(b); err != nil {
		c.t.Fatal(err)
	}
	if len(b.Marks) == 0 {
		return b.Times[0], operators.NoTime
	}
	return b.Times[0], b.Marks[0].Watermark
}

// again is the clock after a restart.
func (c *arrival) again() *arrival {
	c.t.Helper()
	p, err := c.Snapshot()
	fresh := &arrival{c.t, c.spec, c.spec.Source.NewClock()}
	if err != nil || fresh.Restore(p) != nil {
		c.t.Fatal(err, fresh.Restore(p))
	}
	return fresh
}

// hoursOf sums tips by hour, of trips of which each comes a pause behind the one
// before. The end of input comes an hour later.
func hoursOf(t *testing.T, strategy operators.WatermarkStrategy[Trip], hours operators.TumblingWindows, pause time.Duration) (sums []int64) {
	t.Helper()
	h := operatortest.Keyed(t, func(in *operators.Stream[Trip]) *operators.Stream[operators.WindowResult[string, Trip]] {
		return operators.ReduceWindow(operators.KeyBy(in, zone).Window(hours), "sum", func(a, b Trip) Trip {
			return Trip{Zone: b.Zone, Tip: a.Tip + b.Tip}
		})
	})
	c, now := clockBy(t, strategy), int64(0)
	for _, v := range outOfOrder {
		now += pause.Milliseconds()
		h.AdvanceProcessingTime(pause)
		at, watermark := c.observe(v, now)
		h.Process(v, at)
		if watermark != operators.NoTime {
			h.Watermark(watermark)
		}
	}
	h.AdvanceProcessingTime(time.Hour)
	h.End()
	for _, r := range h.Output() {
		sums = append(sums, r.Value.Value.Tip)
	}
	return sums
}

// S38: three times of the same trips. The hours of event time do not depend on the
// speed at which they come; those of ingestion time go by the source's clock
// alone, and those of processing time by the operator's. The clocks are fakes, so
// every run is the same.
func TestS38_ThreeTimes(t *testing.T) {
	event, ingestion := operators.BoundedOutOfOrderness(time.Hour, pickedUp), operators.IngestionTime[Trip]()
	hours := operators.Tumbling(time.Hour)
	for range 2 {
		for pause, want := range map[time.Duration]struct{ event, arrived []int64 }{
			time.Minute:      {[]int64{5, 2, 8}, []int64{15}},
			25 * time.Minute: {[]int64{5, 2, 8}, []int64{3, 12}}, // at 25, 50, 75, 100 minutes
			time.Hour:        {[]int64{5, 2, 8}, []int64{1, 2, 4, 8}},
		} {
			for name, got := range map[string][]int64{
				"event time":      hoursOf(t, event, hours, pause),
				"ingestion time":  hoursOf(t, ingestion, hours, pause),
				"processing time": hoursOf(t, event, hours.ProcessingTime(), pause),
			} {
				sums := want.arrived
				if name == "event time" {
					sums = want.event
				}
				if !slices.Equal(got, sums) {
					t.Errorf("%s, %v apart: %v, want %v", name, pause, got, sums)
				}
			}
		}
	}
}

// S38: ingestion time is the clock of the source, whose operators behind it may be
// hours later: an operator that gets the trips late sees the time of the source.
func TestS38_AssignedOnceAtTheSource(t *testing.T) {
	c := clockBy(t, operators.IngestionTime[Trip]())
	at, _ := c.observe(outOfOrder[0], 60_000)
	for _, delay := range []time.Duration{0, time.Hour} {
		h := operatortest.Keyed(t, func(in *operators.Stream[Trip]) *operators.Stream[string] {
			return operators.Process[string](operators.KeyBy(in, zone), "see", func(*operators.States[string]) sees { return sees{} })
		})
		h.AdvanceProcessingTime(time.Minute + delay)
		h.Process(outOfOrder[0], at)
		want := "arrived at 1m0s, now " + (time.Minute + delay).String()
		if got := h.Output(); len(got) != 1 || got[0].Value != want {
			t.Errorf("%v, want %s", got, want)
		}
	}
}

// sees tells two times.
type sees struct{}

func (sees) ProcessElement(ctx *operators.Context[string, string], _ Trip) error {
	ctx.Emit("arrived at " + clock(ctx.Time()).String() + ", now " + clock(ctx.CurrentProcessingTime()).String())
	return nil
}

// S38: ingestion time never goes back within a split, whatever the node's clock
// does and whenever it restarts, and no record is at or behind the watermark.
func TestS38_IngestionTimeNeverGoesBack(t *testing.T) {
	for _, restarts := range []bool{false, true} {
		c := clockBy(t, operators.IngestionTime[Trip]())
		for i, step := range []struct {
			tick               bool // no record comes
			now, at, watermark int64
		}{
			{now: 1000, at: 1000, watermark: 999},
			{now: 1050, at: 1050, watermark: operators.NoTime},
			{now: 700, at: 1050, watermark: operators.NoTime},
			{now: 1130, at: 1130, watermark: 1099},
			{tick: true, now: 1199, watermark: operators.NoTime},
			{tick: true, now: 1250, watermark: 1199},
			{now: 900, at: 1250, watermark: operators.NoTime},
			{tick: true, now: 1000, watermark: operators.NoTime},
			{now: 1300, at: 1300, watermark: 1299},
		} {
			if restarts {
				c = c.again()
			}
			at, watermark := step.at, operators.NoTime
			if !step.tick {
				at, watermark = c.observe(Trip{}, step.now)
			} else if w, ok := c.Periodic(step.now); ok {
				watermark = w
			}
			if at != step.at || watermark != step.watermark {
				t.Errorf("restarts %v, step %d: %d and watermark %d, want %d and %d", restarts, i, at, watermark, step.at, step.watermark)
			}
		}
	}
}

// A job that went by event time and goes by ingestion time now does not begin
// behind its last watermark.
func TestS38_IngestionTimeAfterAnotherStrategy(t *testing.T) {
	before, c := clockBy(t, operators.Punctuated(pickedUp, func() operators.WatermarkGenerator[Trip] { return endOfDay{} })), clockBy(t, operators.IngestionTime[Trip]())
	before.observe(Trip{PickedUp: at(4, 0)}, 0)
	p, err := before.Snapshot()
	if err != nil || c.Restore(p) != nil {
		t.Fatal(err)
	}
	if got, _ := c.observe(Trip{}, 5); got != at(4, 0)+1 {
		t.Errorf("%v, want 1 ms above the last watermark", clock(got))
	}
}

// The runtime asks for watermarks also while no record comes.
func TestIngestionTimeAsksForTicks(t *testing.T) {
	spec := clockBy(t, operators.IngestionTime[Trip]().Granularity(time.Minute)).spec
	if !spec.HasWatermarks || spec.PeriodicEvery != operators.DefaultGranularity || spec.IdleAfter != 0 {
		t.Errorf("%+v", spec)
	}
}
