package operators

import (
	"encoding/binary"
	"math"
	"slices"
	"sort"

	"github.com/weirflow/weir/messages/mutant"
)

// sliced is what a slice of event time holds of a key.
type sliced[A any] struct {
	slice int64
	acc   A
}

// noSlice stands for none: event time has no such slice.
const noSlice = math.MinInt64

// sliceRow is the slices of one key. The latest is apart, so that a record of it
// touches nothing else.
//
// Invariant: latest is noSlice, or behind all in past.
type sliceRow[A any] struct {
	latest sliced[A]
	past   *slicePast[A] // nil: none
}

// slicePast is the slices before the latest, ascending, with what makes combining
// those of a window cheap. It is the two stacks that make a queue: what is needed of
// raw is combined from its end towards the front once (suffix), and what comes behind
// that is combined as it comes (sum), so that a window costs a few merges on
// average, however many slices it has. See Tangwongsan et al., "In-Order
// Sliding-Window Aggregation in Worst-Case Constant Time", 2017.
//
// Invariants: 0 <= from <= mid <= summed <= len(raw); the last of suffix stands for
// raw[from:mid], the one before it for raw[from+1:mid] and so on, and sum for
// raw[mid:summed] unless that is empty. suffix and sum may be thrown away at any time.
type slicePast[A any] struct {
	room              []sliced[A] // raw and, before it, the gone slices
	gone              int
	suffix            []A
	sum               A
	from, mid, summed int
}

func (p *slicePast[A]) raw() []sliced[A] { return p.room[p.gone:] }

// search is the index of the first slice at or behind one.
func (p *slicePast[A]) search(slice int64) int {
	raw := p.raw()
	if n := len(raw); n == 0 || raw[n-1].slice < slice {
		return n
	}
	return sort.Search(len(raw), func(i int) bool { return raw[i].slice >= slice })
}

// insert makes room for a slice at index i. It uses that of the gone slices when they
// are half of all, so that a row that goes on keeps its array.
func (p *slicePast[A]) insert(i int, s sliced[A]) {
	if len(p.room) == cap(p.room) && 2*p.gone >= len(p.room) && p.gone > 0 {
		n := copy(p.room, p.raw())
		clear(p.room[n:])
		p.room, p.gone = p.room[:n], 0
	}
	p.room = slices.Insert(p.room, p.gone+i, s)
}

// place gives the accumulator of a slice for a write, and whether it is new.
func (r *sliceRow[A]) place(slice int64) (acc *A, first bool) {
	if r.latest.slice == slice {
		return &r.latest.acc, false
	}
	if r.latest.slice < slice && (r.past == nil || r.past.before(slice)) {
		r.settle()
		r.latest = sliced[A]{slice: slice}
		return &r.latest.acc, true
	}
	return r.ofPast().place(slice)
}

// before tells whether all slices are before one.
func (p *slicePast[A]) before(slice int64) bool {
	n := len(p.room)
	return n == p.gone || p.room[n-1].slice < slice
}

func (p *slicePast[A]) place(slice int64) (acc *A, first bool) {
	i := p.search(slice)
	if i < p.summed && !mutant.On("suffix-kept") {
		p.forget()
	}
	if first = i == len(p.raw()) || p.raw()[i].slice != slice; first {
		p.insert(i, sliced[A]{slice: slice})
	}
	return &p.raw()[i].acc, first
}

func (r *sliceRow[A]) ofPast() *slicePast[A] {
	if r.past == nil {
		r.past = &slicePast[A]{}
	}
	return r.past
}

// settle counts the latest slice among the past ones.
func (r *sliceRow[A]) settle() {
	if r.latest.slice != noSlice {
		p := r.ofPast()
		p.insert(len(p.raw()), r.latest)
		r.latest = sliced[A]{slice: noSlice}
	}
}

// len is the number of slices.
func (r *sliceRow[A]) len() (n int) {
	if r.past != nil {
		n = len(r.past.raw())
	}
	if r.latest.slice != noSlice {
		n++
	}
	return n
}

// each calls f with every slice, in order.
func (r *sliceRow[A]) each(f func(slice int64)) {
	for i := 0; r.past != nil && i < len(r.past.raw()); i++ {
		f(r.past.raw()[i].slice)
	}
	if r.latest.slice != noSlice {
		f(r.latest.slice)
	}
}

// forget throws away what was combined.
func (p *slicePast[A]) forget() {
	clear(p.suffix)
	p.suffix, p.from, p.mid, p.summed = p.suffix[:0], 0, 0, 0
}

// drop lets go of the slices before one, and tells how many those were.
func (p *slicePast[A]) drop(first int64) (n int) {
	raw := p.raw()
	for n < len(raw) && raw[n].slice < first {
		n++
	}
	if n > p.from {
		p.begin(n)
	}
	clear(raw[:n])
	p.gone += n
	p.from, p.mid, p.summed = p.from-n, p.mid-n, p.summed-n
	return n
}

// begin has windows begin at index from, which does not go back.
func (p *slicePast[A]) begin(from int) {
	if from <= p.mid {
		p.suffix = p.suffix[:len(p.suffix)-(from-p.from)]
		p.from = from
		return
	}
	p.suffix = p.suffix[:0]
	p.from, p.mid, p.summed = from, from, from
}

// holds tells whether any of the slices [from, to) is there.
func (r *sliceRow[A]) holds(from, to int64) bool {
	if s := r.latest.slice; from <= s && s < to {
		return true
	}
	if r.past == nil {
		return false
	}
	i := r.past.search(from)
	return i < len(r.past.raw()) && r.past.raw()[i].slice < to
}

// merging is how accumulators are combined: neither operand is changed.
type merging[A any] struct {
	merge func(into, from A) A
	empty func() A // nil: a copy may be merged into
}

func (m merging[A]) start(a A) A {
	if m.empty == nil {
		return a
	}
	return m.merge(m.empty(), a)
}

// window combines the slices [from, to) of the window that follows, or is, the last
// one that was asked for. ok is false if there are none.
func (r *sliceRow[A]) window(from, to int64, m merging[A]) (all A, ok bool) {
	if r.latest.slice < to {
		r.settle()
	}
	if r.past == nil {
		return all, false
	}
	return r.past.window(from, to, m)
}

func (p *slicePast[A]) window(from, to int64, m merging[A]) (all A, ok bool) {
	raw, first := p.raw(), p.from
	for first < len(raw) && raw[first].slice < from {
		first++
	}
	flip := first > p.mid
	if p.begin(first); flip {
		p.stack(to, m)
	} else {
		p.extend(to, m)
	}
	switch top := len(p.suffix) - 1; {
	case p.from == p.summed:
		return all, false
	case p.mid == p.summed:
		return m.start(p.suffix[top]), true
	case p.from == p.mid:
		return m.start(p.sum), true
	default:
		return m.merge(m.start(p.suffix[top]), p.sum), true
	}
}

// extend adds the slices before to to the sum.
func (p *slicePast[A]) extend(to int64, m merging[A]) {
	raw := p.raw()
	for ; p.summed < len(raw) && raw[p.summed].slice < to; p.summed++ {
		if p.summed == p.mid {
			p.sum = m.start(raw[p.mid].acc)
		} else {
			p.sum = m.merge(p.sum, raw[p.summed].acc)
		}
	}
}

// stack combines the slices before to from their end towards the front.
func (p *slicePast[A]) stack(to int64, m merging[A]) {
	raw := p.raw()[p.from:max(p.search(to), p.from)]
	for i := len(raw) - 1; i >= 0; i-- {
		all := m.start(raw[i].acc)
		if n := len(p.suffix); n > 0 {
			all = m.merge(all, p.suffix[n-1])
		}
		p.suffix = append(p.suffix, all)
	}
	p.mid = p.from + len(raw)
	p.summed = p.mid
}

// again combines the slices [from, to) of a window gone by.
func (r *sliceRow[A]) again(from, to int64, m merging[A]) (all A) {
	some := false
	add := func(s *sliced[A]) {
		if some {
			all = m.merge(all, s.acc)
		} else {
			all, some = m.start(s.acc), true
		}
	}
	if p := r.past; p != nil {
		raw := p.raw()
		for i := p.search(from); i < len(raw) && raw[i].slice < to; i++ {
			add(&raw[i])
		}
	}
	if s := r.latest.slice; from <= s && s < to {
		add(&r.latest)
	}
	return all
}

// cloneRow copies a row for a table that was frozen; clone copies an accumulator,
// and nil says that assignment does.
func cloneRow[A any](clone func(A) A) func(sliceRow[A]) sliceRow[A] {
	return func(r sliceRow[A]) sliceRow[A] {
		if clone != nil && r.latest.slice != noSlice {
			r.latest.acc = clone(r.latest.acc)
		}
		if r.past == nil {
			return r
		}
		if r.past = r.past.clone(); clone == nil {
			return r
		}
		for i := range r.past.room {
			r.past.room[i].acc = clone(r.past.room[i].acc)
		}
		r.past.forget()
		return r
	}
}

// shortPast is a slicePast of a few slices with all its room, in one piece: every
// checkpoint has every row copied, and most rows are short.
type shortPast[A any] struct {
	past slicePast[A]
	room [2 * shortRow]sliced[A]
	sums [shortRow]A
}

const shortRow = 6

func (p *slicePast[A]) clone() *slicePast[A] {
	c := *p
	c.gone = 0
	if len(p.raw()) > shortRow || len(p.suffix) > shortRow {
		c.room, c.suffix = slices.Clone(p.raw()), slices.Clone(p.suffix)
		return &c
	}
	s := &shortPast[A]{past: c}
	s.past.room, s.past.suffix = append(s.room[:0], p.raw()...), append(s.sums[:0], p.suffix...)
	return &s.past
}

// rowCodec writes the number of slices, then number and accumulator of each.
type rowCodec[A any] struct{ acc Codec[A] }

func (c *rowCodec[A]) Name() string { return c.acc.Name() + " a slice" }

func (c *rowCodec[A]) Append(buf []byte, r sliceRow[A]) (_ []byte, err error) {
	buf = binary.AppendUvarint(buf, uint64(r.len()))
	for i := 0; r.past != nil && i < len(r.past.raw()); i++ {
		if buf, err = c.append(buf, &r.past.raw()[i]); err != nil {
			return buf, err
		}
	}
	if r.latest.slice == noSlice {
		return buf, nil
	}
	return c.append(buf, &r.latest)
}

func (c *rowCodec[A]) append(buf []byte, s *sliced[A]) ([]byte, error) {
	return c.acc.Append(binary.LittleEndian.AppendUint64(buf, uint64(s.slice)), s.acc)
}

func (c *rowCodec[A]) Decode(p []byte) (r sliceRow[A], rest []byte, err error) {
	n, p, err := readCount(p)
	r.latest.slice = noSlice
	for range n {
		if len(p) < 8 {
			return r, p, errShortBlock
		}
		r.settle()
		r.latest.slice = int64(binary.LittleEndian.Uint64(p))
		if r.latest.acc, p, err = c.acc.Decode(p[8:]); err != nil {
			return r, p, err
		}
	}
	return r, p, err
}
