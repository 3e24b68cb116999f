package operators

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/weirflow/weir/messages"
	"github.com/weirflow/weir/operators/plan"
)

var (
	lateLeft  = NewTag[leftRow]("late-left")
	lateRight = NewTag[rightRow]("late-right")
)

// joinWithin builds the join of two streams, bounds in ms.
func joinWithin(lower, upper int64, options ...IntervalJoinOptions[leftRow, rightRow]) func(*Stream[leftRow], *Stream[rightRow]) {
	return func(a *Stream[leftRow], b *Stream[rightRow]) {
		IntervalJoin(KeyBy(a, leftKey), KeyBy(b, rightKey), "join", time.Duration(lower)*time.Millisecond, time.Duration(upper)*time.Millisecond,
			func(l leftRow, r rightRow) string { return fmt.Sprintf("%d %d %d", l.Key, l.N, r.N) }, options...)
	}
}

// joinTwin is the dumb version: it stores all that was on time and compares each
// record with all of them.
type joinTwin struct {
	from, to int64 // inclusive
	stored   []step[leftRow, rightRow]
	clock    int64
	pairs    []string
	late     [2][]string
}

func (w *joinTwin) take(s step[leftRow, rightRow]) {
	switch {
	case s.port == 2:
		w.clock = max(w.clock, s.time)
		return
	case s.time < w.clock:
		w.late[s.port] = append(w.late[s.port], fmt.Sprintf("%v @%d", []any{s.a, s.b}[s.port], s.time))
		return
	}
	for _, o := range w.stored {
		l, r := s, o
		if s.port == 1 {
			l, r = o, s
		}
		if o.port != s.port && l.a.Key == r.b.Key && r.time-l.time >= w.from && r.time-l.time <= w.to {
			w.pairs = append(w.pairs, fmt.Sprintf("%d %d %d @%d", l.a.Key, l.a.N, r.b.N, max(l.time, r.time)))
		}
	}
	w.stored = append(w.stored, s)
}

// useful counts the stored records that a later one could still match when the clock stood at a time.
func (w *joinTwin) useful(clock int64) (n int) {
	for _, s := range w.stored {
		if s.port == 0 && s.time+w.to >= clock || s.port == 1 && s.time-w.from >= clock {
			n++
		}
	}
	return n
}

// kept counts the records in the state of a join.
func kept(r *rig2[leftRow, rightRow]) (n int) {
	for _, task := range r.tasks {
		f := task.instance.(*coProcessor[int64, leftRow, rightRow, string]).function.(*intervalJoin[int64, leftRow, rightRow, string])
		f.rows.table.Scan(func(_ uint64, _ *int64, row *joinRow[leftRow, rightRow]) bool {
			n += len(row.left) + len(row.right)
			return true
		})
	}
	return n
}

func joinSteps(t *rapid.T) (steps []step[leftRow, rightRow]) {
	clock, keys := int64(0), rapid.Int64Range(1, 6).Draw(t, "keys")
	for i := range rapid.IntRange(0, 120).Draw(t, "steps") {
		s := step[leftRow, rightRow]{port: rapid.IntRange(0, 2).Draw(t, "port"), time: clock + rapid.Int64Range(-4, 20).Draw(t, "time")}
		row := leftRow{rapid.Int64Range(1, keys).Draw(t, "key"), int64(i)}
		switch s.port {
		case 0:
			s.a = row
		case 1:
			s.b = rightRow(row)
		case 2:
			clock += s.time & 3
			s.time = clock
		}
		steps = append(steps, s)
	}
	return steps
}

// S75, borders 5 and 11: an interval join equals the twin that stores everything, for any bounds, batches,
// parallelism, and restores in between: each pair once, whichever side comes first, with the later time of the two;
// late records counted, or in their side outputs; and no record is kept for longer than the
// width of the interval after the last time that something could match it.
func TestIntervalJoinEqualsItsTwin(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		steps := joinSteps(t)
		lower := rapid.Int64Range(-15, 15).Draw(t, "lower")
		upper := lower + rapid.Int64Range(2, 20).Draw(t, "width")
		o := IntervalJoinOptions[leftRow, rightRow]{ExclusiveLower: rapid.Bool().Draw(t, "(lower"), ExclusiveUpper: rapid.Bool().Draw(t, "upper)")}
		sides := rapid.Bool().Draw(t, "sides")
		if sides {
			o.LateLeft, o.LateRight = lateLeft, lateRight
		}
		cut := rapid.IntRange(0, len(steps)).Draw(t, "cut")
		for _, size := range []int{1, 7, 512} {
			twin := &joinTwin{from: lower, to: upper, clock: messages.NoWatermark}
			if o.ExclusiveLower {
				twin.from++
			}
			if o.ExclusiveUpper {
				twin.to--
			}
			r := newRig2(t, rapid.IntRange(1, 3).Draw(t, "p"), joinWithin(lower, upper, o))
			play := func(steps []step[leftRow, rightRow]) {
				r.play(steps, size)
				for _, s := range steps {
					twin.take(s)
				}
				most := len(twin.stored)
				if twin.clock != messages.NoWatermark {
					most = twin.useful(twin.clock - (twin.to - twin.from))
				}
				if got, least := kept(r), twin.useful(twin.clock); got < least || got > most {
					t.Fatalf("%d records kept at watermark %d: %d can still match, %d could the width of the interval ago", got, twin.clock, least, most)
				}
			}
			play(steps[:cut])
			r.rescale(rapid.IntRange(1, 3).Draw(t, "p"))
			play(steps[cut:])
			compareJoin(t, r, twin.pairs, twin.late, sides)
			r.mark(messages.MaxWatermark)
			if n := r.entries(); n != 0 {
				t.Fatalf("%d entries of state at the end", n)
			}
		}
	})
}

// compareJoin demands the results of a twin, and what was late of either input where it goes.
func compareJoin(t *rapid.T, r *rig2[leftRow, rightRow], results []string, late [2][]string, sides bool) {
	equalSorted(t, "results", r.sorted(""), results)
	dropped := len(late[0]) + len(late[1])
	if sides {
		equalSorted(t, "late left", r.sorted("late-left"), late[0])
		equalSorted(t, "late right", r.sorted("late-right"), late[1])
		dropped = 0
	}
	if got := r.counter(lateDropped); got != int64(dropped) {
		t.Fatalf("%d late records counted, want %d", got, dropped)
	}
}

// Both bounds are inclusive unless an option says otherwise, on a fixed pair of times, either side first.
func TestIntervalJoinBounds(t *testing.T) {
	type options = IntervalJoinOptions[leftRow, rightRow]
	for _, c := range []struct {
		options options
		want    string
	}{
		{options{}, "95 96 109 110"},
		{options{ExclusiveLower: true}, "96 109 110"},
		{options{ExclusiveUpper: true}, "95 96 109"},
		{options{ExclusiveLower: true, ExclusiveUpper: true}, "96 109"},
	} {
		for _, leftFirst := range []bool{true, false} {
			var got []string
			for _, at := range []int64{94, 95, 96, 109, 110, 111} {
				r := newRig2(t, 1, joinWithin(-5, 10, c.options))
				if leftFirst {
					r.record(leftRow{1, 100}, 100)
				}
				r.record2(rightRow{1, at}, at)
				if !leftFirst {
					r.record(leftRow{1, 100}, 100)
				}
				switch s := r.take(""); s {
				case "":
				case fmt.Sprintf("1 100 %d @%d", at, max(at, 100)):
					got = append(got, fmt.Sprint(at))
				default:
					t.Errorf("%q", s)
				}
			}
			if s := strings.Join(got, " "); s != c.want {
				t.Errorf("%+v, left first %v: joined with %s, want %s", c.options, leftFirst, s, c.want)
			}
		}
	}
}

// Border 11: a record behind the watermark is late, one at it is not; a record waits while a partner at the
// watermark could still come, and goes with the next ms.
func TestIntervalJoinAtTheWatermark(t *testing.T) {
	r := newRig2(t, 1, joinWithin(-5, 10))
	r.mark(100)
	r.record(leftRow{1, 1}, 99)
	r.record2(rightRow{1, 2}, 99)
	if kept(r) != 0 || r.counter(lateDropped) != 2 {
		t.Fatalf("%d kept, %d dropped", kept(r), r.counter(lateDropped))
	}
	r.record(leftRow{1, 3}, 100)
	r.mark(110)
	r.record2(rightRow{1, 4}, 110)
	if got := r.take(""); got != "-- 100\n-- 110\n1 3 4 @110" {
		t.Fatalf("%q", got)
	}
	r.mark(111)
	if kept(r) != 1 { // the right one, for left ones until 115
		t.Fatalf("%d kept at 111", kept(r))
	}
	r.mark(116)
	if r.entries() != 0 {
		t.Fatalf("%d entries at 116", r.entries())
	}
}

// S110: subtasks stood at different watermarks when the checkpoint was taken. Restored at the least of them, at
// another parallelism, a record that was late for its key group is late again, and no other is.
func TestS110_LateStaysLateForIntervalJoin(t *testing.T) {
	r := newRig2(t, 2, joinWithin(-5, 5))
	var keys [2]int64 // of either subtask
	for k := range int64(100) {
		g := messages.KeyGroupOf(keyKindOf(mustCodec[int64]()).hash(k), r.groups)
		keys[messages.SubtaskOf(g, 2, r.groups)] = k
	}
	for i, clock := range []int64{100, 50} {
		r.must(r.tasks[i].process((&plan.Batch{Values: &[]leftRow{}}).WithMark(clock)))
	}
	for _, parallelism := range []int{1, 3, 1} {
		s := r.snapshot()
		s.watermark = 50
		r.start(parallelism, s, nil)
		for _, k := range keys {
			r.record2(rightRow{k, 0}, 70)
		}
		if dropped, n := r.counter(lateDropped), kept(r); dropped != 1 || n < 1 {
			t.Fatalf("parallelism %d: %d dropped, %d kept", parallelism, dropped, n)
		}
	}
	r.mark(100)
	r.record(leftRow{keys[0], 0}, 100)
	r.record(leftRow{keys[1], 0}, 99)
	if dropped := r.counter(lateDropped); dropped != 2 {
		t.Fatalf("at 100: %d dropped", dropped)
	}
}

// A record without an event time fails the attempt, on either side.
func TestIntervalJoinWithoutTime(t *testing.T) {
	r := newRig2(t, 1, joinWithin(0, 1))
	for _, err := range []error{
		r.tasks[0].process(&plan.Batch{Values: &[]leftRow{{1, 1}}, Times: []int64{NoTime}}),
		r.tasks[0].process2(&plan.Batch{Values: &[]rightRow{{1, 1}}, Times: []int64{NoTime}}),
	} {
		if err == nil || !strings.Contains(err.Error(), "a record without an event time") {
			t.Errorf("%v", err)
		}
	}
}

func TestIntervalJoinBuildErrors(t *testing.T) {
	type options = IntervalJoinOptions[leftRow, rightRow]
	nothing := func(a *Stream[leftRow], b *Stream[rightRow]) {
		IntervalJoin[int64, leftRow, rightRow, string](KeyBy(a, leftKey), KeyBy(b, rightKey), "join", 0, 1500*time.Microsecond, nil)
	}
	for _, c := range []struct {
		build func(*Stream[leftRow], *Stream[rightRow])
		want  string
	}{
		{nothing, `operator "join": its join function is nil; give it one`},
		{nothing, `operator "join": the upper bound (1.5ms): event time is in milliseconds`},
		{joinWithin(2, 1), `operator "join": no time lies within [2ms, 1ms]; give a lower bound that is not above the upper one`},
		{joinWithin(1, 1, options{ExclusiveLower: true}), `no time lies within (1ms, 1ms]`},
		{joinWithin(1, 2, options{ExclusiveLower: true, ExclusiveUpper: true}), `no time lies within (1ms, 2ms)`},
		{joinWithin(1, 2, options{}, options{}), `2 IntervalJoinOptions were given; put all options into one`},
		{joinWithin(0, 1, options{LateLeft: NewTag[leftRow]("late"), LateRight: NewTag[rightRow]("late")}), `side output "late" is a Tag[`},
		{joinWithin(0, 1), `it works in event time, but source "first" has no watermark strategy`},
	} {
		if got := builtTwo(NoWatermarks[leftRow](), c.build); !strings.Contains(got, c.want) {
			t.Errorf("%s\nwant %s", got, c.want)
		}
	}
	op := rigOperator2(t, joinWithin(-5, 10, options{ExclusiveUpper: true, LateLeft: lateLeft}))
	if op.Detail != "[-5ms, 10ms), late to late-left" || !op.EventTime || len(op.Sides) != 1 {
		t.Errorf("detail %q, event time %v, sides %v", op.Detail, op.EventTime, op.Sides)
	}
}
