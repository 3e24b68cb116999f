package operators

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/weirflow/weir/messages"
)

// windowed builds a sum of tips over any windows.
func windowed(make func(*KeyedStream[string, fare]) *WindowedStream[string, fare]) func(*Stream[fare]) {
	return func(in *Stream[fare]) { Aggregate(make(fares(in)), "tips", sumTips{}) }
}

func over(w Windows) func(*Stream[fare]) {
	return windowed(func(k *KeyedStream[string, fare]) *WindowedStream[string, fare] { return k.Window(w) })
}

// S52: windows of 1 min by 10 s: each record is in 6 of them, and there is a
// result every 10 s.
func TestS52_Sliding(t *testing.T) {
	r := newRig(t, 1, over(Sliding(time.Minute, 10*time.Second)))
	r.record(fare{"a", 1}, 65_000)
	if n := r.counter(windowAssignments); n != 6 {
		t.Fatalf("the record is in %d windows", n)
	}
	r.mark(69_998)
	wantLog(t, r, "", "-- 69998")
	r.mark(69_999)
	r.mark(79_999)
	wantLog(t, r, "", lines("{a 10000 70000 1} @69999", "-- 69999", "{a 20000 80000 1} @79999", "-- 79999"))
	r.finish()
	wantLog(t, r, "", lines("{a 30000 90000 1} @89999", "{a 40000 100000 1} @99999", "{a 50000 110000 1} @109999", "{a 60000 120000 1} @119999", "-- end"))
	if n := r.entries(); n != 0 {
		t.Fatalf("%d entries left", n)
	}
}

// S68: sliding windows copy where they cannot be sliced: a record is in each of the 96 windows of 24 h by 15 min.
func TestS68_SlidingCopies(t *testing.T) {
	r := newRig(t, 1, windowed(func(k *KeyedStream[string, fare]) *WindowedStream[string, fare] {
		return Triggered(k.Window(Sliding(24*time.Hour, 15*time.Minute)), Trigger[fare, EarlyState](AfterWatermark[fare]()))
	}))
	r.record(fare{"a", 1}, time.Hour.Milliseconds())
	o := r.tasks[0].instance.(*paneOperator[string, fare, int64, WindowResult[string, int64]])
	if n := o.panes.Len(); n != 96 {
		t.Fatalf("%d windows hold the record", n)
	}
}

// S53: records at most the gap apart share a session, exactly the gap apart as well; it ends the
// gap after its last record.
func TestS53_Session(t *testing.T) {
	r := newRig(t, 1, over(Session(30*time.Minute)))
	minute := time.Minute.Milliseconds()
	r.feed([]fare{{"a", 1}, {"a", 2}, {"a", 4}, {"b", 8}}, []int64{0, 60*minute + 1, 30 * minute, 10 * minute})
	r.finish()
	want := []string{
		fmt.Sprintf("{a 0 %d 5} @%d", 60*minute, 60*minute-1),
		fmt.Sprintf("{a %d %d 2} @%d", 60*minute+1, 90*minute+1, 90*minute),
		fmt.Sprintf("{b %d %d 8} @%d", 10*minute, 40*minute, 40*minute-1),
	}
	if got := r.sorted(""); !slices.Equal(got, want) {
		t.Fatalf("%q, want %q", got, want)
	}
	if n := r.entries(); n != 0 {
		t.Fatalf("%d entries left", n)
	}
}

// S73: a late record within the allowed lateness is the bridge between two sessions that have
// fired: the one that they become fires again, with the contents of both.
func TestS73_LateBridge(t *testing.T) {
	r := newRig(t, 1, windowed(func(k *KeyedStream[string, fare]) *WindowedStream[string, fare] {
		return k.Window(Session(millis(10))).AllowedLateness(millis(100))
	}))
	r.feed([]fare{{"a", 1}, {"a", 2}}, []int64{0, 15}, at(2, 30))
	wantLog(t, r, "", lines("{a 0 10 1} @9", "{a 15 25 2} @24", "-- 30"))
	r.record(fare{"a", 4}, 8)
	wantLog(t, r, "", "{a 0 25 7} @24")
	r.record(fare{"a", 8}, 24) // it goes on beyond the watermark: on time again
	wantLog(t, r, "", "")
	r.rescale(2)
	r.mark(33)
	if got := strings.Join(r.sorted(""), "; "); !strings.Contains(got, "{a 0 34 15} @33") {
		t.Fatalf("%s", got)
	}
	r.finish()
	if n := r.entries(); n != 0 {
		t.Fatalf("%d entries left", n)
	}
}

// S55: windows of processing time fire by the clock alone, whatever the watermark, and the same
// way under the same clock.
func TestS55_ProcessingTime(t *testing.T) {
	for range 2 {
		r := newRig(t, 1, over(Tumbling(millis(10)).ProcessingTime()))
		r.tick(103)
		r.feed([]fare{{"a", 1}, {"a", 2}}, []int64{9999, NoTime}, at(1, 20_000))
		r.tick(108)
		wantLog(t, r, "", "-- 20000")
		r.tick(109)
		r.mark(30_000)
		wantLog(t, r, "", lines("{a 100 110 3} @109", "-- 30000"))
		r.record(fare{"a", 4}, 0) // still in that window by the clock, which has gone
		r.finish()
		wantLog(t, r, "", "-- end") // no history, and nothing that is open at the end
	}
}

// S56: n-1 records give nothing, not at the end of input either; n give one result and leave
// nothing behind.
func TestS56_CountWindow(t *testing.T) {
	count := windowed(func(k *KeyedStream[string, fare]) *WindowedStream[string, fare] { return k.CountWindow(3) })
	r := newRig(t, 1, count)
	r.feed([]fare{{"a", 1}, {"a", 2}, {"b", 4}}, []int64{5, 6, 7})
	r.mark(1000)
	wantLog(t, r, "", "-- 1000")
	r.record(fare{"a", 8}, 3) // nothing is late
	global := fmt.Sprint(always.Start, " ", always.End)
	wantLog(t, r, "", fmt.Sprintf("{a %s 11} @%d", global, messages.MaxEventTime)) // border 5
	if n := r.tasks[0].instance.(*paneOperator[string, fare, int64, WindowResult[string, int64]]).panes.Len(); n != 1 {
		t.Fatalf("%d windows have contents, want that of b", n)
	}
	r.record(fare{"a", 16}, 3)
	r.finish()
	wantLog(t, r, "", "-- end")
}

// flushing is a Count that does not wait for ever.
type flushing struct{ CountTrigger[fare] }

func (f flushing) OnElement(c *TriggerContext[int64], v fare, ts int64) TriggerResult {
	if *c.State == 0 {
		c.RegisterProcessingTimer(c.CurrentProcessingTime() + 50)
	}
	return f.CountTrigger.OnElement(c, v, ts)
}

func (f flushing) OnProcessingTime(c *TriggerContext[int64], _ int64) TriggerResult {
	*c.State = 0
	return Fire
}

// S57, S49: a trigger of one's own with a processing-time timer lets out a window that is not full.
func TestS57_PartialCountWindow(t *testing.T) {
	r := newRig(t, 1, windowed(func(k *KeyedStream[string, fare]) *WindowedStream[string, fare] {
		return Triggered(k.Window(Global()), Purging(Trigger[fare, int64](flushing{Count[fare](3)})))
	}))
	r.tick(1000)
	r.feed([]fare{{"a", 1}, {"a", 2}}, []int64{5, 6})
	r.tick(1049)
	wantLog(t, r, "", "")
	r.tick(1050)
	if got := r.take(""); !strings.Contains(got, " 3} @") {
		t.Fatalf("%q", got)
	}
	r.tick(2000)
	wantLog(t, r, "", "")
}

// S58: a global window without a trigger never fires, and nothing is late for it.
func TestS58_Global(t *testing.T) {
	r := newRig(t, 1, over(Global()))
	r.mark(1000)
	r.record(fare{"a", 1}, 5)
	r.finish()
	wantLog(t, r, "", lines("-- 1000", "-- end"))
	if n := r.counter(lateDropped); n != 0 {
		t.Fatalf("%d dropped", n)
	}
}

// S47: early results by count and event time, then the one on time, then one for every late record.
func TestS47_EarlyOnTimeLate(t *testing.T) {
	r := newRig(t, 1, func(in *Stream[fare]) {
		w := Triggered(fares(in).Window(Tumbling(millis(100))), Trigger[fare, EarlyState](AfterWatermark[fare]().EarlyEvery(millis(40)).EarlyCount(3))).AllowedLateness(millis(50))
		AggregateProcess(w, "tips", Aggregator[fare, int64, int64](sumTips{}), func(*WindowStates[string]) firingNamer { return firingNamer{} })
	})
	r.feed([]fare{{"a", 1}, {"a", 2}}, []int64{10, 20}, at(2, 40))
	wantLog(t, r, "", lines("a [0,100) early 3 @99", "-- 40"))
	r.feed([]fare{{"a", 4}}, []int64{50}, at(1, 50))
	wantLog(t, r, "", lines("a [0,100) early 7 @99", "-- 50"))
	r.mark(80)
	r.mark(99)
	wantLog(t, r, "", lines("a [0,100) early 7 @99", "-- 80", "a [0,100) on time 7 @99", "-- 99"))
	r.record(fare{"a", 8}, 3)
	wantLog(t, r, "", "a [0,100) late 15 @99")
	r.mark(149)
	r.record(fare{"a", 16}, 3)
	wantLog(t, r, "", "-- 149")
	if n := r.entries(); n != 0 {
		t.Fatalf("%d entries left", n)
	}
}

// firingNamer shows what a window function is told.
type firingNamer struct{}

func (firingNamer) Process(c *WindowContext[string, string], sum int64) error {
	c.Emit(fmt.Sprintf("%s %v %v %d", c.Key(), c.Window(), c.Firing(), sum))
	return nil
}

// wasteful keeps every record to find the greatest.
type wasteful struct{}

func (wasteful) Process(c *WindowContext[string, [3]int64], all []Element[fare]) error {
	greatest := all[0].Value.Tip
	for _, e := range all {
		greatest = max(greatest, e.Value.Tip)
	}
	c.Emit([3]int64{c.Window().End, greatest, int64(len(all))})
	return nil
}

// S60: a process function gets all elements, and the state holds each of them until it fires.
// S62, S63: with an aggregate there is one accumulator, and the function gets just that.
func TestS60_S62_S63_ProcessWindow(t *testing.T) {
	all := newRig(t, 1, func(in *Stream[fare]) {
		ProcessWindow(fares(in).Window(Tumbling(millis(10))), "max", func(*WindowStates[string]) wasteful { return wasteful{} })
	})
	one := newRig(t, 1, func(in *Stream[fare]) {
		ReduceProcess(fares(in).Window(Tumbling(millis(10))), "max", func(a, b fare) fare { return fare{a.Driver, max(a.Tip, b.Tip)} },
			func(*WindowStates[string]) greatestOnly { return greatestOnly{} })
	})
	var sizes [2]int
	for i, r := range []*rig[fare]{all, one} {
		r.record(fare{"a", 0}, 0)
		few := r.snapshotSize()
		for n := int64(1); n < 100; n++ {
			r.record(fare{"a", n % 37}, n%10)
		}
		sizes[i] = r.snapshotSize() - few
		r.finish()
		wantLog(t, r, "", lines([]string{"[10 36 100] @9", "[10 36 1] @9"}[i], "-- end"))
	}
	if sizes[0] < 99*8 || sizes[1] > 8 { // a longer number
		t.Fatalf("99 records more: %d bytes with all, %d with one", sizes[0], sizes[1])
	}
}

type greatestOnly struct{}

func (greatestOnly) Process(c *WindowContext[string, [3]int64], f fare) error {
	c.Emit([3]int64{c.Window().End, f.Tip, 1})
	return nil
}

// snapshotSize is the number of bytes of all state.
func (r *rig[T]) snapshotSize() (n int) {
	for _, groups := range r.snapshot().groups {
		for _, b := range groups {
			n += len(b)
		}
	}
	return n
}

// remembering has state of the window and of the key.
type remembering struct {
	inWindow ValueState[int64]
	inKey    ValueState[int64]
}

func (f *remembering) Process(c *WindowContext[string, string], sum int64) error {
	n, _ := f.inWindow.Get()
	f.inWindow.Set(n + 1)
	m, _ := f.inKey.Get()
	f.inKey.Set(m + 1)
	c.Emit(fmt.Sprintf("%v sum %d, firing %d of the window, %d of %s, at %d and %d", c.Window(), sum, n+1, m+1, c.Key(), c.CurrentWatermark(), c.CurrentProcessingTime()))
	return nil
}

func (f *remembering) Clear(*WindowContext[string, string]) error {
	f.inWindow.Clear()
	return nil
}

// S61: the context knows window and clocks; state of a window is kept between firings, over a
// restore too, and removed by Clear; state of the key outlives windows.
func TestS61_WindowContext(t *testing.T) {
	r := newRig(t, 1, func(in *Stream[fare]) {
		w := fares(in).Window(Tumbling(millis(10))).AllowedLateness(millis(10))
		AggregateProcess(w, "f", Aggregator[fare, int64, int64](sumTips{}), func(s *WindowStates[string]) *remembering {
			return &remembering{NewValueState[int64](s.Window, "firings"), NewValueState[int64](s.Global, "all")}
		})
	})
	r.tick(7)
	r.feed([]fare{{"a", 1}, {"a", 2}}, []int64{1, 11}, at(2, 9))
	r.rescale(1)
	r.tick(7)
	r.record(fare{"a", 4}, 3)
	r.mark(19)
	wantLog(t, r, "", lines(
		"[0,10) sum 1, firing 1 of the window, 1 of a, at 9 and 7 @9", "-- 9",
		"[0,10) sum 5, firing 2 of the window, 2 of a, at 9 and 7 @9",
		"[10,20) sum 2, firing 1 of the window, 3 of a, at 19 and 7 @19", "-- 19"))
	r.mark(1000)
	r.mark(2000)
	if n := r.entries(); n != 1 {
		t.Fatalf("%d entries left, want the key's", n)
	}
}

// S59: what triggers say, and evictors before and after the function, which see times and values;
// with one there is no pre-aggregation.
func TestS59_Evictors(t *testing.T) {
	for _, c := range []struct {
		name  string
		evict Evictor[fare]
		want  string
	}{
		{"none", nil, "3 7 15"},
		{"last two", KeepLast[fare](2), "3 6 12"},
		{"last two, after", AfterFunction(KeepLast[fare](1)), "3 6 12"},
		{"newest", KeepNewest[fare](millis(5)), "3 6 12"},
		{"near", KeepNear(4, func(a, b fare) float64 { return float64(b.Tip - a.Tip) }), "3 7 8"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRig(t, 1, windowed(func(k *KeyedStream[string, fare]) *WindowedStream[string, fare] {
				w := Triggered(k.Window(Global()), Trigger[fare, int64](onceTwo{Count[fare](1)}))
				return w.Evict(c.evict)
			}))
			var got []string
			r.feed([]fare{{"a", 1}, {"a", 2}, {"a", 4}, {"a", 8}}, []int64{1, 4, 6, 9})
			for _, rec := range r.tasks[0].outputs[""].records {
				got = append(got, fmt.Sprint(rec.Value.(WindowResult[string, int64]).Value))
			}
			if s := strings.Join(got, " "); s != c.want {
				t.Errorf("%s, want %s", s, c.want)
			}
		})
	}
}

// onceTwo fires for every record but the first.
type onceTwo struct{ CountTrigger[fare] }

func (o onceTwo) OnElement(c *TriggerContext[int64], _ fare, _ int64) TriggerResult {
	if *c.State++; *c.State < 2 {
		return Continue
	}
	return Fire
}

// S59: the four results of a trigger.
func TestS59_TriggerResults(t *testing.T) {
	r := newRig(t, 1, windowed(func(k *KeyedStream[string, fare]) *WindowedStream[string, fare] {
		return Triggered(k.Window(Global()), Trigger[fare, struct{}](byTip{}))
	}))
	r.feed([]fare{{"a", 0}, {"a", 10}, {"a", 1}, {"a", 100}, {"a", 1}, {"a", 3}, {"a", 5}, {"a", 2}, {"a", 1}}, make([]int64, 9))
	var got []int64
	for _, rec := range r.tasks[0].outputs[""].records {
		got = append(got, rec.Value.(WindowResult[string, int64]).Value)
	}
	// 0 10 1! 100 1! 3(purge+fire: 115) 5 -> 2 purges 1! shows 1
	if want := []int64{11, 112, 115, 1}; !slices.Equal(got, want) {
		t.Fatalf("%v, want %v", got, want)
	}
}

// byTip does what the tip says: 1 fires, 2 purges, 3 both, others nothing.
type byTip struct{ NeverTrigger[fare] }

func (byTip) OnElement(_ *TriggerContext[struct{}], f fare, _ int64) TriggerResult {
	if f.Tip > 3 {
		return Continue
	}
	return TriggerResult(f.Tip)
}

// S50: windows over all records run in one subtask, which the plan says; any other parallelism
// is an error.
func TestS50_WindowAll(t *testing.T) {
	r := newRig(t, 1, func(in *Stream[fare]) {
		Aggregate(WindowAll(in, Tumbling(millis(10))), "all", Aggregator[fare, int64, int64](sumTips{}))
	})
	if r.op.Parallelism != 1 || !strings.Contains(r.op.Detail, "all in one subtask") {
		t.Errorf("parallelism %d, %q", r.op.Parallelism, r.op.Detail)
	}
	r.feed([]fare{{"a", 1}, {"b", 2}}, []int64{1, 2})
	r.finish()
	wantLog(t, r, "", lines("{0 0 10 3} @9", "-- end"))
	top := NewTopology("t")
	in := output[fare](top, top.add("source", "in", nil))
	Aggregate(WindowAll(in, Tumbling(millis(10))), "all", Aggregator[fare, int64, int64](sumTips{})).Parallelism(2)
	if len(top.errs) != 1 || !strings.Contains(top.errs[0].Error(), "WindowAll has all records in one subtask") {
		t.Errorf("%v", top.errs)
	}
}

// S49, S54: what cannot be is refused at build, with the remedy.
func TestWindowBuildErrors(t *testing.T) {
	for _, c := range []struct {
		build func(*Stream[fare])
		want  string
	}{
		{over(Sliding(0, time.Second)), "Sliding(0s): a window's size is positive; give at least 1ms"},
		{over(Sliding(time.Second, -1)), "a window's slide is positive"},
		{over(Session(0)), "a window's gap is positive"},
		{over(Session(time.Microsecond)), "give a whole number of them"},
		{over(nil), "give Window Tumbling, Sliding, Session or Global"},
		{windowed(func(k *KeyedStream[string, fare]) *WindowedStream[string, fare] { return k.WindowBy(nil) }), "Assigner is nil"},
		{windowed(func(k *KeyedStream[string, fare]) *WindowedStream[string, fare] { return k.CountWindow(0) }), "CountWindow(0)"},
		{windowed(func(k *KeyedStream[string, fare]) *WindowedStream[string, fare] {
			return k.Window(Global()).AllowedLateness(time.Second)
		}), "nothing is late for windows of global"},
		{windowed(func(k *KeyedStream[string, fare]) *WindowedStream[string, fare] {
			return k.Window(Session(time.Second).ProcessingTime()).SideOutputLate(NewTag[fare]("late"))
		}), "nothing is late for windows of session 1s of processing time"},
		{windowed(func(k *KeyedStream[string, fare]) *WindowedStream[string, fare] {
			return Triggered(k.Window(Session(time.Second)), Trigger[fare, DeltaState[fare]](Delta(1, func(a, b fare) float64 { return 0 })))
		}), "need a trigger with OnMerge, which delta over 1 has not"},
		{windowed(func(k *KeyedStream[string, fare]) *WindowedStream[string, fare] {
			return Triggered[string, fare, int64](k.Window(Global()), nil)
		}), "its trigger is nil"},
	} {
		top := NewTopology("t")
		c.build(output[fare](top, top.add("source", "in", nil)))
		if got := fmt.Sprint(top.errs); !strings.Contains(got, c.want) || !strings.Contains(got, `"tips"`) {
			t.Errorf("%s\nwant %s", got, c.want)
		}
	}
}

// paneStep is one thing of a random script.
type paneStep struct {
	record  fare
	ts      int64
	mark    int64 // a watermark instead, if isMark
	isMark  bool
	rescale int // to that parallelism before it, if not 0
}

func drawSteps(t *rapid.T) []paneStep {
	mark := int64(-100)
	return rapid.SliceOfN(rapid.Custom(func(t *rapid.T) paneStep {
		s := paneStep{isMark: rapid.IntRange(0, 3).Draw(t, "mark") == 0}
		if rapid.IntRange(0, 9).Draw(t, "rescale") == 0 {
			s.rescale = rapid.IntRange(1, 3).Draw(t, "to")
		}
		if s.isMark {
			mark += rapid.Int64Range(0, 25).Draw(t, "by")
			s.mark = mark
			return s
		}
		s.record = fare{rapid.SampledFrom([]string{"a", "b", "c"}).Draw(t, "driver"), rapid.Int64Range(1, 9).Draw(t, "tip")}
		s.ts = rapid.Int64Range(-60, 120).Draw(t, "ts")
		return s
	}), 0, 40).Draw(t, "steps")
}

// play runs a script, with the snapshots and rescales in it or without, and
// gives what came out in the end, late records and all.
func play(r *rig[fare], steps []paneStep, rescale bool) string {
	mark := int64(-1 << 40)
	for _, s := range steps {
		if s.rescale > 0 && rescale {
			r.rescale(s.rescale)
		}
		if s.isMark {
			if s.mark > mark {
				mark = s.mark
				r.mark(mark)
			}
			continue
		}
		r.record(s.record, s.ts)
	}
	r.finish()
	dropped := r.counter(lateDropped)
	return fmt.Sprintf("%s\nlate %d", strings.Join(r.sorted(""), "\n"), dropped)
}

// S39, S51, S64, S66, S98: windows by the general operator are those of the
// quick one, over any disorder, lateness, snapshots and rescales.
func TestPanesEqualWindower(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		size, lateness := rapid.Int64Range(1, 30).Draw(t, "size"), rapid.Int64Range(0, 30).Draw(t, "lateness")
		quick := newRig(t, 1, windowed(func(k *KeyedStream[string, fare]) *WindowedStream[string, fare] {
			return k.Window(Tumbling(millis(size))).AllowedLateness(millis(lateness))
		}))
		general := newRig(t, 1, windowed(func(k *KeyedStream[string, fare]) *WindowedStream[string, fare] {
			return Triggered(k.Window(Tumbling(millis(size))), Trigger[fare, EarlyState](AfterWatermark[fare]())).AllowedLateness(millis(lateness))
		}))
		steps := drawSteps(t)
		if want, got := play(quick, steps, false), play(general, steps, true); got != want {
			t.Fatalf("got\n%s\nwant\n%s", got, want)
		}
	})
}

// S52: sliding windows are as many tumbling ones, each offset by the slide.
func TestSlidingEqualsOffsetTumbling(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		slide, times := rapid.Int64Range(1, 10).Draw(t, "slide"), rapid.Int64Range(1, 5).Draw(t, "times")
		lateness := rapid.Int64Range(0, 20).Draw(t, "lateness")
		steps := drawSteps(t)
		var want []string
		for i := range times {
			r := newRig(t, 1, windowed(func(k *KeyedStream[string, fare]) *WindowedStream[string, fare] {
				return k.Window(Tumbling(millis(slide * times)).Offset(millis(i * slide))).AllowedLateness(millis(lateness))
			}))
			play(r, steps, false)
			want = append(want, r.sorted("")...)
		}
		slices.Sort(want)
		r := newRig(t, 1, windowed(func(k *KeyedStream[string, fare]) *WindowedStream[string, fare] {
			return k.Window(Sliding(millis(slide*times), millis(slide))).AllowedLateness(millis(lateness))
		}))
		play(r, steps, true)
		if got := r.sorted(""); !slices.Equal(got, want) {
			t.Fatalf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
	})
}

// S53, S73: sessions are what a twin makes of all records that are not late: at
// every record and watermark it builds all sessions anew.
func TestSessionsEqualTwin(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		gap, lateness := rapid.Int64Range(1, 20).Draw(t, "gap"), rapid.Int64Range(0, 30).Draw(t, "lateness")
		steps := drawSteps(t)
		r := newRig(t, 1, windowed(func(k *KeyedStream[string, fare]) *WindowedStream[string, fare] {
			return k.Window(Session(millis(gap))).AllowedLateness(millis(lateness))
		}))
		if got, want := play(r, steps, true), sessionTwin(steps, gap, lateness); got != want {
			t.Fatalf("got\n%s\nwant\n%s", got, want)
		}
	})
}

// sessionTwin keeps the records of every session that is still open.
func sessionTwin(steps []paneStep, gap, lateness int64) string {
	type session struct {
		key        string
		start, end int64
		sum        int64
		fired      bool
	}
	var open []session
	var out []string
	late, mark := 0, int64(-1<<40)
	emit := func(s session) {
		out = append(out, fmt.Sprintf("{%s %d %d %d} @%d", s.key, s.start, s.end, s.sum, s.end-1))
	}
	advance := func(to int64) {
		mark = max(mark, to)
		var kept []session
		for _, s := range open {
			if s.end-1 <= mark && !s.fired {
				emit(s)
				s.fired = true
			}
			if s.end-1+lateness > mark {
				kept = append(kept, s)
			}
		}
		open = kept
	}
	for _, st := range steps {
		if st.isMark {
			advance(st.mark)
			continue
		}
		s := session{key: st.record.Driver, start: st.ts, end: st.ts + gap, sum: st.record.Tip}
		var rest []session
		grown := s
		for _, o := range open {
			if o.key == s.key && o.start <= s.end && s.start <= o.end {
				grown.start, grown.end, grown.sum = min(grown.start, o.start), max(grown.end, o.end), grown.sum+o.sum
			} else {
				rest = append(rest, o)
			}
		}
		if grown.end-1+lateness <= mark {
			late++
			continue
		}
		if grown.fired = grown.end-1 <= mark; grown.fired {
			emit(grown)
		}
		open = append(rest, grown)
	}
	advance(1 << 61)
	slices.Sort(out)
	return fmt.Sprintf("%s\nlate %d", strings.Join(out, "\n"), late)
}
