package operators

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/weirflow/weir/messages"
	"github.com/weirflow/weir/operators/plan"
)

type (
	leftRow  struct{ Key, N int64 }
	rightRow struct{ Key, N int64 }
)

func leftKey(v leftRow) int64   { return v.Key }
func rightKey(v rightRow) int64 { return v.Key }

// meeting pairs the two sides of a key, each pair once; a record that waits for
// longer than patience goes to a side output.
type meeting struct {
	left  ValueState[leftRow]
	right ValueState[rightRow]
}

const patience = int64(20)

var (
	lonelyLeft  = NewTag[leftRow]("lonely-left")
	lonelyRight = NewTag[rightRow]("lonely-right")
)

func newMeeting(s *States[int64]) *meeting {
	return &meeting{left: NewValueState[leftRow](s, "left"), right: NewValueState[rightRow](s, "right")}
}

func (f *meeting) ProcessElement1(ctx *Context[int64, string], v leftRow) error {
	r, ok := f.right.Get()
	if !ok {
		f.left.Set(v)
		ctx.RegisterEventTimer(ctx.Time() + patience)
		return nil
	}
	f.right.Clear()
	ctx.DeleteEventTimer(r.N + patience)
	ctx.Emit(fmt.Sprintf("%d: %d %d", ctx.Key(), v.N, r.N))
	return nil
}

func (f *meeting) ProcessElement2(ctx *Context[int64, string], v rightRow) error {
	l, ok := f.left.Get()
	if !ok {
		f.right.Set(v)
		ctx.RegisterEventTimer(ctx.Time() + patience)
		return nil
	}
	f.left.Clear()
	ctx.DeleteEventTimer(l.N + patience)
	ctx.Emit(fmt.Sprintf("%d: %d %d", ctx.Key(), l.N, v.N))
	return nil
}

func (f *meeting) OnTimer(ctx *Context[int64, string], at int64, d Domain) error {
	if l, ok := f.left.Get(); ok {
		lonelyLeft.Emit(ctx, l)
	}
	if r, ok := f.right.Get(); ok {
		lonelyRight.Emit(ctx, r)
	}
	f.left.Clear()
	f.right.Clear()
	return nil
}

func meet(a *Stream[leftRow], b *Stream[rightRow]) {
	CoProcess(KeyBy(a, leftKey), KeyBy(b, rightKey), "meet", newMeeting, lonelyLeft, lonelyRight)
}

// meetingTwin is the dumb version: it remembers all, and looks through it.
type meetingTwin struct {
	waiting []step[leftRow, rightRow]
	pairs   []string
	lonely  [2][]string
	clock   int64
}

func (w *meetingTwin) take(s step[leftRow, rightRow]) {
	if s.port == 2 {
		w.advance(s.time)
		return
	}
	key := s.a.Key + s.b.Key // one of them is 0
	for i, o := range w.waiting {
		if o.port != s.port && o.a.Key+o.b.Key == key {
			w.waiting = slices.Delete(w.waiting, i, i+1)
			w.pairs = append(w.pairs, fmt.Sprintf("%d: %d %d @%d", key, s.a.N+o.a.N, s.b.N+o.b.N, s.time))
			return
		}
	}
	w.waiting = append(w.waiting, s)
}

func (w *meetingTwin) advance(to int64) {
	if to <= w.clock {
		return
	}
	w.clock = to
	w.waiting = slices.DeleteFunc(w.waiting, func(s step[leftRow, rightRow]) bool {
		if s.time+patience > to {
			return false
		}
		row := fmt.Sprintf("%v @%d", s.a, s.time+patience)
		if s.port == 1 {
			row = fmt.Sprintf("%v @%d", s.b, s.time+patience)
		}
		w.lonely[s.port] = append(w.lonely[s.port], row)
		return true
	})
}

// meetings draws at most one record of each key and side, in any order, with
// watermarks between them. N is the record's time.
func meetings(t *rapid.T) (steps []step[leftRow, rightRow]) {
	used := map[string]bool{}
	clock := int64(0)
	for range rapid.IntRange(0, 80).Draw(t, "steps") {
		port, key, time := rapid.IntRange(0, 2).Draw(t, "port"), rapid.Int64Range(1, 30).Draw(t, "key"), rapid.Int64Range(0, 100).Draw(t, "time")
		what := fmt.Sprint(port, key)
		switch {
		case port == 2:
			clock += time % 12
			steps = append(steps, step[leftRow, rightRow]{port: 2, time: clock})
		case used[what]:
		case port == 0:
			steps = append(steps, step[leftRow, rightRow]{a: leftRow{key, clock + time}, time: clock + time})
		default:
			steps = append(steps, step[leftRow, rightRow]{port: 1, b: rightRow{key, clock + time}, time: clock + time})
		}
		used[what] = port != 2
	}
	return steps
}

// S75, S78, S87, S88: two inputs share keyed state and timers; with any order of the two sides, any batches,
// parallelism and restores in between, each pair comes out once, what found no partner comes out of the side outputs
// when its timer fires, and the state is empty afterwards.
func TestS75_S87_S88_CoProcessEqualsItsTwin(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		steps := meetings(t)
		twin := &meetingTwin{clock: messages.NoWatermark}
		for _, s := range steps {
			twin.take(s)
		}
		cut := rapid.IntRange(0, len(steps)).Draw(t, "cut")
		for _, size := range []int{1, 7, 512} {
			r := newRig2(t, rapid.IntRange(1, 3).Draw(t, "p"), meet)
			r.play(steps[:cut], size)
			r.rescale(rapid.IntRange(1, 3).Draw(t, "p"))
			r.play(steps[cut:], size)
			if got, want := r.entries(), 2*len(twin.waiting); got != want {
				t.Fatalf("%d entries, want a value and a timer for each of %v", got, twin.waiting)
			}
			equalSorted(t, "pairs", r.sorted(""), twin.pairs)
			equalSorted(t, "lonely left", r.sorted("lonely-left"), twin.lonely[0])
			equalSorted(t, "lonely right", r.sorted("lonely-right"), twin.lonely[1])
			r.mark(messages.MaxWatermark)
			if n := r.entries(); n != 0 {
				t.Fatalf("%d entries at the end", n)
			}
		}
	})
}

func equalSorted(t tester, what string, got, want []string) {
	t.Helper()
	want = slices.Sorted(slices.Values(want))
	if !slices.Equal(got, want) {
		t.Fatalf("%s\n got %v\nwant %v", what, got, want)
	}
}

// S87: whichever side comes first, the pair is emitted once and the state is empty after it, timer included.
func TestS87_PairOnceAndStateEmpty(t *testing.T) {
	for _, first := range []int{0, 1} {
		r := newRig2(t, 1, meet)
		for i := range 2 {
			if i == first {
				r.record(leftRow{1, 5}, 5)
			} else {
				r.record2(rightRow{1, 5}, 5)
			}
			if got := r.entries(); got != 2*(1-i) {
				t.Fatalf("%d entries after %d records", got, i+1)
			}
		}
		if got, want := r.take(""), "1: 5 5 @5"; got != want {
			t.Fatalf("side %d first: %q", first, got)
		}
	}
}

// S88: the partner is missing: after the timer the state is gone and the record in the side output; a ms before, not.
func TestS88_TimerClearsStaleState(t *testing.T) {
	r := newRig2(t, 1, meet)
	r.record2(rightRow{7, 100}, 100)
	r.mark(100 + patience - 1)
	if r.entries() != 2 || r.take("lonely-right") != "-- 119" {
		t.Fatal("cleared before its time")
	}
	r.feed2(nil, nil, plan.Mark{Watermark: 100 + patience}) // the clock grows on either port
	if r.entries() != 0 || r.take("lonely-right") != "{7 100} @120\n-- 120" {
		t.Fatal("not cleared at its time")
	}
	r.record(leftRow{7, 130}, 130)
	if got := r.take(""); got != "-- 119\n-- 120" {
		t.Fatalf("a partner that came too late was paired: %q", got)
	}
}

// coDiary writes down what is called when, on both sides.
type coDiary struct {
	lines *[]string
	count ValueState[int64]
	fail  error
}

func (f *coDiary) note(ctx *Context[int64, string], what string) error {
	n, _ := f.count.Get()
	f.count.Set(n + 1)
	*f.lines = append(*f.lines, fmt.Sprintf("%s of %d, %d before", what, ctx.Key(), n))
	return f.fail
}

func (f *coDiary) ProcessElement1(ctx *Context[int64, string], v leftRow) error {
	ctx.RegisterEventTimer(v.N)
	ctx.RegisterEventTimer(v.N)
	return f.note(ctx, "left")
}

func (f *coDiary) ProcessElement2(ctx *Context[int64, string], v rightRow) error {
	ctx.RegisterProcessingTimer(v.N)
	return f.note(ctx, "right")
}

func (f *coDiary) OnTimer(ctx *Context[int64, string], at int64, d Domain) error {
	return f.note(ctx, fmt.Sprintf("%v %d", d, at))
}

func (f *coDiary) Open(info OpenContext) error {
	*f.lines = append(*f.lines, fmt.Sprintf("open %d/%d restored=%v", info.Index, info.Parallelism, info.Restored))
	return nil
}

func (f *coDiary) Close() error {
	*f.lines = append(*f.lines, "close")
	return nil
}

func keepCoDiary(lines *[]string) func(*Stream[leftRow], *Stream[rightRow]) {
	return func(a *Stream[leftRow], b *Stream[rightRow]) {
		CoProcess(KeyBy(a, leftKey), KeyBy(b, rightKey), "diary", func(s *States[int64]) *coDiary {
			return &coDiary{lines: lines, count: NewValueState[int64](s, "count")}
		})
	}
}

// S76: Open once per incarnation, before the first element of either input and after restore; Close on stop. S77:
// OnTimer has its timer's key and state. S78: a key and time registered twice fire once, in the order of times;
// timers survive a restore, and a processing-time one that is overdue fires then.
func TestS76_S77_S78_CoProcessLife(t *testing.T) {
	var got []string
	r := newRig2(t, 1, keepCoDiary(&got))
	r.record(leftRow{1, 9}, 1)
	r.record(leftRow{1, 8}, 1)
	r.record2(rightRow{2, 50}, 1)
	r.now = 60 // it passes while nobody looks
	r.rescale(1)
	r.tick(60)
	r.mark(9)
	r.record2(rightRow{1, 99}, 10)
	r.finish()
	want := []string{
		"open 0/1 restored=false", "left of 1, 0 before", "left of 1, 1 before", "right of 2, 0 before", "close",
		"open 0/1 restored=true", "processing time 50 of 2, 1 before",
		"event time 8 of 1, 2 before", "event time 9 of 1, 3 before", "right of 1, 4 before", "close",
	}
	if !slices.Equal(got, want) {
		t.Fatalf("%v\nwant %v", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// An error on either input comes out as it is, and the cursor is at its record, hashes given or not.
func TestCoProcessElementFails(t *testing.T) {
	for port, b := range []*plan.Batch{
		{Values: &[]leftRow{{3, 1}, {4, 1}}, Times: []int64{7, 8}},
		{Values: &[]rightRow{{3, 1}, {4, 1}}, Times: []int64{7, 8}},
	} {
		var got []string
		failed := errors.New("no luck")
		r := newRig2(t, 1, keepCoDiary(&got))
		task := r.tasks[0]
		task.instance.(*coProcessor[int64, leftRow, rightRow, string]).function.(*coDiary).fail = failed
		if err := task.instance.Process(port, b); err != failed {
			t.Fatalf("port %d: %v", port, err)
		}
		ts, hash, keyed, ok := task.instance.(plan.RecordCursor).Cursor()
		want := keyKindOf(mustCodec[int64]()).hash(3)
		if !ok || !keyed || ts != 7 || hash != want {
			t.Fatalf("port %d: cursor at %d, %x, %v, %v", port, ts, hash, keyed, ok)
		}
		if len(b.Hashes) != 0 {
			t.Fatalf("the batch went back with %d hashes", len(b.Hashes))
		}
	}
}

type wrongCoTimer struct{ *meeting }

func (wrongCoTimer) OnTimer(*Context[int64, string], int64) error { return nil }

// builtTwo is what Build says about an operator over two streams.
func builtTwo(strategy WatermarkStrategy[leftRow], build func(*Stream[leftRow], *Stream[rightRow])) string {
	top := NewTopology("t")
	a := From(top, "first", Slice[leftRow](), strategy)
	build(a, From(top, "second", Slice[rightRow](), Monotonous(func(v rightRow) int64 { return v.N })))
	_, err := top.Build()
	return fmt.Sprint(err)
}

func TestCoProcessBuildErrors(t *testing.T) {
	strangers := From(NewTopology("other"), "x", Slice[rightRow](), NoWatermarks[rightRow]())
	for _, c := range []struct {
		name  string
		build func(*Stream[leftRow], *Stream[rightRow])
		want  string
	}{
		{"nil newFunction", func(a *Stream[leftRow], b *Stream[rightRow]) {
			CoProcess[int64, leftRow, rightRow, string, *meeting](KeyBy(a, leftKey), KeyBy(b, rightKey), "op", nil)
		}, `operator "op": its function is nil`},
		{"nil function", func(a *Stream[leftRow], b *Stream[rightRow]) {
			CoProcess(KeyBy(a, leftKey), KeyBy(b, rightKey), "op", func(*States[int64]) *meeting { return nil })
		}, `operator "op": its function is nil; let newFunction return one`},
		{"second key", func(a *Stream[leftRow], b *Stream[rightRow]) {
			CoProcess(KeyBy(a, leftKey), KeyBy[rightRow, int64](b, nil), "op", newMeeting, lonelyLeft, lonelyRight)
		}, `operator "op": its key: the key function is nil`},
		{"another topology", func(a *Stream[leftRow], _ *Stream[rightRow]) {
			CoProcess(KeyBy(a, leftKey), KeyBy(strangers, rightKey), "op", newMeeting, lonelyLeft, lonelyRight)
		}, `operator "op": its input comes from topology "other", not from "t"`},
		{"OnTimer of another signature", func(a *Stream[leftRow], b *Stream[rightRow]) {
			CoProcess(KeyBy(a, leftKey), KeyBy(b, rightKey), "op", func(s *States[int64]) wrongCoTimer { return wrongCoTimer{newMeeting(s)} })
		}, "method OnTimer of operators.wrongCoTimer is a func"},
	} {
		if got := builtTwo(NoWatermarks[leftRow](), c.build); !strings.Contains(got, c.want) {
			t.Errorf("%s:\n%s\nwant %s", c.name, got, c.want)
		}
	}
}

// Both inputs are hashed, on ports 0 and 1, and the states are declared in the plan.
func TestCoProcessInThePlan(t *testing.T) {
	op := rigOperator2(t, meet)
	for port, e := range op.Inputs {
		if e.Port != port || e.Partition != plan.Hash || e.Keyer == nil {
			t.Errorf("input %d: port %d, partition %v, keyer %v", port, e.Port, e.Partition, e.Keyer)
		}
	}
	var names []string
	for _, s := range op.States {
		names = append(names, s.Name)
	}
	if !slices.Equal(names, []string{"left", "right", "_timers", "_clocks"}) || !op.Stateful || len(op.Sides) != 2 {
		t.Errorf("states %v, stateful %v, sides %v", names, op.Stateful, op.Sides)
	}
}
