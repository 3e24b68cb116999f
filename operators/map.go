package operators

import (
	"slices"

	"github.com/weirflow/weir/operators/plan"
)

// Map turns every record into one other. A function that can fail, or that
// gives none or several, is a FlatMap.
func Map[T, R any](s *Stream[T], name string, f func(T) R) *Stream[R] {
	op := s.top.add("map", name, func() plan.Instance { return newMapper(f) })
	if f == nil {
		s.top.failf(op, "its function is nil; give Map one")
	}
	s.feed(s.top, op, 0)
	return output[R](s.top, op)
}

// mapper runs a Map. Its output shares times and marks with its input.
type mapper[T, R any] struct {
	stateless
	cursor
	f     func(T) R
	out   plan.Output
	batch plan.Batch
	// values is what batch.Values points to. It grows with the batches that come.
	values []R
	scrub  bool
}

func newMapper[T, R any](f func(T) R) *mapper[T, R] {
	m := &mapper[T, R]{f: f, scrub: holdsPointers[R]()}
	m.batch.Values = &m.values
	return m
}

func (m *mapper[T, R]) Init(rt *plan.Runtime) error {
	m.out = rt.Output("")
	return nil
}

func (m *mapper[T, R]) Process(_ int, b *plan.Batch) error {
	in := *valuesOf[T](b)
	m.values = resize(m.values, len(in))
	m.cursor.batch = b
	for i, out := 0, m.values[:len(in)]; i < len(in); i++ {
		m.at = i
		out[i] = m.f(in[i])
	}
	m.cursor.batch = nil
	m.batch.Times, m.batch.Marks, m.batch.Hashes = b.Times, b.Marks, m.batch.Hashes[:0]
	err := m.out.Push(&m.batch)
	if m.scrub {
		clear(m.values)
	}
	m.batch.Times, m.batch.Marks = nil, nil
	return err
}

// keptRecords is the size up to which a reused column is never given back.
const keptRecords = 4096

// resize gives a slice of length n, out of s where that is large enough. One
// much larger than n is let go: batches that were huge once cost no memory for
// ever.
func resize[R any](s []R, n int) []R {
	if cap(s) > keptRecords && cap(s) > 8*n {
		s = nil
	}
	return slices.Grow(s[:0], n)[:n]
}
