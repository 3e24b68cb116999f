package table

// Dirty tracking. An entry's dirty and fresh flags speak of the epoch of its
// segment; in a segment of an older epoch than the table's nothing changed
// since the last freeze, and whatever its flags say is history.

// graves are keys that are gone, in the order in which they went.
type graves[K comparable] struct {
	at  map[K]int // index in all
	all []grave[K]
}

type grave[K comparable] struct {
	hash uint64
	key  K
	back bool // it was inserted again
}

// born gives the flags of a new entry. A key that was deleted since the last
// freeze and comes back is merely dirty.
func born[K comparable, V any](t *Table[K, V], key K) uint64 {
	if t.deleted == nil {
		return dirty | fresh
	}
	i, gone := t.deleted.at[key]
	if !gone {
		return dirty | fresh
	}
	t.deleted.all[i].back = true
	return dirty
}

// bury remembers that an entry of a segment of the current epoch goes.
func bury[K comparable, V any](t *Table[K, V], e *entry[K, V]) {
	if e.meta&fresh != 0 {
		return // the last freeze does not know it
	}
	if t.deleted == nil {
		t.deleted = &graves[K]{at: map[K]int{}}
	}
	if i, again := t.deleted.at[e.key]; again {
		t.deleted.all[i].back = false
		return
	}
	t.deleted.at[e.key] = len(t.deleted.all)
	t.deleted.all = append(t.deleted.all, grave[K]{hash: e.meta &^ flagMask, key: e.key})
}

func buryAll[K comparable, V any](t *Table[K, V]) {
	segments(t.view, func(s *segment[K, V]) bool {
		for i := range s.slots {
			if e := &s.slots[i]; e.meta != 0 {
				old := *e
				if s.epoch != t.epoch {
					old.meta &^= fresh
				}
				bury(t, &old)
			}
		}
		return true
	})
}

// ScanDirty calls yield for every entry that was inserted, or given out by
// Upsert, between the previous freeze of the table and this one, and still
// existed at this one. Before the first freeze everything counts as inserted.
// It needs Options.TrackDirty.
func (f *Frozen[K, V]) ScanDirty(yield func(hash uint64, key *K, val *V) bool) {
	mustTrack(f)
	segments(f.view, func(s *segment[K, V]) bool {
		return s.epoch != f.epoch || scanSegment(s, dirty, dirty, yield)
	})
}

// ScanDeleted calls yield for hash (its upper 60 bits) and key of every entry
// that existed at the previous freeze of the table and does not exist at this
// one, until it returns false. It needs Options.TrackDirty.
func (f *Frozen[K, V]) ScanDeleted(yield func(hash uint64, key *K) bool) {
	mustTrack(f)
	if f.deleted == nil {
		return
	}
	for i := range f.deleted.all {
		if g := &f.deleted.all[i]; !g.back && !yield(g.hash, &g.key) {
			return
		}
	}
}

func mustTrack[K comparable, V any](f *Frozen[K, V]) {
	mustBeLive(f)
	if !f.track {
		panic("table: dirty entries asked of a table without Options.TrackDirty")
	}
}
