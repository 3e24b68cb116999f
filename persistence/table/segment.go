package table

// An entry's meta holds the upper 60 bits of its hash and, in the lower four,
// these flags. A free slot's meta is zero.
const (
	occupied = 1 << iota
	shared   // a frozen table may hold the same value: clone before writing
	dirty    // written since the last freeze (Options.TrackDirty)
	fresh    // did not exist at the last freeze (Options.TrackDirty)

	flagBits  = 4
	flagMask  = 1<<flagBits - 1
	stateMask = flagMask &^ occupied
)

// identity is a hash as meta has it, less the flags that describe state.
func identity(hash uint64) uint64 { return hash&^flagMask | occupied }

// entry is one slot. It holds nothing but K and V beside plain bits, so that
// arrays of pointer-free types are not scanned by the garbage collector. A V of no
// size costs nothing: it is not the last field.
type entry[K comparable, V any] struct {
	meta uint64
	val  V
	key  K
}

// segment is an open-addressing hash array with linear probing, whose entries
// agree in the first depth bits of their hashes.
//
// Invariants: n <= limit(len(slots)) < len(slots), so every probe ends at a
// free slot; no free slot lies between an entry's home and its place. While a
// frozen table of epoch >= segment.epoch is live nothing in the segment, this
// header included, is written.
type segment[K comparable, V any] struct {
	slots []entry[K, V]
	epoch uint64 // of the table when the segment was last made writable
	n     int    // occupied slots
	depth uint   // how many leading hash bits the entries share
}

const minSlots = 8 // the fewest of a segment: leaves a free slot at any load

// newSegment makes an empty segment of at least so many slots.
func newSegment[K comparable, V any](epoch uint64, depth uint, slots int) *segment[K, V] {
	return &segment[K, V]{slots: newSlots[K, V](slots), epoch: epoch, depth: depth}
}

// newSlots makes a zeroed array of at least n slots: append rounds up to what
// the allocator hands out anyway, and the rounding is used as slots.
func newSlots[K comparable, V any](n int) []entry[K, V] {
	s := append([]entry[K, V](nil), make([]entry[K, V], n)...)
	return s[:cap(s)]
}

// limit is how many entries an array of so many slots takes: three quarters.
// Probes get longer and branches less predictable beyond.
func limit(slots int) int { return slots - (slots+3)/4 }

// roomFor is the array size to choose for n entries. Small arrays double. From
// 64 entries on they grow by the square root of two, so that a segment of the
// usual size is resized once in its life, between a split and the next. With
// doubling the average array would be half empty, with smaller steps an insert
// would pay for more of them.
func roomFor(n int) int {
	if n < 64 {
		return max(2*n, minSlots)
	}
	return n + 7*n/8
}

// home is the slot where the probe for a hash begins. It scales bits 4..31 of
// the hash, which the directory does not use, to the number of slots, so that
// arrays need not be powers of two. Flags do not disturb it.
func home(hash uint64, slots int) int {
	return int(uint64(uint32(hash)>>flagBits) * uint64(slots) >> (32 - flagBits))
}

// find gives the slot of the key, or else the free slot where it would go.
func find[K comparable, V any](s *segment[K, V], hash uint64, key K) (slot int, ok bool) {
	slots, id := s.slots, identity(hash)
	i := home(hash, len(slots))
	for {
		e := &slots[i]
		if e.meta&^stateMask == id && e.key == key {
			return i, true
		}
		if e.meta == 0 {
			return i, false
		}
		if i++; i == len(slots) {
			i = 0
		}
	}
}

func full[K comparable, V any](s *segment[K, V]) bool { return s.n >= limit(len(s.slots)) }

// sparse tells whether so little is left that a smaller array is due.
func sparse[K comparable, V any](s *segment[K, V]) bool {
	return len(s.slots) > 2*minSlots && 8*s.n < len(s.slots)
}

// add takes over an entry whose key is not in the segment.
func add[K comparable, V any](s *segment[K, V], e *entry[K, V]) {
	i := home(e.meta, len(s.slots))
	for s.slots[i].meta != 0 {
		if i++; i == len(s.slots) {
			i = 0
		}
	}
	s.slots[i] = *e
	s.n++
}

// remove frees slot i and moves later entries of its run back, so that no
// tombstone is needed: entries only ever move towards their homes.
func remove[K comparable, V any](s *segment[K, V], i int) {
	slots := s.slots
	for j := next(i, len(slots)); slots[j].meta != 0; j = next(j, len(slots)) {
		if mayMove(home(slots[j].meta, len(slots)), i, j) {
			slots[i] = slots[j]
			i = j
		}
	}
	slots[i] = entry[K, V]{}
	s.n--
}

func next(i, n int) int {
	if i++; i == n {
		return 0
	}
	return i
}

// mayMove tells whether the entry at slot `at` with the given home may go to
// the hole: unless its home lies behind the hole, going around.
func mayMove(home, hole, at int) bool {
	if hole < at {
		return home <= hole || home > at
	}
	return home <= hole && home > at
}

// resize moves the entries to an array of so many slots.
func resize[K comparable, V any](s *segment[K, V], slots int) {
	old := s.slots
	s.slots, s.n = newSlots[K, V](slots), 0
	for i := range old {
		if old[i].meta != 0 {
			add(s, &old[i])
		}
	}
}
