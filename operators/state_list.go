package operators

import (
	"encoding/binary"
	"iter"
	"slices"

	"github.com/weirflow/weir/persistence/table"
)

// NewListState declares a ListState. Its name must be unique within the operator.
func NewListState[E any, K comparable](s *States[K], name string) ListState[E] {
	codec, err := CodecOf[E]()
	if err != nil {
		s.declare(name, "list", "", err)
		return nil
	}
	schema := s.declare(name, "list", codec.Name(), nil)
	if d := onDisk(s, schema); d != nil {
		return newDiskList(d, codec)
	}
	// No clone: a list only grows behind what a frozen copy sees of it, and its
	// elements do not change.
	t := table.New[K](table.Options[[]E]{})
	s.all = append(s.all, plainState(schema, s.groups, t, s.keys, Codec[[]E](listCodec[E]{codec})))
	return &listState[K, E]{scope: s.scope, table: t}
}

type listState[K comparable, E any] struct {
	scope *keyScope[K]
	table *table.Table[K, []E]
}

func (s *listState[K, E]) Append(e E) {
	list, _ := s.table.Upsert(s.scope.hash, s.scope.key)
	*list = append(*list, e)
}

func (s *listState[K, E]) All() iter.Seq[E] {
	list, _ := s.table.Get(s.scope.hash, s.scope.key)
	return slices.Values(list)
}

func (s *listState[K, E]) Len() int {
	list, _ := s.table.Get(s.scope.hash, s.scope.key)
	return len(list)
}

func (s *listState[K, E]) Clear() { s.table.Delete(s.scope.hash, s.scope.key) }

// listCodec writes a list as uvarint length and elements.
type listCodec[E any] struct{ element Codec[E] }

func (c listCodec[E]) Name() string { return "[]" + c.element.Name() }

func (c listCodec[E]) Append(buf []byte, list []E) (_ []byte, err error) {
	buf = binary.AppendUvarint(buf, uint64(len(list)))
	for _, e := range list {
		if buf, err = c.element.Append(buf, e); err != nil {
			return buf, err
		}
	}
	return buf, nil
}

func (c listCodec[E]) Decode(p []byte) (list []E, _ []byte, err error) {
	n, p, ok := uvarint(p)
	if !ok {
		return nil, p, errShortBlock
	}
	for range n {
		var e E
		if e, p, err = c.element.Decode(p); err != nil {
			return nil, p, err
		}
		list = append(list, e)
	}
	return list, p, nil
}
