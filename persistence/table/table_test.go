package table

import (
	"reflect"
	"testing"
	"time"
)

func TestUpsertOfExistingAllocatesNothing(t *testing.T) {
	for name, o := range map[string]Options[int]{
		"plain":   {},
		"tracked": {TrackDirty: true},
		"cloned":  {Clone: func(v int) int { return v }, TrackDirty: true},
	} {
		tab := ints(50_000, o)
		k := 0
		if allocs := testing.AllocsPerRun(10_000, func() {
			k = (k + 7919) % 50_000
			v, existed := tab.Upsert(Mix64(uint64(k)), k)
			if !existed {
				t.Fatalf("%d is gone", k)
			}
			*v++
			tab.Get(Mix64(uint64(k)), k)
		}); allocs != 0 {
			t.Errorf("%s: %v allocations an Upsert, want 0", name, allocs)
		}
	}
}

// Segments of the usual size, and no directory out of proportion, for mixed hashes.
func TestMixedHashesSplitEvenly(t *testing.T) {
	tab := ints(200_000, Options[int]{})
	check(t, tab)
	slots, biggest := 0, 0
	segments(tab.view, func(s *segment[int, int]) bool {
		slots, biggest = slots+len(s.slots), max(biggest, len(s.slots))
		return true
	})
	if biggest > mostSlots || 2*tab.n < slots || len(tab.dir) > 4*tab.segmentCount {
		t.Errorf("%d entries in %d slots, at most %d a segment, directory %d for %d segments",
			tab.n, slots, biggest, len(tab.dir), tab.segmentCount)
	}
}

// Hashes that agree in their upper bits cannot be split: the segment grows, the
// directory does not, and different lower bits still keep probes short.
func TestHotPrefixGrowsOneSegment(t *testing.T) {
	const n = 100_000
	tab, hot := New[int](Options[int]{}), hashes["hot"]
	for k := range n {
		tab.Upsert(hot(k), k)
	}
	if len(tab.dir) > 64 {
		t.Errorf("the directory has %d entries, want at most 64", len(tab.dir))
	}
	s, steps := segmentOf(&tab.view, hot(0)), 0
	for k := range n {
		i, ok := find(s, hot(k), k)
		if !ok {
			t.Fatalf("%d is gone", k)
		}
		steps += (i - home(hot(k), len(s.slots)) + len(s.slots)) % len(s.slots)
	}
	if steps > 3*n {
		t.Errorf("%d steps for %d probes", steps, n)
	}
}

// Two hot keys whose hashes first differ in a bit within the directory's
// allowance come apart, although no bit before it separates anything.
func TestSplitSkipsBitsThatDoNotSeparate(t *testing.T) {
	tab := New[int](Options[int]{SegmentSlots: 16})
	hash := func(k int) uint64 { return uint64(k%2)<<60 | Mix64(uint64(k))>>32 }
	for k := range 1000 {
		tab.Upsert(hash(k), k)
	}
	check(t, tab)
	if segmentOf(&tab.view, hash(0)) == segmentOf(&tab.view, hash(1)) {
		t.Error("keys that differ in the fourth bit share a segment")
	}
}

func TestEqualHashes(t *testing.T) {
	const n = 500
	tab := New[int](Options[int]{SegmentSlots: 8})
	for k := range n {
		v, _ := tab.Upsert(42, k)
		*v = k
	}
	check(t, tab)
	for k := 0; k < n; k += 2 {
		tab.Delete(42, k)
	}
	check(t, tab)
	for k := range n {
		if v, ok := tab.Get(42, k); ok != (k%2 == 1) || ok && v != k {
			t.Fatalf("Get(%d) = %d, %v", k, v, ok)
		}
	}
}

func TestDeletedEntriesGiveTheirSlotsBack(t *testing.T) {
	tab := ints(100_000, Options[int]{})
	slots := func() (n int) {
		segments(tab.view, func(s *segment[int, int]) bool {
			n += len(s.slots)
			return true
		})
		return n
	}
	full := slots()
	for k := range 99_000 {
		tab.Delete(Mix64(uint64(k)), k)
	}
	check(t, tab)
	if left := slots(); left > full/8 {
		t.Errorf("%d slots of %d are left for 1000 of 100000 entries", left, full)
	}
}

// Two tables with the same operations behind them iterate alike.
func TestOrderIsAFunctionOfTheOperations(t *testing.T) {
	a, b := ints(5000, Options[int]{}), ints(5000, Options[int]{})
	var order []int
	for k := range ranging(a.Scan) {
		order = append(order, k)
	}
	i := 0
	for k := range ranging(b.Scan) {
		if order[i] != k {
			t.Fatalf("entry %d is %d and %d", i, order[i], k)
		}
		i++
	}
}

func TestIterationStops(t *testing.T) {
	tab := ints(1000, Options[int]{TrackDirty: true})
	f := tab.Freeze()
	for name, all := range map[string]func(func(int, *int) bool){
		"all": ranging(tab.Scan), "group": group(tab.ScanGroup, 0, 1), "frozen": ranging(f.Scan), "frozen group": group(f.ScanGroup, 0, 1), "dirty": ranging(f.ScanDirty),
	} {
		n := 0
		for range all {
			if n++; n == 10 {
				break
			}
		}
		if n != 10 {
			t.Errorf("%s gave %d entries before it stopped", name, n)
		}
	}
}

// The slots of pointer-free types must stay pointer-free: then the garbage
// collector allocates the arrays as noscan and never looks into them.
func TestEntriesAddNoPointers(t *testing.T) {
	type point struct {
		X, Y float64
		N    [3]int32
	}
	for _, typ := range []reflect.Type{
		reflect.TypeFor[entry[int64, int64]](),
		reflect.TypeFor[entry[[16]byte, point]](),
		reflect.TypeFor[entry[uint32, struct{}]](),
	} {
		if !ShallowSafe(typ) || hasString(typ) {
			t.Errorf("%v holds pointers", typ)
		}
	}
	if !hasString(reflect.TypeFor[entry[string, int]]()) {
		t.Error("hasString does not see a string")
	}
}

func hasString(t reflect.Type) bool {
	switch t.Kind() {
	case reflect.String:
		return true
	case reflect.Array:
		return hasString(t.Elem())
	case reflect.Struct:
		for i := range t.NumField() {
			if hasString(t.Field(i).Type) {
				return true
			}
		}
	}
	return false
}

// The size of a segment in bytes is what one write after a freeze may copy.
func TestBigValuesMakeSmallSegments(t *testing.T) {
	if got := (Options[[1024]byte]{}).maxSlots(1040); got != fewestSlots {
		t.Errorf("1 KiB values: %d slots, want %d", got, fewestSlots)
	}
	if got := (Options[int64]{}).maxSlots(24); got != 256 {
		t.Errorf("int64 values: %d slots, want 256", got)
	}
}

func TestShallowSafe(t *testing.T) {
	type inner struct{ S []int }
	for _, c := range []struct {
		typ  reflect.Type
		want bool
	}{
		{reflect.TypeFor[int64](), true},
		{reflect.TypeFor[string](), true},
		{reflect.TypeFor[complex128](), true},
		{reflect.TypeFor[uintptr](), true},
		{reflect.TypeFor[struct {
			A bool
			B [4]string
		}](), true},
		{reflect.TypeFor[[0]*int](), true},
		{reflect.TypeFor[[1]*int](), false},
		{reflect.TypeFor[*int](), false},
		{reflect.TypeFor[[]byte](), false},
		{reflect.TypeFor[map[int]int](), false},
		{reflect.TypeFor[any](), false},
		{reflect.TypeFor[chan int](), false},
		{reflect.TypeFor[func()](), false},
		{reflect.TypeFor[struct{ I inner }](), false},
		{reflect.TypeFor[time.Time](), false},
	} {
		if got := ShallowSafe(c.typ); got != c.want {
			t.Errorf("ShallowSafe(%v) = %v, want %v", c.typ, got, c.want)
		}
	}
}

// The values decide key groups in stored snapshots. The second is the first
// output of splitmix64 seeded with 0: the finalizer of its increment.
func TestMix64IsPinned(t *testing.T) {
	for x, want := range map[uint64]uint64{0: 0, 0x9e3779b97f4a7c15: 0xe220a8397b1dcdaf} {
		if got := Mix64(x); got != want {
			t.Errorf("Mix64(%#x) = %#x, want %#x", x, got, want)
		}
	}
}
