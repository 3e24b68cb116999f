package window

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/weirflow/weir/messages"
)

func drawSlices(t *rapid.T) (Sliding, Slices) {
	size, slide := rapid.Int64Range(1, 30).Draw(t, "size"), rapid.Int64Range(1, 30).Draw(t, "slide")
	offset := rapid.Int64Range(-40, 40).Draw(t, "offset")
	return NewSliding(size, slide, offset), NewSlices(size, slide, offset)
}

// S52, S70: the windows that hold a record's slice are those that hold the record, before 1970 as well, and a window
// is just its slices.
func TestSlicesAreTheWindowsOfARecord(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		sliding, s := drawSlices(t)
		ts := rapid.Int64Range(-200, 200).Draw(t, "ts")
		n := s.Of(ts)
		if !s.Slice(n).Contains(ts) {
			t.Fatalf("%d in slice %d, %v", ts, n, s.Slice(n))
		}
		var got []Window
		for k := s.First(n); k <= s.Last(n); k++ {
			got = append(got, s.Window(k))
			from, to := s.Range(k)
			if s.Slice(from).Start != s.Window(k).Start || s.Slice(to-1).End != s.Window(k).End {
				t.Fatalf("window %v of slices %v to %v", s.Window(k), s.Slice(from), s.Slice(to-1))
			}
		}
		if want := sliding.Assign(ts, nil); !slices.Equal(got, want) {
			t.Fatalf("%d in %v, want %v", ts, got, want)
		}
		if s.InGap(n) != (len(got) == 0) {
			t.Fatalf("slice %d in a gap: %v, in windows %v", n, s.InGap(n), got)
		}
	})
}

// S64, S66: the first window of a slice that a watermark does not end is the first of them that Window.ClearAt says is
// not over; and a window is the last of the slices that leave with it.
func TestSlicesEndWithTheirWindows(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		_, s := drawSlices(t)
		n := rapid.Int64Range(-100, 100).Draw(t, "slice")
		lateness := rapid.SampledFrom([]int64{0, 1, 20, math.MaxInt64}).Draw(t, "lateness")
		watermark := rapid.OneOf(rapid.Int64Range(-200, 200), rapid.SampledFrom([]int64{messages.NoWatermark, messages.MaxWatermark})).Draw(t, "watermark")
		want := s.First(n)
		for want <= s.Last(n) && s.Window(want).ClearAt(lateness) <= watermark {
			want++
		}
		if got := s.FirstAfter(n, lateness, watermark); got != want && !s.InGap(n) {
			t.Fatalf("slice %d, lateness %d, watermark %d: first window %d, want %d", n, lateness, watermark, got, want)
		}
		for k := s.First(n); k <= s.Last(n); k++ {
			if got := s.Number(s.Window(k)); got != k {
				t.Fatalf("window %d, %v, has the number %d", k, s.Window(k), got)
			}
			from, to := s.Leaving(k)
			if leaves := from <= n && n < to; leaves != (k == s.Last(n)) {
				t.Fatalf("slice %d of windows %d to %d leaves with window %d: %v", n, s.First(n), s.Last(n), k, leaves)
			}
		}
	})
}

// The ends of event time overflow nowhere.
func TestSlicesAtTheEndsOfTime(t *testing.T) {
	for _, ts := range []int64{messages.MinEventTime, messages.MaxEventTime} {
		for _, size := range []int64{1, 1000, MaxSize} {
			o := NewSliced(NewSlices(size, size, 0), 0, messages.NoWatermark)
			n := o.Of(ts)
			o.Add(n)
			var fired []Window
			empty, err := o.Advance(messages.MaxWatermark, func(k int64) error {
				fired = append(fired, o.Window(k))
				return nil
			})
			if err != nil || !empty || len(fired) != 1 || !fired[0].Contains(ts) {
				t.Errorf("%d in windows of %d: fired %v, empty %v, %v", ts, size, fired, empty, err)
			}
		}
	}
}

// Every window with something in it fires once, in order, at the first watermark that reaches its last millisecond; a
// slice is let go of when its last window's lateness is over: as a list that is asked at every step has it.
func TestSlicedEqualsDumbTwin(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		sliding, s := drawSlices(t)
		lateness := rapid.Int64Range(0, 30).Draw(t, "lateness")
		o, clock := NewSliced(s, lateness, messages.NoWatermark), messages.NoWatermark
		live, fired := map[int64]bool{}, map[Window]bool{}
		for range rapid.IntRange(0, 40).Draw(t, "steps") {
			if rapid.Bool().Draw(t, "record") {
				ts := rapid.Int64Range(-100, 100).Draw(t, "ts")
				n := s.Of(ts)
				windows := sliding.Assign(ts, nil)
				if len(windows) == 0 {
					continue
				}
				late := windows[len(windows)-1].ClearAt(lateness) <= clock
				if o.TooLate(n, clock) != late || o.Fresh(n, clock) != (windows[0].MaxTimestamp() > clock) {
					t.Fatalf("%d at %d: too late %v, fresh %v", ts, clock, o.TooLate(n, clock), o.Fresh(n, clock))
				}
				if !late {
					o.Add(n)
					live[n] = true
				}
				continue
			}
			to := max(clock, rapid.Int64Range(-120, 160).Draw(t, "watermark"))
			want := dueOver(s, live, fired, clock, to)
			for n := range live {
				if s.Window(s.Last(n)).ClearAt(lateness) <= to {
					delete(live, n)
				}
			}
			var got []Window
			if clock = to; !o.Pass(to) {
				empty, _ := o.Advance(to, func(k int64) error {
					got = append(got, s.Window(k))
					return nil
				})
				if empty != (len(live) == 0) {
					t.Fatalf("empty %v at %d, %d slices", empty, to, len(live))
				}
			}
			if fmt.Sprint(got) != fmt.Sprint(want) {
				t.Fatalf("%d fires %v, want %v", to, got, want)
			}
		}
	})
}

// dueOver looks at every window of every slice.
func dueOver(s Slices, live map[int64]bool, fired map[Window]bool, clock, to int64) (due []Window) {
	for n := range live {
		for k := s.First(n); k <= s.Last(n); k++ {
			if w := s.Window(k); w.MaxTimestamp() > clock && w.MaxTimestamp() <= to && !fired[w] {
				fired[w] = true
				due = append(due, w)
			}
		}
	}
	slices.SortFunc(due, func(a, b Window) int { return int(a.Start - b.Start) })
	return due
}
