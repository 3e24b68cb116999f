package operators

import (
	"fmt"
	"math"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/weirflow/weir/messages"
	"github.com/weirflow/weir/operators/plan"
)

// observe runs a clock over times in batches of a size and lists what follows:
// each record, and each watermark at its place.
func observe(t tester, c plan.SplitClock, times []int64, size int) []element {
	t.Helper()
	var all []element
	for len(times) > 0 {
		n := min(size, len(times))
		b := rowsOf[int64]().New(n)
		for _, ts := range times[:n] {
			*valuesOf[int64](b) = append(*valuesOf[int64](b), ts)
			b.Times = append(b.Times, NoTime)
		}
		if err := c.Observe(b); err != nil {
			t.Fatal(err)
		}
		all, times = append(all, elementsOf[int64](t, b)...), times[n:]
	}
	return all
}

func itself(v int64) int64 { return v }

// boundedTwin takes the watermark after every record and rounds it, as plainly
// as it can be said, in arithmetic that cannot overflow.
func boundedTwin(times []int64, bound, g int64) []element {
	var all []element
	greatest, last := math.Inf(-1), math.Inf(-1)
	for _, ts := range times {
		all = append(all, record(ts, ts))
		greatest = max(greatest, float64(ts))
		w := greatest - float64(bound) - 1
		rounded := math.Floor((w+1)/float64(g))*float64(g) - 1
		if rounded > last {
			last = rounded
			all = append(all, watermark(int64(rounded)))
		}
	}
	return all
}

// eventTimes draws disordered times, also before 1970.
func eventTimes() *rapid.Generator[[]int64] {
	return rapid.Custom(func(t *rapid.T) []int64 {
		span := rapid.SampledFrom([]int64{5, 300, 100_000, 1 << 40}).Draw(t, "span")
		from := rapid.Int64Range(-span, span).Draw(t, "from")
		return rapid.SliceOfN(rapid.Int64Range(from-span, from+span), 0, 600).Draw(t, "times")
	})
}

// S44, S111: WM = maxTs − bound − 1 ms rounded to the granularity, monotone, right
// behind the record that causes it, whatever the batch size; and S110: equal
// too when the clock is saved and restored between any two batches.
func TestS44_S111_BoundedClockEqualsItsTwin(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		times := eventTimes().Draw(r, "times")
		bound := rapid.Int64Range(0, 2000).Draw(r, "bound")
		g := rapid.SampledFrom([]int64{0, 1, 3, 100, 60_000}).Draw(r, "granularity")
		s := BoundedOutOfOrderness(time.Duration(bound)*time.Millisecond, itself).Granularity(time.Duration(g) * time.Millisecond)
		want := boundedTwin(times, bound, max(g, 1))
		for _, size := range batchSizes {
			equalElements(r, fmt.Sprintf("batches of %d", size), observe(r, s.newClock(), times, size), want)
		}
		equalElements(r, "with restores", observe(r, &restarting{r, s.newClock, s.newClock()}, times, 7), want)
	})
}

// restarting is a clock that is saved and restored before every batch.
type restarting struct {
	t    tester
	make func() plan.SplitClock
	plan.SplitClock
}

func (c *restarting) Observe(b *plan.Batch) error {
	p, err := c.Snapshot()
	if err != nil {
		c.t.Fatal(err)
	}
	c.SplitClock = c.make()
	if err := c.Restore(p); err != nil {
		c.t.Fatal(err)
	}
	return c.SplitClock.Observe(b)
}

// S44 in figures: nothing below the first event's own watermark, 1 ms steps at
// granularity 0, and none for a record that does not lead.
func TestS44_BoundedOutOfOrderness(t *testing.T) {
	c := BoundedOutOfOrderness(20*time.Millisecond, itself).Granularity(0).newClock()
	equalElements(t, "granularity 0", observe(t, c, []int64{1000, 990, 1001, 1001, 1100}, 3), []element{
		record(int64(1000), 1000), watermark(979), record(int64(990), 990), record(int64(1001), 1001), watermark(980),
		record(int64(1001), 1001), record(int64(1100), 1100), watermark(1079),
	})
	c = Monotonous(itself).newClock() // granularity 100 ms
	equalElements(t, "granularity 100", observe(t, c, []int64{-150, -101, -100, 0, 99, 100, 5000}, 512), []element{
		record(int64(-150), -150), watermark(-201), record(int64(-101), -101), record(int64(-100), -100), watermark(-101),
		record(int64(0), 0), watermark(-1), record(int64(99), 99), record(int64(100), 100), watermark(99),
		record(int64(5000), 5000), watermark(4999),
	})
}

// The extremes of event time neither overflow nor pass for "none yet".
func TestS44_EventTimeLimits(t *testing.T) {
	for _, bound := range []time.Duration{0, math.MaxInt64 / time.Millisecond * time.Millisecond} {
		c := BoundedOutOfOrderness(bound, itself).newClock()
		got := observe(t, c, []int64{messages.MinEventTime, messages.MaxEventTime}, 1)
		first, last := got[1].time, got[3].time
		if first <= messages.NoWatermark || first >= messages.MinEventTime || last != floorDiv(messages.MaxEventTime-bound.Milliseconds(), 100)*100-1 {
			t.Errorf("bound %v: %v", bound, got)
		}
	}
}

func TestEventTimesOutOfRangeAreRefused(t *testing.T) {
	for _, c := range []struct {
		extract func(int64) int64
		time    int64
		want    string
	}{
		{itself, messages.MaxEventTime + 1, "record 2 of a batch of 2 has event time 4611686018427387905 ms, outside [-4611686018427387904, 4611686018427387904]; let the extractor give milliseconds since 1970, or filter such records in the source"},
		{itself, math.MinInt64, "record 2 of a batch of 2 has event time -9223372036854775808 ms, outside [-4611686018427387904, 4611686018427387904]; let the extractor give milliseconds since 1970, or filter such records in the source"},
		{nil, NoTime, "record 2 of a batch of 2 has no event time: its source sets none, so give the watermark strategy an extractor"},
	} {
		for _, s := range []WatermarkStrategy[int64]{
			BoundedOutOfOrderness(0, c.extract),
			Punctuated(c.extract, func() WatermarkGenerator[int64] { return &everyNth{n: 1} }),
		} {
			b := batchOf[int64]([]element{record(int64(5), 5), record(c.time, c.time)})
			wantError(t, s.newClock().Observe(b), c.want)
		}
	}
}

// A restart with another bound or granularity never takes a watermark back.
func TestS110_RestoredClockStaysMonotone(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		draw := func() plan.SplitClock {
			return newBoundedClock(itself, rapid.Int64Range(0, 500).Draw(r, "bound"), rapid.SampledFrom([]int64{0, 7, 100}).Draw(r, "g"))
		}
		before, after := draw(), draw()
		first := observe(r, before, eventTimes().Draw(r, "before"), 512)
		p, _ := before.Snapshot()
		if err := after.Restore(p); err != nil {
			r.Fatal(err)
		}
		last := noneYet
		for _, e := range append(first, observe(r, after, eventTimes().Draw(r, "after"), 512)...) {
			if e.value == nil && e.time <= last {
				r.Fatalf("watermark %d after %d", e.time, last)
			} else if e.value == nil {
				last = e.time
			}
		}
	})
}

// everyNth is a generator that gives a watermark behind each nth event, and one
// at each tick, for S45.
type everyNth struct {
	n, seen, greatest int64
}

func (g *everyNth) OnEvent(_ int64, ts int64) (int64, bool) {
	g.seen++
	g.greatest = max(g.greatest, ts)
	return g.greatest - 1, g.seen%g.n == 0
}

func (g *everyNth) OnPeriodic(now int64) (int64, bool) { return g.greatest + now, g.seen > 0 }

func (g *everyNth) Snapshot() ([]byte, error) { return []byte{byte(g.seen), byte(g.greatest)}, nil }

func (g *everyNth) Restore(p []byte) error {
	g.seen, g.greatest = int64(p[0]), int64(p[1])
	return nil
}

// S45: a user's generator per event: its watermarks, right behind the record,
// only where they grow, at any batch size and over restarts.
func TestS45_PunctuatedGenerator(t *testing.T) {
	s := Punctuated(itself, func() WatermarkGenerator[int64] { return &everyNth{n: 3} })
	times := []int64{5, 9, 7, 6, 2, 8, 20, 21, 22}
	want := []element{
		record(int64(5), 5), record(int64(9), 9), record(int64(7), 7), watermark(8),
		record(int64(6), 6), record(int64(2), 2), record(int64(8), 8),
		record(int64(20), 20), record(int64(21), 21), record(int64(22), 22), watermark(21),
	}
	for _, size := range batchSizes {
		equalElements(t, "punctuated", observe(t, s.newClock(), times, size), want)
	}
	equalElements(t, "restarted", observe(t, &restarting{t, s.newClock, s.newClock()}, times, 1), want)
	if spec := sourceOf(From(NewTopology("t"), "in", Slice[int64](), s)); spec.PeriodicEvery != 0 {
		t.Errorf("asked every %v", spec.PeriodicEvery)
	}
}

// S45: a periodic generator is asked by processing time; MAX is not its to give.
func TestS45_PeriodicGenerator(t *testing.T) {
	s := Periodic(time.Second, itself, func() WatermarkGenerator[int64] { return &everyNth{n: 1000} })
	if spec := sourceOf(From(NewTopology("t"), "in", Slice[int64](), s.Idle(time.Minute))); spec.PeriodicEvery != time.Second || spec.IdleAfter != time.Minute || !spec.HasWatermarks {
		t.Errorf("spec %+v", spec)
	}
	c := s.newClock()
	if w, ok := c.Periodic(5); ok {
		t.Errorf("watermark %d before the first event", w)
	}
	observe(t, c, []int64{100}, 1)
	for _, step := range []struct {
		now, want int64
		ok        bool
	}{{5, 105, true}, {5, 0, false}, {4, 0, false}, {6, 106, true}, {math.MaxInt64 - 100, math.MaxInt64 - 1, true}} {
		if w, ok := c.Periodic(step.now); w != step.want || ok != step.ok {
			t.Errorf("at %d: %d %v, want %d %v", step.now, w, ok, step.want, step.ok)
		}
	}
}

// Without Snapshot only the last watermark outlives a restart, so that what was
// late stays late.
func TestS110_ForgetfulGeneratorKeepsItsWatermark(t *testing.T) {
	s := Punctuated(itself, func() WatermarkGenerator[int64] { return leading{} })
	equalElements(t, "restarted", observe(t, &restarting{t, s.newClock, s.newClock()}, []int64{10, 7, 11}, 1), []element{
		record(int64(10), 10), watermark(10), record(int64(7), 7), record(int64(11), 11), watermark(11),
	})
}

type leading struct{}

func (leading) OnEvent(_ int64, ts int64) (int64, bool) { return ts, true }
func (leading) OnPeriodic(int64) (int64, bool)          { return 0, false }

// Without a strategy times stay as they came, and no watermark is made up.
func TestNoWatermarks(t *testing.T) {
	c := NoWatermarks[int64]().newClock()
	equalElements(t, "untimed", observe(t, c, []int64{5}, 1), []element{record(int64(5), NoTime)})
	if _, ok := c.Periodic(1); ok {
		t.Error("a watermark from nowhere")
	}
	if p, err := c.Snapshot(); err != nil || c.Restore(p) != nil {
		t.Error(p, err)
	}
}

func TestDamagedClockIsRefused(t *testing.T) {
	wantError(t, Monotonous(itself).newClock().Restore([]byte{1, 2, 3}), "watermark clock of 3 bytes is cut short")
}

func TestBoundedClockDoesNotAllocate(t *testing.T) {
	c := Monotonous(itself).newClock()
	rows := rowsOf[int64]()
	b, next := rows.New(512), int64(0)
	round := func() {
		rows.Reset(b)
		for range 512 {
			*valuesOf[int64](b) = append(*valuesOf[int64](b), next)
			b.Times = append(b.Times, NoTime)
			next++
		}
		if err := c.Observe(b); err != nil {
			t.Fatal(err)
		}
	}
	round()
	if n := testing.AllocsPerRun(50, round); n > 0 {
		t.Errorf("%v allocations a batch", n)
	}
}
