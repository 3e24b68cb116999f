package operators

import (
	"bytes"
	"cmp"
	"reflect"

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
func (s *subkeys) place(hash, sub uint64) uint64 {
	g := messages.KeyGroupOf(hash, s.groups)
	from, width := s.starts[g], s.starts[g+1]-s.starts[g]
	mixed := table.Mix64(hash ^ table.Mix64(sub))
	return (from+mixed>>32*width>>32)<<32 | mixed&(1<<32-1)
}

// orderOf gives the ascending order of numbers and strings, named or not, and
// for all other types that of their encodings.
func orderOf[K any](codec Codec[K]) func(a, b K) int {
	switch reflect.TypeFor[K]().Kind() {
	case reflect.Int8:
		return orderAs[K, int8]
	case reflect.Int16:
		return orderAs[K, int16]
	case reflect.Int32:
		return orderAs[K, int32]
	case reflect.Int:
		return orderAs[K, int]
	case reflect.Int64:
		return orderAs[K, int64]
	case reflect.Uint8:
		return orderAs[K, uint8]
	case reflect.Uint16:
		return orderAs[K, uint16]
	case reflect.Uint32:
		return orderAs[K, uint32]
	case reflect.Uint:
		return orderAs[K, uint]
	case reflect.Uint64:
		return orderAs[K, uint64]
	case reflect.String:
		return orderAs[K, string]
	}
	return func(a, b K) int { return bytes.Compare(mustEncode(codec, a), mustEncode(codec, b)) }
}

func orderAs[K any, P cmp.Ordered](a, b K) int { return cmp.Compare(as[P](a), as[P](b)) }

// mustEncode is for keys, whose type Build has checked.
func mustEncode[K any](codec Codec[K], k K) []byte {
	b, err := codec.Append(nil, k)
	if err != nil {
		panic("operators: key of type " + codec.Name() + " does not encode: " + err.Error())
	}
	return b
}
