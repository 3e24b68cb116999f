package operators

import (
	"encoding/binary"
	"math"
	"slices"
	"sort"

	"github.com/weirflow/weir/messages/mutant"
)

// sharedSlice is the records of a key in one slice of time, in the order of arrival.
//
// Invariants: elements and numbers are of one length, and numbers ascend. Both only
// grow behind what they hold or lose what is in front: a frozen row has the same
// arrays. A slice stays when it has lost all of its elements.
type sharedSlice[T any] struct {
	slice    int64
	begun    int64 // the number of the first record that came into it
	last     int64 // and of the last one
	elements []Element[T]
	numbers  []int64
}

// count is how many entries a slice stands for in the size of the state.
func (s *sharedSlice[T]) count() int { return max(len(s.elements), 1) }

// search is the index of the first element of a number or above.
func (s *sharedSlice[T]) search(number int64) int {
	if len(s.numbers) == 0 || s.numbers[0] >= number {
		return 0
	}
	i, _ := slices.BinarySearch(s.numbers, number)
	return i
}

// drop lets go of the first n elements, and of their room when it is half of all.
func (s *sharedSlice[T]) drop(n int) {
	s.elements, s.numbers = s.elements[n:], s.numbers[n:]
	if n >= len(s.elements) {
		s.elements, s.numbers = slices.Clone(s.elements), slices.Clone(s.numbers)
	}
}

// sharedRow is the records of one key, each of which lies in one slice however many
// windows it belongs to. Records are numbered as they come, so that those of a window
// can be put in the order of arrival.
//
// Invariant: slices ascend; a row without any is not kept.
type sharedRow[T any] struct {
	slices []sharedSlice[T]
	next   int64 // the number of the next record
	// The windows whose timers are set: of all windows that hold a slice and have not
	// fired, or not ended, the first one. noWindow: there is none. fires is of use
	// where windows fire before they end and nothing but the engine fires them.
	fires, ends int64
	gone        []goneWindow // processing time only
}

// noWindow is behind all windows.
const noWindow = math.MaxInt64

// goneWindow says that records before a number are no longer in a window, nor in any
// before it. A window of processing time that has gone begins anew when a record
// comes in its last millisecond, or when the clock of the node is set back.
type goneWindow struct{ window, before int64 }

// search is the index of the first slice at or behind one.
func (r *sharedRow[T]) search(slice int64) int {
	n := len(r.slices)
	switch {
	case n == 0 || r.slices[n-1].slice < slice:
		return n
	case r.slices[n-1].slice == slice:
		return n - 1
	}
	return sort.Search(n, func(i int) bool { return r.slices[i].slice >= slice })
}

// add puts a record into a slice. It gives by how much the size of the state has grown.
func (r *sharedRow[T]) add(slice int64, e Element[T]) (grown int) {
	i := r.search(slice)
	if i == len(r.slices) || r.slices[i].slice != slice {
		r.slices = slices.Insert(r.slices, i, sharedSlice[T]{slice: slice, begun: r.next})
		grown = 1
	}
	s := &r.slices[i]
	if len(s.elements) > 0 {
		grown = 1
	}
	s.elements, s.numbers, s.last = append(s.elements, e), append(s.numbers, r.next), r.next
	r.next++
	return grown
}

// holds tells whether a record of a number or above has come into the slices [from, to).
func (r *sharedRow[T]) holds(from, to, number int64) bool {
	for i := r.search(from); i < len(r.slices) && r.slices[i].slice < to; i++ {
		if r.slices[i].last >= number {
			return true
		}
	}
	return false
}

// heldBefore tells whether one of a number below has.
func (r *sharedRow[T]) heldBefore(from, to, number int64) bool {
	for i := r.search(from); i < len(r.slices) && r.slices[i].slice < to; i++ {
		if r.slices[i].begun < number {
			return true
		}
	}
	return false
}

// countFrom is how many elements of a number or above the slices [from, to) have.
func (r *sharedRow[T]) countFrom(from, to, number int64) (n int64) {
	for i := r.search(from); i < len(r.slices) && r.slices[i].slice < to; i++ {
		s := &r.slices[i]
		n += int64(len(s.numbers) - s.search(number))
	}
	return n
}

// goneFrom is the number of the first record that may still be in a window.
func (r *sharedRow[T]) goneFrom(window int64) (number int64) {
	for _, g := range r.gone {
		if g.window >= window {
			number = max(number, g.before)
		}
	}
	return number
}

// goes notes that a window of processing time has gone, with all that is in it.
func (r *sharedRow[T]) goes(window int64) {
	if mutant.On("gone-window-holds") {
		return
	}
	rest := make([]goneWindow, 0, 1)
	for _, g := range r.gone {
		if g.window > window {
			rest = append(rest, g)
		}
	}
	r.gone = append(rest, goneWindow{window, r.next})
}

// dropUntil drops slices from the front as long as over says so, and gives by how
// much the size of the state has shrunk.
func (r *sharedRow[T]) dropUntil(over func(slice int64) bool) (shrunk int) {
	n := 0
	for ; n < len(r.slices) && over(r.slices[n].slice); n++ {
		shrunk += r.slices[n].count()
	}
	r.slices = slices.Delete(r.slices, 0, n)
	return shrunk
}

// count is the size of the state that a row stands for.
func (r *sharedRow[T]) count() (n int) {
	for i := range r.slices {
		n += r.slices[i].count()
	}
	return n
}

// cloneShared copies a row for a table that was frozen: all but the elements, see sharedSlice.
func cloneShared[T any](r sharedRow[T]) sharedRow[T] {
	r.slices, r.gone = slices.Clone(r.slices), slices.Clone(r.gone)
	return r
}

// gathering is the records of a window, put together in the order of arrival. Those
// that the window has for itself have the number ownNumber.
type gathering[T any] struct {
	elements []Element[T]
	numbers  []int64
}

const ownNumber = -1

// gather puts together what lies in the slices [from, to) of a row as a window sees
// it: from a number on, and without what was taken from it.
func (g *gathering[T]) gather(r *sharedRow[T], from, to, number int64, v *sharedView[T]) {
	g.elements, g.numbers = append(g.elements[:0], v.own...), g.numbers[:0]
	for range v.own {
		g.numbers = append(g.numbers, ownNumber)
	}
	for i := r.search(from); i < len(r.slices) && r.slices[i].slice < to; i++ {
		s := &r.slices[i]
		first := s.search(number)
		g.merge(s.elements[first:], s.numbers[first:])
	}
	if len(v.gaps) > 0 && !mutant.On("gap-forgotten") {
		g.skip(v.gaps)
	}
}

// merge adds the elements of a slice, which mostly come behind all others.
func (g *gathering[T]) merge(elements []Element[T], numbers []int64) {
	i, j := len(g.numbers), len(numbers)
	g.elements, g.numbers = append(g.elements, elements...), append(g.numbers, numbers...)
	if i == 0 || j == 0 || g.numbers[i-1] < numbers[0] || mutant.On("slice-after-slice") {
		return
	}
	for at := i + j - 1; j > 0; at-- {
		if i > 0 && g.numbers[i-1] > numbers[j-1] {
			i--
			g.elements[at], g.numbers[at] = g.elements[i], g.numbers[i]
		} else {
			j--
			g.elements[at], g.numbers[at] = elements[j], numbers[j]
		}
	}
}

// skip leaves out the elements in gaps.
func (g *gathering[T]) skip(gaps []span) {
	n := 0
	for i, number := range g.numbers {
		for len(gaps) > 0 && gaps[0].to <= number {
			gaps = gaps[1:]
		}
		if len(gaps) == 0 || number < gaps[0].from {
			g.elements[n], g.numbers[n] = g.elements[i], number
			n++
		}
	}
	clear(g.elements[n:])
	g.elements, g.numbers = g.elements[:n], g.numbers[:n]
}

// release lets go of what was gathered, but not of the room.
func (g *gathering[T]) release() {
	clear(g.elements)
	g.elements = g.elements[:0]
}

// sharedCodec writes, after the number of slices, of each its slice, the first and
// the last number that came into it, its elements and their numbers, each by how far
// it is behind the one before; then what else a row has.
type sharedCodec[T any] struct{ elements Codec[[]Element[T]] }

func (c *sharedCodec[T]) Name() string { return c.elements.Name() + " a slice" }

func (c *sharedCodec[T]) Append(buf []byte, r sharedRow[T]) (_ []byte, err error) {
	buf = binary.AppendUvarint(buf, uint64(len(r.slices)))
	for i := range r.slices {
		if buf, err = c.append(buf, &r.slices[i]); err != nil {
			return buf, err
		}
	}
	for _, v := range [...]int64{r.next, r.fires, r.ends} {
		buf = binary.AppendVarint(buf, v)
	}
	buf = binary.AppendUvarint(buf, uint64(len(r.gone)))
	for _, g := range r.gone {
		buf = binary.AppendVarint(binary.AppendVarint(buf, g.window), g.before)
	}
	return buf, nil
}

func (c *sharedCodec[T]) append(buf []byte, s *sharedSlice[T]) ([]byte, error) {
	for _, v := range [...]int64{s.slice, s.begun, s.last} {
		buf = binary.AppendVarint(buf, v)
	}
	buf, err := c.elements.Append(buf, s.elements)
	before := s.begun
	for _, number := range s.numbers {
		buf, before = binary.AppendUvarint(buf, uint64(number-before)), number
	}
	return buf, err
}

func (c *sharedCodec[T]) Decode(p []byte) (r sharedRow[T], rest []byte, err error) {
	n, p, err := readCount(p)
	for range n {
		var s sharedSlice[T]
		if s, p, err = c.decode(p); err != nil {
			return r, p, err
		}
		r.slices = append(r.slices, s)
	}
	if err != nil {
		return r, p, err
	}
	if p, err = readVarints(p, &r.next, &r.fires, &r.ends); err != nil {
		return r, p, err
	}
	n, p, err = readCount(p)
	for range n {
		var g goneWindow
		if p, err = readVarints(p, &g.window, &g.before); err != nil {
			return r, p, err
		}
		r.gone = append(r.gone, g)
	}
	return r, p, err
}

func (c *sharedCodec[T]) decode(p []byte) (s sharedSlice[T], rest []byte, err error) {
	if p, err = readVarints(p, &s.slice, &s.begun, &s.last); err != nil {
		return s, p, err
	}
	if s.elements, p, err = c.elements.Decode(p); err != nil {
		return s, p, err
	}
	number := s.begun
	for range s.elements {
		behind, rest, ok := uvarint(p)
		if !ok {
			return s, p, errShortBlock
		}
		number, p = number+int64(behind), rest
		s.numbers = append(s.numbers, number)
	}
	return s, p, nil
}

func readVarints(p []byte, to ...*int64) (rest []byte, err error) {
	for _, v := range to {
		x, n := binary.Varint(p)
		if n <= 0 {
			return p, errShortBlock
		}
		*v, p = x, p[n:]
	}
	return p, nil
}
