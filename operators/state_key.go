package operators

import (
	"bytes"
	"cmp"
	"reflect"
	"unsafe"

	"github.com/weirflow/weir/messages"
	"github.com/weirflow/weir/persistence/table"
)

// keyKind is what state must know of the type of its keys. It belongs to one
// instance.
type keyKind[K comparable] struct {
	codec Codec[K]
	hash  func(K) uint64
}

// keyKindOf makes the hash of single keys out of the loop that hashes batches,
// so that there is one definition of it.
func keyKindOf[K comparable](codec Codec[K]) keyKind[K] {
	k := newKeyer(func(k K) K { return k }, codec).(*keyer[K, K])
	var key [1]K
	var hash [1]uint64
	return keyKind[K]{codec: codec, hash: func(v K) uint64 {
		key[0] = v
		k.loop(key[:], k.key, hash[:])
		return hash[0]
	}}
}

// subkeys places the entries that a key has many of (timers, map entries) in a
// table of their own: anywhere in the key's group, which is all that must be
// kept, so that a key with very many of them does not crowd one segment.
type subkeys struct {
	groups int
	starts []uint64 // starts[g] is the least upper half of the hashes of group g; one more at the end
}

func newSubkeys(groups int) subkeys {
	s := subkeys{groups: groups}
	for g := range uint64(groups) + 1 {
		s.starts = append(s.starts, (g<<32+uint64(groups)-1)/uint64(groups))
	}
	return s
}

// place gives the hash of entry sub of the key with a hash.
func (s *subkeys) place(hash, sub uint64) uint64 { return s.placeNear(hash, sub, 0, 0) }

// placeNear is place for entries some of which should lie together: those of a slab,
// which is told by its lowest bits, share so many leading bits within a key group.
func (s *subkeys) placeNear(hash, sub, slab uint64, bits uint) uint64 {
	g := messages.KeyGroupOf(hash, s.groups)
	from, width := s.starts[g], s.starts[g+1]-s.starts[g]
	mixed := table.Mix64(hash^table.Mix64(sub))>>bits | slab<<(64-bits)
	return (from+mixed>>32*width>>32)<<32 | mixed&(1<<32-1)
}

// orderOf gives the ascending order of numbers and strings, named or not, and
// for all other types that of their encodings.
func orderOf[K any](codec Codec[K]) func(a, b K) int {
	kind, size := reflect.TypeFor[K]().Kind(), reflect.TypeFor[K]().Size()
	if kind != reflect.String && (kind < reflect.Int || kind > reflect.Uint64) {
		return func(a, b K) int { return bytes.Compare(mustEncode(codec, a), mustEncode(codec, b)) }
	}
	return func(a, b K) int { return compareAs(kind, size, unsafe.Pointer(&a), unsafe.Pointer(&b)) }
}

// compareAs compares two strings or integers of a size in bytes.
func compareAs(kind reflect.Kind, size uintptr, a, b unsafe.Pointer) int {
	switch {
	case kind == reflect.String:
		return cmp.Compare(*(*string)(a), *(*string)(b))
	case kind <= reflect.Int64:
		return cmp.Compare(int64(signed(a, size)), int64(signed(b, size)))
	}
	return cmp.Compare(unsigned(a, size), unsigned(b, size))
}

// mustEncode is for keys, whose type Build has checked.
func mustEncode[K any](codec Codec[K], k K) []byte {
	b, err := codec.Append(nil, k)
	if err != nil {
		panic("operators: key of type " + codec.Name() + " does not encode: " + err.Error())
	}
	return b
}
