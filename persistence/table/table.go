package table

import "unsafe"

// Options of a table. The zero value is a table of values that may be copied by
// assignment, without dirty tracking.
type Options[V any] struct {
	// Clone copies a value so deeply that no change made in place to the copy
	// can be seen in the original. It is called for the first Upsert of a key
	// after a freeze whose Frozen is still in use. nil: assignment suffices.
	Clone func(V) V
	// TrackDirty notes what is written and deleted between two freezes, for
	// Frozen.ScanDirty and Frozen.ScanDeleted.
	TrackDirty bool
	// SegmentSlots is the size at which a segment splits, for tests: at least
	// 8. 0 stands for as many slots as fit into 6 KiB, but 16 to 256.
	SegmentSlots int
}

const (
	segmentBytes = 6 << 10 // what the first write to a segment after a freeze copies
	fewestSlots  = 16
	mostSlots    = 256
)

// maxSlots is the size in slots at which a segment splits.
func (o Options[V]) maxSlots(entryBytes uintptr) int {
	if o.SegmentSlots != 0 {
		return max(o.SegmentSlots, minSlots)
	}
	return min(max(segmentBytes/int(entryBytes), fewestSlots), mostSlots)
}

// Table maps keys to values. The zero Table is not usable, see New.
type Table[K comparable, V any] struct {
	view[K, V]

	clone    func(V) V
	maxSlots int

	// An existing entry needs a touch before it is written unless its flags
	// agree with settled wherever careful has a bit: not shared, and dirty.
	careful, settled uint64

	epoch        uint64          // freezes so far + 1; segments of older epochs must be owned before a write
	dirEpoch     uint64          // of the directory, with the meaning of segment.epoch
	segmentCount int             // distinct segments in the directory
	live         []*Frozen[K, V] // oldest first; released ones stay until the next look

	track   bool
	deleted *graves[K] // keys of the last freeze that are gone; nil while there are none
}

// New makes an empty table.
func New[K comparable, V any](o Options[V]) *Table[K, V] {
	t := &Table[K, V]{
		clone:    o.Clone,
		maxSlots: o.maxSlots(unsafe.Sizeof(entry[K, V]{})),
		epoch:    1,
		track:    o.TrackDirty,
	}
	if o.Clone != nil {
		t.careful |= shared
	}
	if o.TrackDirty {
		t.careful |= dirty
		t.settled |= dirty
	}
	reset(t)
	return t
}

func reset[K comparable, V any](t *Table[K, V]) {
	t.view = newView[K, V](t.epoch)
	t.dirEpoch, t.segmentCount = t.epoch, 1
}

// Len is the number of entries.
func (t *Table[K, V]) Len() int { return t.n }

// Get gives the value of the key. What it refers to, if anything, is for
// reading only.
func (t *Table[K, V]) Get(hash uint64, key K) (V, bool) { return get(&t.view, hash, key) }

// Upsert gives the place of the key's value, which is the zero V if the key
// did not exist, and counts as a write. The pointer is valid until the next
// operation that may insert, delete, clear or freeze.
func (t *Table[K, V]) Upsert(hash uint64, key K) (v *V, existed bool) {
	s := segmentOf(&t.view, hash)
	if s.epoch != t.epoch {
		s = own(t, hash, s)
	}
	i, ok := find(s, hash, key)
	if !ok {
		return insert(t, hash, key, s, i), false
	}
	e := &s.slots[i]
	if (e.meta^t.settled)&t.careful != 0 {
		touch(t, e)
	}
	return &e.val, true
}

// Fetch reads where the entries of some hashes would be, and changes nothing: what the
// operations behind it need of memory comes at the same time then, and not for one after
// the other. A few dozen hashes at a time stay in the processor's first cache. What it
// returns means nothing, but has the compiler keep the reads.
func (t *Table[K, V]) Fetch(hashes []uint64) (seen uint64) {
	for _, hash := range hashes {
		s := segmentOf(&t.view, hash)
		seen ^= s.slots[home(hash, len(s.slots))].meta
	}
	return seen
}

// touch readies an existing entry for a write.
func touch[K comparable, V any](t *Table[K, V], e *entry[K, V]) {
	if e.meta&shared != 0 {
		e.val = t.clone(e.val)
		e.meta &^= shared
	}
	e.meta |= t.settled
}

// insert puts the key into the free slot that find gave.
func insert[K comparable, V any](t *Table[K, V], hash uint64, key K, s *segment[K, V], slot int) *V {
	for full(s) {
		s = grow(t, hash, s)
		slot, _ = find(s, hash, key)
	}
	e := &s.slots[slot]
	e.meta, e.key = identity(hash), key
	if t.track {
		e.meta |= born(t, key)
	}
	s.n++
	t.n++
	return &e.val
}

// Delete removes the key and tells whether it was there.
func (t *Table[K, V]) Delete(hash uint64, key K) bool {
	s := segmentOf(&t.view, hash)
	i, ok := find(s, hash, key)
	if !ok {
		return false
	}
	if s.epoch != t.epoch {
		s = own(t, hash, s) // keeps slots in their places
	}
	if t.track {
		bury(t, &s.slots[i])
	}
	remove(s, i)
	t.n--
	if sparse(s) {
		resize(s, roomFor(s.n))
	}
	return true
}

// Clear removes all entries. It takes no time that depends on their number,
// unless dirty tracking has to remember them.
func (t *Table[K, V]) Clear() {
	if t.track {
		buryAll(t)
	}
	reset(t)
}
