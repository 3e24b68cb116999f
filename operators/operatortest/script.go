package operatortest

import (
	"fmt"
	"time"

	"github.com/weirflow/weir/operators"
)

// Script is what happens to an operator, and what it must answer: steps for
// RunScript. Its methods add a step and give the script back.
type Script[T, R any] struct {
	steps []step[T, R]
	key   func(R) any
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

type step[T, R any] struct {
	kind  stepKind
	value T             // process
	ms    int64         // process: event time; watermark
	by    time.Duration // advance
	want  []Record[R]   // expect
	side  sideWant      // expectSide
}

type sideWant struct {
	tag  string
	want []seen
}

// NewScript begins a script for an operator from T to R.
func NewScript[T, R any]() *Script[T, R] { return &Script[T, R]{} }

// Key says what the key of a result is. Order is then demanded key by key, and
// results of different keys may come in any order between two watermarks, as
// they may in a job. Without it the results' field Key is the key, if they are
// structs that have one, as operators.WindowResult is; and without that either,
// Expect demands its records in the order in which they stand.
func (s *Script[T, R]) Key(of func(R) any) *Script[T, R] {
	s.key = of
	return s
}

// Process brings a record with an event time in ms, or operators.NoTime.
func (s *Script[T, R]) Process(value T, time int64) *Script[T, R] {
	return s.add(step[T, R]{kind: stepProcess, value: value, ms: time})
}

// Watermark brings a watermark, in ms.
func (s *Script[T, R]) Watermark(ms int64) *Script[T, R] {
	return s.add(step[T, R]{kind: stepWatermark, ms: ms})
}

// AdvanceProcessingTime moves the clock of the node on, see Harness.
func (s *Script[T, R]) AdvanceProcessingTime(d time.Duration) *Script[T, R] {
	return s.add(step[T, R]{kind: stepAdvance, by: d})
}

// End ends the input. Nothing but Expect may follow.
func (s *Script[T, R]) End() *Script[T, R] { return s.add(step[T, R]{kind: stepEnd}) }

// Expect demands that exactly these records came out since the last Expect.
func (s *Script[T, R]) Expect(want ...Record[R]) *Script[T, R] {
	return s.add(step[T, R]{kind: stepExpect, want: want})
}

// ExpectSide demands that exactly these records went to a side output, in this
// order, since the last ExpectSide of that tag.
func ExpectSide[T, R, X any](s *Script[T, R], tag operators.Tag[X], want ...Record[X]) *Script[T, R] {
	side := sideWant{tag: tag.Name()}
	for _, r := range want {
		side.want = append(side.want, seen{value: r.Value, time: r.Time})
	}
	return s.add(step[T, R]{kind: stepExpectSide, side: side})
}

func (s *Script[T, R]) add(st step[T, R]) *Script[T, R] {
	s.steps = append(s.steps, st)
	return s
}

// String shows the step in failures.
func (st step[T, R]) String() string {
	switch st.kind {
	case stepProcess:
		return fmt.Sprintf("Process(%+v, %s)", st.value, showTime(st.ms))
	case stepWatermark:
		return fmt.Sprintf("Watermark(%s)", showTime(st.ms))
	case stepAdvance:
		return fmt.Sprintf("AdvanceProcessingTime(%v)", st.by)
	case stepEnd:
		return "End"
	case stepExpect:
		return "Expect"
	}
	return fmt.Sprintf("ExpectSide(%q)", st.side.tag)
}

// looks tells whether the step only looks at what came out.
func (st step[T, R]) looks() bool { return st.kind == stepExpect || st.kind == stepExpectSide }
