package table

import (
	"slices"
	"sync/atomic"

	"github.com/weirflow/weir/messages"
	"github.com/weirflow/weir/messages/mutant"
)

// Copy-on-write. Freeze hands out the directory and begins a new epoch. Before
// the first write in an epoch a segment, and likewise the directory, is owned:
// copied if a live frozen table can see it, and stamped with the epoch.
//
// A segment in the table's directory has been there since its own epoch, so the
// frozen tables that see it are those of that epoch or later: one look at the
// youngest live one decides. Nothing is counted, and Release touches nothing
// that belongs to the table.

// Frozen is a table as it was when Freeze was called. It may be read by other
// goroutines while the table goes on; everything it gives is for reading only.
// Its owner must call Release in the end: until then whatever the table changes
// is kept twice.
type Frozen[K comparable, V any] struct {
	view[K, V]
	epoch    uint64 // of the table before the freeze; the table reads it and released, nothing else
	track    bool
	deleted  *graves[K]
	released atomic.Bool
}

// Freeze gives the table as it is now and ends the validity of all pointers
// that Upsert gave. It takes no time that depends on the size: later writes
// copy what they change, segment by segment, until Release.
func (t *Table[K, V]) Freeze() *Frozen[K, V] {
	f := &Frozen[K, V]{view: t.view, epoch: t.epoch, track: t.track, deleted: t.deleted}
	forgetReleased(t)
	t.live = append(t.live, f)
	t.deleted = nil
	t.epoch++
	return f
}

// Release ends the use of the frozen table, once nobody reads it any more: its
// memory goes and, if it was the youngest, writes need not copy for it. Calling
// it twice is harmless; reading afterwards panics.
func (f *Frozen[K, V]) Release() {
	if f.released.CompareAndSwap(false, true) { // from here on the table may write what f saw
		f.view, f.deleted = view[K, V]{}, nil // which the table never reads
	}
}

// visible tells whether a live frozen table sees what has been in the table
// since the epoch.
func visible[K comparable, V any](t *Table[K, V], since uint64) bool {
	forgetReleased(t)
	if mutant.On("no-copy-on-write") {
		return false
	}
	return len(t.live) > 0 && t.live[len(t.live)-1].epoch >= since
}

func forgetReleased[K comparable, V any](t *Table[K, V]) {
	live := t.live[:0]
	for _, f := range t.live {
		if !f.released.Load() {
			live = append(live, f)
		}
	}
	clear(t.live[len(live):])
	t.live = live
}

// own makes the segment of the hash writable and gives what stands in its
// place. Entries keep their slots.
func own[K comparable, V any](t *Table[K, V], hash uint64, s *segment[K, V]) *segment[K, V] {
	var set, clear uint64
	if visible(t, s.epoch) {
		c := *s
		c.slots = slices.Clone(s.slots)
		s = &c
		place(t, hash, s)
		set = t.careful & shared
	}
	if t.track {
		clear = dirty | fresh
	}
	flag(s, set, clear)
	s.epoch = t.epoch
	return s
}

// flag changes the flags of all entries. A shared flag is never cleared here:
// an older frozen table may still be live.
func flag[K comparable, V any](s *segment[K, V], set, clear uint64) {
	if set|clear == 0 {
		return
	}
	for i := range s.slots {
		if e := &s.slots[i]; e.meta != 0 {
			e.meta = e.meta&^clear | set
		}
	}
}

func ownDirectory[K comparable, V any](t *Table[K, V]) {
	if t.dirEpoch == t.epoch {
		return
	}
	if visible(t, t.dirEpoch) {
		t.dir = slices.Clone(t.dir)
	}
	t.dirEpoch = t.epoch
}

func mustBeLive[K comparable, V any](f *Frozen[K, V]) {
	if f.released.Load() {
		panic("table: Frozen used after Release")
	}
}

// Len is the number of entries.
func (f *Frozen[K, V]) Len() int {
	mustBeLive(f)
	return f.n
}

// Get gives the value of the key, for reading only.
func (f *Frozen[K, V]) Get(hash uint64, key K) (V, bool) {
	mustBeLive(f)
	return get(&f.view, hash, key)
}

// Scan calls yield for every entry until it returns false.
func (f *Frozen[K, V]) Scan(yield func(hash uint64, key *K, val *V) bool) {
	mustBeLive(f)
	scanAll(f.view, yield)
}

// ScanGroup is Scan for the entries of one key group.
func (f *Frozen[K, V]) ScanGroup(g messages.KeyGroup, maxParallelism int, yield func(hash uint64, key *K, val *V) bool) {
	mustBeLive(f)
	scanGroup(f.view, g, maxParallelism, yield)
}
