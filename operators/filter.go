package operators

import "github.com/weirflow/weir/operators/plan"

// Filter keeps the records for which keep is true.
func (s *Stream[T]) Filter(name string, keep func(T) bool) *Stream[T] {
	op := s.top.add("filter", name, func() plan.Instance {
		return &filter[T]{keep: keep, scrub: holdsPointers[T]()}
	})
	if keep == nil {
		s.top.failf(op, "its function is nil; give Filter one")
	}
	s.feed(s.top, op, 0)
	return output[T](s.top, op)
}

// filter compacts each batch in place and passes it on.
type filter[T any] struct {
	stateless
	cursor
	keep  func(T) bool
	out   plan.Output
	scrub bool
}

func (f *filter[T]) Init(rt *plan.Runtime) error {
	f.out = rt.Output("")
	return nil
}

// Process goes from mark to mark, so that a mark stays between the records it
// was between.
func (f *filter[T]) Process(_ int, b *plan.Batch) error {
	f.batch = b
	values := valuesOf[T](b)
	from, kept := 0, 0
	for i := range b.Marks {
		to := b.Marks[i].Index
		kept = f.compact(*values, b.Times, from, to, kept)
		b.Marks[i].Index = kept
		from = to
	}
	kept = f.compact(*values, b.Times, from, len(*values), kept)
	f.batch = nil
	if f.scrub {
		clear((*values)[kept:])
	}
	*values, b.Times, b.Hashes = (*values)[:kept], b.Times[:kept], b.Hashes[:0]
	return f.out.Push(b)
}

// compact moves what is kept of records [from, to) to kept and behind. It moves
// every record and lets the next one overwrite what is not kept: a conditional
// increment costs less than a branch that nobody can predict.
func (f *filter[T]) compact(values []T, times []int64, from, to, kept int) int {
	for i := from; i < to; i++ {
		f.at = i
		keep := f.keep(values[i])
		values[kept], times[kept] = values[i], times[i]
		if keep {
			kept++
		}
	}
	return kept
}
