package operatortest

import (
	"github.com/weirflow/weir/operators"
)

// event is a record of a key.
type event struct {
	Key   string
	Value int
}

func keyOf(e event) string { return e.Key }

// sorter holds every event of a key back until the watermark reaches it. It is
// right; the defective operators of defects_test.go are made from it.
type sorter struct {
	held operators.MapState[int64, []int] // by event time
}

var lateTag = operators.NewTag[event]("late")

func newSorter(s *operators.States[string]) *sorter {
	return &sorter{held: operators.NewMapState[int64, []int](s, "held")}
}

func (f *sorter) ProcessElement(ctx *operators.Context[string, event], e event) error {
	if ctx.Time() <= ctx.CurrentWatermark() {
		lateTag.Emit(ctx, e)
		return nil
	}
	held, _ := f.held.Get(ctx.Time())
	f.held.Put(ctx.Time(), append(held, e.Value))
	ctx.RegisterEventTimer(ctx.Time())
	return nil
}

func (f *sorter) OnTimer(ctx *operators.Context[string, event], at int64, _ operators.Domain) error {
	held, _ := f.held.Get(at)
	for _, v := range held {
		ctx.Emit(event{ctx.Key(), v})
	}
	f.held.Delete(at)
	return nil
}

func sorted(in *operators.Stream[event]) *operators.Stream[event] {
	return operators.Process[string, event, event](operators.KeyBy(in, keyOf), "sorter", newSorter, lateTag)
}

func a(v int) event { return event{"a", v} }
func b(v int) event { return event{"b", v} }

// sorting is a script that the sorter follows: events of two keys, out of order
// and late, and a watermark that releases some of them.
func sorting() *Script[event, event] {
	return ExpectSide(NewScript[event, event]().
		Process(a(4), 4).Process(b(2), 2).Process(a(2), 2).Process(b(7), 7).
		Watermark(1).Expect().
		Watermark(4).Expect(At(a(2), 2), At(a(4), 4), At(b(2), 2)).
		Process(a(5), 5).Process(a(3), 3).Process(b(6), 6).
		Watermark(6).Expect(At(a(5), 5), At(b(6), 6)).
		End().Expect(At(b(7), 7)), lateTag, At(a(3), 3))
}
