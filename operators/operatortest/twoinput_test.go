package operatortest

import (
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/weirflow/weir/messages"
	"github.com/weirflow/weir/operators"
)

// pairer adds up what the first and the second input have brought for a key and
// emits the sum when both have come; what has found no partner 5 ms later, by
// watermark, or 50 ms by the clock, goes to the side output alone.
type pairer struct {
	first, second operators.ValueState[event]
}

func newPairer(s *operators.States[string]) *pairer {
	return &pairer{operators.NewValueState[event](s, "first"), operators.NewValueState[event](s, "second")}
}

func (f *pairer) ProcessElement1(ctx *operators.Context[string, event], e event) error {
	return f.meet(ctx, e, f.first, f.second)
}

func (f *pairer) ProcessElement2(ctx *operators.Context[string, event], e event) error {
	return f.meet(ctx, e, f.second, f.first)
}

func (f *pairer) meet(ctx *operators.Context[string, event], e event, mine, other operators.ValueState[event]) error {
	if o, ok := other.Get(); ok {
		ctx.Emit(event{e.Key, e.Value + o.Value})
		other.Clear()
		return nil
	}
	mine.Set(e)
	ctx.RegisterEventTimer(ctx.Time() + 5)
	ctx.RegisterProcessingTimer(ctx.CurrentProcessingTime() + 50)
	return nil
}

func (f *pairer) OnTimer(ctx *operators.Context[string, event], _ int64, _ operators.Domain) error {
	for _, side := range []operators.ValueState[event]{f.first, f.second} {
		if e, ok := side.Get(); ok {
			lateTag.Emit(ctx, e)
			side.Clear()
		}
	}
	return nil
}

func paired(a, b *operators.Stream[event]) *operators.Stream[event] {
	return operators.CoProcess[string, event, event, event](operators.KeyBy(a, keyOf), operators.KeyBy(b, keyOf), "pairer", newPairer, lateTag)
}

func TestTwoInput(t *testing.T) {
	h := Two(t, paired)
	h.ProcessA(a(1), 1)
	h.ProcessB(b(2), 2)
	if h.Timers() != 4 || h.StateSize() != 2 {
		t.Errorf("%d timers and %d entries, want 4 and 2", h.Timers(), h.StateSize())
	}
	h.ProcessB(a(10), 3)
	same(t, "a pair", h.Output(), []Record[event]{At(a(11), 3)})
	h.WatermarkA(7)
	same(t, "the smaller watermark counts", Side(h, lateTag), nil)
	h.WatermarkB(6)
	same(t, "at 6", Side(h, lateTag), nil)
	h.WatermarkB(7)
	same(t, "at 7", Side(h, lateTag), []Record[event]{At(b(2), 7)})
	h.ProcessA(b(4), 20)
	h.AdvanceProcessingTime(50 * time.Millisecond)
	same(t, "by the clock", Side(h, lateTag), []Record[event]{At(b(4), operators.NoTime)})
	h.ProcessA(a(5), 30)
	h.Watermark(34)
	same(t, "both at 34", Side(h, lateTag), nil)
	h.EndA()
	h.WatermarkB(35)
	same(t, "an input that ended holds nothing back", Side(h, lateTag), []Record[event]{At(a(5), 35)})
	h.ProcessB(b(6), 40)
	h.EndB()
	same(t, "at the end", Side(h, lateTag), []Record[event]{At(b(6), 45)})
	h.End() // of what has ended already: nothing
	if h.StateSize() != 0 || h.Counter("none") != 0 {
		t.Errorf("%d entries are left", h.StateSize())
	}
	h.Close()
}

// A restore keeps the watermark of each input, and which of them have ended.
func TestTwoInputRestore(t *testing.T) {
	h := Two(t, paired)
	h.ProcessA(a(1), 10)
	h.WatermarkA(20)
	h.WatermarkB(12)
	for _, parallelism := range []int{3, 1, 2} {
		h.Restore(h.Snapshot(), parallelism)
		h.WatermarkA(20) // does not grow
		h.WatermarkB(14)
		same(t, "at 14", Side(h, lateTag), nil)
	}
	s := h.Snapshot()
	h.WatermarkB(15)
	same(t, "at 15", Side(h, lateTag), []Record[event]{At(a(1), 15)})
	h.Restore(s, 2)
	h.EndA()
	h.Restore(h.Snapshot(), 3)
	h.WatermarkB(15)
	same(t, "at 15, restored", Side(h, lateTag), []Record[event]{At(a(1), 15)})
	mustFail(t, func(t TB) { h.t, h.engine.t = t, t; h.ProcessA(a(1), 1) }, `operator "operatortest.a", subtask 0: a record or watermark came after the end of its input`)
}

// Epochs say between which watermarks a result came out, for batches of any size;
// the order between the inputs stays that of the calls.
func TestEpochsAndBatches(t *testing.T) {
	for _, size := range []int{1, 2, 512} {
		h := Two(t, func(a, b *operators.Stream[event]) *operators.Stream[event] { return sorted(operators.Union(a, b)) })
		h.Batches(size)
		h.ProcessA(a(1), 1)
		h.ProcessB(a(2), 2)
		h.Watermark(0)
		h.ProcessA(a(3), 2)
		h.WatermarkA(1)
		h.ProcessB(a(4), 9)
		h.WatermarkA(5)
		h.WatermarkB(5)
		h.End()
		got := h.Epochs()
		want := []Epoch[event]{
			{0, []Record[event]{At(a(1), 1), At(a(2), 2), At(a(3), 2)}},
			{5, []Record[event]{At(a(4), 9)}},
		}
		if !slices.EqualFunc(got, want, func(x, y Epoch[event]) bool {
			return x.Watermark == y.Watermark && slices.Equal(x.Records, y.Records)
		}) {
			t.Errorf("batches of %d: %v, want %v", size, got, want)
		}
		if rest := h.Epochs(); rest != nil {
			t.Errorf("batches of %d: %v came twice", size, rest)
		}
	}
	mustFail(t, func(t TB) { Keyed(t, sorted).Batches(0) }, "Batches(0)")
}

// pairing is a script that the pairer follows.
func pairing() *TwoInputScript[event, event, event] {
	return ExpectSide(NewTwoInputScript[event, event, event]().
		ProcessA(a(1), 1).ProcessB(b(2), 2).ProcessB(a(10), 3).Expect(At(a(11), 3)).
		WatermarkA(7).WatermarkB(6).ProcessA(b(20), 8).Expect(At(b(22), 8)).
		ProcessA(a(3), 9).Watermark(14).
		ProcessB(b(4), 15).AdvanceProcessingTime(50*time.Millisecond).
		ProcessA(a(5), 20).EndA().ProcessB(a(50), 21).EndB().Expect(At(a(55), 21)), lateTag, At(a(3), 14), At(b(4), operators.NoTime))
}

func TestPairerIsRight(t *testing.T) {
	RunTwoInputScript(t, paired, pairing())
	RunTwoInputScript(t, paired, NewTwoInputScript[event, event, event]().Key(func(e event) any { return e.Value % 2 }).
		ProcessA(a(1), 1).ProcessB(a(1), 1).ProcessA(b(1), 1).ProcessB(b(2), 2).End().
		Expect(At(b(3), 2), At(a(2), 1)))
}

func TestTwoInputFailures(t *testing.T) {
	type script = TwoInputScript[event, event, event]
	one := func() *script {
		return NewTwoInputScript[event, event, event]().ProcessA(a(1), 1).ProcessB(a(2), 2)
	}
	for what, c := range map[string]struct {
		s    *script
		want string
	}{
		"missing":    {one().Expect(At(a(3), 2), At(a(4), 4)), "step 3, Expect: the output is not what is expected:"},
		"unexpected": {one().Expect(), `"{Key:a Value:3} @2"`},
		"side":       {ExpectSide(one(), lateTag, At(a(1), 1)), `side output "late" is not what is expected`},
		"ended A":    {one().EndA().ProcessA(a(1), 1), "step 4, ProcessA({Key:a Value:1}, 1): operator"},
		"ended B":    {one().EndB().WatermarkB(3), "step 4, WatermarkB(3): operator"},
		"ended":      {one().End().Watermark(3), "step 4, Watermark(3): operator"},
		"no mark":    {one().WatermarkA(messages.NoWatermark), "step 3, WatermarkA(none): messages.NoWatermark"},
	} {
		got := failureOf(func(t TB) { RunTwoInputScript(t, paired, c.s) })
		if !contains(got, c.want) {
			t.Errorf("%s: the failure does not say %q:\n%s", what, c.want, got)
		}
	}
}

// absentMinded keeps what waits in a Go map, which no snapshot has.
type absentMinded struct{ waiting map[string]event }

func (f *absentMinded) ProcessElement1(ctx *operators.Context[string, event], e event) error {
	if o, ok := f.waiting[e.Key]; ok {
		ctx.Emit(event{e.Key, e.Value + o.Value})
	}
	f.waiting[e.Key] = e
	return nil
}

func (f *absentMinded) ProcessElement2(ctx *operators.Context[string, event], e event) error {
	return f.ProcessElement1(ctx, e)
}

func TestFindsStateOfTwoInputsForgotten(t *testing.T) {
	build := func(a, b *operators.Stream[event]) *operators.Stream[event] {
		return operators.CoProcess[string, event, event, event](operators.KeyBy(a, keyOf), operators.KeyBy(b, keyOf), "defect",
			func(*operators.States[string]) *absentMinded { return &absentMinded{map[string]event{}} })
	}
	mustFail(t, func(t TB) {
		RunTwoInputScript(t, build, NewTwoInputScript[event, event, event]().ProcessA(a(1), 1).ProcessB(a(2), 2).Expect(At(a(3), 2)))
	}, "batches of 1, parallelism 1, with a snapshot restored before step 2 at parallelism 1", `- "{Key:a Value:3} @2"`)
}

// Whatever a script does, an operator that is right passes.
func TestAnyScriptOfThePairer(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s, clocks := NewTwoInputScript[event, event, event](), [2]int64{}
		for range rapid.IntRange(1, 6).Draw(t, "steps") {
			input := rapid.IntRange(0, 1).Draw(t, "input")
			if rapid.Bool().Draw(t, "watermark") {
				clocks[input] += int64(rapid.IntRange(0, 4).Draw(t, "by"))
				[]func(int64) *TwoInputScript[event, event, event]{s.WatermarkA, s.WatermarkB}[input](clocks[input])
				continue
			}
			e := event{rapid.SampledFrom([]string{"a", "b", "c"}).Draw(t, "key"), rapid.IntRange(0, 9).Draw(t, "value")}
			[]func(event, int64) *TwoInputScript[event, event, event]{s.ProcessA, s.ProcessB}[input](e, clocks[input]+int64(rapid.IntRange(-2, 6).Draw(t, "time")))
		}
		RunTwoInputScript(t, paired, s.End())
	})
}

// Streams of two inputs that meet have the order of the calls; ways of one input
// that meet have none.
func TestJoins(t *testing.T) {
	two := standForTwo(t, func(a, b *operators.Stream[event]) *operators.Stream[event] {
		return paired(operators.Map(a, "same", func(e event) event { return e }), b)
	}, 1, false, false)
	fork := standForTwo(t, func(a, b *operators.Stream[event]) *operators.Stream[event] {
		return paired(operators.Union(a, b), operators.Map(b, "same", func(e event) event { return e }))
	}, 1, false, false)
	if joins(two.engine.plan) || !joins(fork.engine.plan) {
		t.Errorf("two inputs: %v, a fork: %v", joins(two.engine.plan), joins(fork.engine.plan))
	}
}
