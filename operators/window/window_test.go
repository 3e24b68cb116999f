package window

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"
	"pgregory.net/rapid"

	"github.com/weirflow/weir/messages"
)

// S51, S54, S64, S66, S69, S70, S72 and borders 2, 3 and 12, a script each:
//
//	tumbling size=<ms> [offset=<ms>]   set the assigner
//	assign                             times, one a line or field: their windows
//	open [lateness=<ms>] [watermark=<ms>]  begin with no window
//	run                                lines "record <ts>" or "watermark <wm>"
func TestScripts(t *testing.T) {
	datadriven.Walk(t, "testdata/scripts", func(t *testing.T, path string) {
		e := &scriptEnv{tumbling: NewTumbling(10, 0), open: NewOpen[int](0, messages.NoWatermark)}
		datadriven.RunTest(t, path, e.run)
	})
}

type scriptEnv struct {
	tumbling Tumbling
	open     *Open[int]
}

func (e *scriptEnv) run(t *testing.T, d *datadriven.TestData) string {
	var out strings.Builder
	size, offset, lateness, wm := int64(10), int64(0), int64(0), messages.NoWatermark
	d.MaybeScanArgs(t, "size", &size)
	d.MaybeScanArgs(t, "offset", &offset)
	d.MaybeScanArgs(t, "lateness", &lateness)
	d.MaybeScanArgs(t, "watermark", &wm)
	switch d.Cmd {
	case "tumbling":
		e.tumbling = NewTumbling(size, offset)
	case "assign":
		for _, f := range strings.Fields(d.Input) {
			w := e.tumbling.Assign(parse(t, f))
			fmt.Fprintf(&out, "%s in %v, last ms %d\n", f, w, w.MaxTimestamp())
		}
	case "open":
		e.open = NewOpen[int](lateness, wm)
	case "run":
		for _, line := range strings.Split(d.Input, "\n") {
			verb, arg, _ := strings.Cut(line, " ")
			e.step(&out, verb, parse(t, arg))
		}
	default:
		d.Fatalf(t, "unknown command")
	}
	return out.String()
}

func (e *scriptEnv) step(out *strings.Builder, verb string, at int64) {
	fmt.Fprintf(out, "%s %s:", verb, show(at))
	if verb == "record" {
		e.record(out, at)
	} else if e.open.Advance(at) {
		for _, p := range e.open.Due() {
			fmt.Fprintf(out, " fires %v(%d)", p.Window, p.State)
		}
		for _, p := range e.open.Clear() {
			fmt.Fprintf(out, " clears %v", p.Window)
		}
	} else {
		out.WriteString(" nothing")
	}
	fmt.Fprintf(out, "\n   %s\n", e.picture())
}

func (e *scriptEnv) record(out *strings.Builder, ts int64) {
	w, wm := e.tumbling.Assign(ts), e.open.Watermark()
	if e.open.TooLate(w, wm) {
		fmt.Fprintf(out, " too late for %v", w)
		return
	}
	p := e.open.Find(w)
	if p == nil {
		p = e.open.Add(w, 0)
	}
	p.State++
	fmt.Fprintf(out, " into %v", w)
	if w.MaxTimestamp() <= wm {
		fmt.Fprintf(out, " fires again (%d)", p.State)
	}
}

// picture draws the open windows, the clock between those that have fired and
// those that have not.
func (e *scriptEnv) picture() string {
	var parts []string
	for _, p := range e.open.panes[:e.open.fired] {
		parts = append(parts, fmt.Sprintf("%v=%d", p.Window, p.State))
	}
	parts = append(parts, "| "+show(e.open.watermark)+" |")
	for _, p := range e.open.panes[e.open.fired:] {
		parts = append(parts, fmt.Sprintf("%v=%d", p.Window, p.State))
	}
	return strings.Join(parts, " ")
}

func parse(t *testing.T, s string) int64 {
	switch s {
	case "min":
		return messages.MinEventTime
	case "max":
		return messages.MaxEventTime
	case "end":
		return messages.MaxWatermark
	}
	v, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func show(ts int64) string {
	switch ts {
	case messages.NoWatermark:
		return "none"
	case messages.MaxWatermark:
		return "end"
	}
	return strconv.FormatInt(ts, 10)
}

// S70: start = ts - mod(ts - offset, size) for times before and after 1970 and
// at the limits of event time, with any size and offset.
func TestS70_AssignIsExact(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		size := rapid.Int64Range(1, MaxSize).Draw(t, "size")
		offset := rapid.Int64Range(-MaxSize, MaxSize).Draw(t, "offset")
		ts := rapid.Int64Range(messages.MinEventTime, messages.MaxEventTime).Draw(t, "ts")
		tumbling := NewTumbling(size, offset)
		w := tumbling.Assign(ts)
		if !w.Contains(ts) || w.End-w.Start != size {
			t.Fatalf("%d with size %d lies in %v", ts, size, w)
		}
		if aligned := floorMod(w.Start, size) == floorMod(offset, size); !aligned {
			t.Fatalf("%v is not aligned to offset %d", w, offset)
		}
		if tumbling.At(w.Start) != w {
			t.Fatalf("At(%d) = %v, not %v", w.Start, tumbling.At(w.Start), w)
		}
	})
}

// The clearing time of a window at the end of event time does not wrap around.
func TestClearAtSaturates(t *testing.T) {
	w := NewTumbling(MaxSize, 0).Assign(messages.MaxEventTime)
	if got := w.ClearAt(math.MaxInt64); got != math.MaxInt64 {
		t.Fatalf("ClearAt = %d", got)
	}
}

// Any sequence of records and watermarks does what a list without order and
// without deadlines does: every window is asked at every step.
func TestOpenEqualsDumbTwin(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		lateness := rapid.Int64Range(0, 30).Draw(t, "lateness")
		tumbling := NewTumbling(rapid.Int64Range(1, 20).Draw(t, "size"), rapid.Int64Range(-5, 5).Draw(t, "offset"))
		open, twin := NewOpen[struct{}](lateness, messages.NoWatermark), &dumbOpen{lateness: lateness, watermark: messages.NoWatermark}
		for range rapid.IntRange(0, 60).Draw(t, "steps") {
			at := rapid.Int64Range(-60, 60).Draw(t, "at")
			if rapid.Bool().Draw(t, "isWatermark") {
				got, want := advance(open, at), twin.advance(at)
				if !slices.Equal(got, want) {
					t.Fatalf("watermark %d: %v, want %v", at, got, want)
				}
				continue
			}
			w := tumbling.Assign(at)
			if got, want := open.TooLate(w, open.Watermark()), twin.tooLate(w); got != want {
				t.Fatalf("record %d: too late %v, want %v", at, got, want)
			}
			if !twin.tooLate(w) {
				if open.Find(w) == nil {
					open.Add(w, struct{}{})
				}
				twin.add(w)
			}
		}
		if len(open.Panes()) != len(twin.windows) {
			t.Fatalf("%d windows open, want %d", len(open.Panes()), len(twin.windows))
		}
	})
}

func advance(o *Open[struct{}], wm int64) (log []string) {
	if !o.Advance(wm) {
		return nil
	}
	for _, p := range o.Due() {
		log = append(log, "fire "+p.String())
	}
	for _, p := range o.Clear() {
		log = append(log, "clear "+p.String())
	}
	return log
}

type dumbOpen struct {
	lateness, watermark int64
	windows             []Window
}

func (d *dumbOpen) tooLate(w Window) bool { return w.End-1+d.lateness <= d.watermark }

func (d *dumbOpen) add(w Window) {
	if !slices.Contains(d.windows, w) {
		d.windows = append(d.windows, w)
	}
}

func (d *dumbOpen) advance(wm int64) (log []string) {
	old := d.watermark
	d.watermark = max(old, wm)
	slices.SortFunc(d.windows, func(a, b Window) int { return int(a.Start - b.Start) })
	for _, w := range d.windows {
		if old < w.End-1 && w.End-1 <= d.watermark {
			log = append(log, "fire "+w.String())
		}
	}
	for _, w := range d.windows {
		if d.tooLate(w) {
			log = append(log, "clear "+w.String())
		}
	}
	d.windows = slices.DeleteFunc(d.windows, d.tooLate)
	return log
}
