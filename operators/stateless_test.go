package operators

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/weirflow/weir/operators/plan"
)

// batchSizes are those at which S111 demands equal outputs.
var batchSizes = []int{1, 7, 512, 5000}

// inputs draws records and growing watermarks in any mixture.
func inputs() *rapid.Generator[[]element] {
	return rapid.Custom(func(t *rapid.T) []element {
		n := rapid.OneOf(rapid.IntRange(0, 40), rapid.IntRange(0, 1600)).Draw(t, "n")
		every := rapid.IntRange(1, 20).Draw(t, "every")
		seed := rapid.Int64Range(1, 1<<40).Draw(t, "seed")
		var all []element
		w := int64(0)
		for i := range n {
			all = append(all, record(int64(i)*seed%1000, int64(i)*7%50))
			for k := int64(i) * seed % 97; k < int64(97/every); k += 40 {
				w++
				all = append(all, watermark(w))
			}
		}
		return all
	})
}

// S111: whatever the batch size, a stateless operator gives what a loop over
// the elements gives, watermarks at their places included.
func TestS111_StatelessOperatorsEqualTheirTwins(t *testing.T) {
	for _, c := range []struct {
		name  string
		build func(s *Stream[int64]) *Stream[int64]
		twin  func(v int64) []int64
	}{
		{"map", func(s *Stream[int64]) *Stream[int64] {
			return Map(s, "m", func(v int64) int64 { return v * 3 })
		}, func(v int64) []int64 { return []int64{v * 3} }},
		{"filter", func(s *Stream[int64]) *Stream[int64] {
			return s.Filter("f", func(v int64) bool { return v%3 == 0 })
		}, func(v int64) []int64 {
			if v%3 == 0 {
				return []int64{v}
			}
			return nil
		}},
		{"flatmap", func(s *Stream[int64]) *Stream[int64] {
			return FlatMap(s, "fm", func(v int64, out *Out[int64]) error {
				for k := range v % 5 {
					out.Emit(v + k)
				}
				return nil
			})
		}, func(v int64) []int64 {
			var r []int64
			for k := range v % 5 {
				r = append(r, v+k)
			}
			return r
		}},
	} {
		t.Run(c.name, rapid.MakeCheck(func(t *rapid.T) {
			input := inputs().Draw(t, "input")
			var want []element
			for _, e := range input {
				if e.value == nil {
					want = append(want, e)
					continue
				}
				for _, v := range c.twin(e.value.(int64)) {
					want = append(want, record(v, e.time))
				}
			}
			for _, size := range batchSizes {
				out := &tap[int64]{t: t}
				i := instanceOf(c.build(From(NewTopology("t"), "in", Slice[int64](), NoWatermarks[int64]())))
				start(t, i, map[string]plan.Output{"": out})
				feedIn[int64](t, i, input, size)
				equalElements(t, fmt.Sprintf("batches of %d", size), out.elements, want)
			}
		}))
	}
}

// S84: a record can go to the main output and to sides; S86: a side output is a
// stream like any other, with the records' own times and every watermark.
func TestS84_S86_SideOutputs(t *testing.T) {
	odd, loud := NewTag[int64]("odd"), NewTag[string]("loud")
	top := NewTopology("t")
	in := From(top, "in", Slice[int64](), NoWatermarks[int64]())
	main := FlatMap(in, "split", func(v int64, out *Out[int64]) error {
		if v%2 == 1 {
			odd.Emit(out, v)
		}
		if v > 2 {
			loud.Emit(out, fmt.Sprintf("%d!", v))
		}
		if want := map[int64]int64{1: 10, 2: 11, 3: 12, 5: 8}[v]; out.Time() != want {
			t.Errorf("%d has time %d, want %d", v, out.Time(), want)
		}
		out.Emit(v)
		return nil
	}, odd, loud)
	sides := Map(SideOutput(main, odd), "double", func(v int64) int64 { return 2 * v })
	sides.To("odd-out", discardSink[int64]{})
	SideOutput(main, loud).To("loud-out", discardSink[string]{})
	main.To("out", discardSink[int64]{})
	if _, err := top.Build(); err != nil {
		t.Fatal(err)
	}

	input := []element{record(int64(1), 10), record(int64(2), 11), watermark(9), record(int64(3), 12), record(int64(5), 8), watermark(12)}
	for _, size := range batchSizes {
		m, o, l := &tap[int64]{t: t}, &tap[int64]{t: t}, &tap[string]{t: t}
		i := instanceOf(main)
		start(t, i, map[string]plan.Output{"": m, "odd": o, "loud": l})
		feedIn[int64](t, i, input, size)
		equalElements(t, "main", m.elements, input)
		equalElements(t, "odd", o.elements, []element{record(int64(1), 10), watermark(9), record(int64(3), 12), record(int64(5), 8), watermark(12)})
		equalElements(t, "loud", l.elements, []element{watermark(9), record("3!", 12), record("5!", 8), watermark(12)})
	}
}

// An undeclared tag cannot be written to: its stream would not be checked.
func TestUndeclaredTagFailsTheAttempt(t *testing.T) {
	for _, tag := range []AnyTag{nil, NewTag[string]("x")} {
		var tags []AnyTag
		if tag != nil {
			tags = append(tags, tag)
		}
		s := FlatMap(From(NewTopology("t"), "in", Slice[int64](), NoWatermarks[int64]()), "f", func(v int64, out *Out[int64]) error {
			NewTag[int64]("x").Emit(out, v)
			return nil
		}, tags...)
		i := instanceOf(s)
		start(t, i, nil)
		err := i.Process(0, batchOf[int64]([]element{record(int64(1), 1)}))
		const want = `side output "x" was not declared for Tag[int64] where the operator is defined; pass the tag there`
		if err == nil || err.Error() != want {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}

// The error of an output comes back unchanged, at once, from every operator.
func TestPushErrorsComeBackUnchanged(t *testing.T) {
	broken := errors.New("broken")
	in := From(NewTopology("t"), "in", Slice[int64](), NoWatermarks[int64]())
	calls := 0
	for name, s := range map[string]*Stream[int64]{
		"map":    Map(in, "m", func(v int64) int64 { return v }),
		"filter": in.Filter("f", func(v int64) bool { return true }),
		"flatmap": FlatMap(in, "fm", func(v int64, out *Out[int64]) error {
			calls++
			for range emitSize {
				out.Emit(v)
			}
			return nil
		}),
	} {
		i := instanceOf(s)
		start(t, i, map[string]plan.Output{"": &tap[int64]{t: t, fail: broken}})
		err := i.Process(0, batchOf[int64]([]element{record(int64(1), 1), record(int64(2), 2), watermark(3)}))
		if err != broken {
			t.Errorf("%s: %v", name, err)
		}
	}
	if calls != 1 {
		t.Errorf("the function ran %d times, after the output had failed", calls)
	}
}

// A panic or error of a user's function can be traced to its record.
func TestCursorNamesTheRecord(t *testing.T) {
	in := From(NewTopology("t"), "in", Slice[int64](), NoWatermarks[int64]())
	bad := func(v int64) bool {
		if v == 3 {
			panic("three")
		}
		return v != 1
	}
	for name, s := range map[string]*Stream[int64]{
		"map":    Map(in, "m", func(v int64) int64 { bad(v); return v }),
		"filter": in.Filter("f", bad),
		"flatmap": FlatMap(in, "fm", func(v int64, out *Out[int64]) error {
			bad(v)
			return nil
		}),
	} {
		i := instanceOf(s)
		start(t, i, nil)
		c := i.(plan.RecordCursor)
		if _, _, _, ok := c.Cursor(); ok {
			t.Errorf("%s: at a record before the first one", name)
		}
		good := []element{record(int64(1), 11)}
		if err := i.Process(0, batchOf[int64](good)); err != nil {
			t.Fatal(err)
		}
		if _, _, _, ok := c.Cursor(); ok {
			t.Errorf("%s: at a record between batches", name)
		}
		b := batchOf[int64]([]element{record(int64(1), 11), record(int64(2), 12), record(int64(3), 13), record(int64(4), 14)})
		b.Hashes = []uint64{91, 92, 93, 94}
		func() {
			defer func() { recover() }()
			i.Process(0, b)
		}()
		if time, hash, keyed, ok := c.Cursor(); time != 13 || hash != 93 || !keyed || !ok {
			t.Errorf("%s: cursor at %d, %d, %v, %v", name, time, hash, keyed, ok)
		}
	}
}

func TestUserErrorComesBack(t *testing.T) {
	broken := errors.New("no such zone")
	s := FlatMap(From(NewTopology("t"), "in", Slice[int64](), NoWatermarks[int64]()), "f", func(v int64, out *Out[int64]) error { return broken })
	i := instanceOf(s)
	start(t, i, nil)
	if err := i.Process(0, batchOf[int64]([]element{record(int64(1), 5)})); !errors.Is(err, broken) {
		t.Errorf("got %v", err)
	}
	if time, _, _, ok := i.(plan.RecordCursor).Cursor(); !ok || time != 5 {
		t.Errorf("cursor at %d, %v", time, ok)
	}
}

// The hot path: no allocation once the buffers have grown.
func TestStatelessOperatorsDoNotAllocate(t *testing.T) {
	type row struct {
		ID   int64
		Name string
	}
	in := From(NewTopology("t"), "in", Slice[row](), NoWatermarks[row]())
	for name, i := range map[string]plan.Instance{
		"map":    instanceOf(Map(in, "m", func(r row) row { r.ID++; return r })),
		"filter": instanceOf(in.Filter("f", func(r row) bool { return r.ID%2 == 0 })),
		"flatmap": instanceOf(FlatMap(in, "fm", func(r row, out *Out[row]) error {
			out.Emit(r)
			out.Emit(r)
			return nil
		})),
	} {
		start(t, i, nil)
		rows := rowsOf[row]()
		source, b := rows.New(512), rows.New(512)
		for k := range 512 {
			*valuesOf[row](source) = append(*valuesOf[row](source), row{int64(k), "x"})
			source.Times = append(source.Times, int64(k))
		}
		round := func() {
			rows.Reset(b)
			rows.Append(b, source, 0, 512)
			b.Marks = append(b.Marks, plan.Mark{Index: 100, Watermark: 5}, plan.Mark{Index: 512, Watermark: 9})
			if err := i.Process(0, b); err != nil {
				t.Fatal(err)
			}
		}
		round()
		if n := testing.AllocsPerRun(100, round); n > 0 {
			t.Errorf("%s: %v allocations a batch", name, n)
		}
	}
}

// A batch that was huge once does not hold its memory for ever, and records
// that are gone are let go of.
func TestResizeGivesHugeColumnsBack(t *testing.T) {
	s := resize[int64](nil, 1<<20)
	if s = resize(s, 512); cap(s) > 1<<16 {
		t.Errorf("%d records kept for 512", cap(s))
	}
	s = resize[int64](nil, keptRecords)
	first := &s[0]
	if s = resize(s, 1); &s[0] != first {
		t.Error("a small column was given back")
	}
	e := newEmitter[*int64](discard{})
	for range emitSize {
		e.emit(new(int64), 0)
	}
	if slices.ContainsFunc(e.values[:emitSize], func(p *int64) bool { return p != nil }) {
		t.Error("an emitter holds on to what it pushed")
	}
}

// discardSink is a plain sink that forgets.
type discardSink[T any] struct{}

func (discardSink[T]) String() string { return "discard" }
func (discardSink[T]) Kind() SinkKind { return Plain }
