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
// any two steps, at the same or another parallelism, also when an operator is in
// the middle of giving what are many results. What Expect says is asked of
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
	s.run(t, func(t TB, parallelism int, halts bool) *stand { return standFor(t, build, parallelism, true, halts) })
}

// RunTwoInputScript is RunScript for an operator with two inputs. The records of
// both inputs stay in the order of the script.
func RunTwoInputScript[A, B, R any](t TB, build func(a *operators.Stream[A], b *operators.Stream[B]) *operators.Stream[R], s *TwoInputScript[A, B, R]) {
	t.Helper()
	s.run(t, func(t TB, parallelism int, halts bool) *stand { return standForTwo(t, build, parallelism, true, halts) })
}

// run runs a script in all ways, each on a stand of its own.
func (s *script) run(t TB, start starter) {
	t.Helper()
	want, failure := runOnce(start, s, straight)
	if failure != "" {
		t.Fatalf("%s", failure)
	}
	for _, v := range variants(s.cuts()) {
		got, failure := runOnce(start, s, v)
		if failure != "" {
			t.Fatalf("%s", failure)
		}
		if text := want.differs(got, v.ordered()); text != "" {
			t.Fatalf("%v: the output is not what it is with one record at a time:\n%s", v, text)
		}
	}
}

// starter makes the stand that a script is run on.
type starter func(t TB, parallelism int, halts bool) *stand

// cuts are the steps before which a snapshot is taken: all but the first, and
// but those that only look.
func (s *script) cuts() (steps []int) {
	for i, st := range s.steps {
		if i > 0 && !st.looks() {
			steps = append(steps, i)
		}
	}
	return steps
}

// outcome is all that came out of a run.
type outcome struct {
	main  []seen
	sides map[string][]seen
	marks []int64
	wide  bool // more than one subtask, so that there is no order across keys
}

// run is one run of a script.
type run struct {
	t       TB
	script  *script
	variant variant
	at      int // the step being worked on
	stand   *stand
	width   int // the parallelism
	looked  int // records that an Expect has seen
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
func runOnce(start starter, s *script, v variant) (o outcome, failure caught) {
	defer func() {
		if p := recover(); p != nil {
			var ours bool
			if failure, ours = p.(caught); !ours {
				panic(p)
			}
		}
	}()
	r := &run{script: s, variant: v, width: v.parallelism, sides: map[string]int{}}
	r.t = catcher{r.where}
	r.stand = start(r.t, v.parallelism, v.cut != 0)
	r.stand.Batches(v.size)
	for i, st := range s.steps {
		r.at = i
		if next, yes := v.cuts(i, r.width); yes && i > 0 && !st.looks() {
			r.restore(next)
		}
		r.step(st)
	}
	r.at = len(s.steps)
	r.stand.Close()
	return r.outcome(), ""
}

func (r *run) where() string {
	if r.at < len(r.script.steps) {
		return fmt.Sprintf("%v: step %d, %v", r.variant, r.at+1, r.script.steps[r.at])
	}
	return r.variant.String()
}

func (r *run) step(st step) {
	r.t.Helper()
	switch st.kind {
	case stepProcess:
		r.stand.gather(st.input, st.put(r.t, r.stand.rows(st.input)))
	case stepWatermark:
		for _, i := range r.stand.inputsOf(st) {
			r.stand.watermark(i, st.ms)
		}
	case stepAdvance:
		r.stand.AdvanceProcessingTime(st.by)
	case stepEnd:
		for _, i := range r.stand.inputsOf(st) {
			r.stand.end(i)
		}
	case stepExpect:
		r.expect(st.want)
	case stepExpectSide:
		r.expectSide(st.side)
	}
}

// inputsOf lists the inputs that a step is about.
func (s *stand) inputsOf(st step) (inputs []int) {
	for i := range s.inputs {
		if st.input == all || st.input == i {
			inputs = append(inputs, i)
		}
	}
	return inputs
}

// joins tells whether what comes from one input goes several ways and meets
// again, so that there is no order between the records of the ways.
func joins(p *plan.Plan) bool {
	from := map[*plan.Operator]map[messages.OperatorID]bool{} // the sources before it
	for _, op := range p.Operators {
		from[op] = map[messages.OperatorID]bool{}
		if isSource(op) {
			from[op][op.Name] = true
		}
		for _, edge := range op.Inputs {
			for source := range from[edge.From] { // order: of a set
				if from[op][source] {
					return true
				}
				from[op][source] = true
			}
		}
	}
	return false
}

// wide tells whether build itself has set a parallelism.
func wide(p *plan.Plan) bool {
	return slices.ContainsFunc(p.Operators, func(op *plan.Operator) bool { return op.Parallelism > 1 })
}

// restore takes a snapshot and goes on from it.
func (r *run) restore(parallelism int) {
	r.t.Helper()
	r.stand.cut(r.at%3, parallelism)
	r.width = parallelism
}

// expect looks at the output. Only where every step is worked off at once is
// everything there.
func (r *run) expect(want []seen) {
	r.t.Helper()
	if r.variant != straight {
		return
	}
	var wanted []seen
	for _, w := range want {
		wanted = append(wanted, r.keyed(w))
	}
	got := r.records(r.looked)
	r.looked += len(got)
	if text := diff(byKey(wanted), byKey(plainly(got)), false); text != "" {
		r.t.Fatalf("the output is not what is expected:\n%s", text)
	}
}

func (r *run) expectSide(w sideWant) {
	r.t.Helper()
	if r.variant != straight {
		return
	}
	s := r.stand.engine.sides[w.tag]
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

func (r *run) outcome() outcome {
	r.t.Helper()
	o := outcome{main: r.records(0), sides: map[string][]seen{}, marks: r.watermarks(), wide: wide(r.stand.engine.plan) || joins(r.stand.engine.plan)}
	for tag, s := range r.stand.engine.sides {
		o.sides[tag] = s.seen()
	}
	return o
}

// records is what came out, from the record at index on. None of it may have
// changed since, for somebody may have it.
func (r *run) records(from int) (all []seen) {
	r.t.Helper()
	c := r.stand.out
	for i := from; i < c.log.Len(); i++ {
		s := seen{value: valueAt(c.log, i), time: c.log.Times[i], epoch: c.epochs[i], copy: c.copies[i]}
		if s.copy != nil && !gocmp.Equal(s.copy, c.carried(r.t, c.log, i), comparing) {
			r.t.Fatalf("a record was changed after it was emitted: %v then, %+v @%s now; emit a copy, several operators may read the same record", s, s.value, showTime(s.time))
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
func (r *run) keyed(s seen) seen {
	if joins(r.stand.engine.plan) {
		return s
	}
	v := s.shown()
	if r.script.key != nil {
		s.key, s.keyed = fmt.Sprintf("%+v", r.script.key(v)), true
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
// each gets all that come in; but one that was in the middle of its results when a
// snapshot was taken is behind the others until it has sent them.
func (r *run) watermarks() (marks []int64) {
	r.t.Helper()
	lives := map[messages.Attempt][][]int64{}
	for _, l := range r.stand.out.lanes {
		lives[l.attempt] = append(lives[l.attempt], r.stand.out.marks[l])
	}
	for _, attempt := range slices.Sorted(maps.Keys(lives)) {
		sent := lives[attempt]
		all := ascending(slices.Concat(sent...))
		for _, own := range sent {
			if !r.stand.halts && len(own) < len(all) || !within(own, all) {
				r.t.Fatalf("one subtask sent the watermarks %v and another one %v", sent[0], own)
			}
		}
		marks = append(marks, all...)
	}
	if r.stand.halts {
		return ascending(marks)
	}
	return marks
}

func ascending(marks []int64) []int64 {
	slices.Sort(marks)
	return slices.Compact(marks)
}

// within tells whether own is a part of all without gaps.
func within(own, all []int64) bool {
	from := slices.Index(all, own[0])
	return from+len(own) <= len(all) && slices.Equal(own, all[from:from+len(own)])
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
