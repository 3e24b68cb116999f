package operators

import "github.com/weirflow/weir/persistence/table"

// NewValueState declares a ValueState. Its name must be unique within the operator.
func NewValueState[V any, K comparable](s *States[K], name string) ValueState[V] {
	codec, err := CodecOf[V]()
	if err != nil {
		s.declare(name, "value", "", err)
		return nil
	}
	t := newTable[K](codec)
	schema := s.declare(name, "value", codec.Name(), nil)
	s.all = append(s.all, plainState(schema, s.groups, t, s.keys, codec))
	return &valueState[K, V]{scope: s.scope, table: t, deep: cloneOf(codec) != nil}
}

type valueState[K comparable, V any] struct {
	scope *keyScope[K]
	table *table.Table[K, V]
	deep  bool // a V can be changed in place, so what Get gives must not be frozen
}

func (s *valueState[K, V]) Get() (V, bool) {
	v, ok := s.table.Get(s.scope.hash, s.scope.key)
	if ok && s.deep {
		place, _ := s.table.Upsert(s.scope.hash, s.scope.key)
		v = *place
	}
	return v, ok
}

func (s *valueState[K, V]) Set(v V) {
	place, _ := s.table.Upsert(s.scope.hash, s.scope.key)
	*place = v
}

func (s *valueState[K, V]) Clear() { s.table.Delete(s.scope.hash, s.scope.key) }
