package operatortest

import (
	"fmt"
	"maps"
	"reflect"
	"slices"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/weirflow/weir/messages"
	"github.com/weirflow/weir/operators"
	"github.com/weirflow/weir/operators/plan"
)

// RunScript runs a script again and again and fails the test unless the output is
// the same each time: with batches of 1, 2 and 512 records and the watermarks
// inside them, at parallelism 1, 2 and 3, and with a snapshot restored between
// any two steps, at the same or another parallelism. What Expect says is asked of
// the first run, which takes one record at a time, and so of all others.
//
// The same output is: the same records with the same event times between the same
// two watermarks, in the same order for each key (see Script.Key). Side outputs
// are compared as well. Where neither parallelism nor a snapshot is in play, the
// order across keys counts, too.
//
// A script of n steps runs about 12n times, so keep scripts short.
func RunScript[T, R any](t TB, build func(in *operators.Stream[T]) *operators.Stream[R], s *Script[T, R]) {
	t.Helper()
	want, failure := runOnce(build, s, straight)
	if failure != "" {
		t.Fatalf("%s", failure)
	}
	for _, v := range variants(s.cuts()) {
		got, failure := runOnce(build, s, v)
		if failure != "" {
			t.Fatalf("%s", failure)
		}
		if text := want.differs(got, v.ordered()); text != "" {
			t.Fatalf("%v: the output is not what it is with one record at a time:\n%s", v, text)
		}
	}
}

// cuts are the steps before which a snapshot is taken: all but the first, and
// but those that only look.
func (s *Script[T, R]) cuts() (all []int) {
	for i, st := range s.steps {
		if i > 0 && !st.looks() {
			all = append(all, i)
		}
	}
	return all
}

// outcome is all that came out of a run.
type outcome struct {
	main  []seen
	sides map[string][]seen
	marks []int64
	wide  bool // more than one subtask, so that there is no order across keys
}

// run is one run of a script.
type run[T, R any] struct {
	t       TB
	script  *Script[T, R]
	variant variant
	at      int // the step being worked on
	h       *Harness[T, R]
	batch   *plan.Batch // gathered and not processed
	width   int         // the parallelism
	looked  int         // records that an Expect has seen
	sides   map[string]int
}

// caught is a failure on its way to RunScript.
type caught string

// catcher is the test of a run. It heads failures with the variant and the step,
// and has RunScript report them, whose caller they concern.
type catcher struct{ where func() string }

func (catcher) Helper() {}

func (c catcher) Fatalf(format string, args ...any) {
	panic(caught(c.where() + ": " + fmt.Sprintf(format, args...)))
}

// runOnce runs a script in one way. A panic of the operator is not ours to catch.
func runOnce[T, R any](build func(in *operators.Stream[T]) *operators.Stream[R], s *Script[T, R], v variant) (o outcome, failure caught) {
	defer func() {
		if p := recover(); p != nil {
			var ours bool
			if failure, ours = p.(caught); !ours {
				panic(p)
			}
		}
	}()
	r := &run[T, R]{script: s, variant: v, width: v.parallelism, sides: map[string]int{}}
	r.t = catcher{r.where}
	r.h = newHarness(r.t, build, v.parallelism, true)
	for i, st := range s.steps {
		r.at = i
		if next, yes := v.cuts(i, r.width); yes && i > 0 && !st.looks() {
			r.restore(next)
		}
		r.step(st)
	}
	r.at = len(s.steps)
	r.flush()
	r.h.Close()
	return r.outcome(), ""
}

func (r *run[T, R]) where() string {
	if r.at < len(r.script.steps) {
		return fmt.Sprintf("%v: step %d, %v", r.variant, r.at+1, r.script.steps[r.at])
	}
	return r.variant.String()
}

func (r *run[T, R]) step(st step[T, R]) {
	r.t.Helper()
	switch st.kind {
	case stepProcess:
		r.gather(batchOf(r.t, r.rows(), []T{st.value}, []int64{st.ms}))
	case stepWatermark:
		r.gather(batchOf(r.t, r.rows(), []T(nil), nil).WithMark(checkWatermark(r.t, st.ms)))
	case stepAdvance:
		r.flush()
		r.h.AdvanceProcessingTime(st.by)
	case stepEnd:
		r.flush()
		r.h.End()
	case stepExpect:
		r.expect(st.want)
	case stepExpectSide:
		r.expectSide(st.side)
	}
}

func (r *run[T, R]) rows() plan.RowType { return r.h.input().op.Source.Type }

// gather adds to the batch a record or a mark. A full batch goes when the next
// record comes, so that the mark behind its last record is still in it, as a
// source sends it; but with batches of 1 everything goes at once.
func (r *run[T, R]) gather(b *plan.Batch) {
	r.t.Helper()
	if r.batch != nil && b.Len() > 0 && r.batch.Len() >= r.variant.size {
		r.flush()
	}
	if r.batch == nil {
		r.batch = r.rows().New(r.variant.size)
	}
	r.rows().Append(r.batch, b, 0, b.Len())
	for _, m := range b.Marks {
		if n := len(r.batch.Marks); n == 0 || r.batch.Marks[n-1].Watermark < m.Watermark {
			r.batch.WithMark(m.Watermark)
		}
	}
	if r.variant.size == 1 || len(b.Marks) > 0 && deep(r.h.engine.plan) {
		r.flush()
	}
}

// deep tells whether an operator gets records from several subtasks of another
// one. Then, also in a job, what comes behind a watermark from one of them may
// overtake what comes before it from another: no batch may go on behind a mark.
func deep(p *plan.Plan) bool {
	return slices.ContainsFunc(p.Edges, func(e *plan.Edge) bool { return e.From.Parallelism > 1 && !isSink(e.To) })
}

// joins tells whether streams come together, so that there is no order between
// the records of one and the other.
func joins(p *plan.Plan) bool {
	return slices.ContainsFunc(p.Operators, func(op *plan.Operator) bool { return len(op.Inputs) > 1 })
}

// wide tells whether build itself has set a parallelism.
func wide(p *plan.Plan) bool {
	return slices.ContainsFunc(p.Operators, func(op *plan.Operator) bool { return op.Parallelism > 1 })
}

func (r *run[T, R]) flush() {
	r.t.Helper()
	if b := r.batch; b != nil {
		r.batch = nil
		r.h.feed(b)
	}
}

// restore takes a snapshot and goes on from it.
func (r *run[T, R]) restore(parallelism int) {
	r.t.Helper()
	r.flush()
	s := r.h.Snapshot()
	r.h.Restore(s, parallelism)
	r.width = parallelism
}

// expect looks at the output. Only where every step is worked off at once is
// everything there.
func (r *run[T, R]) expect(want []Record[R]) {
	r.t.Helper()
	if r.variant != straight {
		return
	}
	var wanted []seen
	for _, w := range want {
		wanted = append(wanted, r.keyed(seen{value: w.Value, time: w.Time}))
	}
	got := r.records(r.looked)
	r.looked += len(got)
	if text := diff(byKey(wanted), byKey(plainly(got)), false); text != "" {
		r.t.Fatalf("the output is not what is expected:\n%s", text)
	}
}

func (r *run[T, R]) expectSide(w sideWant) {
	r.t.Helper()
	if r.variant != straight {
		return
	}
	s := r.h.engine.sides[w.tag]
	if s == nil {
		r.t.Fatalf("no operator writes to side output %q; pass the tag where the operator is defined", w.tag)
	}
	got := s.seen()[r.sides[w.tag]:]
	r.sides[w.tag] += len(got)
	if text := diff(w.want, plainly(got), false); text != "" {
		r.t.Fatalf("side output %q is not what is expected:\n%s", w.tag, text)
	}
}

// plainly leaves out what a script does not say.
func plainly(all []seen) (plain []seen) {
	for _, s := range all {
		s.epoch, s.copy = 0, nil
		plain = append(plain, s)
	}
	return plain
}

func (r *run[T, R]) outcome() outcome {
	r.t.Helper()
	o := outcome{main: r.records(0), sides: map[string][]seen{}, marks: r.watermarks(), wide: wide(r.h.engine.plan) || joins(r.h.engine.plan)}
	for tag, s := range r.h.engine.sides {
		o.sides[tag] = s.seen()
	}
	return o
}

// records is what came out, from the record at index on. None of it may have
// changed since, for somebody may have it.
func (r *run[T, R]) records(from int) (all []seen) {
	r.t.Helper()
	c := r.h.out
	for i, rec := range recordsOf[R](c, from) {
		s := seen{value: rec.Value, time: rec.Time, epoch: c.epochs[from+i], copy: c.copies[from+i]}
		if s.copy != nil && !gocmp.Equal(s.copy, c.carried(r.t, c.log, from+i), comparing) {
			r.t.Fatalf("a record was changed after it was emitted: %v then, %v now; emit a copy, several operators may read the same record", s, rec)
		}
		all = append(all, r.keyed(s))
	}
	return all
}

func (s *side) seen() (all []seen) {
	for i, v := range s.values {
		all = append(all, seen{value: v, time: s.times[i], epoch: s.epochs[i]})
	}
	return all
}

// keyed adds the key, if results have one and an order by it.
func (r *run[T, R]) keyed(s seen) seen {
	if joins(r.h.engine.plan) {
		return s
	}
	v := s.shown()
	if r.script.key != nil {
		s.key, s.keyed = fmt.Sprintf("%+v", r.script.key(v.(R))), true
		return s
	}
	if rv := reflect.Indirect(reflect.ValueOf(v)); rv.Kind() == reflect.Struct {
		if f, ok := rv.Type().FieldByName("Key"); ok && f.IsExported() {
			s.key, s.keyed = fmt.Sprintf("%+v", rv.FieldByIndex(f.Index).Interface()), true
		}
	}
	return s
}

// watermarks are those that came out. All subtasks must have sent the same, for
// each gets all that come in.
func (r *run[T, R]) watermarks() (marks []int64) {
	r.t.Helper()
	lives := map[messages.Attempt][]int64{}
	for _, l := range r.h.out.lanes {
		if first, known := lives[l.attempt]; !known {
			lives[l.attempt] = r.h.out.marks[l]
		} else if !slices.Equal(first, r.h.out.marks[l]) {
			r.t.Fatalf("one subtask sent the watermarks %v and another one %v", first, r.h.out.marks[l])
		}
	}
	for _, attempt := range slices.Sorted(maps.Keys(lives)) {
		marks = append(marks, lives[attempt]...)
	}
	return marks
}

// differs shows in what got is not o, or gives "".
func (o outcome) differs(got outcome, ordered bool) string {
	arrange := func(all []seen) []seen { return all }
	if !ordered || o.wide {
		arrange = byEpoch
	}
	if text := diff(arrange(o.main), arrange(got.main), true); text != "" {
		return text
	}
	for _, tag := range slices.Sorted(maps.Keys(o.sides)) {
		if text := diff(arrange(o.sides[tag]), arrange(got.sides[tag]), true); text != "" {
			return fmt.Sprintf("side output %q:\n%s", tag, text)
		}
	}
	if !slices.Equal(o.marks, got.marks) {
		return fmt.Sprintf("the watermarks that came out are %v, want %v", got.marks, o.marks)
	}
	return ""
}
