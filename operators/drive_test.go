package operators

import (
	"context"
	"fmt"
	"reflect"
	"slices"

	"github.com/weirflow/weir/messages"
	"github.com/weirflow/weir/operators/plan"
)

// tester is what *testing.T and *rapid.T have in common.
type tester interface {
	Helper()
	Fatal(args ...any)
	Fatalf(format string, args ...any)
}

// element is a record or a watermark, as they follow each other on an output.
type element struct {
	value any // nil: a watermark
	time  int64
}

func record(v any, time int64) element { return element{value: v, time: time} }
func watermark(w int64) element        { return element{time: w} }

func (e element) String() string {
	if e.value == nil {
		return fmt.Sprintf("wm %d", e.time)
	}
	return fmt.Sprintf("%v@%d", e.value, e.time)
}

// tap is an Output that writes down what is pushed. It checks the batch's
// invariants and then spoils the batch, as a callee may.
type tap[T any] struct {
	t        tester
	elements []element
	pushes   int
	fail     error
}

func (o *tap[T]) Push(b *plan.Batch) error {
	if o.fail != nil {
		return o.fail
	}
	o.pushes++
	o.elements = append(o.elements, elementsOf[T](o.t, b)...)
	spoil[T](b)
	return nil
}

// elementsOf lists what is in a batch, in order.
func elementsOf[T any](t tester, b *plan.Batch) []element {
	values := *valuesOf[T](b)
	if len(values) != len(b.Times) || len(b.Hashes) != 0 && len(b.Hashes) != len(values) {
		t.Fatalf("batch of %d values has %d times and %d hashes", len(values), len(b.Times), len(b.Hashes))
	}
	var elements []element
	marks := b.Marks
	for i := 0; i <= len(values); i++ {
		for len(marks) > 0 && marks[0].Index == i {
			elements = append(elements, watermark(marks[0].Watermark))
			marks = marks[1:]
		}
		if i < len(values) {
			elements = append(elements, record(values[i], b.Times[i]))
		}
	}
	if len(marks) > 0 {
		t.Fatalf("marks %v out of order or beyond %d records", b.Marks, len(values))
	}
	return elements
}

func spoil[T any](b *plan.Batch) {
	clear(*valuesOf[T](b))
	clear(b.Marks)
	for i := range b.Times {
		b.Times[i] = -77
	}
	*valuesOf[T](b), b.Times, b.Marks = (*valuesOf[T](b))[:0], b.Times[:0], b.Marks[:0]
}

// batchOf makes a batch of elements.
func batchOf[T any](elements []element) *plan.Batch {
	b := rowsOf[T]().New(len(elements))
	values := valuesOf[T](b)
	for _, e := range elements {
		if e.value == nil {
			b.Marks = append(b.Marks, plan.Mark{Index: len(*values), Watermark: e.time})
			continue
		}
		*values = append(*values, e.value.(T))
		b.Times = append(b.Times, e.time)
	}
	return b
}

// testRuntime is the world of an instance under test.
func testRuntime(outputs map[string]plan.Output) *plan.Runtime {
	counters := map[string]*plan.Counter{}
	return &plan.Runtime{
		Job: "job", Operator: "test", Parallelism: 1, MaxParallelism: 128, Attempt: 1,
		Groups:    messages.KeyGroupRange{From: 0, To: 128},
		Context:   context.Background(),
		Now:       func() int64 { return 0 },
		Watermark: func() int64 { return messages.NoWatermark },
		Output: func(tag string) plan.Output {
			if o := outputs[tag]; o != nil {
				return o
			}
			return discard{}
		},
		Counter: func(name string) *plan.Counter {
			if counters[name] == nil {
				counters[name] = new(plan.Counter)
			}
			return counters[name]
		},
		Step: func(string) {},
	}
}

type discard struct{}

func (discard) Push(*plan.Batch) error { return nil }

// start brings an instance to where it takes batches.
func start(t tester, i plan.Instance, outputs map[string]plan.Output) {
	t.Helper()
	if err := i.Init(testRuntime(outputs)); err != nil {
		t.Fatal(err)
	}
	if err := i.Open(); err != nil {
		t.Fatal(err)
	}
}

// feedIn cuts the input into batches of a number of records and processes them.
// A watermark stays in the batch of the record before it, as sources send it.
func feedIn[T any](t tester, i plan.Instance, input []element, size int) {
	t.Helper()
	for len(input) > 0 {
		n, records := 0, 0
		for n < len(input) && (records < size || input[n].value == nil) {
			if input[n].value != nil {
				records++
			}
			n++
		}
		if err := i.Process(0, batchOf[T](input[:n])); err != nil {
			t.Fatal(err)
		}
		input = input[n:]
	}
}

// instanceOf builds the topology behind a stream and gives the instance of its
// operator.
func instanceOf[T any](s *Stream[T]) plan.Instance { return s.legs[0].from.New() }

func equalElements(t tester, what string, got, want []element) {
	t.Helper()
	if !slices.EqualFunc(got, want, func(a, b element) bool { return reflect.DeepEqual(a, b) }) {
		t.Fatalf("%s\n got %v\nwant %v", what, got, want)
	}
}
