package operatortest

import (
	"slices"
	"testing"
	"time"

	"github.com/weirflow/weir/messages"
	"github.com/weirflow/weir/operators"
)

func same[R comparable](t *testing.T, what string, got, want []Record[R]) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s: got %v, want %v", what, got, want)
	}
}

func TestHarness(t *testing.T) {
	h := Keyed(t, sorted)
	h.Process(a(4), 4)
	h.Process(a(2), 2)
	h.Process(b(2), 2)
	if h.Timers() != 3 || h.StateSize() != 3 {
		t.Errorf("%d timers and %d entries, want 3 and 3", h.Timers(), h.StateSize())
	}
	h.Watermark(1)
	same(t, "before its time", h.Output(), nil)
	h.Watermark(3)
	if got := h.Output(); len(got) != 2 || !slices.Contains(got, At(a(2), 2)) || !slices.Contains(got, At(b(2), 2)) {
		t.Errorf("at 3 came %v", got)
	}
	if h.Timers() != 1 || h.StateSize() != 1 {
		t.Errorf("%d timers and %d entries, want 1 and 1", h.Timers(), h.StateSize())
	}
	h.Watermark(2) // ignored
	h.Process(a(3), 3)
	same(t, "late", Side(h, lateTag), []Record[event]{At(a(3), 3)})
	same(t, "late, drained", Side(h, lateTag), nil)
	h.End()
	same(t, "at the end", h.Output(), []Record[event]{At(a(4), 4)})
	if h.StateSize() != 0 {
		t.Errorf("%d entries are left", h.StateSize())
	}
}

// A snapshot does not change with the operator, can be restored many times, at
// any parallelism, and brings its watermark along.
func TestHarnessRestore(t *testing.T) {
	h := Keyed(t, sorted)
	for i := range 40 {
		h.Process(event{string(rune('a' + i)), i}, 10)
	}
	h.Watermark(5)
	s := h.Snapshot()
	h.End()
	if got := h.Output(); len(got) != 40 {
		t.Fatalf("%d records before the restore, want 40", len(got))
	}
	for _, parallelism := range []int{3, 1, 2, 128} {
		h.Restore(s, parallelism)
		if h.StateSize() != 40 || h.Timers() != 40 {
			t.Errorf("parallelism %d: %d entries, %d timers, want 40 and 40", parallelism, h.StateSize(), h.Timers())
		}
		h.Process(event{"late", 0}, 5)
		h.Process(event{"on time", 1}, 6)
		h.Watermark(9)
		same(t, "late", Side(h, lateTag), []Record[event]{At(event{"late", 0}, 5)})
		same(t, "at 9", h.Output(), []Record[event]{At(event{"on time", 1}, 6)})
		h.End()
		if got := h.Output(); len(got) != 40 {
			t.Errorf("parallelism %d: %d records at the end, want 40", parallelism, len(got))
		}
	}
}

// alarm emits its key when its processing-time timer fires, and the clock with it.
type alarm struct{}

func (alarm) ProcessElement(ctx *operators.Context[string, int64], e event) error {
	ctx.RegisterProcessingTimer(int64(e.Value))
	return nil
}

func (alarm) OnTimer(ctx *operators.Context[string, int64], at int64, _ operators.Domain) error {
	if at == 30 {
		ctx.RegisterProcessingTimer(at + 5)
	}
	ctx.EmitAt(ctx.CurrentProcessingTime(), at)
	return nil
}

func alarms(in *operators.Stream[event]) *operators.Stream[int64] {
	return operators.Process[string, event, int64](operators.KeyBy(in, keyOf), "alarm",
		func(*operators.States[string]) alarm { return alarm{} })
}

// Timers fire in their order, each when it is due; one that is overdue waits for
// the next time that the clock is touched, also after a restore.
func TestHarnessProcessingTime(t *testing.T) {
	h := Keyed(t, alarms)
	h.Process(a(50), operators.NoTime)
	h.Process(b(30), operators.NoTime)
	h.AdvanceProcessingTime(29 * time.Millisecond)
	same(t, "at 29", h.Output(), nil)
	s := h.Snapshot()
	h.AdvanceProcessingTime(21 * time.Millisecond)
	same(t, "at 50", h.Output(), []Record[int64]{At(int64(30), 30), At(int64(35), 35), At(int64(50), 50)})
	h.Restore(s, 2)
	same(t, "restored", h.Output(), nil)
	h.AdvanceProcessingTime(0)
	if got := h.Output(); len(got) != 3 || slices.ContainsFunc(got, func(r Record[int64]) bool { return r.Value != 50 }) {
		t.Errorf("overdue: %v, want three of clock 50", got)
	}
}

func TestHarnessRefuses(t *testing.T) {
	for what, c := range map[string]struct {
		f    func(t TB)
		want string
	}{
		"a record after the end": {func(t TB) { h := Keyed(t, sorted); h.End(); h.Process(a(1), 1) }, "after the end of its input"},
		"a time out of range":    {func(t TB) { Keyed(t, sorted).Process(a(1), messages.MaxWatermark) }, "give ms since 1970"},
		"no watermark":           {func(t TB) { Keyed(t, sorted).Watermark(messages.NoWatermark) }, "never sent"},
		"time that goes back":    {func(t TB) { Keyed(t, sorted).AdvanceProcessingTime(-time.Millisecond) }, "never goes back"},
		"half a millisecond":     {func(t TB) { Keyed(t, sorted).AdvanceProcessingTime(time.Microsecond) }, "whole number"},
		"a tag nobody writes":    {func(t TB) { Side(Keyed(t, sorted), operators.NewTag[event]("other")) }, `side output "other"`},
		"a tag of another type": {func(t TB) {
			h := Keyed(t, sorted)
			h.Watermark(1)
			h.Process(a(1), 1)
			Side(h, operators.NewTag[int]("late"))
		}, "records of type operatortest.event"},
		"no snapshot": {func(t TB) { Keyed(t, sorted).Restore(nil, 1) }, "no snapshot"},
		"no subtask":  {func(t TB) { h := Keyed(t, sorted); h.Restore(h.Snapshot(), 0) }, "Parallelism(0)"},
		"no stream":   {func(t TB) { Keyed(t, func(*operators.Stream[int]) *operators.Stream[int] { return nil }) }, "gave no stream"},
		"a topology that is wrong": {func(t TB) {
			Keyed(t, func(in *operators.Stream[event]) *operators.Stream[event] {
				return in.Filter("", func(event) bool { return true })
			})
		}, "without a name"},
	} {
		if got := failureOf(c.f); !contains(got, c.want) {
			t.Errorf("%s: the failure is %q, which does not say %q", what, got, c.want)
		}
	}
}

// failing refuses a value.
type failing struct{}

func (failing) ProcessElement(_ *operators.Context[string, int], e event) error {
	if e.Value == 3 {
		return errThree
	}
	return nil
}

// An error of a function ends the test with the operator and the record.
func TestHarnessNamesOperatorAndRecord(t *testing.T) {
	mustFail(t, func(t TB) {
		h := Keyed(t, func(in *operators.Stream[event]) *operators.Stream[int] {
			return operators.Process[string, event, int](operators.KeyBy(in, keyOf), "no-threes",
				func(*operators.States[string]) failing { return failing{} })
		})
		h.Process(a(2), 20)
		h.Process(a(3), 30)
	}, `operator "no-threes", subtask 0 of 1, at time 30`, errThree.Error())
}

// again registers its timer anew, so many milliseconds after the one that fired.
type again struct{ pause int64 }

func (f again) ProcessElement(ctx *operators.Context[string, int64], _ event) error {
	ctx.RegisterProcessingTimer(1)
	return nil
}

func (f again) OnTimer(ctx *operators.Context[string, int64], at int64, _ operators.Domain) error {
	ctx.RegisterProcessingTimer(at + f.pause)
	ctx.EmitAt(ctx.CurrentProcessingTime(), at)
	return nil
}

// Timers that timers register fire on the way, each at its time.
func TestHarnessTimersOneAfterAnother(t *testing.T) {
	h := Keyed(t, func(in *operators.Stream[event]) *operators.Stream[int64] {
		return operators.Process[string, event, int64](operators.KeyBy(in, keyOf), "again",
			func(*operators.States[string]) again { return again{400} })
	})
	h.Process(a(0), 0)
	h.AdvanceProcessingTime(time.Second)
	same(t, "in a second", h.Output(), []Record[int64]{At(int64(1), 1), At(int64(401), 401), At(int64(801), 801)})
	if h.Timers() != 1 {
		t.Errorf("%d timers are pending, want 1", h.Timers())
	}
}

func TestHarnessCounter(t *testing.T) {
	h := Keyed(t, func(in *operators.Stream[event]) *operators.Stream[operators.WindowResult[string, int]] {
		return operators.Aggregate(operators.KeyBy(in, keyOf).Window(operators.Tumbling(10*time.Millisecond)), "sum", sum{})
	})
	h.Watermark(9)
	h.Process(a(1), 9)
	h.Process(b(1), 10)
	if n := h.Counter("records_late_dropped"); n != 1 {
		t.Errorf("%d records were late, want 1", n)
	}
}

// A snapshot of one version of a function is restored by another one only if its
// state is still there.
func TestHarnessRestoresAnotherVersion(t *testing.T) {
	old := Keyed(t, sorted)
	old.Process(a(4), 4)
	newer := Keyed(t, sorted)
	newer.Restore(old.Snapshot(), 2)
	if newer.Timers() != 1 {
		t.Errorf("%d timers, want 1", newer.Timers())
	}
	mustFail(t, func(t TB) {
		other := Keyed(t, func(in *operators.Stream[event]) *operators.Stream[event] {
			return operators.Process[string, event, event](operators.KeyBy(in, keyOf), "sorter", newCounter)
		})
		other.Restore(old.Snapshot(), 1)
	}, "restoring a snapshot", "state held is in the checkpoint but not in the topology")
}
