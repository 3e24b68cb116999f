package operators

import (
	"context"
	"fmt"
	"slices"
	"testing"

	"github.com/weirflow/weir/operators/plan"
	"github.com/weirflow/weir/persistence"
)

// mapOf makes a map state outside an operator, at key 1, on the heap if disk is nil.
func mapOf[MK comparable, MV any](disk persistence.Disk) MapState[MK, MV] {
	s := newStates(keyKindOf[int64](mustCodec[int64]()), plan.DefaultMaxParallelism, nil)
	if disk != nil {
		s.kv = &operatorKV{open: func() (persistence.KV, error) { return disk.OpenKV(context.Background(), "map") }}
	}
	m := NewMapState[MK, MV](s, "map")
	s.scope.key, s.scope.hash = 1, s.keys.hash(1)
	return m
}

// An iteration gives the entries there were when it began, less those deleted since, whatever is put, deleted or
// iterated over meanwhile.
func TestMapStateChangesWhileIterated(t *testing.T) { where(t, mapStateChangesWhileIterated) }

func mapStateChangesWhileIterated(t *testing.T, disk persistence.Disk) {
	m := mapOf[int64, string](disk)
	for k := range int64(100) {
		m.Put((k*37)%100, fmt.Sprint(k))
	}
	var got []int64
	for k := range m.All() {
		got = append(got, k)
		m.Put(k+1000, "new")
		if k%2 == 0 {
			m.Delete(k + 1)
		}
		m.Delete(k)
		for range m.All() {
			break // compacts
		}
	}
	var want []int64
	for k := int64(0); k < 100; k += 2 {
		want = append(want, k)
	}
	if !slices.Equal(got, want) {
		t.Fatalf("%v\nwant %v", got, want)
	}
	if m.Len() != 50 {
		t.Fatalf("%d entries, want those put meanwhile", m.Len())
	}
}

// Named types are in order as what they are made of; structs have an order that stays.
func TestMapStateOrder(t *testing.T) { where(t, mapStateOrder) }

func mapStateOrder(t *testing.T, disk persistence.Disk) {
	type zone string
	type day int8
	type place struct{ X, Y int8 }
	zones, days, places := mapOf[zone, int](disk), mapOf[day, int](disk), mapOf[place, int](disk)
	for i, z := range []zone{"c", "a", "bb", "b"} {
		zones.Put(z, i)
		days.Put(day(3-2*i), i)
		places.Put(place{int8(i), 3}, i)
	}
	if got := fmt.Sprint(keysOf(zones), keysOf(days)); got != "[a b bb c] [-3 -1 1 3]" {
		t.Fatalf("order %s", got)
	}
	first := keysOf(places)
	places.Clear()
	for _, i := range []int8{2, 0, 3, 1} {
		places.Put(place{i, 3}, 0)
	}
	if got := keysOf(places); !slices.Equal(got, first) {
		t.Fatalf("%v after %v", got, first)
	}
}

func keysOf[MK comparable, MV any](m MapState[MK, MV]) (keys []MK) {
	for k := range m.All() {
		keys = append(keys, k)
	}
	return keys
}

// A key whose entries are gone leaves nothing behind, and map keys that come and go do not pile up.
func TestMapStateForgets(t *testing.T) {
	m := mapOf[int64, int64](nil).(*mapState[int64, int64, int64])
	m.Put(-1, 0)
	for k := range int64(10_000) {
		m.Put(k, k)
		m.Delete(k)
	}
	if all, _ := m.members.Get(m.scope.hash, m.scope.key); len(all.keys) > 50 {
		t.Fatalf("%d map keys are kept for one entry", len(all.keys))
	}
	m.Delete(-1)
	if n := m.members.Len() + m.entries.Len(); n != 0 {
		t.Fatalf("%d left behind by deletion", n)
	}
	m.Put(1, 1)
	m.Clear()
	if n := m.members.Len() + m.entries.Len(); n != 0 {
		t.Fatalf("%d left behind by Clear", n)
	}
}
