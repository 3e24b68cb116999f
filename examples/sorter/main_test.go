package main

import (
	"bytes"
	"strings"
	"testing"

	"github.com/weirflow/weir/messages"
	"github.com/weirflow/weir/operators/operatortest"
)

// S42: the stream sorter on 4 2 7 11 9 15 12 13 17 14 21 24 22 19 23 emits in the
// order of event times; 2 leaves only when the watermark reaches 2, nothing is
// emitted before its watermark, and at the end of the input all 15 are out, sorted.
func TestSorterScript(t *testing.T) {
	s := operatortest.NewScript[Event, Sorted]()
	came := func(times ...int64) *operatortest.Script[Event, Sorted] {
		for _, ms := range times {
			s.Process(Event{ms}, ms)
		}
		return s
	}
	came(4, 2, 7).Watermark(1).Expect() // one before 2
	s.Watermark(2).Expect(left(2, 2)...)
	came(11, 9, 15).Watermark(9).Expect(left(9, 4, 7, 9)...)
	came(12, 13, 17, 14).Expect()
	s.Watermark(11).Expect(left(11, 11)...)
	came(21, 24).Watermark(18).Expect(left(18, 12, 13, 14, 15, 17)...)
	came(22, 19, 23).Expect()
	s.End().Expect(left(messages.MaxWatermark, 19, 21, 22, 23, 24)...)
	operatortest.RunScript(t, sortAll, operatortest.ExpectSide(s, lateTag))
}

// left is events on their way out, let go by a watermark.
func left(watermark int64, times ...int64) (all []operatortest.Record[Sorted]) {
	for _, ms := range times {
		all = append(all, operatortest.At(Sorted{Time: ms, Watermark: watermark}, ms))
	}
	return all
}

// S43: buffering is needed, infinite waiting is not allowed, a policy decides. No
// watermark, no output; watermark t releases exactly all buffered events with
// times ≤ t.
func TestWatermarkDecides(t *testing.T) {
	for release := int64(0); release <= 25; release++ {
		h := operatortest.Keyed(t, sortAll)
		due := 0
		for _, e := range input {
			h.Process(e, e.Time)
			if e.Time <= release {
				due++
			}
		}
		if got := h.Output(); len(got) > 0 {
			t.Fatalf("without a watermark came %v", got)
		}
		h.Watermark(release)
		got := h.Output()
		if len(got) != due || h.Timers() != len(input)-due || h.StateSize() != len(input)-due {
			t.Errorf("watermark %d released %v, want %d; %d timers and %d entries are left", release, got, due, h.Timers(), h.StateSize())
		}
		for i, r := range got {
			if r.Time > release || i > 0 && r.Time < got[i-1].Time {
				t.Errorf("watermark %d released %v", release, got)
			}
		}
	}
}

// An event behind the watermark is out of order for good: it goes to the side.
func TestLateEvents(t *testing.T) {
	s := operatortest.NewScript[Event, Sorted]().
		Process(Event{4}, 4).Watermark(4).Expect(left(4, 4)...).
		Process(Event{4}, 4).Process(Event{3}, 3).Process(Event{5}, 5).Process(Event{5}, 5).
		Watermark(5).Expect(left(5, 5, 5)...)
	operatortest.RunScript(t, sortAll, operatortest.ExpectSide(s, lateTag, operatortest.At(Event{4}, 4), operatortest.At(Event{3}, 3)))
}

// The program itself: a job with files, its report, and its check.
func TestRun(t *testing.T) {
	var out bytes.Buffer
	if err := run(t.Context(), t.TempDir(), &out); err != nil {
		t.Fatalf("%v\n%s", err, &out)
	}
	for _, want := range []string{
		"in:  [4 2 7 11 9 15 12 13 17 14 21 24 22 19 23]",
		"out: [2 4 7 9 11 12 13 14 15 17 19 21 22 23 24]",
		"   2  came as no.  2, left at watermark 5\n",
		"  24  came as no. 12, left at the end of the input\n",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("the report does not say %q:\n%s", want, &out)
		}
	}
}

// A check that cannot fail proves nothing.
func TestCheckFindsFaults(t *testing.T) {
	var right []Sorted
	for _, ms := range []int64{2, 4, 7, 9, 11, 12, 13, 14, 15, 17, 19, 21, 22, 23, 24} {
		right = append(right, Sorted{ms, ms})
	}
	if err := check(right); err != nil {
		t.Fatal(err)
	}
	early := append([]Sorted(nil), right...)
	early[3].Watermark--
	swapped := append([]Sorted(nil), right...)
	swapped[3], swapped[4] = swapped[4], swapped[3]
	for what, wrong := range map[string][]Sorted{"early": early, "swapped": swapped, "lost": right[1:], "nothing": nil} {
		if check(wrong) == nil {
			t.Errorf("%s passed for right", what)
		}
	}
	if none([]string{"late/0"}) == nil {
		t.Error("a late event passed for right")
	}
}
