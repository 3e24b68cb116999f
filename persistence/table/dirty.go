package table

import "iter"

// Dirty tracking. An entry's dirty and fresh flags speak of the epoch of its
// segment; in a segment of an older epoch than the table's nothing changed
// since the last freeze, and whatever its flags say is history.

// born gives the flags of a new entry. A key that was deleted since the last
// freeze and comes back is merely dirty.
func (t *Table[K, V]) born(hash uint64, key K) uint64 {
	if t.deleted != nil && t.deleted.Delete(hash, key) {
		return dirty
	}
	return dirty | fresh
}

// bury remembers that an entry of a segment of the current epoch goes.
func (t *Table[K, V]) bury(e *entry[K, V]) {
	if e.meta&fresh != 0 {
		return // the last freeze does not know it
	}
	if t.deleted == nil {
		t.deleted = New[K](Options[struct{}]{})
	}
	t.deleted.Upsert(e.meta, e.key)
}

func (t *Table[K, V]) buryAll() {
	for s := range t.view.segments() {
		for i := range s.slots {
			if e := &s.slots[i]; e.meta != 0 {
				old := *e
				if s.epoch != t.epoch {
					old.meta &^= fresh
				}
				t.bury(&old)
			}
		}
	}
}

// ScanDirty calls yield for every entry that was inserted, or given out by
// Upsert, between the previous freeze of the table and this one, and still
// existed at this one. Before the first freeze everything counts as inserted.
// It needs Options.TrackDirty.
func (f *Frozen[K, V]) ScanDirty(yield func(hash uint64, key *K, val *V) bool) {
	f.mustTrack()
	for s := range f.view.segments() {
		if s.epoch == f.epoch && !s.scan(dirty, dirty, yield) {
			return
		}
	}
}

// Dirty is ScanDirty as an iterator.
func (f *Frozen[K, V]) Dirty() iter.Seq2[K, *V] { return pairs(f.ScanDirty) }

// Deleted gives hash and key of every entry that existed at the previous
// freeze of the table and does not exist at this one. It needs
// Options.TrackDirty.
func (f *Frozen[K, V]) Deleted() iter.Seq2[uint64, K] {
	f.mustTrack()
	return func(yield func(uint64, K) bool) {
		if f.deleted != nil {
			f.deleted.Scan(func(hash uint64, key *K, _ *struct{}) bool { return yield(hash, *key) })
		}
	}
}

func (f *Frozen[K, V]) mustTrack() {
	f.mustBeLive()
	if !f.track {
		panic("table: dirty entries asked of a table without Options.TrackDirty")
	}
}
