package table

import (
	"maps"
	"slices"
	"testing"

	"github.com/weirflow/weir/messages"
	"pgregory.net/rapid"
)

// hashes of test keys: well mixed; of one hot key, whose upper half is the same;
// and all alike. Each is a pure function of the key.
var hashes = map[string]func(int) uint64{
	"mixed": func(k int) uint64 { return Mix64(uint64(k)) },
	"hot":   func(k int) uint64 { return 0xabcdef01<<32 | Mix64(uint64(k))>>32 },
	"equal": func(int) uint64 { return 0x0123456789abcdef },
	"two":   func(k int) uint64 { return uint64(k%2)<<40 | Mix64(uint64(k))>>32 },
}

const lastKey = 150 // enough for twenty and more segments of 8 slots

// twin is the dumb version of a table: a Go map of copied values.
type twin map[int][]int

func (w twin) copy() twin {
	c := twin{}
	for k, v := range w {
		c[k] = slices.Clone(v)
	}
	return c
}

// snapshot is a frozen table beside what it must hold.
type snapshot struct {
	frozen         *Frozen[int, []int]
	want           twin
	dirty, deleted map[int]bool
}

// machine runs the same operations on a table and on its twin. Values are
// slices changed in place, so that any sharing that should not be shows.
type machine struct {
	hash           func(int) uint64
	table          *Table[int, []int]
	twin           twin
	last           twin // at the last freeze
	dirty, deleted map[int]bool
	live           []snapshot
}

func newMachine(hash func(int) uint64) *machine {
	return &machine{
		hash:  hash,
		table: New[int](Options[[]int]{Clone: slices.Clone[[]int], TrackDirty: true, SegmentSlots: 8}),
		twin:  twin{}, last: twin{}, dirty: map[int]bool{}, deleted: map[int]bool{},
	}
}

func (m *machine) upsert(t *rapid.T) {
	k, x := rapid.IntRange(0, lastKey).Draw(t, "key"), rapid.Int().Draw(t, "x")
	v, existed := m.table.Upsert(m.hash(k), k)
	was, want := m.twin[k]
	if existed != want || !slices.Equal(*v, was) {
		t.Fatalf("Upsert(%d) = %v, %v, want %v, %v", k, *v, existed, was, want)
	}
	if existed {
		(*v)[0] = x // in place, through memory that a frozen table may have seen
	}
	*v = append(*v, x)
	if want {
		was[0] = x
	}
	m.twin[k] = append(was, x)
	m.dirty[k] = true
	delete(m.deleted, k)
}

func (m *machine) get(t *rapid.T) {
	k := rapid.IntRange(0, lastKey).Draw(t, "key")
	v, ok := m.table.Get(m.hash(k), k)
	if want, exists := m.twin[k]; ok != exists || !slices.Equal(v, want) {
		t.Fatalf("Get(%d) = %v, %v, want %v, %v", k, v, ok, want, exists)
	}
}

func (m *machine) delete(t *rapid.T) {
	from, count := rapid.IntRange(0, lastKey).Draw(t, "from"), rapid.IntRange(1, 100).Draw(t, "count")
	for k := from; k < from+count; k++ {
		_, want := m.twin[k]
		if got := m.table.Delete(m.hash(k), k); got != want {
			t.Fatalf("Delete(%d) = %v, want %v", k, got, want)
		}
		m.forget(k)
	}
}

func (m *machine) forget(k int) {
	delete(m.twin, k)
	delete(m.dirty, k)
	if _, was := m.last[k]; was {
		m.deleted[k] = true
	}
}

func (m *machine) clear(t *rapid.T) {
	if rapid.IntRange(0, 9).Draw(t, "really") > 0 {
		return
	}
	m.table.Clear()
	for k := range maps.Clone(m.twin) {
		m.forget(k)
	}
}

func (m *machine) freeze(t *rapid.T) {
	if len(m.live) == 4 {
		m.release(t)
	}
	m.live = append(m.live, snapshot{m.table.Freeze(), m.twin.copy(), m.dirty, m.deleted})
	m.last, m.dirty, m.deleted = m.twin.copy(), map[int]bool{}, map[int]bool{}
}

func (m *machine) release(t *rapid.T) {
	if len(m.live) == 0 {
		return
	}
	i := rapid.IntRange(0, len(m.live)-1).Draw(t, "which")
	m.live[i].frozen.Release()
	m.live[i].frozen.Release()
	m.live = slices.Delete(m.live, i, i+1)
}

// sweep deletes or changes entries while it iterates over them.
func (m *machine) sweep(t *rapid.T) {
	mod, touch := rapid.IntRange(1, 5).Draw(t, "mod"), rapid.Bool().Draw(t, "touch")
	seen := map[int]bool{}
	for k, v := range ranging(m.table.Scan) {
		if seen[k] || !slices.Equal(*v, m.twin[k]) {
			t.Fatalf("entry %d = %v again: %v, want %v", k, *v, seen[k], m.twin[k])
		}
		seen[k] = true
		switch {
		case k%mod != 0:
		case touch:
			v, _ := m.table.Upsert(m.hash(k), k)
			(*v)[0], m.twin[k][0] = -k, -k
			m.dirty[k] = true
		default:
			m.table.Delete(m.hash(k), k)
		}
	}
	if len(seen) != len(m.twin) {
		t.Fatalf("swept %d entries, want %d", len(seen), len(m.twin))
	}
	for k := range seen {
		if k%mod == 0 && !touch {
			m.forget(k)
		}
	}
}

func (m *machine) check(t *rapid.T) {
	check(t, m.table)
	m.requireEntries(t, "table", m.twin, m.table.Len(), m.table.Scan)
	for _, s := range m.live {
		m.requireEntries(t, "frozen", s.want, s.frozen.Len(), s.frozen.Scan)
		requireKeys(t, "dirty", s.dirty, func(yield func(int) bool) {
			for k := range ranging(s.frozen.ScanDirty) {
				yield(k)
			}
		})
		requireKeys(t, "deleted", s.deleted, func(yield func(int) bool) {
			s.frozen.ScanDeleted(func(h uint64, k *int) bool {
				if h != m.hash(*k)&^flagMask {
					t.Fatalf("deleted key %d has hash %x, want %x", *k, h, m.hash(*k))
				}
				yield(*k)
				return true
			})
		})
	}
}

func (m *machine) requireEntries(t *rapid.T, what string, want twin, n int, scan func(func(uint64, *int, *[]int) bool)) {
	got := twin{}
	scan(func(hash uint64, k *int, v *[]int) bool {
		if _, twice := got[*k]; twice || hash != m.hash(*k)&^flagMask {
			t.Fatalf("%s: key %d twice: %v, or with hash %x, want %x", what, *k, twice, hash, m.hash(*k))
		}
		got[*k] = *v
		return true
	})
	if n != len(want) || !maps.EqualFunc(got, want, slices.Equal[[]int]) {
		t.Fatalf("%s of %d entries holds %v, want %v", what, n, got, want)
	}
}

func requireKeys(t *rapid.T, what string, want map[int]bool, keys func(func(int) bool)) {
	got := map[int]bool{}
	keys(func(k int) bool {
		if got[k] {
			t.Fatalf("%s key %d twice", what, k)
		}
		got[k] = true
		return true
	})
	if !maps.Equal(got, want) {
		t.Fatalf("%s keys %v, want %v", what, slices.Sorted(maps.Keys(got)), slices.Sorted(maps.Keys(want)))
	}
}

// S93: what is written after a freeze, also in place and by deleting and
// clearing, is in no frozen table, however many are live and in whatever order
// they are released; the table itself and its dirty sets equal a plain map's.
func TestS93_ModelOfTableAndFrozen(t *testing.T) {
	for _, name := range slices.Sorted(maps.Keys(hashes)) {
		t.Run(name, rapid.MakeCheck(func(t *rapid.T) {
			m := newMachine(hashes[name])
			t.Repeat(map[string]func(*rapid.T){
				"":        m.check,
				"upsert":  m.upsert,
				"fill":    m.fill,
				"get":     m.get,
				"delete":  m.delete,
				"clear":   m.clear,
				"freeze":  m.freeze,
				"release": m.release,
				"sweep":   m.sweep,
			})
		}))
	}
}

// fill writes many keys, so that segments split.
func (m *machine) fill(t *rapid.T) {
	for range rapid.IntRange(1, 60).Draw(t, "count") {
		m.upsert(t)
	}
}

// S89: the key alone decides the group; the groups' iterations hold every entry
// exactly once, whatever the number of groups.
func TestS89_GroupsPartitionTheEntries(t *testing.T) {
	for _, name := range slices.Sorted(maps.Keys(hashes)) {
		t.Run(name, rapid.MakeCheck(func(t *rapid.T) {
			maxParallelism := rapid.SampledFrom([]int{1, 2, 3, 7, 128, 1000, 1 << 15}).Draw(t, "maxParallelism")
			n := rapid.IntRange(0, 500).Draw(t, "entries")
			tab := New[int](Options[int]{SegmentSlots: rapid.SampledFrom([]int{8, 32, 0}).Draw(t, "slots")})
			for k := range n {
				v, _ := tab.Upsert(hashes[name](k), k)
				*v = -k
			}
			frozen := tab.Freeze()
			seen := map[int]bool{}
			for g := range messages.KeyGroup(maxParallelism) {
				var live, still []int
				for k, v := range group(tab.ScanGroup, g, maxParallelism) {
					if messages.KeyGroupOf(hashes[name](k), maxParallelism) != g || seen[k] || *v != -k {
						t.Fatalf("group %d of %d has %d = %d, seen %v", g, maxParallelism, k, *v, seen[k])
					}
					seen[k] = true
					live = append(live, k)
				}
				for k := range group(frozen.ScanGroup, g, maxParallelism) {
					still = append(still, k)
				}
				if !slices.Equal(live, still) {
					t.Fatalf("group %d: frozen %v, table %v", g, still, live)
				}
			}
			if len(seen) != n {
				t.Fatalf("groups hold %d entries, want %d", len(seen), n)
			}
		}))
	}
}
