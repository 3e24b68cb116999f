package table

import (
	"runtime"
	"slices"
	"sync"
	"testing"
	"weak"
)

func ints(n int, o Options[int]) *Table[int, int] {
	t := New[int](o)
	for k := range n {
		put(t, k, k)
	}
	return t
}

func put(t *Table[int, int], k, v int) {
	p, _ := t.Upsert(Mix64(uint64(k)), k)
	*p = v
}

// S93: a frozen table is read elsewhere while the table is changed in every
// way; the race detector sees that nothing the reader reads is written.
func TestS93_FrozenIsReadWhileTheTableGoesOn(t *testing.T) {
	const n = 2000
	tab := New[int](Options[[]int]{Clone: slices.Clone[[]int], TrackDirty: true, SegmentSlots: 16})
	for k := range n {
		v, _ := tab.Upsert(Mix64(uint64(k)), k)
		*v = []int{0}
	}
	var readers sync.WaitGroup
	for round := 1; round <= 20; round++ {
		frozen, want := tab.Freeze(), (round-1)*n
		readers.Go(func() {
			defer frozen.Release()
			for range ranging(frozen.ScanDirty) {
			}
			frozen.ScanDeleted(func(uint64, *int) bool { return true })
			sum := 0
			for _, v := range ranging(frozen.Scan) {
				sum += (*v)[0]
			}
			if sum != want || frozen.Len() != n {
				t.Errorf("freeze %d holds %d entries that sum to %d, want %d and %d", round, frozen.Len(), sum, n, want)
			}
		})
		for k := range n {
			hash := Mix64(uint64(k))
			if k%7 == round%7 { // goes and comes back
				tab.Delete(hash, k)
				v, _ := tab.Upsert(hash, k)
				*v = []int{round}
				continue
			}
			v, _ := tab.Upsert(hash, k)
			(*v)[0] = round
		}
	}
	readers.Wait()
	check(t, tab)
}

// S93: the pause does not depend on the size: a freeze allocates the same for
// few entries as for many, and a write after it copies one segment at most.
func TestS93_FreezeCopiesWhatIsWritten(t *testing.T) {
	few, many := ints(10, Options[int]{}), ints(100_000, Options[int]{})
	freeze := func(tab *Table[int, int]) float64 {
		return testing.AllocsPerRun(100, func() { tab.Freeze().Release() })
	}
	if a, b := freeze(few), freeze(many); a != b {
		t.Errorf("a freeze of 10 entries allocates %v times, of 100000 %v times", a, b)
	}
	frozen := many.Freeze()
	if &frozen.dir[0] != &many.dir[0] {
		t.Error("the freeze copied the directory")
	}
	for k := range 10 {
		put(many, k, -1)
		if copied := segmentsApart(many.view, frozen.view); copied > k+1 {
			t.Fatalf("%d writes copied %d segments", k+1, copied)
		}
	}
	if v, _ := frozen.Get(Mix64(3), 3); v != 3 {
		t.Errorf("frozen has 3 = %d, want 3", v)
	}
}

func segmentsApart[K comparable, V any](a, b view[K, V]) (n int) {
	was := map[*segment[K, V]]bool{}
	segments(b, func(s *segment[K, V]) bool {
		was[s] = true
		return true
	})
	segments(a, func(s *segment[K, V]) bool {
		if !was[s] {
			n++
		}
		return true
	})
	return n
}

// S93: after Release writes copy nothing more, and what was copied for the
// frozen table is garbage although the table and the Frozen itself are still held.
func TestS93_MemoryReturnsAfterRelease(t *testing.T) {
	tab := ints(10_000, Options[int]{})
	frozen := tab.Freeze()
	old := weak.Make(segmentOf(&tab.view, Mix64(3)))
	put(tab, 3, -3)
	runtime.GC()
	if old.Value() == nil {
		t.Fatal("the frozen table lost a segment before its release")
	}
	frozen.Release()
	runtime.GC()
	if old.Value() != nil {
		t.Error("the replaced segment is still held after the release")
	}
	if allocs := testing.AllocsPerRun(1, func() {
		for k := range 10_000 {
			put(tab, k, 0)
		}
	}); allocs != 0 {
		t.Errorf("writes after the release allocate %v times, want 0", allocs)
	}
	runtime.KeepAlive(frozen)
	runtime.KeepAlive(tab)
}

// An older frozen table stays intact when a younger one was released in between.
func TestReleaseOutOfOrder(t *testing.T) {
	tab := New[int](Options[[]int]{Clone: slices.Clone[[]int]})
	write := func(x int) {
		v, _ := tab.Upsert(1, 1)
		if *v == nil {
			*v = []int{0}
		}
		(*v)[0] = x
	}
	write(1)
	first := tab.Freeze()
	tab.Upsert(2, 2) // copies the segment and leaves entry 1 shared
	second := tab.Freeze()
	second.Release()
	write(2) // in place for the segment, but not for the value
	if v, _ := first.Get(1, 1); v[0] != 1 {
		t.Errorf("the older frozen table has %v, want [1]", v)
	}
}

// A value is cloned by the first Upsert after a freeze and by no other.
func TestCloneOncePerFreeze(t *testing.T) {
	clones := 0
	tab := New[int](Options[int]{Clone: func(v int) int { clones++; return v }})
	for round := range 3 {
		for range 5 {
			put(tab, 1, round)
			put(tab, 2, round)
		}
		if clones != 2*round {
			t.Fatalf("%d clones of 2 values after %d freezes", clones, round)
		}
		defer tab.Freeze().Release()
	}
}

func TestFrozenPanicsAfterRelease(t *testing.T) {
	f := ints(10, Options[int]{TrackDirty: true}).Freeze()
	f.Release()
	for name, use := range map[string]func(){
		"Len":         func() { f.Len() },
		"Get":         func() { f.Get(1, 1) },
		"Scan":        func() { f.Scan(nil) },
		"ScanGroup":   func() { f.ScanGroup(0, 1, nil) },
		"ScanDirty":   func() { f.ScanDirty(nil) },
		"ScanDeleted": func() { f.ScanDeleted(nil) },
	} {
		if got := recovered(use); got != "table: Frozen used after Release" {
			t.Errorf("%s after Release panics with %v", name, got)
		}
	}
}

func TestDirtyNeedsTracking(t *testing.T) {
	f := ints(10, Options[int]{}).Freeze()
	if got := recovered(func() { f.ScanDeleted(nil) }); got != "table: dirty entries asked of a table without Options.TrackDirty" {
		t.Errorf("ScanDeleted without tracking panics with %v", got)
	}
}

func recovered(f func()) (v any) {
	defer func() { v = recover() }()
	f()
	return nil
}
