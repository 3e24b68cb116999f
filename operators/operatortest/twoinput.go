package operatortest

import (
	"github.com/weirflow/weir/messages"
	"github.com/weirflow/weir/operators"
	"github.com/weirflow/weir/operators/plan"
)

// TwoInput is a Harness for an operator with two inputs, a and b. Their order is
// that of the calls, and the watermark of the operator is the smaller one.
type TwoInput[A, B, R any] struct{ *stand }

// twoInputs is what stands before an operator with two inputs.
var twoInputs = []messages.OperatorID{"operatortest.a", "operatortest.b"}

// Two starts what build makes of the streams a and b, as Keyed does.
func Two[A, B, R any](t TB, build func(a *operators.Stream[A], b *operators.Stream[B]) *operators.Stream[R]) *TwoInput[A, B, R] {
	t.Helper()
	return &TwoInput[A, B, R]{standForTwo(t, build, 1, false, false)}
}

func standForTwo[A, B, R any](t TB, build func(a *operators.Stream[A], b *operators.Stream[B]) *operators.Stream[R], parallelism int, copies, halts bool) *stand {
	t.Helper()
	return newStand(t, twoInputs, func(parallelism int) *plan.Plan {
		t.Helper()
		return planOf(t, parallelism, func(top *operators.Topology) *operators.Stream[R] {
			return build(inputOf[A](top, twoInputs[0]), inputOf[B](top, twoInputs[1]))
		})
	}, parallelism, copies, halts)
}

// ProcessA brings a record of the first input, see Harness.Process.
func (h *TwoInput[A, B, R]) ProcessA(value A, time int64) {
	h.t.Helper()
	process(h.stand, 0, value, time)
}

// ProcessB brings a record of the second input.
func (h *TwoInput[A, B, R]) ProcessB(value B, time int64) {
	h.t.Helper()
	process(h.stand, 1, value, time)
}

// WatermarkA brings a watermark of the first input, in ms.
func (h *TwoInput[A, B, R]) WatermarkA(watermark int64) {
	h.t.Helper()
	h.watermark(0, watermark)
}

// WatermarkB brings a watermark of the second input, in ms.
func (h *TwoInput[A, B, R]) WatermarkB(watermark int64) {
	h.t.Helper()
	h.watermark(1, watermark)
}

// Watermark brings the same watermark of both inputs.
func (h *TwoInput[A, B, R]) Watermark(watermark int64) {
	h.t.Helper()
	h.watermark(0, watermark)
	h.watermark(1, watermark)
}

// EndA ends the first input, which holds no watermark back any more.
func (h *TwoInput[A, B, R]) EndA() {
	h.t.Helper()
	h.end(0)
}

// EndB ends the second input.
func (h *TwoInput[A, B, R]) EndB() {
	h.t.Helper()
	h.end(1)
}

// Output is that of Harness.
func (h *TwoInput[A, B, R]) Output() []Record[R] {
	h.t.Helper()
	return outputOf[R](h.stand)
}

// Epochs is that of Harness.
func (h *TwoInput[A, B, R]) Epochs() []Epoch[R] {
	h.t.Helper()
	return epochsOf[R](h.stand)
}
