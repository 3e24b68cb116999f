package operatortest

import (
	"testing"

	"github.com/weirflow/weir/operators"
)

// The operators of this file are wrong, each in a way that a plain test does not
// see. RunScript must.

// processing builds an operator of a function behind the key of an event.
func processing[F operators.KeyedProcess[string, event, event]](newFunction func(*operators.States[string]) F) func(*operators.Stream[event]) *operators.Stream[event] {
	return func(in *operators.Stream[event]) *operators.Stream[event] {
		return operators.Process[string, event, event](operators.KeyBy(in, keyOf), "defect", newFunction)
	}
}

// counting is a script for operators that number the events of a key.
func counting() *Script[event, event] {
	return NewScript[event, event]().
		Process(a(0), 1).Process(a(0), 2).Process(b(0), 3).Watermark(3).Process(b(0), 4).Process(a(0), 5).
		Expect(At(a(1), 1), At(a(2), 2), At(b(1), 3), At(b(2), 4), At(a(3), 5))
}

// counter is how it is done: it numbers the events of a key, in state.
type counter struct{ n operators.ValueState[int] }

func newCounter(s *operators.States[string]) *counter {
	return &counter{n: operators.NewValueState[int](s, "n")}
}

func (f *counter) ProcessElement(ctx *operators.Context[string, event], _ event) error {
	n, _ := f.n.Get()
	f.n.Set(n + 1)
	ctx.Emit(event{ctx.Key(), n + 1})
	return nil
}

func TestCounterIsRight(t *testing.T) { RunScript(t, processing(newCounter), counting()) }

// forgetful numbers them in a Go map, which no snapshot has.
type forgetful struct{ n map[string]int }

func (f *forgetful) ProcessElement(ctx *operators.Context[string, event], _ event) error {
	f.n[ctx.Key()]++
	ctx.Emit(event{ctx.Key(), f.n[ctx.Key()]})
	return nil
}

func TestFindsStateForgottenAtRestore(t *testing.T) {
	build := processing(func(*operators.States[string]) *forgetful { return &forgetful{n: map[string]int{}} })
	mustFail(t, func(t TB) { RunScript(t, build, counting()) },
		"batches of 1, parallelism 1, with a snapshot restored before step 2 at parallelism 1",
		`- "{Key:a Value:2} @2"`, `+ "{Key:a Value:1} @2"`)
}

// gossip has two functions that talk behind the engine's back: the second takes
// for granted that its record is the one that the first has just seen.
func gossip(in *operators.Stream[event]) *operators.Stream[event] {
	var last int
	first := operators.Map(in, "first", func(e event) event { last = e.Value; return e })
	return operators.Map(first, "second", func(e event) event { return event{e.Key, last} })
}

func TestFindsDependenceOnBatchSize(t *testing.T) {
	s := NewScript[event, event]().Process(a(1), 1).Process(a(2), 2).Process(a(3), 3).
		Expect(At(a(1), 1), At(a(2), 2), At(a(3), 3))
	mustFail(t, func(t TB) { RunScript(t, gossip, s) }, "batches of 2, parallelism 1:", `- "{Key:a Value:1} @1"`, `+ "{Key:a Value:2} @1"`)
}

// lender emits a slice and writes to it again.
type lender struct{ lent []int }

func (f *lender) ProcessElement(ctx *operators.Context[string, []int], e event) error {
	f.lent = append(f.lent[:0], e.Value)
	ctx.Emit(f.lent)
	return nil
}

func TestFindsRecordsChangedAfterTheyWereEmitted(t *testing.T) {
	build := func(in *operators.Stream[event]) *operators.Stream[[]int] {
		return operators.Process[string, event, []int](operators.KeyBy(in, keyOf), "lender",
			func(*operators.States[string]) *lender { return &lender{lent: make([]int, 0, 1)} })
	}
	s := NewScript[event, []int]().
		Process(a(1), 1).Expect(At([]int{1}, 1)).
		Process(a(2), 2).Expect(At([]int{2}, 2))
	mustFail(t, func(t TB) { RunScript(t, build, s) }, "a record was changed after it was emitted: [1] @1 then, [2] @1 now")
}

// eager releases what it holds as soon as a later event comes, instead of when
// the watermark does.
type eager struct{ sorter }

func (f *eager) ProcessElement(ctx *operators.Context[string, event], e event) error {
	if err := f.sorter.ProcessElement(ctx, e); err != nil {
		return err
	}
	for at := range f.held.All() {
		if at < ctx.Time() {
			ctx.DeleteEventTimer(at)
			if err := f.OnTimer(ctx, at, operators.EventTime); err != nil {
				return err
			}
		}
	}
	return nil
}

func TestFindsFiringOnTheWrongWatermark(t *testing.T) {
	build := func(in *operators.Stream[event]) *operators.Stream[event] {
		return operators.Process[string, event, event](operators.KeyBy(in, keyOf), "eager",
			func(s *operators.States[string]) *eager { return &eager{*newSorter(s)} }, lateTag)
	}
	mustFail(t, func(t TB) { RunScript(t, build, sorting()) },
		"batches of 1, parallelism 1: step 6, Expect: the output is not what is expected")
}

// tardy waits for the watermark behind the right one.
type tardy struct{ sorter }

func (f *tardy) ProcessElement(ctx *operators.Context[string, event], e event) error {
	held, _ := f.held.Get(ctx.Time() + 1)
	f.held.Put(ctx.Time()+1, append(held, e.Value))
	ctx.RegisterEventTimer(ctx.Time() + 1)
	return nil
}

func TestFindsFiringLate(t *testing.T) {
	build := func(in *operators.Stream[event]) *operators.Stream[event] {
		return operators.Process[string, event, event](operators.KeyBy(in, keyOf), "tardy",
			func(s *operators.States[string]) *tardy { return &tardy{*newSorter(s)} }, lateTag)
	}
	s := NewScript[event, event]().Process(a(8), 8).Process(a(3), 3).Watermark(3).Expect(At(a(3), 3))
	mustFail(t, func(t TB) { RunScript(t, build, s) }, "step 4, Expect", `- "{Key:a Value:3} @3"`)
}

// shared numbers the events of all keys of its subtask: only several subtasks, or
// a restore, show that it is none of its business.
type shared struct{ n int }

func (f *shared) ProcessElement(ctx *operators.Context[string, event], _ event) error {
	f.n++
	ctx.Emit(event{ctx.Key(), f.n})
	return nil
}

func TestFindsWhatKeysShare(t *testing.T) {
	build := processing(func(*operators.States[string]) *shared { return &shared{} })
	s := NewScript[event, event]()
	for i := range 20 {
		s.Process(event{string(rune('a' + i)), 0}, 1)
	}
	mustFail(t, func(t TB) { RunScript(t, build, s) }, "batches of 1, parallelism 2:")
}

// rude sends a record to a side output when it restarts.
type rude struct{ opened bool }

func (f *rude) Open(info operators.OpenContext) error { f.opened = info.Restored; return nil }

func (f *rude) ProcessElement(ctx *operators.Context[string, event], e event) error {
	if f.opened {
		lateTag.Emit(ctx, e)
	}
	return nil
}

func TestFindsDifferenceInASideOutput(t *testing.T) {
	build := func(in *operators.Stream[event]) *operators.Stream[event] {
		return operators.Process[string, event, event](operators.KeyBy(in, keyOf), "rude",
			func(*operators.States[string]) *rude { return &rude{} }, lateTag)
	}
	mustFail(t, func(t TB) { RunScript(t, build, NewScript[event, event]().Process(a(1), 1).Process(a(2), 2)) },
		`side output "late"`, `{Key:a Value:2} @2`)
}
