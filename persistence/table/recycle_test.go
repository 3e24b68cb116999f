package table

import (
	"testing"

	"pgregory.net/rapid"
)

// A recycled table behaves as a new one, and what was frozen before stays as it was.
func TestRecycleEqualsNew(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		recycled := New[uint64](Options[int]{SegmentSlots: 8, TrackDirty: rapid.Bool().Draw(t, "track")})
		var frozen []*Frozen[uint64, int]
		var held []map[uint64]int
		for round := range rapid.IntRange(1, 6).Draw(t, "rounds") {
			want := map[uint64]int{}
			for range rapid.IntRange(0, 200).Draw(t, "entries") {
				key := rapid.Uint64Range(0, 300).Draw(t, "key")
				v, existed := recycled.Upsert(Mix64(key), key)
				if _, has := want[key]; has != existed {
					t.Fatalf("round %d: key %d existed %v", round, key, existed)
				}
				*v = round
				want[key] = round
			}
			if rapid.Bool().Draw(t, "freeze") {
				frozen, held = append(frozen, recycled.Freeze()), append(held, want)
			}
			same(t, recycled.Len(), recycled.Scan, want)
			recycled.Recycle()
			same(t, recycled.Len(), recycled.Scan, nil)
			for i, f := range frozen {
				same(t, f.Len(), f.Scan, held[i])
			}
		}
	})
}

func same(t *rapid.T, n int, scan func(func(uint64, *uint64, *int) bool), want map[uint64]int) {
	if n != len(want) {
		t.Fatalf("%d entries, want %d", n, len(want))
	}
	scan(func(hash uint64, key *uint64, v *int) bool {
		if w, ok := want[*key]; !ok || w != *v {
			t.Fatalf("key %d is %d, want %d, %v", *key, *v, w, ok)
		}
		return true
	})
}

// Refilled with as much as before, a recycled table allocates nothing; while a frozen table is in use it keeps the same
// shape in new memory, so its order of iteration is the same.
func TestRecycleKeepsRoomAndOrder(t *testing.T) {
	fill := func(tab *Table[uint64, int]) {
		for key := range uint64(10_000) {
			tab.Upsert(Mix64(key), key)
		}
	}
	order := func(tab *Table[uint64, int]) (keys []uint64) {
		tab.Scan(func(_ uint64, key *uint64, _ *int) bool {
			keys = append(keys, *key)
			return true
		})
		return keys
	}
	free, frozen := New[uint64](Options[int]{}), New[uint64](Options[int]{})
	fill(free)
	fill(frozen)
	free.Freeze().Release()
	f := frozen.Freeze()
	free.Recycle()
	frozen.Recycle()
	fill(free)
	fill(frozen)
	a, b := order(free), order(frozen)
	for i := range a {
		if a[i] != b[i] {
			t.Fatalf("entry %d: key %d, and %d while a frozen table is in use", i, a[i], b[i])
		}
	}
	if f.Len() != 10_000 {
		t.Fatalf("the frozen table has %d entries", f.Len())
	}
	if n := testing.AllocsPerRun(3, func() { free.Recycle(); fill(free) }); n > 2 {
		t.Fatalf("%v allocations for a refill", n)
	}
	free.Recycle()
	free.Upsert(Mix64(1), 1)
	free.Recycle()
	if len(free.dir) != 2 {
		t.Fatalf("a directory of %d is kept for one entry", len(free.dir))
	}
}
