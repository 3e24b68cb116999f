package operators_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/weirflow/weir/messages"
	"github.com/weirflow/weir/operators"
	"github.com/weirflow/weir/operators/operatortest"
)

type visit struct {
	Page string
	N    int64
}

func pageOf(v visit) string { return v.Page }

// total and every fold visits, in a number and in a list that is changed in place.
type total struct{}

func (total) CreateAccumulator() int64     { return 0 }
func (total) Add(sum int64, v visit) int64 { return sum + v.N }
func (total) Merge(a, b int64) int64       { return a + b }
func (total) Result(sum int64) int64       { return sum }

type every struct{}

func (every) CreateAccumulator() []int64       { return nil }
func (every) Add(all []int64, v visit) []int64 { return append(all, v.N) }
func (every) Merge(a, b []int64) []int64       { return append(a, b...) }
func (every) Result(all []int64) (checksum int64) {
	for _, n := range all {
		checksum += n + 1_000_000
	}
	return checksum
}

// quickCase is windows that have an operator of their own, which the general one, that
// of windows with any trigger, can do as well.
type quickCase struct {
	late     operators.Tag[visit]
	windows  func(k *operators.KeyedStream[string, visit]) *operators.WindowedStream[string, visit]
	lateness int64
	lists    bool
}

func (c *quickCase) build(general bool) func(in *operators.Stream[visit]) *operators.Stream[operators.WindowResult[string, int64]] {
	return func(in *operators.Stream[visit]) *operators.Stream[operators.WindowResult[string, int64]] {
		w := c.windows(operators.KeyBy(in, pageOf)).AllowedLateness(millis(c.lateness)).SideOutputLate(c.late)
		if general {
			w = operators.Triggered(w, operators.Trigger[visit, operators.EarlyState](operators.AfterWatermark[visit]()))
		}
		if c.lists {
			return operators.Aggregate[string, visit, []int64, int64](w, "visits", every{})
		}
		return operators.Aggregate[string, visit, int64, int64](w, "visits", total{})
	}
}

func millis(n int64) time.Duration { return time.Duration(n) * time.Millisecond }

// S52, S64-S67, S70, S72, S89, S110: sliding windows by slices give what a copy for each window gives, with any
// size, slide and offset, disorder, lateness, restores and rescaling.
func TestSlicedWindowsEqualCopies(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		size, slide := rapid.Int64Range(1, 40).Draw(t, "size"), rapid.Int64Range(1, 40).Draw(t, "slide")
		w := operators.Sliding(millis(size), millis(slide)).Offset(millis(rapid.Int64Range(-50, 50).Draw(t, "offset")))
		quickEqualsGeneral(t, func(k *operators.KeyedStream[string, visit]) *operators.WindowedStream[string, visit] {
			return k.Window(w)
		})
	})
}

// S53, S64-S67, S73, S89, S110: likewise sessions, of one gap or of one for each record.
func TestQuickSessionsEqualGeneralOnes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		gap := rapid.Int64Range(1, 40).Draw(t, "gap")
		quickEqualsGeneral(t, func(k *operators.KeyedStream[string, visit]) *operators.WindowedStream[string, visit] {
			return k.Window(operators.Session(millis(gap)))
		})
		quickEqualsGeneral(t, func(k *operators.KeyedStream[string, visit]) *operators.WindowedStream[string, visit] {
			return k.WindowBy(operators.SessionBy(func(v visit) time.Duration { return millis(1 + v.N*gap/4) }))
		})
	})
}

func quickEqualsGeneral(t *rapid.T, windows func(k *operators.KeyedStream[string, visit]) *operators.WindowedStream[string, visit]) {
	c := &quickCase{late: operators.NewTag[visit]("late"), windows: windows}
	c.lateness = rapid.SampledFrom([]int64{0, 0, 1, 7, 60}).Draw(t, "lateness")
	c.lists = rapid.Bool().Draw(t, "lists")
	quick, general := operatortest.Keyed(t, c.build(false)), operatortest.Keyed(t, c.build(true))
	clock := int64(-100)
	for range rapid.IntRange(0, 60).Draw(t, "steps") {
		switch rapid.IntRange(0, 9).Draw(t, "what") {
		default:
			v := visit{rapid.SampledFrom([]string{"a", "b", "c"}).Draw(t, "page"), rapid.Int64Range(1, 9).Draw(t, "n")}
			ts := rapid.Int64Range(-100, 100).Draw(t, "time")
			quick.Process(v, ts)
			general.Process(v, ts)
		case 7, 8:
			clock += rapid.Int64Range(0, 30).Draw(t, "watermark")
			quick.Watermark(clock)
			general.Watermark(clock)
		case 9:
			p := rapid.IntRange(1, 3).Draw(t, "parallelism")
			quick.Restore(quick.Snapshot(), p)
			general.Restore(general.Snapshot(), p)
		}
		c.same(t, quick, general)
	}
	quick.Watermark(messages.MaxWatermark)
	general.Watermark(messages.MaxWatermark)
	c.same(t, quick, general)
	if n := quick.StateSize() + quick.Timers(); n != 0 {
		t.Fatalf("%d entries left at the end", n)
	}
}

func (c *quickCase) same(t *rapid.T, quick, general *operatortest.Harness[visit, operators.WindowResult[string, int64]]) {
	if a, b := sorted(quick.Output()), sorted(general.Output()); !slices.Equal(a, b) {
		t.Fatalf("results %v\nthe general operator's %v", a, b)
	}
	if a, b := operatortest.Side(quick, c.late), operatortest.Side(general, c.late); fmt.Sprint(a) != fmt.Sprint(b) {
		t.Fatalf("late %v\nthe general operator's %v", a, b)
	}
	for _, counter := range []string{"records_outside_windows", "window_assignments"} {
		if a, b := quick.Counter(counter), general.Counter(counter); a != b {
			t.Fatalf("%s %d, the general operator's %d", counter, a, b)
		}
	}
}

func sorted[R any](records []operatortest.Record[R]) (all []string) {
	for _, r := range records {
		all = append(all, fmt.Sprint(r.Value, "@", r.Time))
	}
	slices.Sort(all)
	return all
}

// S68: 24 h by 15 min puts each record into 96 windows; in state it is in one slice.
func TestS68_SlidingAssignments(t *testing.T) {
	c := &quickCase{late: operators.NewTag[visit]("late"), windows: func(k *operators.KeyedStream[string, visit]) *operators.WindowedStream[string, visit] {
		return k.Window(operators.Sliding(24*time.Hour, 15*time.Minute))
	}}
	h := operatortest.Keyed(t, c.build(false))
	for i := range int64(10) {
		h.Process(visit{"a", 1}, i)
	}
	if n, state := h.Counter("window_assignments"), h.StateSize(); n != 960 || state != 1 {
		t.Errorf("%d assignments, want 960; %d entries in state, want 1", n, state)
	}
	h.End()
	if got := h.Output(); len(got) != 96 || got[0].Value.Value != 10 {
		t.Errorf("%d results, want 96 of 10 records: %v", len(got), got)
	}
}
