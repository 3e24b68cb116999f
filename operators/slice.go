package operators

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"strconv"
)

// SliceSource is a Source of values in memory: bounded, replayable, and never
// waiting. It is for tests and examples.
type SliceSource[T any] struct {
	values []T
	splits int
}

// Slice makes a source of values, in one split.
func Slice[T any](values ...T) *SliceSource[T] { return &SliceSource[T]{values: values, splits: 1} }

// InSplits deals the values out to n splits like cards: value i goes to split
// i modulo n.
func (s *SliceSource[T]) InSplits(n int) *SliceSource[T] {
	return &SliceSource[T]{values: s.values, splits: n}
}

// Validate refuses fewer than one split.
func (s *SliceSource[T]) Validate() error {
	if s.splits < 1 {
		return fmt.Errorf("InSplits(%d): give at least 1", s.splits)
	}
	return nil
}

// String names the source in a plan.
func (s *SliceSource[T]) String() string { return "slice of " + strconv.Itoa(len(s.values)) }

// Info says that the source ends and can be read again.
func (s *SliceSource[T]) Info() SourceInfo { return SourceInfo{Bounded: true, Replayable: true} }

// Splits are "0", "1" ...
func (s *SliceSource[T]) Splits(context.Context) ([]string, error) {
	ids := make([]string, s.splits)
	for i := range ids {
		ids[i] = strconv.Itoa(i)
	}
	return ids, nil
}

// Open reads a split from a position on, which is the index of a value as a
// uvarint.
func (s *SliceSource[T]) Open(_ context.Context, split string, position []byte) (Reader[T], error) {
	first, err := strconv.Atoi(split)
	if err != nil || first < 0 || first >= s.splits {
		return nil, fmt.Errorf("slice of %d splits has no split %q", s.splits, split)
	}
	r := &sliceReader[T]{source: s, next: first}
	if position != nil {
		next, k := binary.Uvarint(position)
		if k != len(position) || next > uint64(len(s.values)+s.splits) {
			return nil, fmt.Errorf("position %x of split %q is beyond a slice of %d values", position, split, len(s.values))
		}
		r.next = int(next)
	}
	return r, nil
}

type sliceReader[T any] struct {
	source *SliceSource[T]
	next   int // index of the next value
}

func (r *sliceReader[T]) NonBlocking() bool { return true }

func (r *sliceReader[T]) Read(_ context.Context, b *Batch[T], max int) error {
	values := r.source.values
	for ; max > 0 && r.next < len(values); max-- {
		b.Append(values[r.next], NoTime)
		r.next += r.source.splits
	}
	if r.next >= len(values) {
		return io.EOF
	}
	return nil
}

func (r *sliceReader[T]) Position() []byte { return binary.AppendUvarint(nil, uint64(r.next)) }

func (r *sliceReader[T]) Close() error { return nil }
