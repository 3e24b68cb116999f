package operators

import (
	"github.com/weirflow/weir/messages"
	"github.com/weirflow/weir/persistence/table"
)

// NewValueState declares a ValueState. Its name must be unique within the operator.
func NewValueState[V any, K comparable](s *States[K], name string) ValueState[V] {
	codec, schema := declarePlain[V](s, name, "value", nil)
	if schema == nil {
		return nil
	}
	if d := onDisk(s, schema); d != nil {
		v := newDiskValue(d, codec)
		return &v
	}
	return heapValue(s, schema, codec)
}

// newHeapValue is a value that is on the heap always.
func newHeapValue[V any, K comparable](s *States[K], name string) *valueState[K, V] {
	codec, schema := declarePlain[V](s, name, "value", nil)
	if schema == nil {
		return nil
	}
	return heapValue(s, schema, codec)
}

func heapValue[V any, K comparable](s *States[K], schema *messages.StateSchema, codec Codec[V]) *valueState[K, V] {
	return &valueState[K, V]{scope: s.scope, table: plainTable(s, schema, codec), deep: cloneOf(codec) != nil}
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
