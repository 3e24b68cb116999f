package operators

import "github.com/weirflow/weir/operators/plan"

// FlatMap turns every record into any number of others, by out.Emit, and may
// write to the side outputs of the given tags, by Tag.Emit(out, v). An error
// fails the attempt, which names the record.
func FlatMap[T, R any](s *Stream[T], name string, f func(v T, out *Out[R]) error, tags ...AnyTag) *Stream[R] {
	op := s.top.add("flatmap", name, func() plan.Instance { return &flatMapper[T, R]{f: f, tags: tags} })
	if f == nil {
		s.top.failf(op, "its function is nil; give FlatMap one")
	}
	s.top.declareSides(op, tags...)
	s.feed(s.top, op, 0)
	return output[R](s.top, op)
}

// flatMapper runs a FlatMap.
type flatMapper[T, R any] struct {
	stateless
	cursor
	f    func(T, *Out[R]) error
	tags []AnyTag
	out  Out[R]
}

func (f *flatMapper[T, R]) Init(rt *plan.Runtime) error {
	f.out = Out[R]{main: newEmitter[R](rt.Output("")), sides: openSides(rt, f.tags)}
	return nil
}

func (f *flatMapper[T, R]) Process(_ int, b *plan.Batch) error {
	values := *valuesOf[T](b)
	from := 0
	for _, m := range b.Marks {
		if err := f.run(b, values, from, m.Index); err != nil {
			return err
		}
		f.out.mark(m.Watermark)
		from = m.Index
	}
	if err := f.run(b, values, from, len(values)); err != nil {
		return err
	}
	return f.out.flush()
}

// run calls the function for records [from, to).
func (f *flatMapper[T, R]) run(b *plan.Batch, values []T, from, to int) error {
	f.batch = b
	for i := from; i < to; i++ {
		f.at, f.out.sides.time = i, b.Times[i]
		if err := f.f(values[i], &f.out); err != nil {
			return err
		}
		if f.out.main.err != nil {
			break // an output failed, and flush says so
		}
	}
	f.batch = nil
	return nil
}
