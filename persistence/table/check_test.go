package table

import (
	"iter"
	"reflect"
	"testing"

	"github.com/weirflow/weir/messages"
)

type tester interface {
	Helper()
	Fatalf(format string, args ...any)
}

var _ tester = (*testing.T)(nil)

// ranging makes a scan something to range over.
func ranging[K, V any](scan func(func(uint64, *K, *V) bool)) iter.Seq2[K, *V] {
	return func(yield func(K, *V) bool) {
		scan(func(_ uint64, key *K, val *V) bool { return yield(*key, val) })
	}
}

// group is the scan of one key group.
func group[K, V any](scan func(messages.KeyGroup, int, func(uint64, *K, *V) bool), g messages.KeyGroup, maxParallelism int) iter.Seq2[K, *V] {
	return ranging(func(yield func(uint64, *K, *V) bool) { scan(g, maxParallelism, yield) })
}

// check asserts every invariant that the fields of view, segment and Table state.
func check[K comparable, V any](t tester, tab *Table[K, V]) {
	t.Helper()
	if len(tab.dir) != 1<<depthOf(&tab.view) || tab.shift > 63 {
		t.Fatalf("directory of %d entries, shift %d", len(tab.dir), tab.shift)
	}
	if bound := 4*tab.segmentCount + 64; len(tab.dir) > bound {
		t.Fatalf("directory of %d entries for %d segments, want at most %d", len(tab.dir), tab.segmentCount, bound)
	}
	n, seen := 0, 0
	for i := 0; i < len(tab.dir); {
		s := tab.dir[i]
		from, to := span(&tab.view, uint64(i)<<tab.shift, s.depth)
		if from != i {
			t.Fatalf("segment of depth %d begins at directory entry %d, want %d", s.depth, i, from)
		}
		for ; i < to; i++ {
			if tab.dir[i] != s {
				t.Fatalf("directory entry %d leaves the span [%d,%d) of its segment", i, from, to)
			}
		}
		checkSegment(t, tab, s, from)
		n, seen = n+s.n, seen+1
	}
	if n != tab.n || seen != tab.segmentCount {
		t.Fatalf("%d entries in %d segments, counted %d in %d", tab.n, tab.segmentCount, n, seen)
	}
}

func checkSegment[K comparable, V any](t tester, tab *Table[K, V], s *segment[K, V], from int) {
	t.Helper()
	n := 0
	for i := range s.slots {
		e := &s.slots[i]
		if e.meta == 0 {
			if !reflect.ValueOf(*e).IsZero() {
				t.Fatalf("slot %d is free and keeps %v", i, *e)
			}
			continue
		}
		n++
		if start, _ := span(&tab.view, e.meta, s.depth); start != from {
			t.Fatalf("hash %016x stands in the segment of directory entry %d, want %d", e.meta, from, start)
		}
		if at, ok := find(s, e.meta, e.key); !ok || at != i {
			t.Fatalf("key %v in slot %d is found in %d, %v", e.key, i, at, ok)
		}
	}
	if n != s.n || n > limit(len(s.slots)) || s.epoch > tab.epoch {
		t.Fatalf("segment says %d entries, has %d of %d slots; epoch %d of %d", s.n, n, len(s.slots), s.epoch, tab.epoch)
	}
}
