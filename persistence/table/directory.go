package table

import "math/bits"

// view is what a table and its frozen copies have in common: a directory that
// can be read.
//
// Invariants: len(dir) == 1<<(64-shift) and shift <= 63, so that no shift is by
// the word size; a segment of depth d fills 1<<(64-shift-d) entries in a row,
// those whose index begins with its common bits.
type view[K comparable, V any] struct {
	dir   []*segment[K, V]
	shift uint // a hash's segment is dir[hash>>shift]
	n     int  // entries in all segments
}

// newView makes an empty view: both entries of the directory point to the one
// segment, which is of depth 0.
func newView[K comparable, V any](epoch uint64) view[K, V] {
	s := newSegment[K, V](epoch, 0, minSlots)
	return view[K, V]{dir: []*segment[K, V]{s, s}, shift: 63}
}

func segmentOf[K comparable, V any](v *view[K, V], hash uint64) *segment[K, V] {
	return v.dir[hash>>(v.shift&63)]
}

func get[K comparable, V any](v *view[K, V], hash uint64, key K) (val V, ok bool) {
	s := segmentOf(v, hash)
	if i, ok := find(s, hash, key); ok {
		return s.slots[i].val, true
	}
	return val, false
}

// depth is the number of hash bits that index the directory.
func depthOf[K comparable, V any](v *view[K, V]) uint { return 64 - v.shift }

// span gives the directory entries that point to the segment of depth d which
// holds the hash.
func span[K comparable, V any](v *view[K, V], hash uint64, d uint) (from, to int) {
	width := 1 << (depthOf(v) - d)
	from = int(hash>>v.shift) &^ (width - 1)
	return from, from + width
}

// place makes the hash's span of the directory point to s.
func place[K comparable, V any](t *Table[K, V], hash uint64, s *segment[K, V]) {
	ownDirectory(t)
	from, to := span(&t.view, hash, s.depth)
	for i := from; i < to; i++ {
		t.dir[i] = s
	}
}

// grow makes room in the full segment s of the hash and gives the segment that
// the hash belongs to afterwards. Up to Options.SegmentSlots the array grows;
// then the segment splits where its entries' hashes first differ; and when that
// would need a directory out of proportion the array grows beyond.
func grow[K comparable, V any](t *Table[K, V], hash uint64, s *segment[K, V]) *segment[K, V] {
	if len(s.slots) < t.maxSlots {
		resize(s, min(roomFor(s.n), t.maxSlots))
		return s
	}
	depth := commonBits(s) + 1
	if depth > maxDepth(t) {
		resize(s, 2*len(s.slots))
		return s
	}
	for s.depth < depth {
		s = split(t, hash, s)
	}
	return s
}

// maxDepth bounds the directory: four entries a segment, and a few for free.
// Uniform hashes stay at about two.
func maxDepth[K comparable, V any](t *Table[K, V]) uint {
	return max(depthOf(&t.view), uint(bits.Len(uint(4*t.segmentCount+64)))-1)
}

// commonBits is the number of leading bits in which all hashes agree.
func commonBits[K comparable, V any](s *segment[K, V]) uint {
	all, none := ^uint64(0), uint64(0)
	for i := range s.slots {
		if m := s.slots[i].meta; m != 0 {
			all &= m
			none |= m
		}
	}
	return uint(bits.LeadingZeros64((all ^ none) &^ flagMask))
}

// split replaces s by two segments, told apart by the next bit, and gives the
// one of the hash.
func split[K comparable, V any](t *Table[K, V], hash uint64, s *segment[K, V]) *segment[K, V] {
	if s.depth == depthOf(&t.view) {
		doubleDirectory(t)
	}
	bit := uint64(1) << (63 - s.depth)
	zero, one := halves(s, bit)
	place(t, hash&^bit, zero)
	place(t, hash|bit, one)
	t.segmentCount++
	if hash&bit != 0 {
		return one
	}
	return zero
}

func halves[K comparable, V any](s *segment[K, V], bit uint64) (zero, one *segment[K, V]) {
	ones := 0
	for i := range s.slots {
		if s.slots[i].meta&bit != 0 {
			ones++
		}
	}
	zero = newSegment[K, V](s.epoch, s.depth+1, roomFor(s.n-ones))
	one = newSegment[K, V](s.epoch, s.depth+1, roomFor(ones))
	for i := range s.slots {
		switch e := &s.slots[i]; {
		case e.meta == 0:
		case e.meta&bit != 0:
			add(one, e)
		default:
			add(zero, e)
		}
	}
	return zero, one
}

func doubleDirectory[K comparable, V any](t *Table[K, V]) {
	dir := make([]*segment[K, V], 2*len(t.dir))
	for i, s := range t.dir {
		dir[2*i], dir[2*i+1] = s, s
	}
	t.dir, t.shift, t.dirEpoch = dir, t.shift-1, t.epoch
}
