package operators

import (
	"fmt"
	"iter"
	"reflect"
	"slices"

	"github.com/weirflow/weir/messages"
	"github.com/weirflow/weir/persistence"
	"github.com/weirflow/weir/persistence/table"
)

// NewMapState declares a MapState. Its name must be unique within the operator.
func NewMapState[MK comparable, MV any, K comparable](s *States[K], name string) MapState[MK, MV] {
	if err := checkKey(reflect.TypeFor[MK]()); err != nil {
		s.declare(name, "map", "", fmt.Errorf("its map key: %w", err))
		return nil
	}
	keys, err := CodecOf[MK]()
	if err != nil {
		s.declare(name, "map", "", err)
		return nil
	}
	values, err := CodecOf[MV]()
	if err != nil {
		s.declare(name, "map", "", err)
		return nil
	}
	schema := s.declare(name, "map", keys.Name()+" -> "+values.Name(), nil)
	if d := onDisk(s, schema); d != nil {
		return newDiskMap(d, keys, values)
	}
	m := &mapState[K, MK, MV]{
		scope:   s.scope,
		subkeys: newSubkeys(s.groups),
		hash:    keyKindOf(keys).hash,
		order:   orderOf(keys),
		entries: newTable[mapKey[K, MK]](values),
		members: table.New[K](table.Options[members[MK]]{}),
		deep:    cloneOf(values) != nil,
	}
	s.all = append(s.all, m.erased(schema, s.keys, keys, values))
	return m
}

// mapState keeps each entry on its own in a table, so that touching one of a
// million costs one. A second table knows which entries a key has; it can be
// rebuilt, so it is neither frozen nor written.
type mapState[K, MK comparable, MV any] struct {
	scope   *keyScope[K]
	subkeys subkeys
	hash    func(MK) uint64
	order   func(a, b MK) int
	entries *table.Table[mapKey[K, MK], MV]
	members *table.Table[K, members[MK]]
	deep    bool // an MV can be changed in place, so what Get gives must not be frozen
}

type mapKey[K, MK comparable] struct {
	key   K
	entry MK
}

// members are the map keys of one key. A deletion leaves its map key behind,
// and a later Put appends it again: compact puts that right.
type members[MK comparable] struct {
	keys   []MK
	sorted int // keys[:sorted] are in order and differ
	live   int // entries there are; never more than len(keys)
}

func (s *mapState[K, MK, MV]) at(k MK) (uint64, mapKey[K, MK]) {
	return s.subkeys.place(s.scope.hash, s.hash(k)), mapKey[K, MK]{s.scope.key, k}
}

func (s *mapState[K, MK, MV]) Get(k MK) (MV, bool) {
	hash, key := s.at(k)
	v, ok := s.entries.Get(hash, key)
	if ok && s.deep {
		place, _ := s.entries.Upsert(hash, key)
		v = *place
	}
	return v, ok
}

func (s *mapState[K, MK, MV]) Put(k MK, v MV) {
	hash, key := s.at(k)
	place, existed := s.entries.Upsert(hash, key)
	*place = v
	if !existed {
		s.join(s.scope.hash, s.scope.key, k)
	}
}

func (s *mapState[K, MK, MV]) join(hash uint64, key K, k MK) {
	m, _ := s.members.Upsert(hash, key)
	m.keys = append(m.keys, k)
	m.live++
}

func (s *mapState[K, MK, MV]) Delete(k MK) {
	if !s.entries.Delete(s.at(k)) {
		return
	}
	m, _ := s.members.Upsert(s.scope.hash, s.scope.key)
	m.live--
	switch {
	case m.live == 0:
		s.members.Delete(s.scope.hash, s.scope.key)
	case len(m.keys) > 2*m.live+16:
		s.compact(m)
	}
}

// compact sorts the map keys and drops those whose entries are gone. It makes a
// new slice, for an iteration may be going on over the old one.
func (s *mapState[K, MK, MV]) compact(m *members[MK]) {
	keys := slices.Clone(m.keys)
	slices.SortFunc(keys, s.order)
	keys = slices.Compact(keys)
	keys = slices.DeleteFunc(keys, func(k MK) bool {
		_, ok := s.entries.Get(s.at(k))
		return !ok
	})
	m.keys, m.sorted = keys, len(keys)
}

func (s *mapState[K, MK, MV]) All() iter.Seq2[MK, MV] {
	return func(yield func(MK, MV) bool) {
		for _, k := range s.sorted() {
			if v, ok := s.Get(k); ok && !yield(k, v) {
				return
			}
		}
	}
}

// sorted gives the map keys of the current key in order.
func (s *mapState[K, MK, MV]) sorted() []MK {
	m, ok := s.members.Get(s.scope.hash, s.scope.key)
	if !ok {
		return nil
	}
	if m.sorted < len(m.keys) || m.live < len(m.keys) {
		place, _ := s.members.Upsert(s.scope.hash, s.scope.key)
		s.compact(place)
		m = *place
	}
	return m.keys
}

func (s *mapState[K, MK, MV]) Len() int {
	m, _ := s.members.Get(s.scope.hash, s.scope.key)
	return m.live
}

func (s *mapState[K, MK, MV]) Clear() {
	m, _ := s.members.Get(s.scope.hash, s.scope.key)
	for _, k := range m.keys {
		s.entries.Delete(s.at(k))
	}
	s.members.Delete(s.scope.hash, s.scope.key)
}

// erased is the state for the runtime: entries as key, map key, value.
func (s *mapState[K, MK, MV]) erased(schema *messages.StateSchema, keys keyKind[K], mapKeys Codec[MK], values Codec[MV]) persistence.State {
	return &tableState[mapKey[K, MK], MV]{
		schema: schema, groups: s.subkeys.groups, table: s.entries,
		write: func(buf []byte, k *mapKey[K, MK], v *MV) ([]byte, error) {
			buf, err := keys.codec.Append(buf, k.key)
			if err != nil {
				return buf, err
			}
			if buf, err = mapKeys.Append(buf, k.entry); err != nil {
				return buf, err
			}
			return values.Append(buf, *v)
		},
		read: func(p []byte) (hash uint64, _ []byte, err error) {
			var k mapKey[K, MK]
			var v MV
			if k.key, p, err = keys.codec.Decode(p); err != nil {
				return 0, p, err
			}
			if k.entry, p, err = mapKeys.Decode(p); err != nil {
				return 0, p, err
			}
			if v, p, err = values.Decode(p); err != nil {
				return 0, p, err
			}
			hash = keys.hash(k.key)
			place, _ := s.entries.Upsert(s.subkeys.place(hash, s.hash(k.entry)), k)
			*place = v
			s.join(hash, k.key, k.entry)
			return hash, p, nil
		},
	}
}
