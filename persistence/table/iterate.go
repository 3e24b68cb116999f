package table

import "github.com/weirflow/weir/messages"

// Scan calls yield for every entry until it returns false; it is the fastest
// way through a table. Key and value are for reading only.
//
// While any iteration goes on the table may be read, and the entry just given
// may be written by Upsert or deleted. Anything else that writes (inserting a
// key, touching another entry, clearing) leaves it open which entries the rest
// of the iteration gives, and in which state.
func (t *Table[K, V]) Scan(yield func(hash uint64, key *K, val *V) bool) { scanAll(t.view, yield) }

// ScanGroup is Scan for the entries of one key group.
func (t *Table[K, V]) ScanGroup(g messages.KeyGroup, maxParallelism int, yield func(hash uint64, key *K, val *V) bool) {
	scanGroup(t.view, g, maxParallelism, yield)
}

// The views below are values: an iteration goes over the directory as it
// was at its beginning. A write to the entry just given may copy a segment or
// the directory, and the iteration goes on over the old ones, where all that
// it has not given yet is the same.

func scanAll[K comparable, V any](v view[K, V], yield func(hash uint64, key *K, val *V) bool) {
	segments(v, func(s *segment[K, V]) bool { return scanSegment(s, 0, 0, yield) })
}

// scanGroup walks the part of the directory that overlaps the group. Only the
// segments at its two ends can hold entries of other groups.
func scanGroup[K comparable, V any](v view[K, V], g messages.KeyGroup, maxParallelism int, yield func(hash uint64, key *K, val *V) bool) {
	inGroup := func(hash uint64, key *K, val *V) bool {
		return messages.KeyGroupOf(hash, maxParallelism) != g || yield(hash, key, val)
	}
	for i := int(groupStart(g, maxParallelism) >> v.shift); i < len(v.dir); {
		s := v.dir[i]
		from, to := span(&v, uint64(i)<<v.shift, s.depth)
		if messages.KeyGroupOf(uint64(from)<<v.shift, maxParallelism) > g || !scanSegment(s, 0, 0, inGroup) {
			return
		}
		i = to
	}
}

// groupStart is the least hash of a key group.
func groupStart(g messages.KeyGroup, maxParallelism int) uint64 {
	p := uint64(maxParallelism)
	return (uint64(g)<<32 + p - 1) / p << 32
}

// segments calls yield for every segment once, in the directory's order, until
// it returns false.
func segments[K comparable, V any](v view[K, V], yield func(*segment[K, V]) bool) {
	for i := 0; i < len(v.dir); {
		s := v.dir[i]
		if !yield(s) {
			return
		}
		i += 1 << (depthOf(&v) - s.depth)
	}
}

// scan gives the entries that have the flags in want among those in mask. It
// goes downwards from a free slot, around the array: removing the entry just
// given moves only entries that were given before.
func scanSegment[K comparable, V any](s *segment[K, V], mask, want uint64, yield func(hash uint64, key *K, val *V) bool) bool {
	slots, free := s.slots, 0
	for slots[free].meta != 0 {
		free++
	}
	return scanDown(slots[:free], mask, want, yield) && scanDown(slots[free:], mask, want, yield)
}

func scanDown[K comparable, V any](slots []entry[K, V], mask, want uint64, yield func(hash uint64, key *K, val *V) bool) bool {
	mask, want = mask|occupied, want|occupied
	for i := len(slots) - 1; i >= 0; i-- {
		e := &slots[i]
		if e.meta&mask == want && !yield(e.meta&^flagMask, &e.key, &e.val) {
			return false
		}
	}
	return true
}
