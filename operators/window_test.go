package operators

import (
	"fmt"
	"math"
	"slices"
	"sort"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/weirflow/weir/messages"
	"github.com/weirflow/weir/operators/plan"
)

// fare is the record of these tests.
type fare struct {
	Driver string
	Tip    int64
}

func driverOf(f fare) string { return f.Driver }

// sumTips adds tips; how often its methods ran is nobody's business but S62's.
type sumTips struct{}

func (sumTips) CreateAccumulator() int64                { return 0 }
func (sumTips) Add(acc int64, f fare) int64             { return acc + f.Tip }
func (sumTips) Merge(a, b int64) int64                  { return a + b }
func (sumTips) Result(acc int64) int64                  { return acc }
func millis(n int64) time.Duration                      { return time.Duration(n) * time.Millisecond }
func at(index int, watermark int64) plan.Mark           { return plan.Mark{Index: index, Watermark: watermark} }
func lines(s ...string) string                          { return strings.Join(s, "\n") }
func fares(in *Stream[fare]) *KeyedStream[string, fare] { return KeyBy(in, driverOf) }

// tips builds a window operator of size 10 ms.
func tips(lateness int64, late bool) func(*Stream[fare]) {
	return func(in *Stream[fare]) {
		w := fares(in).Window(Tumbling(millis(10))).AllowedLateness(millis(lateness))
		if late {
			w = w.SideOutputLate(NewTag[fare]("late"))
		}
		Aggregate(w, "tips", sumTips{})
	}
}

func wantLog[T any](t *testing.T, r *rig[T], tag, want string) {
	t.Helper()
	if got := r.take(tag); got != want {
		t.Fatalf("output %q:\n%s\nwant:\n%s", tag, got, want)
	}
}

// S41, S51, S64 and border 1: a window fires when the watermark reaches its last ms,
// results leave before that watermark with the window's last ms as their time, ts = WM is
// late, ts = WM+1 is not, and what is late is dropped and counted.
func TestS41_S51_S64_WindowFires(t *testing.T) {
	r := newRig(t, 1, tips(0, false))
	r.feed([]fare{{"a", 1}, {"a", 2}, {"a", 4}}, []int64{0, 9, 10}, at(2, 8))
	wantLog(t, r, "", "-- 8")
	r.record(fare{"a", 8}, 9) // behind the first mark's batch, but 9 is not late at 8
	r.feed([]fare{{"a", 16}, {"a", 32}}, []int64{9, 10}, at(0, 9))
	wantLog(t, r, "", lines("{a 0 10 11} @9", "-- 9"))
	if n := r.counter(lateDropped); n != 1 {
		t.Fatalf("%s = %d, want the one at 9", lateDropped, n)
	}
	r.finish()
	wantLog(t, r, "", lines("{a 10 20 36} @19", "-- end"))
	if n := r.entries(); n != 0 {
		t.Fatalf("%d entries left after the end", n)
	}
}

// S65: what would be dropped goes to the side output, unchanged and with its own time; the main
// output is as before and nothing is counted as dropped.
func TestS65_LateSideOutput(t *testing.T) {
	input := func(r *rig[fare]) {
		r.feed([]fare{{"a", 1}, {"b", 2}, {"a", 4}, {"b", 8}}, []int64{3, 12, 9, 4}, at(1, 9))
		r.finish()
	}
	dropping, siding := newRig(t, 1, tips(0, false)), newRig(t, 1, tips(0, true))
	input(dropping)
	input(siding)
	if a, b := dropping.log(""), siding.log(""); a != b {
		t.Fatalf("main output with a side output:\n%s\nwithout:\n%s", b, a)
	}
	if n := dropping.counter(lateDropped); n != 2 {
		t.Fatalf("%s = %d without a side output, want 2", lateDropped, n)
	}
	if n := siding.counter(lateDropped); n != 0 {
		t.Fatalf("%s = %d with a side output", lateDropped, n)
	}
	wantLog(t, siding, "late", lines("-- 9", "{a 4} @9", "{b 8} @4", "-- end"))
}

// S66 and border 3: each late record fires the window again at once with the full content until
// WM >= maxTs + lateness, then the state is gone.
func TestS66_AllowedLateness(t *testing.T) {
	r := newRig(t, 1, tips(5, false))
	r.feed([]fare{{"a", 1}, {"b", 1}}, []int64{1, 2}, at(2, 9))
	wantLog(t, r, "", lines("{b 0 10 1} @9", "{a 0 10 1} @9", "-- 9"))
	r.feed([]fare{{"a", 2}, {"a", 4}, {"c", 8}}, []int64{3, 3, 3}, at(2, 13))
	wantLog(t, r, "", lines("{a 0 10 3} @9", "{a 0 10 7} @9", "-- 13", "{c 0 10 8} @9"))
	if n := r.entries(); n != 3 {
		t.Fatalf("%d entries, want those of three keys", n)
	}
	r.mark(14)
	r.record(fare{"a", 16}, 3)
	wantLog(t, r, "", "-- 14")
	if n := r.counter(lateDropped); n != 1 {
		t.Fatalf("%s = %d, want 1", lateDropped, n)
	}
	if n := r.entries(); n != 0 {
		t.Fatalf("%d entries after the lateness", n)
	}
}

// S67: with lateness only the too-late go to the side output.
func TestS67_OnlyTooLateToSide(t *testing.T) {
	r := newRig(t, 1, tips(5, true))
	r.feed([]fare{{"a", 1}, {"a", 2}, {"a", 4}}, []int64{1, 2, 3}, at(1, 9), at(2, 14))
	wantLog(t, r, "late", lines("-- 9", "-- 14", "{a 4} @3"))
	wantLog(t, r, "", lines("{a 0 10 1} @9", "-- 9", "{a 0 10 3} @9", "-- 14"))
}

// S69: aligned to the epoch: a start at 12:05 and windows of an hour, and the first closes at 13:00.
// S72: a gap of many periods gives no result.
func TestS69_S72_AlignedAndNoEmptyWindows(t *testing.T) {
	start := time.Date(2020, 1, 1, 12, 5, 0, 0, time.UTC)
	r := newRig(t, 1, func(in *Stream[fare]) {
		Aggregate(fares(in).Window(Tumbling(time.Hour)), "tips", sumTips{})
	})
	r.feed([]fare{{"a", 1}, {"a", 2}}, []int64{start.UnixMilli(), start.Add(5 * time.Hour).UnixMilli()})
	r.mark(start.Add(54*time.Minute + 59*time.Second + 998*time.Millisecond).UnixMilli())
	if got := r.sorted(""); len(got) != 0 {
		t.Fatalf("fired before 13:00: %v", got)
	}
	r.mark(start.Add(55*time.Minute - time.Millisecond).UnixMilli())
	if got := r.sorted(""); len(got) != 1 {
		t.Fatalf("at 12:59:59.999: %v", got)
	}
	r.finish()
	var spans []string
	for _, rec := range r.tasks[0].outputs[""].records {
		w := rec.Value.(WindowResult[string, int64])
		spans = append(spans, time.UnixMilli(w.Start).UTC().Format("15:04")+"-"+time.UnixMilli(w.End).UTC().Format("15:04"))
	}
	if want := []string{"12:00-13:00", "17:00-18:00"}; !slices.Equal(spans, want) {
		t.Fatalf("windows %v, want %v", spans, want)
	}
}

// S70 and border 12: an offset of 15 minutes gives 1:15-2:15, one of -8 h the local days of China, and
// times before 1970 round down.
func TestS70_Offset(t *testing.T) {
	window := func(w TumblingWindows, ts int64) string {
		r := newRig(t, 1, func(in *Stream[fare]) { Aggregate(fares(in).Window(w), "tips", sumTips{}) })
		r.record(fare{"a", 1}, ts)
		r.finish()
		res := r.tasks[0].outputs[""].records[0].Value.(WindowResult[string, int64])
		return fmt.Sprint(time.Duration(res.Start)*time.Millisecond, " ", time.Duration(res.End)*time.Millisecond)
	}
	hour := time.Hour.Milliseconds()
	for _, c := range []struct {
		windows TumblingWindows
		ts      int64
		want    string
	}{
		{Tumbling(time.Hour).Offset(15 * time.Minute), 2 * hour, "1h15m0s 2h15m0s"},
		{Tumbling(time.Hour).Offset(15 * time.Minute), hour * 5 / 4, "1h15m0s 2h15m0s"},
		{Tumbling(24 * time.Hour).Offset(-8 * time.Hour), 15 * hour, "-8h0m0s 16h0m0s"},
		{Tumbling(24 * time.Hour).Offset(-8 * time.Hour), 16 * hour, "16h0m0s 40h0m0s"},
		{Tumbling(time.Hour), -1, "-1h0m0s 0s"},
		{Tumbling(time.Hour), -hour, "-1h0m0s 0s"},
	} {
		if got := window(c.windows, c.ts); got != c.want {
			t.Errorf("%v, %d: %s, want %s", c.windows, c.ts, got, c.want)
		}
	}
}

// Records at the limits of event time have windows; one without a time has none, and the error
// says what to do.
func TestWindowAtTheLimits(t *testing.T) {
	r := newRig(t, 1, tips(0, false))
	r.feed([]fare{{"a", 1}, {"a", 2}}, []int64{messages.MinEventTime, messages.MaxEventTime})
	r.mark(messages.MaxEventTime)
	r.finish()
	if got := len(r.tasks[0].outputs[""].records); got != 2 {
		t.Fatalf("%d results, want 2", got)
	}
	r.start(1, nil)
	b := &plan.Batch{Values: &[]fare{{"a", 1}}, Times: []int64{NoTime}, Hashes: []uint64{1}}
	if err := r.tasks[0].instance.Process(0, b); err == nil || !strings.Contains(err.Error(), "without an event time") {
		t.Fatalf("a record without a time: %v", err)
	}
	if ts, _, _, ok := r.tasks[0].instance.(plan.RecordCursor).Cursor(); !ok || ts != NoTime {
		t.Fatalf("cursor at %d, %v", ts, ok)
	}
}

// S62: a window keeps one accumulator a key, however many records there are.
func TestS62_Incremental(t *testing.T) {
	r := newRig(t, 1, tips(0, false))
	for i := range int64(1000) {
		r.record(fare{"a", 1}, i%10)
	}
	if n := r.entries(); n != 1 {
		t.Fatalf("%d entries for 1000 records of one key", n)
	}
	one, _ := bytesOf(r.snapshot())
	r.record(fare{"a", 1}, 0)
	if more, _ := bytesOf(r.snapshot()); more != one {
		t.Fatalf("a snapshot of %d bytes grew to %d with a record", one, more)
	}
}

func bytesOf(s *rigSnapshot) (n, groups int) {
	for _, g := range s.groups {
		for _, b := range g {
			n += len(b)
			if len(b) > 0 {
				groups++
			}
		}
	}
	return n, groups
}

// ReduceWindow starts from the first record, not from a zero.
func TestReduceWindow(t *testing.T) {
	r := newRig(t, 1, func(in *Stream[fare]) {
		ReduceWindow(fares(in).Window(Tumbling(millis(10))), "least", func(a, b fare) fare {
			return fare{a.Driver, min(a.Tip, b.Tip)}
		})
	})
	r.feed([]fare{{"a", 7}, {"a", 5}, {"a", 6}, {"a", 3}}, []int64{1, 2, 3, 11})
	r.finish()
	wantLog(t, r, "", lines("{a 0 10 {a 5}} @9", "{a 10 20 {a 3}} @19", "-- end"))
}

// pair is an accumulator that Add changes in place.
type pair struct{ Tips []int64 }

type collectTips struct{}

func (collectTips) CreateAccumulator() *pair { return &pair{} }
func (collectTips) Add(p *pair, f fare) *pair {
	p.Tips = append(p.Tips, 0)
	copy(p.Tips[1:], p.Tips)
	p.Tips[0] = f.Tip
	return p
}
func (collectTips) Merge(a, b *pair) *pair { panic("not asked of tumbling windows") }
func (collectTips) Result(p *pair) string  { return fmt.Sprint(p.Tips) }

// S93 in little: accumulators changed in place after the barrier are in the snapshot as they were at it.
func TestS93_FrozenAccumulators(t *testing.T) {
	collect := func(in *Stream[fare]) {
		Aggregate(fares(in).Window(Tumbling(millis(10))), "tips", collectTips{})
	}
	feed := func(r *rig[fare], from, to int64) {
		for i := from; i < to; i++ {
			r.record(fare{fmt.Sprint(i % 4), i}, i%20)
		}
	}
	r, undisturbed := newRig(t, 2, collect), newRig(t, 2, collect)
	feed(r, 0, 40)
	feed(undisturbed, 0, 40)
	frozen := r.freeze()
	feed(r, 40, 80)
	r.start(3, r.write(frozen))
	r.finish()
	undisturbed.finish()
	if got, want := r.sorted(""), undisturbed.sorted(""); !slices.Equal(got, want) {
		t.Fatalf("%v\nwant %v", got, want)
	}
}

// S110: what was late before a restart is late after it, and a window that fired and went before the
// snapshot does not fire again, at any parallelism.
func TestS110_WatermarkSurvives(t *testing.T) {
	for _, p := range []int{1, 2, 3, 5} {
		r := newRig(t, 2, tips(3, true))
		r.feed([]fare{{"a", 1}, {"b", 1}, {"c", 1}, {"a", 10}}, []int64{1, 2, 3, 14}, at(4, 12))
		before := r.sorted("")
		if len(before) != 3 {
			t.Fatalf("%v fired, want three", before)
		}
		r.rescale(p)
		r.feed([]fare{{"a", 2}, {"b", 2}, {"c", 2}}, []int64{9, 9, 9})
		if got := r.sorted("late"); !slices.Equal(got, []string{"{a 2} @9", "{b 2} @9", "{c 2} @9"}) {
			t.Fatalf("p=%d: late after restore: %v", p, got)
		}
		r.mark(13)
		if got := r.sorted(""); !slices.Equal(got, before) {
			t.Fatalf("p=%d: fired again: %v", p, got)
		}
		r.finish()
		if got := r.sorted(""); len(got) != 4 || !slices.Contains(got, "{a 10 20 10} @19") {
			t.Fatalf("p=%d: %v", p, got)
		}
	}
}

// twin is the dumb version of a window operator: it keeps every record for ever, looks at all of them at
// every step, and has a clock for every key group.
type twin struct {
	size, offset, lateness int64
	clock                  map[messages.KeyGroup]int64
	kept                   []twinRecord
	results, late          []string
}

type twinRecord struct {
	fare
	time, end int64
	group     messages.KeyGroup
}

func newTwin(size, offset, lateness int64) *twin {
	w := &twin{size: size, offset: offset, lateness: lateness, clock: map[messages.KeyGroup]int64{}}
	for g := range messages.KeyGroup(plan.DefaultMaxParallelism) {
		w.clock[g] = messages.NoWatermark
	}
	return w
}

func (w *twin) record(f fare, ts int64) {
	g := groupOfDriver(f.Driver)
	end := int64(math.Floor(float64(ts-w.offset)/float64(w.size)))*w.size + w.offset + w.size
	if end-1+w.lateness <= w.clock[g] {
		w.late = append(w.late, fmt.Sprintf("%v @%d", f, ts))
		return
	}
	w.kept = append(w.kept, twinRecord{f, ts, end, g})
	if end-1 <= w.clock[g] {
		w.fire(f.Driver, end)
	}
}

func (w *twin) mark(watermark int64, groups messages.KeyGroupRange) {
	type due struct {
		driver string
		end    int64
	}
	fires := map[due]bool{}
	for _, rec := range w.kept {
		if old := w.clock[rec.group]; groups.Contains(rec.group) && old < rec.end-1 && rec.end-1 <= watermark {
			fires[due{rec.Driver, rec.end}] = true
		}
	}
	for d := range fires {
		w.fire(d.driver, d.end)
	}
	for g := groups.From; g < groups.To; g++ {
		w.clock[g] = max(w.clock[g], watermark)
	}
}

func (w *twin) fire(driver string, end int64) {
	sum := int64(0)
	for _, rec := range w.kept {
		if rec.Driver == driver && rec.end == end {
			sum += rec.Tip
		}
	}
	w.results = append(w.results, fmt.Sprintf("{%s %d %d %d} @%d", driver, end-w.size, end, sum, end-1))
}

// feedFares hands fares of one time to operator and twin.
func feedFares(r *rig[fare], dumb *twin, drivers []string, ts, tip int64) {
	var values []fare
	var times []int64
	for i, d := range drivers {
		values, times = append(values, fare{d, tip + int64(i)}), append(times, ts)
		dumb.record(values[i], ts)
	}
	r.feed(values, times)
}

func groupOfDriver(driver string) messages.KeyGroup {
	b := &plan.Batch{Values: &[]string{driver}, Times: []int64{0}}
	newKeyer(func(s string) string { return s }, mustCodec[string]()).Hash(b)
	return messages.KeyGroupOf(b.Hashes[0], plan.DefaultMaxParallelism)
}

// S51, S64-S67, S70, S89, S110: on any input (disorder, duplicates, equal and negative times), with subtasks
// whose watermarks differ, and with snapshots restored at any parallelism between any two steps, results
// and late records are those of the dumb twin.
func TestWindowEqualsDumbTwin(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		size := rapid.Int64Range(1, 30).Draw(t, "size")
		offset := rapid.Int64Range(-40, 40).Draw(t, "offset")
		lateness := rapid.SampledFrom([]int64{0, 0, 1, 7, 60}).Draw(t, "lateness")
		r := newRig(t, rapid.IntRange(1, 3).Draw(t, "parallelism"), func(in *Stream[fare]) {
			w := fares(in).Window(Tumbling(millis(size)).Offset(millis(offset))).AllowedLateness(millis(lateness))
			Aggregate(w.SideOutputLate(NewTag[fare]("late")), "tips", sumTips{})
		})
		dumb := newTwin(size, offset, lateness)
		for range rapid.IntRange(0, 80).Draw(t, "steps") {
			switch rapid.IntRange(0, 9).Draw(t, "what") {
			default: // one record, or one of every driver in one batch
				from := rapid.SampledFrom([]int{0, 1, 2, 3, 4, 5, -1, -1}).Draw(t, "driver")
				drivers := []string{"a", "b", "c", "d", "e", "f"}
				if from >= 0 {
					drivers = drivers[from : from+1]
				}
				ts := rapid.Int64Range(-50, 50).Draw(t, "time")
				feedFares(r, dumb, drivers, ts, rapid.Int64Range(1, 9).Draw(t, "tip"))
			case 7, 8: // some subtasks only, all of them mostly
				wm := rapid.Int64Range(-60, 60).Draw(t, "watermark")
				only := rapid.IntRange(-3, len(r.tasks)-1).Draw(t, "subtask")
				for i, task := range r.tasks {
					if (only < 0 || i == only) && wm > task.watermark {
						r.must(task.process(&plan.Batch{Values: &[]fare{}, Marks: []plan.Mark{at(0, wm)}}))
						dumb.mark(wm, task.groups)
					}
				}
			case 9:
				r.rescale(rapid.IntRange(1, 4).Draw(t, "parallelism"))
			}
		}
		dumb.mark(messages.MaxWatermark, messages.KeyGroupRange{To: plan.DefaultMaxParallelism})
		r.finish()
		sort.Strings(dumb.results)
		sort.Strings(dumb.late)
		if got := r.sorted(""); !slices.Equal(got, dumb.results) {
			t.Fatalf("results %v\nwant %v", got, dumb.results)
		}
		if got := r.sorted("late"); !slices.Equal(got, dumb.late) {
			t.Fatalf("late %v\nwant %v", got, dumb.late)
		}
		if n := r.entries(); n != 0 {
			t.Fatalf("%d entries left at the end", n)
		}
	})
}
