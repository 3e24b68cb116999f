package operators_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/weirflow/weir/messages"
	"github.com/weirflow/weir/operators"
	"github.com/weirflow/weir/operators/operatortest"
)

// row is the record of the tests of joins: one of two streams, which come through one harness.
type row struct{ Side, Key, N int64 }

func rowKey(r row) int64 { return r.Key }

func (r row) String() string { return fmt.Sprintf("%d:%d", r.Key, r.N) }

func ms(n int64) time.Duration { return time.Duration(n) * time.Millisecond }

type (
	rows       = operators.Stream[row]
	texts      = operators.Stream[string]
	bothRows   = operators.Either[row, row]
	coWindowed = operators.WindowedStream[int64, bothRows]
	coFunction = func(c *operators.WindowContext[int64, string], a, b []row) error
)

// sides takes the two streams apart, each by key.
func sides(in *rows) (a, b *operators.KeyedStream[int64, row]) {
	first := in.Filter("first", func(r row) bool { return r.Side == 0 })
	second := in.Filter("second", func(r row) bool { return r.Side == 1 })
	return operators.KeyBy(first, rowKey), operators.KeyBy(second, rowKey)
}

func coWindow(in *rows, w operators.Windows) *coWindowed {
	a, b := sides(in)
	return operators.CoWindow(a, b, w)
}

// shownGroup writes down what a CoGroup gets.
func shownGroup(c *operators.WindowContext[int64, string], a, b []row) error {
	c.Emit(groupText(c.Key(), c.Window(), a, b))
	return nil
}

func groupText(key int64, w operators.Window, a, b []row) string {
	return fmt.Sprintf("%d %v %v %v", key, w, a, b)
}

func pairText(a, b *row) string {
	side := func(r *row) string {
		if r == nil {
			return "none"
		}
		return r.String()
	}
	return side(a) + " " + side(b)
}

// The three joins, all by text.
var joins = map[string]func(w *coWindowed) *texts{
	"inner": func(w *coWindowed) *texts {
		return operators.JoinWindow(w, "join", func(a, b row) string { return pairText(&a, &b) })
	},
	"left": func(w *coWindowed) *texts {
		return operators.LeftJoinWindow(w, "join", func(a row, b *row) string { return pairText(&a, b) })
	},
	"full": func(w *coWindowed) *texts { return operators.FullJoinWindow(w, "join", pairText) },
}

// S50, S51 and border 5: a window of two streams fires when the watermark reaches its last ms and has that as the
// time of its results, pairs the records of one key and one window, each pair once and no other, and keeps nothing
// when it is gone. A record of another key, or at the first ms of the next window, is no partner. The same at any
// parallelism, batch size and after restores.
func TestS50_S51_WindowJoin(t *testing.T) {
	for name, want := range map[string][]string{
		"inner": {"1:1 1:3", "1:1 1:4", "1:2 1:3", "1:2 1:4"},
		"left":  {"1:1 1:3", "1:1 1:4", "1:2 1:3", "1:2 1:4", "2:5 none"},
		"full":  {"none 3:6", "1:1 1:3", "1:1 1:4", "1:2 1:3", "1:2 1:4", "2:5 none"},
	} {
		second := map[string][]string{"inner": nil, "left": {"3:8 none"}, "full": {"3:8 none", "none 1:7"}}[name]
		operatortest.RunScript(t, func(in *rows) *texts { return joins[name](coWindow(in, operators.Tumbling(ms(10)))) },
			operatortest.NewScript[row, string]().
				Process(row{0, 1, 1}, 0).Process(row{1, 1, 3}, 9).Process(row{1, 1, 4}, 5).Process(row{0, 1, 2}, 9).
				Process(row{0, 2, 5}, 3).Process(row{1, 3, 6}, 4).Process(row{1, 1, 7}, 10).Process(row{0, 3, 8}, 11).
				Watermark(8).Expect().
				Watermark(9).Expect(timed(want, 9)...).
				End().Expect(timed(second, 19)...))
	}
}

func timed(values []string, at int64) (all []operatortest.Record[string]) {
	for _, v := range values {
		all = append(all, operatortest.At(v, at))
	}
	return all
}

// S64, S65 and S66, of two streams: each late record fires the window again with all its contents until the lateness
// is over; then it goes to the side output, of whichever stream it is, and the window is gone.
func TestS65_S66_LateInCoGroup(t *testing.T) {
	late := operators.NewTag[bothRows]("late")
	h := operatortest.Keyed(t, func(in *rows) *texts {
		return operators.CoGroup(coWindow(in, operators.Tumbling(ms(10))).AllowedLateness(ms(5)).SideOutputLate(late), "group", shownGroup)
	})
	h.Process(row{0, 1, 1}, 0)
	h.Watermark(9)
	h.Process(row{1, 1, 2}, 3)
	h.Process(row{0, 1, 3}, 3)
	wantTexts(t, h, "1 [0,10) [1:1] [] @9", "1 [0,10) [1:1] [1:2] @9", "1 [0,10) [1:1 1:3] [1:2] @9")
	if n := h.StateSize(); n != entriesPerWindow {
		t.Fatalf("%d entries of state, want the window", n)
	}
	h.Watermark(14)
	if n := h.StateSize() + h.Timers(); n != 0 {
		t.Fatalf("%d entries of state and timers when the window is gone", n)
	}
	h.Process(row{0, 1, 4}, 3)
	h.Process(row{1, 1, 5}, 4)
	wantTexts(t, h)
	sides := operatortest.Side(h, late)
	if got := fmt.Sprint(sides); got != "[1:4 @3 1:5 @4]" {
		t.Fatalf("late: %s", got)
	}
	if _, ok := sides[0].Value.First(); !ok {
		t.Fatal("the first late record is of the first stream")
	}
	if r, ok := sides[1].Value.Second(); !ok || r.N != 5 {
		t.Fatal("the second late record is of the second stream")
	}
	if n := h.Counter("records_late_dropped"); n != 0 {
		t.Fatalf("%d counted as dropped, with a side output", n)
	}
}

func wantTexts(t operatortest.TB, h *operatortest.Harness[row, string], want ...string) {
	t.Helper()
	var got []string
	for _, r := range h.Output() {
		got = append(got, r.String())
	}
	if !slices.Equal(got, want) {
		t.Fatalf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// S49 and S59, of two streams: triggers and evictors are those of windows. Count fires for records of either side,
// sessions merge over both sides, processing time fires by the clock, and an evictor sees both sides as they arrived.
func TestS49_S59_CoWindowsOfEveryKind(t *testing.T) {
	of := func(w func(in *rows) *coWindowed) *operatortest.Harness[row, string] {
		return operatortest.Keyed(t, func(in *rows) *texts { return operators.CoGroup(w(in), "group", shownGroup) })
	}
	h := of(func(in *rows) *coWindowed { return coWindow(in, operators.Session(ms(10))) })
	h.Process(row{0, 1, 1}, 0)
	h.Process(row{1, 1, 2}, 20)
	h.Process(row{1, 1, 3}, 10) // exactly the gap from both
	h.Watermark(29)
	wantTexts(t, h, "1 [0,30) [1:1] [1:2 1:3] @29")

	h = of(func(in *rows) *coWindowed {
		return operators.Triggered(coWindow(in, operators.Tumbling(ms(10))), operators.Trigger[bothRows, int64](operators.Count[bothRows](2)))
	})
	h.Process(row{0, 1, 1}, 0)
	h.Process(row{1, 1, 2}, 1)
	h.Process(row{1, 1, 3}, 2)
	wantTexts(t, h, "1 [0,10) [1:1] [1:2] @9")

	h = of(func(in *rows) *coWindowed {
		return coWindow(in, operators.Tumbling(ms(10))).Evict(operators.KeepLast[bothRows](2))
	})
	h.Process(row{1, 1, 1}, 0)
	h.Process(row{1, 1, 2}, 1)
	h.Process(row{0, 1, 3}, 2)
	h.Watermark(9)
	wantTexts(t, h, "1 [0,10) [1:3] [1:2] @9")

	h = of(func(in *rows) *coWindowed { return coWindow(in, operators.Tumbling(ms(10)).ProcessingTime()) })
	h.Process(row{0, 1, 1}, 70)
	h.Process(row{1, 1, 2}, 7)
	h.AdvanceProcessingTime(ms(9))
	wantTexts(t, h, "1 [0,10) [1:1] [1:2] @9")
	if n := h.StateSize() + h.Timers(); n != 0 {
		t.Fatalf("%d entries of state and timers are left", n)
	}
}

// coStep is a record, or a watermark where the record has no side.
type coStep struct {
	row
	at int64
}

const markSide = 2

// entriesPerWindow: the elements; the default trigger has nothing to remember.
const entriesPerWindow = 1

func coSteps(t *rapid.T) (steps []coStep) {
	clock, keys := int64(0), rapid.Int64Range(1, 4).Draw(t, "keys")
	for i := range rapid.IntRange(0, 80).Draw(t, "steps") {
		s := coStep{row: row{rapid.Int64Range(0, markSide).Draw(t, "side"), rapid.Int64Range(1, keys).Draw(t, "key"), int64(i)}}
		if s.at = clock + rapid.Int64Range(-15, 30).Draw(t, "at"); s.Side == markSide {
			clock += rapid.Int64Range(1, 12).Draw(t, "on")
			s.at = clock
		}
		steps = append(steps, s)
	}
	return steps
}

// coTwin is the dumb version: it keeps every record there ever was, and finds out for each window and key what is in it.
type coTwin struct {
	size, slide, lateness int64
	clock                 int64
	taken                 []coStep // of records that some window took
	out                   []string
	dropped               int64
}

func (w *coTwin) windowsOf(at int64) (all []operators.Window) {
	for start := at - w.size + 1; start <= at; start++ {
		if (start%w.slide+w.slide)%w.slide == 0 {
			all = append(all, operators.Window{Start: start, End: start + w.size})
		}
	}
	return all
}

func (w *coTwin) take(s coStep) {
	if s.Side == markSide {
		w.advance(s.at)
		return
	}
	open := slices.DeleteFunc(w.windowsOf(s.at), func(o operators.Window) bool { return o.End-1+w.lateness <= w.clock })
	if len(open) == 0 {
		w.dropped++
		return
	}
	w.taken = append(w.taken, s)
	for _, o := range open {
		if o.End-1 <= w.clock {
			w.fire(s.Key, o)
		}
	}
}

func (w *coTwin) fire(key int64, o operators.Window) {
	var of [2][]row
	for _, s := range w.taken {
		if s.Key == key && o.Contains(s.at) {
			of[s.Side] = append(of[s.Side], s.row)
		}
	}
	w.out = append(w.out, fmt.Sprintf("%s @%d", groupText(key, o, of[0], of[1]), o.End-1))
}

func (w *coTwin) each(visit func(key int64, o operators.Window)) {
	seen := map[string]bool{}
	for _, s := range w.taken {
		for _, o := range w.windowsOf(s.at) {
			if id := fmt.Sprint(s.Key, o); !seen[id] {
				seen[id] = true
				visit(s.Key, o)
			}
		}
	}
}

func (w *coTwin) advance(clock int64) {
	old := w.clock
	w.clock = clock
	w.each(func(key int64, o operators.Window) {
		if last := o.End - 1; old < last && last <= clock {
			w.fire(key, o)
		}
	})
}

// entries counts the windows of keys that are still there or, where windows overlap and
// share their records, the records that are in one of them.
func (w *coTwin) entries() (n int) {
	open := func(o operators.Window) bool { return o.End-1+w.lateness > w.clock }
	if w.size > w.slide {
		for _, s := range w.taken {
			if slices.ContainsFunc(w.windowsOf(s.at), open) {
				n++
			}
		}
		return n
	}
	w.each(func(_ int64, o operators.Window) {
		if open(o) {
			n += entriesPerWindow
		}
	})
	return n
}

// S50, S51, S52, S66: co-groups equal the twin that keeps everything, for tumbling and sliding windows, any lateness,
// disorder, parallelism and restores: contents of both sides in the order of arrival, firings, times, what is dropped,
// and how many windows, or records that windows share, there are at any time.
func TestCoGroupEqualsItsTwin(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		steps := coSteps(t)
		slide := rapid.Int64Range(2, 12).Draw(t, "slide")
		twin := &coTwin{slide: slide, size: slide * rapid.Int64Range(1, 2).Draw(t, "overlap"), lateness: rapid.Int64Range(0, 1).Draw(t, "late") * 9, clock: messages.NoWatermark}
		h := operatortest.Keyed(t, func(in *rows) *texts {
			w := operators.Windows(operators.Tumbling(ms(slide)))
			if twin.size > slide {
				w = operators.Sliding(ms(twin.size), ms(slide))
			}
			return operators.CoGroup(coWindow(in, w).AllowedLateness(ms(twin.lateness)), "group", shownGroup)
		})
		cut := rapid.IntRange(0, len(steps)).Draw(t, "cut")
		var got []string
		dropped := int64(0)
		take := func() {
			for _, r := range h.Output() {
				got = append(got, r.String())
			}
		}
		for i, s := range steps {
			if i == cut {
				take()
				dropped += h.Counter("records_late_dropped")
				h.Restore(h.Snapshot(), rapid.IntRange(1, 3).Draw(t, "parallelism"))
			}
			if s.Side == markSide {
				h.Watermark(s.at)
			} else {
				h.Process(s.row, s.at)
			}
			twin.take(s)
			if n, want := h.StateSize(), twin.entries(); n != want {
				t.Fatalf("%d entries of state at step %d, want %d", n, i, want)
			}
		}
		h.End()
		twin.advance(messages.MaxWatermark)
		take()
		slices.Sort(got)
		slices.Sort(twin.out)
		if !slices.Equal(got, twin.out) {
			t.Fatalf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(twin.out, "\n"))
		}
		if dropped += h.Counter("records_late_dropped"); dropped != twin.dropped {
			t.Fatalf("%d records dropped, want %d", dropped, twin.dropped)
		}
		if n := h.StateSize() + h.Timers(); n != 0 {
			t.Fatalf("%d entries of state and timers at the end", n)
		}
	})
}

// The operator behind a CoWindow has the two streams as its inputs, of their own types, and nothing else is in the plan.
func TestCoWindowInThePlan(t *testing.T) {
	top := operators.NewTopology("plan").Parallelism(2)
	first := operators.From(top, "first", operators.Slice[row](), operators.Monotonous(func(row) int64 { return 0 }))
	second := operators.From(top, "second", operators.Slice[string](), operators.Monotonous(func(string) int64 { return 0 }))
	w := operators.CoWindow(operators.KeyBy(first, rowKey), operators.KeyBy(second, func(s string) int64 { return int64(len(s)) }), operators.Tumbling(ms(10)))
	operators.JoinWindow(w, "join", func(a row, b string) string { return a.String() + b }).To("out", printer[string]{})
	p, err := top.Build()
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{
		"  join  join  tumbling 10ms; state; event time\n",
		"first → join   hash by int64     cbor:operators_test.row\n",
		"second → join  hash by int64     string\n",
	} {
		if !strings.Contains(p.String(), line) {
			t.Errorf("no %q in\n%s", line, p)
		}
	}
	if n := len(p.Operators); n != 4 {
		t.Errorf("%d operators in\n%s", n, p)
	}
}

// An error, and a panic, of the function of a CoGroup name the window as any other's do; mistakes are told by Build.
func TestCoWindowBuildErrors(t *testing.T) {
	type unfit struct{ F func() }
	in := func(top *operators.Topology, name string) *rows {
		return operators.From(top, name, operators.Slice[row](), operators.Monotonous(func(row) int64 { return 0 }))
	}
	for _, c := range []struct {
		build func(top *operators.Topology)
		want  string
	}{
		{func(top *operators.Topology) {
			a, b := sides(in(top, "in"))
			operators.CoGroup(operators.CoWindow(a, b, operators.Tumbling(ms(1))), "group", coFunction(nil)).To("out", printer[string]{})
		}, `operator "group": its function is nil; give it one`},
		{func(top *operators.Topology) {
			operators.FullJoinWindow(coWindow(in(top, "in"), operators.Tumbling(ms(1))), "join", (func(a, b *row) string)(nil)).To("out", printer[string]{})
		}, `operator "join": its function is nil; give it one`},
		{func(top *operators.Topology) {
			operators.JoinWindow(coWindow(in(top, "in"), operators.Tumbling(ms(1))), "join", (func(a, b row) string)(nil)).To("out", printer[string]{})
		}, `operator "join": its function is nil; give it one`},
		{func(top *operators.Topology) {
			operators.LeftJoinWindow(coWindow(in(top, "in"), operators.Tumbling(ms(1))), "join", (func(a row, b *row) string)(nil)).To("out", printer[string]{})
		}, `operator "join": its function is nil; give it one`},
		{func(top *operators.Topology) {
			joins["inner"](coWindow(in(top, "in"), nil)).To("out", printer[string]{})
		},
			`operator "join": its windows are nil; give Window Tumbling, Sliding, Session or Global`},
		{func(top *operators.Topology) {
			a, _ := sides(in(top, "in"))
			_, b := sides(in(operators.NewTopology("other"), "in"))
			joins["inner"](operators.CoWindow(a, b, operators.Tumbling(ms(1)))).To("out", printer[string]{})
		}, `operator "join": its input comes from topology "other", not from "errors"`},
		{func(top *operators.Topology) {
			a, _ := sides(in(top, "in"))
			joins["inner"](operators.CoWindow(a, operators.KeyBy[row, int64](in(top, "b"), nil), operators.Tumbling(ms(1)))).To("out", printer[string]{})
		}, `operator "join": its key: the key function is nil; give KeyBy one`},
		{func(top *operators.Topology) {
			a, _ := sides(in(top, "in"))
			b := operators.KeyBy(operators.From(top, "b", operators.Slice[unfit](), operators.NoWatermarks[unfit]()), func(unfit) int64 { return 0 })
			operators.JoinWindow(operators.CoWindow(a, b, operators.Tumbling(ms(1))), "join", func(row, unfit) string { return "" }).To("out", printer[string]{})
		}, `operator "join": a window keeps the records of its second stream: `},
	} {
		top := operators.NewTopology("errors")
		c.build(top)
		_, err := top.Build()
		if err == nil || strings.Count(err.Error(), c.want) != 1 {
			t.Errorf("%v\nwant %s, once", err, c.want)
		}
	}
}

// An Either is written with its side and read again, also where only MarshalBinary is known; what is cut short or
// says another side is refused.
func TestEitherCodec(t *testing.T) {
	codec, err := operators.CodecOf[operators.Either[row, string]]()
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range []operators.Either[row, string]{
		operators.FirstOf[row, string](row{1, 2, 3}), operators.SecondOf[row]("second"), {}, operators.SecondOf[row](""),
	} {
		p, err := codec.Append([]byte("x"), e)
		if err != nil {
			t.Fatal(err)
		}
		back, rest, err := codec.Decode(append(p[1:], 'y'))
		if err != nil || back != e || string(rest) != "y" {
			t.Errorf("%v came back as %v, rest %q, %v", e, back, rest, err)
		}
	}
	var e operators.Either[row, string]
	for _, p := range []string{"", "\x02", "\x01", "\x01\x05four", "\x01\x01a1"} {
		if err := e.UnmarshalBinary([]byte(p)); err == nil {
			t.Errorf("%q was read as %v", p, e)
		}
	}
	if first, second := operators.FirstOf[row, string](row{0, 1, 2}), operators.SecondOf[row]("b"); first.String() != "1:2" || second.String() != "b" {
		t.Errorf("%v %v", first, second)
	}
}
