package main

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"
	"pgregory.net/rapid"

	"github.com/weirflow/weir/messages"
	"github.com/weirflow/weir/operators/plan"
)

// S80: the end of an hour is ts − ts%d + d − 1, at h:00:00.000 and h:59:59.999 as well, and before 1970.
func TestS80_LastMs(t *testing.T) {
	for _, c := range []struct{ at, want int64 }{
		{0, hourMs - 1}, {1, hourMs - 1}, {hourMs - 1, hourMs - 1}, {hourMs, 2*hourMs - 1},
		{-1, -1}, {-hourMs, -1}, {-hourMs - 1, -hourMs - 1}, {10*hourMs + 1234, 11*hourMs - 1},
	} {
		if got := lastMs(c.at); got != c.want {
			t.Errorf("lastMs(%d) = %d, want %d", c.at, got, c.want)
		}
	}
}

// S79, S80, S81 step by step: each line of a script goes to all three computations, and what they emit, call late
// and keep is written behind it. Windows and hours kept by hand do the same at every step.
func TestScripts(t *testing.T) {
	datadriven.Walk(t, "testdata/scripts", func(t *testing.T, path string) {
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			rigs := threeRigs(t)
			var log strings.Builder
			for id, line := range strings.Split(d.Input, "\n") {
				trips, marks := parseLine(t, line, id+1)
				fmt.Fprintln(&log, line)
				shown := map[string]string{}
				for _, by := range computations {
					rigs[by].feed(trips, marks...)
					shown[by] = show(rigs[by].take(), rigs[by].entries())
					fmt.Fprintf(&log, "  %-8s%s\n", by, shown[by])
				}
				if shown[byWindows] != shown[byHand] {
					t.Errorf("S79: %s: windows: %s; by hand: %s", line, shown[byWindows], shown[byHand])
				}
			}
			return log.String()
		})
	})
}

// parseLine reads "trip DRIVER TIME CENTS", "watermark TIME" or "end".
func parseLine(t *testing.T, line string, id int) ([]Trip, []plan.Mark) {
	words := strings.Fields(line)
	switch {
	case len(words) == 4 && words[0] == "trip":
		cents, err := strconv.ParseInt(words[3], 10, 64)
		if err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		return []Trip{{ID: int64(id), Driver: words[1], PickupMs: clockTime(t, words[2]), TipCents: cents}}, nil
	case len(words) == 2 && words[0] == "watermark":
		return nil, []plan.Mark{{Watermark: clockTime(t, words[1])}}
	case line == "end":
		return nil, []plan.Mark{{Watermark: messages.MaxWatermark}}
	}
	t.Fatalf("%q is no line of a script", line)
	return nil, nil
}

// clockTime reads a time of the first day of 1970.
func clockTime(t *testing.T, text string) int64 {
	at, err := time.Parse("15:04:05.000", text)
	if err != nil {
		t.Fatal(err)
	}
	return at.AddDate(1970, 0, 0).UnixMilli()
}

func show(o outcome, open int) string {
	var parts []string
	for _, h := range o.Hours {
		parts = append(parts, fmt.Sprintf("%s until %s: %d", h.Driver, time.UnixMilli(h.LastMs).UTC().Format("15:04:05.000"), h.Cents))
	}
	for _, l := range o.Late {
		parts = append(parts, fmt.Sprintf("late %s %s %d", l.Driver, l.at().Format("15:04:05.000"), l.TipCents))
	}
	return strings.Join(append(parts, fmt.Sprintf("%d open", open)), "; ")
}

// S79 and S81 on any input, watermarks wherever they like: at every batch, windows and hours kept by hand emit the
// same hours and the same late trips, in their order; map, timers and window state have one entry for each open hour and
// driver; at the end there is none. S80: what the stricter rule drops beyond that is exactly what is behind the
// watermark in an hour still open, and without such a trip all three are equal.
func TestS79_S80_S81_AnyWatermarks(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rigs, all := threeRigs(t), map[string]outcome{}
		closed, behind := newTwin(hourIsClosed), newTwin(isBehindClock)
		for events := marked(t); len(events) > 0; {
			n := rapid.IntRange(1, len(events)).Draw(t, "batch")
			trips, marks := batchOf(events[:n])
			closed.work(events[:n])
			behind.work(events[:n])
			events = events[n:]
			got := map[string]outcome{}
			for _, by := range computations {
				rigs[by].feed(trips, marks...)
				got[by] = rigs[by].take()
				all[by] = outcome{append(all[by].Hours, got[by].Hours...), append(all[by].Late, got[by].Late...)}
			}
			same(t, "by hand, against windows", got[byHand], got[byWindows])
			if w, h, s := rigs[byWindows].entries(), rigs[byHand].entries(), rigs[byClock].entries(); w != closed.open() || h != closed.open() || s != behind.open() {
				t.Fatalf("open hours: windows %d, by hand %d, strict %d; want %d, %d, %d", w, h, s, closed.open(), closed.open(), behind.open())
			}
		}
		if closed.open() != 0 || behind.open() != 0 {
			t.Fatalf("the end left %d and %d hours open", closed.open(), behind.open())
		}
		same(t, "windows", all[byWindows].sorted(), closed.outcome())
		same(t, "strict", all[byClock].sorted(), behind.outcome())
		if more := len(behind.late) - len(closed.late); more != closed.behind || closed.behind == 0 && all[byClock].compare(all[byWindows].sorted()) != nil {
			t.Fatalf("%d trips are behind the watermark in an open hour; the stricter rule drops %d more than windows", closed.behind, more)
		}
	})
}

func same(t *rapid.T, what string, got, want outcome) {
	t.Helper()
	if err := got.compare(want); err != nil {
		t.Fatalf("%s: %v", what, err)
	}
}

// event is a trip or, without one, a watermark.
type event struct {
	trip      *Trip
	watermark int64
}

// marked draws trips with watermarks among them, which end with the last one.
func marked(t *rapid.T) []event {
	var events []event
	clock := int64(messages.NoWatermark)
	for _, trip := range disordered(t) {
		events = append(events, event{trip: &trip})
		w := nearBorder(t, trip.PickupMs-rapid.Int64Range(-hourMs, 2*hourMs).Draw(t, "behind"))
		if w > clock && rapid.Bool().Draw(t, "mark") {
			events, clock = append(events, event{watermark: w}), w
		}
	}
	return append(events, event{watermark: messages.MaxWatermark})
}

// batchOf makes a batch of events, marks at their places.
func batchOf(events []event) (trips []Trip, marks []plan.Mark) {
	for _, e := range events {
		if e.trip == nil {
			marks = append(marks, plan.Mark{Index: len(trips), Watermark: e.watermark})
		} else {
			trips = append(trips, *e.trip)
		}
	}
	return trips, marks
}

// twin is a dumb program for the same: it keeps every trip that it took.
type twin struct {
	tooLate   rule
	watermark int64
	taken     []Trip
	late      []Trip
	behind    int // taken although behind the watermark
}

func newTwin(tooLate rule) *twin { return &twin{tooLate: tooLate, watermark: messages.NoWatermark} }

func (w *twin) work(events []event) {
	for _, e := range events {
		switch {
		case e.trip == nil:
			w.watermark = e.watermark
		case w.tooLate(e.trip.PickupMs, hourEnd(*e.trip), w.watermark):
			w.late = append(w.late, *e.trip)
		default:
			w.taken = append(w.taken, *e.trip)
			if e.trip.PickupMs <= w.watermark {
				w.behind++
			}
		}
	}
}

func hourEnd(t Trip) int64 {
	return t.at().Truncate(time.Hour).Add(time.Hour - time.Millisecond).UnixMilli()
}

// open counts the hours and drivers that are open.
func (w *twin) open() int {
	seen := map[HourTips]bool{}
	for _, t := range w.taken {
		if hourEnd(t) > w.watermark {
			seen[HourTips{Driver: t.Driver, LastMs: hourEnd(t)}] = true
		}
	}
	return len(seen)
}

// outcome is what must have come out by the end of the input.
func (w *twin) outcome() outcome {
	sums := map[HourTips]int64{}
	for _, t := range w.taken {
		sums[HourTips{Driver: t.Driver, LastMs: hourEnd(t)}] += t.TipCents
	}
	o := outcome{Late: slices.Clone(w.late)}
	for h, cents := range sums {
		h.Cents = cents
		o.Hours = append(o.Hours, h)
	}
	return o.sorted()
}
