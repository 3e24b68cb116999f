package operators

import (
	"bytes"
	"encoding/binary"
	"slices"
	"unsafe"
)

// sharedView is what a window has for itself of the records that it shares with
// others: from where on it sees them. Slices in it are replaced, never changed. The
// zero view, which is not stored, sees all.
type sharedView[T any] struct {
	from   int64  // the number of the first record in it: those before were purged or evicted
	gaps   []span // evicted behind from, ascending
	seen   int64  // the number of the first record that no firing has shown
	onTime bool   // it has fired for the watermark that ended it

	// What an evictor has left that is not a part of what it was given, or in another
	// order: then the window has all of it for itself.
	own []Element[T]
}

// span is the numbers [from, to).
type span struct{ from, to int64 }

// purge drops what is in the window, before the record of a number comes.
func (v *sharedView[T]) purge(next int64) {
	v.from, v.seen, v.gaps, v.own = next, next, nil, nil
}

// leave notes what an evictor has left of what was gathered of the window. next is
// the number of the next record.
func (v *sharedView[T]) leave(g *gathering[T], left []Element[T], next int64) {
	now, rest := v.without(g, left, next)
	switch shares := len(v.own) == 0; {
	case len(rest) == 0 && len(left) == len(g.elements): // it has evicted nothing
	case len(rest) > 0 || !shares:
		*v = sharedView[T]{from: next, seen: v.seen, onTime: v.onTime, own: slices.Clone(left)}
	default:
		*v = now
	}
}

// without gives a view with a gap for every element that was gathered and is not left,
// and the rest of what is left from the first one on that was not gathered in its
// order: then there is no such view.
func (v *sharedView[T]) without(g *gathering[T], left []Element[T], next int64) (now sharedView[T], rest []Element[T]) {
	now = sharedView[T]{from: v.from, seen: v.seen, onTime: v.onTime}
	gaps, kept, evicted := v.gaps, v.from, false // kept: behind the last one that stays
	for i, number := range g.numbers {
		if len(left) == 0 || !sameBits(&g.elements[i], &left[0]) {
			evicted = true
			continue
		}
		for len(gaps) > 0 && gaps[0].to <= number {
			gaps, evicted = gaps[1:], true
		}
		if evicted {
			now.gap(kept, number)
		}
		left, kept, evicted = left[1:], number+1, false
	}
	if evicted || len(gaps) > 0 {
		now.gap(kept, next)
	}
	return now, left
}

// gap notes that the window has nothing between two numbers.
func (v *sharedView[T]) gap(from, to int64) {
	if from == v.from {
		v.from = to
		return
	}
	v.gaps = append(v.gaps, span{from, to})
}

// sameBits tells whether two elements are copies of one. It may miss some.
func sameBits[T any](a, b *Element[T]) bool {
	size := unsafe.Sizeof(*a)
	return bytes.Equal(unsafe.Slice((*byte)(unsafe.Pointer(a)), size), unsafe.Slice((*byte)(unsafe.Pointer(b)), size))
}

// viewCodec writes whether the window has fired on time, where it begins and what it
// has shown, the gaps behind their number, and what it has for itself.
type viewCodec[T any] struct{ elements Codec[[]Element[T]] }

func (c *viewCodec[T]) Name() string { return "view, " + c.elements.Name() }

func (c *viewCodec[T]) Append(buf []byte, v sharedView[T]) ([]byte, error) {
	flags := int64(0)
	if v.onTime {
		flags = 1
	}
	for _, x := range [...]int64{flags, v.from, v.seen} {
		buf = binary.AppendVarint(buf, x)
	}
	buf = binary.AppendUvarint(buf, uint64(len(v.gaps)))
	for _, g := range v.gaps {
		buf = binary.AppendVarint(binary.AppendVarint(buf, g.from), g.to)
	}
	return c.elements.Append(buf, v.own)
}

func (c *viewCodec[T]) Decode(p []byte) (v sharedView[T], rest []byte, err error) {
	var flags int64
	if p, err = readVarints(p, &flags, &v.from, &v.seen); err != nil {
		return v, p, err
	}
	v.onTime = flags == 1
	n, p, err := readCount(p)
	for range n {
		var g span
		if p, err = readVarints(p, &g.from, &g.to); err != nil {
			return v, p, err
		}
		v.gaps = append(v.gaps, g)
	}
	if err != nil {
		return v, p, err
	}
	v.own, p, err = c.elements.Decode(p)
	return v, p, err
}
