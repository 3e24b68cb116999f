package operatortest

import (
	"github.com/weirflow/weir/messages"
	"github.com/weirflow/weir/operators"
	"github.com/weirflow/weir/operators/plan"
)

// Harness drives one operator, or a few in a row, behind one input. Records and
// watermarks go in one at a time, and what follows from one has happened when
// the method returns.
type Harness[T, R any] struct{ *stand }

// oneInput is what stands before an operator with one input.
var oneInput = []messages.OperatorID{"operatortest.input"}

// Keyed starts what build makes of the stream in, at parallelism 1, and fails
// the test if the topology is wrong. build is called again for every Restore. It
// usually begins with operators.KeyBy, but an operator without key works as well.
//
// Operators get the harness' parallelism unless build sets another; the input
// has parallelism 1 always, so that its order is that of the calls.
func Keyed[T, R any](t TB, build func(in *operators.Stream[T]) *operators.Stream[R]) *Harness[T, R] {
	t.Helper()
	return &Harness[T, R]{standFor(t, build, 1, false, false)}
}

func standFor[T, R any](t TB, build func(in *operators.Stream[T]) *operators.Stream[R], parallelism int, copies, halts bool) *stand {
	t.Helper()
	return newStand(t, oneInput, func(parallelism int) *plan.Plan {
		t.Helper()
		return planOf(t, parallelism, func(top *operators.Topology) *operators.Stream[R] {
			return build(inputOf[T](top, oneInput[0]))
		})
	}, parallelism, copies, halts)
}

// Process brings a record with an event time in ms, or operators.NoTime.
func (h *Harness[T, R]) Process(value T, time int64) {
	h.t.Helper()
	process(h.stand, 0, value, time)
}

// Watermark brings a watermark, in ms. One that does not grow is ignored, as it
// is in a job.
func (h *Harness[T, R]) Watermark(watermark int64) {
	h.t.Helper()
	h.watermark(0, watermark)
}

// Output gives the records that came out since the last call, in their order.
// Among those of several subtasks the order says nothing.
func (h *Harness[T, R]) Output() []Record[R] {
	h.t.Helper()
	return outputOf[R](h.stand)
}

// Epochs gives what Output would, and between which watermarks it came out: the
// results that a watermark causes leave before it. Epochs without records are
// left out.
func (h *Harness[T, R]) Epochs() []Epoch[R] {
	h.t.Helper()
	return epochsOf[R](h.stand)
}
