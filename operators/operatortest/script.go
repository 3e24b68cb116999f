package operatortest

import (
	"fmt"
	"time"

	"github.com/weirflow/weir/operators"
	"github.com/weirflow/weir/operators/plan"
)

// Script is what happens to an operator, and what it must answer: steps for
// RunScript. Its methods add a step and give the script back.
type Script[T, R any] struct{ script }

// script is a script without its types.
type script struct {
	inputs []string // what the methods of each input have behind their names
	steps  []step
	key    func(result any) any // nil: the field Key, if there is one
}

type stepKind int

const (
	stepProcess stepKind = iota
	stepWatermark
	stepAdvance
	stepEnd
	stepExpect
	stepExpectSide
)

// all stands for every input, in their order.
const all = -1

type step struct {
	kind  stepKind
	input int    // process, watermark, end; or all
	name  string // of the method
	value any    // process
	put   func(t TB, rows plan.RowType) *plan.Batch
	ms    int64         // process: event time; watermark
	by    time.Duration // advance
	want  []seen        // expect
	side  sideWant      // expectSide
}

type sideWant struct {
	tag  string
	want []seen
}

// NewScript begins a script for an operator from T to R.
func NewScript[T, R any]() *Script[T, R] { return &Script[T, R]{script{inputs: []string{""}}} }

// Key says what the key of a result is. Order is then demanded key by key, and
// results of different keys may come in any order between two watermarks, as
// they may in a job. Without it the results' field Key is the key, if they are
// structs that have one, as operators.WindowResult is; and without that either,
// Expect demands its records in the order in which they stand.
func (s *Script[T, R]) Key(of func(R) any) *Script[T, R] {
	s.key = func(v any) any { return of(v.(R)) }
	return s
}

// Process brings a record with an event time in ms, or operators.NoTime.
func (s *Script[T, R]) Process(value T, time int64) *Script[T, R] {
	addProcess(&s.script, 0, value, time)
	return s
}

// Watermark brings a watermark, in ms.
func (s *Script[T, R]) Watermark(ms int64) *Script[T, R] {
	s.addWatermark(0, ms)
	return s
}

// AdvanceProcessingTime moves the clock of the node on, see Harness.
func (s *Script[T, R]) AdvanceProcessingTime(d time.Duration) *Script[T, R] {
	s.add(step{kind: stepAdvance, by: d})
	return s
}

// End ends the input. Nothing but Expect may follow.
func (s *Script[T, R]) End() *Script[T, R] {
	s.addEnd(0)
	return s
}

// Expect demands that exactly these records came out since the last Expect.
func (s *Script[T, R]) Expect(want ...Record[R]) *Script[T, R] {
	addExpect(&s.script, want)
	return s
}

// TwoInputScript is a Script for an operator with two inputs, which
// RunTwoInputScript runs.
type TwoInputScript[A, B, R any] struct{ script }

// NewTwoInputScript begins a script for an operator from A and B to R.
func NewTwoInputScript[A, B, R any]() *TwoInputScript[A, B, R] {
	return &TwoInputScript[A, B, R]{script{inputs: []string{"A", "B"}}}
}

// Key says what the key of a result is, see Script.Key.
func (s *TwoInputScript[A, B, R]) Key(of func(R) any) *TwoInputScript[A, B, R] {
	s.key = func(v any) any { return of(v.(R)) }
	return s
}

// ProcessA brings a record of the first input, with an event time in ms, or
// operators.NoTime.
func (s *TwoInputScript[A, B, R]) ProcessA(value A, time int64) *TwoInputScript[A, B, R] {
	addProcess(&s.script, 0, value, time)
	return s
}

// ProcessB brings a record of the second input.
func (s *TwoInputScript[A, B, R]) ProcessB(value B, time int64) *TwoInputScript[A, B, R] {
	addProcess(&s.script, 1, value, time)
	return s
}

// WatermarkA brings a watermark of the first input, in ms.
func (s *TwoInputScript[A, B, R]) WatermarkA(ms int64) *TwoInputScript[A, B, R] {
	s.addWatermark(0, ms)
	return s
}

// WatermarkB brings a watermark of the second input, in ms.
func (s *TwoInputScript[A, B, R]) WatermarkB(ms int64) *TwoInputScript[A, B, R] {
	s.addWatermark(1, ms)
	return s
}

// Watermark brings the same watermark of both inputs, in ms.
func (s *TwoInputScript[A, B, R]) Watermark(ms int64) *TwoInputScript[A, B, R] {
	s.addWatermark(all, ms)
	return s
}

// AdvanceProcessingTime moves the clock of the node on, see Harness.
func (s *TwoInputScript[A, B, R]) AdvanceProcessingTime(d time.Duration) *TwoInputScript[A, B, R] {
	s.add(step{kind: stepAdvance, by: d})
	return s
}

// EndA ends the first input.
func (s *TwoInputScript[A, B, R]) EndA() *TwoInputScript[A, B, R] {
	s.addEnd(0)
	return s
}

// EndB ends the second input.
func (s *TwoInputScript[A, B, R]) EndB() *TwoInputScript[A, B, R] {
	s.addEnd(1)
	return s
}

// End ends both inputs. Nothing but Expect may follow.
func (s *TwoInputScript[A, B, R]) End() *TwoInputScript[A, B, R] {
	s.addEnd(all)
	return s
}

// Expect demands that exactly these records came out since the last Expect.
func (s *TwoInputScript[A, B, R]) Expect(want ...Record[R]) *TwoInputScript[A, B, R] {
	addExpect(&s.script, want)
	return s
}

// AnyScript is a Script or a TwoInputScript.
type AnyScript interface{ add(st step) }

// ExpectSide demands that exactly these records went to a side output, in this
// order, since the last ExpectSide of that tag.
func ExpectSide[S AnyScript, X any](s S, tag operators.Tag[X], want ...Record[X]) S {
	s.add(step{kind: stepExpectSide, side: sideWant{tag: tag.Name(), want: seenOf(want)}})
	return s
}

func addProcess[T any](s *script, input int, value T, time int64) {
	s.add(step{kind: stepProcess, input: input, value: value, ms: time, put: func(t TB, rows plan.RowType) *plan.Batch {
		t.Helper()
		return batchOf(t, rows, []T{value}, []int64{time})
	}})
}

func (s *script) addWatermark(input int, ms int64) {
	s.add(step{kind: stepWatermark, input: input, ms: ms})
}

func (s *script) addEnd(input int) { s.add(step{kind: stepEnd, input: input}) }

func addExpect[R any](s *script, want []Record[R]) {
	s.add(step{kind: stepExpect, want: seenOf(want)})
}

func seenOf[R any](records []Record[R]) (all []seen) {
	for _, r := range records {
		all = append(all, seen{value: r.Value, time: r.Time})
	}
	return all
}

func (s *script) add(st step) {
	if st.input != all {
		st.name = s.inputs[st.input]
	}
	s.steps = append(s.steps, st)
}

// String shows the step in failures.
func (st step) String() string {
	switch st.kind {
	case stepProcess:
		return fmt.Sprintf("Process%s(%+v, %s)", st.name, st.value, showTime(st.ms))
	case stepWatermark:
		return fmt.Sprintf("Watermark%s(%s)", st.name, showTime(st.ms))
	case stepAdvance:
		return fmt.Sprintf("AdvanceProcessingTime(%v)", st.by)
	case stepEnd:
		return "End" + st.name
	case stepExpect:
		return "Expect"
	}
	return fmt.Sprintf("ExpectSide(%q)", st.side.tag)
}

// looks tells whether the step only looks at what came out.
func (st step) looks() bool { return st.kind == stepExpect || st.kind == stepExpectSide }
