package operators

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/weirflow/weir/messages"
	"github.com/weirflow/weir/operators/plan"
)

type temporalOptions = TemporalJoinOptions[leftRow, rightRow]

// temporal builds a temporal join of two streams.
func temporal(left bool, options ...temporalOptions) func(*Stream[leftRow], *Stream[rightRow]) {
	return func(a *Stream[leftRow], b *Stream[rightRow]) {
		if left {
			LeftTemporalJoin(KeyBy(a, leftKey), KeyBy(b, rightKey), "join", temporalText, options...)
			return
		}
		TemporalJoin(KeyBy(a, leftKey), KeyBy(b, rightKey), "join", func(l leftRow, r rightRow) string { return temporalText(l, &r) }, options...)
	}
}

func temporalText(l leftRow, r *rightRow) string {
	if r == nil {
		return fmt.Sprintf("%d %d none", l.Key, l.N)
	}
	return fmt.Sprintf("%d %d %d", l.Key, l.N, r.N)
}

// deletedRow: some versions say that there is none.
func deletedRow(r rightRow) bool { return r.N%4 == 3 }

// temporalTwin is the dumb version: it forgets nothing and looks for the version of each record when its time has come.
type temporalTwin struct {
	left      bool
	deleted   func(rightRow) bool
	retention int64
	stored    []step[leftRow, rightRow]
	clock     int64
	out       []string
	late      [2][]string
}

func (w *temporalTwin) take(s step[leftRow, rightRow]) {
	switch {
	case s.port == 2:
		w.advance(s.time)
	case s.time <= w.clock:
		w.late[s.port] = append(w.late[s.port], fmt.Sprintf("%v @%d", []any{s.a, s.b}[s.port], s.time))
	default:
		w.stored = append(w.stored, s)
	}
}

func (w *temporalTwin) advance(clock int64) {
	old := w.clock
	w.clock = max(old, clock)
	for _, s := range w.stored {
		if s.port != 0 || s.time <= old || s.time > w.clock {
			continue
		}
		if v := w.valid(s.a.Key, s.time); v != nil || w.left {
			w.out = append(w.out, fmt.Sprintf("%s @%d", temporalText(s.a, v), s.time))
		}
	}
}

// newest is the version with the greatest time not after at, and of several the last.
func (w *temporalTwin) newest(key, at int64) *step[leftRow, rightRow] {
	var found *step[leftRow, rightRow]
	for i, s := range w.stored {
		if s.port == 1 && s.b.Key == key && s.time <= at && (found == nil || s.time >= found.time) {
			found = &w.stored[i]
		}
	}
	return found
}

func (w *temporalTwin) valid(key, at int64) *rightRow {
	v := w.newest(key, at)
	if v == nil || w.deleted != nil && w.deleted(v.b) || w.retention > 0 && at-v.time > w.retention {
		return nil
	}
	return &v.b
}

// useful counts the records that wait, and the versions that a record to come can find: those ahead, and of those that the
// watermark has reached the one that is still valid at the next ms.
func (w *temporalTwin) useful() (records, versions int) {
	ahead := map[step[leftRow, rightRow]]bool{}
	keys := map[int64]bool{}
	for _, s := range w.stored {
		switch {
		case s.time > w.clock && s.port == 0:
			records++
		case s.time > w.clock:
			ahead[step[leftRow, rightRow]{b: rightRow{Key: s.b.Key}, time: s.time}] = true
		case s.port == 1:
			keys[s.b.Key] = true
		}
	}
	for key := range keys {
		if w.valid(key, w.clock) != nil && (w.retention == 0 || w.newest(key, w.clock).time+w.retention > w.clock) {
			versions++
		}
	}
	return records, versions + len(ahead)
}

// keptForTemporal counts the records and versions in the state of a join.
func keptForTemporal(r *rig2[leftRow, rightRow]) (records, versions int) {
	for _, task := range r.tasks {
		f := task.instance.(*coProcessor[int64, leftRow, rightRow, string]).function.(*temporalJoin[int64, leftRow, rightRow, string])
		f.records.table.Scan(func(_ uint64, _ *int64, list *[]timed[leftRow]) bool { records += len(*list); return true })
		f.versions.table.Scan(func(_ uint64, _ *int64, list *[]timed[rightRow]) bool { versions += len(*list); return true })
	}
	return records, versions
}

// S64, S65, S75: a temporal join equals the twin that forgets nothing, with and without deletions and retention, inner and
// left, for any batches, parallelism, and restores in between: each record once, with the version valid at its time, in
// the order of time for each key and with its own time; late ones of either side counted, or in their side outputs; and
// no record or version is kept that nothing can need any more.
func TestTemporalJoinEqualsItsTwin(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		steps, o := joinSteps(t), temporalOptions{}
		left, sides := rapid.Bool().Draw(t, "left"), rapid.Bool().Draw(t, "sides")
		if sides {
			o.LateRecords, o.LateVersions = lateLeft, lateRight
		}
		if rapid.Bool().Draw(t, "deletes") {
			o.Deleted = deletedRow
		}
		retention := rapid.Int64Range(0, 15).Draw(t, "retention")
		o.Retention = millis(retention)
		cut := rapid.IntRange(0, len(steps)).Draw(t, "cut")
		for _, size := range []int{1, 7, 512} {
			twin := &temporalTwin{left: left, deleted: o.Deleted, retention: retention, clock: messages.NoWatermark}
			r := newRig2(t, rapid.IntRange(1, 3).Draw(t, "p"), temporal(left, o))
			play := func(steps []step[leftRow, rightRow]) {
				r.play(steps, size)
				for _, s := range steps {
					twin.take(s)
				}
				records, versions := keptForTemporal(r)
				if r, v := twin.useful(); r != records || v != versions {
					t.Fatalf("%d records and %d versions kept at watermark %d, %d and %d can still be needed", records, versions, twin.clock, r, v)
				}
			}
			play(steps[:cut])
			r.rescale(rapid.IntRange(1, 3).Draw(t, "p"))
			play(steps[cut:])
			r.mark(messages.MaxWatermark)
			twin.advance(messages.MaxWatermark)
			compareJoin(t, r, twin.out, twin.late, sides)
			inOrder(t, r)
			if records, _ := keptForTemporal(r); records != 0 {
				t.Fatalf("%d records wait at the end", records)
			}
		}
	})
}

// inOrder demands the results of each key in the order of their times.
func inOrder(t *rapid.T, r *rig2[leftRow, rightRow]) {
	last := map[string]int64{}
	for _, task := range r.tasks {
		for _, rec := range task.outputs[""].records {
			key, _, _ := strings.Cut(rec.Value.(string), " ")
			if before, ok := last[key]; ok && rec.Time < before {
				t.Fatalf("key %s: a result of %d came behind one of %d", key, rec.Time, before)
			}
			last[key] = rec.Time
		}
	}
}

// A version counts from its very ms on until the ms before the next one, or its retention after it; the last of several
// at one ms counts; and the result leaves before the watermark that let it.
func TestTemporalJoinBounds(t *testing.T) {
	r := newRig2(t, 1, temporal(true, temporalOptions{Retention: 20 * time.Millisecond, Deleted: deletedRow}))
	for i, at := range []int64{9, 10, 14, 15, 35, 36, 40, 45} {
		r.record(leftRow{1, int64(i)}, at)
	}
	r.record2(rightRow{1, 100}, 10)
	r.record2(rightRow{1, 101}, 15) // replaced
	r.record2(rightRow{1, 102}, 15)
	r.record2(rightRow{1, 104}, 40)
	r.record2(rightRow{1, 103}, 41) // a deletion
	r.record2(rightRow{2, 105}, 15) // of another key
	r.mark(9)
	wantLog(t, r.rig, "", lines("1 0 none @9", "-- 9"))
	r.mark(15)
	wantLog(t, r.rig, "", lines("1 1 100 @10", "1 2 100 @14", "1 3 102 @15", "-- 15"))
	r.mark(45)
	wantLog(t, r.rig, "", lines("1 4 102 @35", "1 5 none @36", "1 6 104 @40", "1 7 none @45", "-- 45"))
	if n := r.entries(); n != 0 {
		t.Fatalf("%d entries of state, all versions are deleted or past their retention", n)
	}
}

// Without Retention and Deleted the newest version of a key stays, and what it replaced goes when the watermark reaches it.
func TestTemporalJoinKeepsTheNewest(t *testing.T) {
	r := newRig2(t, 1, temporal(false))
	for n, at := range []int64{10, 20, 30} {
		r.record2(rightRow{1, int64(n)}, at)
	}
	for _, c := range []struct{ mark, versions int64 }{{9, 3}, {10, 3}, {19, 3}, {20, 2}, {29, 2}, {30, 1}, {1 << 40, 1}} {
		if r.mark(c.mark); true {
			if _, n := keptForTemporal(r); int64(n) != c.versions {
				t.Errorf("%d versions at %d, want %d", n, c.mark, c.versions)
			}
		}
	}
	r.record(leftRow{1, 7}, 1<<50)
	r.take("")
	r.mark(messages.MaxWatermark)
	wantLog(t, r.rig, "", lines("1 7 2 @1125899906842624", "-- end"))
}

// At the limits of event time nothing wraps around, and the end of input comes to an end.
func TestTemporalJoinAtTheLimits(t *testing.T) {
	r := newRig2(t, 1, temporal(true, temporalOptions{Retention: time.Hour}))
	r.record2(rightRow{1, 1}, messages.MinEventTime)
	r.record(leftRow{1, 2}, messages.MinEventTime)
	r.record(leftRow{1, 3}, messages.MaxEventTime)
	r.record2(rightRow{2, 4}, messages.MaxEventTime)
	r.record(leftRow{2, 5}, messages.MaxEventTime)
	r.mark(messages.MaxWatermark)
	equalSorted(t, "results", r.sorted(""), []string{
		fmt.Sprintf("1 2 1 @%d", messages.MinEventTime), fmt.Sprintf("1 3 none @%d", messages.MaxEventTime), fmt.Sprintf("2 5 4 @%d", messages.MaxEventTime)})
	if n := r.entries(); n != 0 {
		t.Fatalf("%d entries of state at the end", n)
	}
}

// S110: subtasks stood at different watermarks when the checkpoint was taken. Restored at another parallelism, what was
// late for its key group is late again, of either side, and nothing else is.
func TestS110_LateStaysLateForTemporalJoin(t *testing.T) {
	r := newRig2(t, 2, temporal(false))
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
			r.record(leftRow{k, 0}, 100)
		}
		if dropped := r.counter(lateDropped); dropped != 2 {
			t.Fatalf("parallelism %d: %d dropped", parallelism, dropped)
		}
	}
	r.mark(101)
	if got, want := r.sorted(""), slices.Repeat([]string{fmt.Sprintf("%d 0 0 @100", keys[1])}, 3); slices.Compare(got, want) != 0 {
		t.Fatalf("%v, want %v", got, want)
	}
}

// A record or version without an event time fails the attempt.
func TestTemporalJoinWithoutTime(t *testing.T) {
	r := newRig2(t, 1, temporal(false))
	for _, err := range []error{
		r.tasks[0].process(&plan.Batch{Values: &[]leftRow{{1, 1}}, Times: []int64{NoTime}}),
		r.tasks[0].process2(&plan.Batch{Values: &[]rightRow{{1, 1}}, Times: []int64{NoTime}}),
	} {
		if err == nil || !strings.Contains(err.Error(), "a record without an event time") {
			t.Errorf("%v", err)
		}
	}
}

func TestTemporalJoinBuildErrors(t *testing.T) {
	nothing := func(a *Stream[leftRow], b *Stream[rightRow]) {
		TemporalJoin[int64, leftRow, rightRow, string](KeyBy(a, leftKey), KeyBy(b, rightKey), "join", nil, temporalOptions{Retention: 1500 * time.Microsecond})
	}
	for _, c := range []struct {
		build func(*Stream[leftRow], *Stream[rightRow])
		want  string
	}{
		{nothing, `operator "join": its join function is nil; give it one`},
		{nothing, `operator "join": Retention(1.5ms): event time is in milliseconds`},
		{temporal(true, temporalOptions{Retention: -time.Second}), `operator "join": Retention(-1s): give how long a version counts, or leave it out to keep it for ever`},
		{temporal(false, temporalOptions{}, temporalOptions{}), `operator "join": 2 TemporalJoinOptions were given; put all options into one`},
		{temporal(false, temporalOptions{LateRecords: NewTag[leftRow]("late"), LateVersions: NewTag[rightRow]("late")}), `side output "late" is a Tag[`},
		{temporal(false), `it works in event time, but source "first" has no watermark strategy`},
	} {
		if got := builtTwo(NoWatermarks[leftRow](), c.build); !strings.Contains(got, c.want) {
			t.Errorf("%s\nwant %s", got, c.want)
		}
	}
	op := rigOperator2(t, temporal(true, temporalOptions{Retention: time.Hour, LateVersions: lateRight}))
	if op.Detail != "version valid at the time or none, for 1h0m0s, late to late-right" || !op.EventTime || len(op.Sides) != 1 {
		t.Errorf("detail %q, event time %v, sides %v", op.Detail, op.EventTime, op.Sides)
	}
}
