package operators

import (
	"encoding/binary"
	"iter"
	"reflect"
	"slices"
)

// diskMap is a MapState on disk: each entry is a record of its own.
type diskMap[K, MK comparable, MV any] struct {
	*diskState[K]
	mapKeys Codec[MK]
	values  Codec[MV]
	sorts   orderedForm
}

func newDiskMap[K, MK comparable, MV any](d *diskState[K], mapKeys Codec[MK], values Codec[MV]) *diskMap[K, MK, MV] {
	sorts := orderedFormOf[MK]()
	d.write = func(buf, key, mapKey, value []byte) ([]byte, error) {
		buf = sorts.decode(append(buf, key...), mapKey)
		return append(buf, value...), nil
	}
	d.read = func(p, mapKey, value []byte) (_, _, rest []byte, err error) {
		k, behind, err := mapKeys.Decode(p)
		if err != nil {
			return mapKey, value, behind, err
		}
		encoded, err := mapKeys.Append(nil, k) // an older version may have written it otherwise
		if err != nil {
			return mapKey, value, behind, err
		}
		_, rest, err = values.Decode(behind)
		return sorts.encode(mapKey, encoded), append(value, behind[:len(behind)-len(rest)]...), rest, err
	}
	return &diskMap[K, MK, MV]{d, mapKeys, values, sorts}
}

// entry is the disk key of a map key. It is valid until the next call.
func (s *diskMap[K, MK, MV]) entry(k MK) []byte {
	p, err := s.mapKeys.Append(s.value[:0], k)
	s.must("encoding a map key", err)
	s.value = p
	s.key = s.sorts.encode(s.at(), p)
	return s.key
}

func (s *diskMap[K, MK, MV]) Get(k MK) (MV, bool) { return s.load(s.entry(k)) }

// load reads the value at a disk key.
func (s *diskMap[K, MK, MV]) load(at []byte) (v MV, ok bool) {
	p, ok := s.get(s.value[:0], at)
	if s.value = p; !ok {
		return v, false
	}
	return s.decode(p), true
}

func (s *diskMap[K, MK, MV]) decode(p []byte) MV {
	v, _, err := s.values.Decode(p)
	s.must("decoding", err)
	return v
}

func (s *diskMap[K, MK, MV]) Put(k MK, v MV) {
	at := s.entry(k)
	p, err := s.values.Append(s.value[:0], v)
	s.must("encoding", err)
	s.value = p
	s.put(at, p)
}

func (s *diskMap[K, MK, MV]) Delete(k MK) { s.remove(s.entry(k)) }

// All goes through the entries as they were. Once something was written, it
// looks each of them up: it may be another value by then, or none.
func (s *diskMap[K, MK, MV]) All() iter.Seq2[MK, MV] {
	return func(yield func(MK, MV) bool) {
		prefix, began := slices.Clone(s.at()), s.changes
		s.scan(prefix, func(at, value []byte) bool {
			v, ok := *new(MV), true
			if s.changes == began {
				v = s.decode(value)
			} else if v, ok = s.load(at); !ok {
				return true
			}
			return yield(s.mapKeyOf(at[len(prefix):]), v)
		})
	}
}

func (s *diskMap[K, MK, MV]) mapKeyOf(p []byte) MK {
	k, _, err := s.mapKeys.Decode(s.sorts.decode(nil, p))
	s.must("decoding a map key", err)
	return k
}

// Len counts: it reads the entries' keys.
func (s *diskMap[K, MK, MV]) Len() (n int) {
	s.scan(s.at(), func(_, _ []byte) bool { n++; return true })
	return n
}

func (s *diskMap[K, MK, MV]) Clear() { s.removeAll(s.at()) }

// orderedForm is an order-preserving encoding of map keys: it turns what a codec
// writes into bytes that sort as orderOf does, and back. Both append to dst. Behind
// it nothing follows, so that a string needs no length.
type orderedForm struct{ encode, decode func(dst, p []byte) []byte }

// orderedFormOf knows strings and integers; all other keys sort by their encoding.
func orderedFormOf[K any]() orderedForm {
	switch kind := reflect.TypeFor[K]().Kind(); {
	case kind == reflect.String:
		return orderedForm{withoutLength, withLength}
	case reflect.Int <= kind && kind <= reflect.Int64:
		return orderedForm{func(dst, p []byte) []byte { return bigEndian(dst, p, 0, 0x80) }, func(dst, p []byte) []byte { return bigEndian(dst, p, 0x80, 0) }}
	case reflect.Uint <= kind && kind <= reflect.Uint64:
		same := func(dst, p []byte) []byte { return bigEndian(dst, p, 0, 0) }
		return orderedForm{same, same}
	}
	same := func(dst, p []byte) []byte { return append(dst, p...) }
	return orderedForm{same, same}
}

func withoutLength(dst, p []byte) []byte {
	_, size := binary.Uvarint(p)
	return append(dst, p[size:]...)
}

func withLength(dst, p []byte) []byte {
	return append(binary.AppendUvarint(dst, uint64(len(p))), p...)
}

// bigEndian turns an integer's bytes around. first is flipped in the first byte
// of p, result in the first byte of what is appended: the sign, so that the
// negative numbers come before the others.
func bigEndian(dst, p []byte, first, result byte) []byte {
	from := len(dst)
	dst = append(dst, p...)
	if len(p) > 0 {
		dst[from] ^= first
		slices.Reverse(dst[from:])
		dst[from] ^= result
	}
	return dst
}
