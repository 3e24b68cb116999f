package operators

import (
	"encoding/binary"
	"iter"
)

// diskList is a ListState on disk: one value a key, of elements that each come
// behind their length, so that appending and counting need to know no element.
type diskList[K comparable, E any] struct {
	*diskState[K]
	codec   Codec[E]
	element []byte // scratch
}

func newDiskList[K comparable, E any](d *diskState[K], codec Codec[E]) *diskList[K, E] {
	d.write = func(buf, key, _, list []byte) ([]byte, error) {
		buf = binary.AppendUvarint(append(buf, key...), uint64(countElements(list)))
		for len(list) > 0 {
			var e []byte
			e, list = nextElement(list)
			buf = append(buf, e...)
		}
		return buf, nil
	}
	d.read = func(p, mapKey, list []byte) (_, _, rest []byte, err error) {
		n, p, ok := uvarint(p)
		if !ok {
			return mapKey, list, p, errShortBlock
		}
		for range n {
			_, rest, err := codec.Decode(p)
			if err != nil {
				return mapKey, list, rest, err
			}
			list = appendElement(list, p[:len(p)-len(rest)])
			p = rest
		}
		return mapKey, list, p, nil
	}
	return &diskList[K, E]{diskState: d, codec: codec}
}

func appendElement(list, e []byte) []byte {
	return append(binary.AppendUvarint(list, uint64(len(e))), e...)
}

// nextElement takes the first element from a list that is not empty.
func nextElement(list []byte) (e, rest []byte) {
	n, size := binary.Uvarint(list)
	return list[size : size+int(n)], list[size+int(n):]
}

func countElements(list []byte) (n int) {
	for len(list) > 0 {
		_, list = nextElement(list)
		n++
	}
	return n
}

func (s *diskList[K, E]) Append(e E) {
	p, err := s.codec.Append(s.element[:0], e)
	s.must("encoding", err)
	s.element = p
	s.value = appendElement(s.value[:0], p)
	s.append(s.at(), s.value)
}

func (s *diskList[K, E]) All() iter.Seq[E] {
	p, _ := s.get(nil, s.at()) // its own: the state may be used before the end
	return func(yield func(E) bool) {
		for rest := p; len(rest) > 0; {
			var e []byte
			e, rest = nextElement(rest)
			v, _, err := s.codec.Decode(e)
			s.must("decoding", err)
			if !yield(v) {
				return
			}
		}
	}
}

func (s *diskList[K, E]) Len() int {
	p, _ := s.get(s.value[:0], s.at())
	s.value = p
	return countElements(p)
}

func (s *diskList[K, E]) Clear() { s.remove(s.at()) }
