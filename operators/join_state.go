package operators

import (
	"encoding/binary"
	"slices"

	"github.com/weirflow/weir/messages/mutant"
	"github.com/weirflow/weir/persistence/table"
)

// Records that joins keep: in the order of their times, at one time in that of their
// arrival.

// timed is a record with its event time, ms.
type timed[V any] struct {
	at int64
	v  V
}

// insert puts a record into its place.
func insert[V any](list []timed[V], at int64, v V) []timed[V] {
	i := len(list)
	if i > 0 && list[i-1].at > at {
		if i = search(list, at+1); mutant.On("join-out-of-order") {
			i = len(list)
		}
	}
	return slices.Insert(list, i, timed[V]{at, v})
}

// between gives the records with times in [from, to].
func between[V any](list []timed[V], from, to int64) []timed[V] {
	return list[search(list, from):search(list, to+1)]
}

// since gives the records at or behind a time, in the list's own room.
func since[V any](list []timed[V], at int64) []timed[V] {
	if len(list) == 0 || list[0].at >= at {
		return list
	}
	return withoutFirst(list, search(list, at))
}

// withoutFirst takes the first n elements off a list. A short one keeps its room, so
// that a key with a few records at a time allocates nothing.
func withoutFirst[E any](list []E, n int) []E {
	if len(list)-n <= 64 {
		return slices.Delete(list, 0, n)
	}
	clear(list[:n])
	return list[n:]
}

// search is the index of the first record at or behind a time.
func search[V any](list []timed[V], at int64) int {
	from, to := 0, len(list)
	for from < to {
		if mid := (from + to) / 2; list[mid].at < at {
			from = mid + 1
		} else {
			to = mid
		}
	}
	return from
}

// cloneList copies a list, the records of which do not change, with room for more.
func cloneList[V any](list []timed[V]) []timed[V] {
	if len(list) == 0 {
		return nil
	}
	return append(make([]timed[V], 0, len(list)+len(list)/2+1), list...)
}

// joinBuffer keeps the records of one side of a join, by key.
type joinBuffer[K comparable, V any] struct {
	scope *keyScope[K]
	table *table.Table[K, []timed[V]]
}

func newJoinBuffer[V any, K comparable](s *States[K], name string) *joinBuffer[K, V] {
	codec, err := CodecOf[V]()
	if err != nil {
		s.declare(name, "join", "", err)
		return nil
	}
	t := table.New[K](table.Options[[]timed[V]]{Clone: cloneList[V]})
	schema := s.declare(name, "join", codec.Name(), nil)
	s.all = append(s.all, plainState(schema, s.groups, t, s.keys, Codec[[]timed[V]](listCodec[timed[V]]{timedCodec[V]{codec}})))
	return &joinBuffer[K, V]{scope: s.scope, table: t}
}

// add keeps a record and tells whether none of an earlier time is kept.
func (b *joinBuffer[K, V]) add(at int64, v V) (first bool) {
	list, _ := b.table.Upsert(b.scope.hash, b.scope.key)
	*list = insert(*list, at, v)
	return (*list)[0].at == at
}

// between gives the records with times in [from, to], for reading only.
func (b *joinBuffer[K, V]) between(from, to int64) []timed[V] {
	list, _ := b.table.Get(b.scope.hash, b.scope.key)
	return between(list, from, to)
}

// dropBefore lets go of the records before a time, and gives the time of the
// first one that is left, if any is.
func (b *joinBuffer[K, V]) dropBefore(at int64) (first int64, more bool) {
	list, _ := b.table.Get(b.scope.hash, b.scope.key)
	n := search(list, at)
	switch {
	case n == len(list):
		b.table.Delete(b.scope.hash, b.scope.key)
		return 0, false
	case n > 0:
		first = list[n].at
		place, _ := b.table.Upsert(b.scope.hash, b.scope.key)
		*place = withoutFirst(*place, n)
		return first, true
	}
	return list[0].at, true
}

// timedCodec writes a record behind its time, fixed64.
type timedCodec[V any] struct{ record Codec[V] }

func (c timedCodec[V]) Name() string { return c.record.Name() + " with its time" }

func (c timedCodec[V]) Append(buf []byte, t timed[V]) ([]byte, error) {
	return c.record.Append(binary.LittleEndian.AppendUint64(buf, uint64(t.at)), t.v)
}

func (c timedCodec[V]) Decode(p []byte) (t timed[V], rest []byte, err error) {
	if len(p) < 8 {
		return t, p, errShortBlock
	}
	t.at = int64(binary.LittleEndian.Uint64(p))
	t.v, rest, err = c.record.Decode(p[8:])
	return t, rest, err
}
