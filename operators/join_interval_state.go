package operators

import (
	"encoding/binary"

	"github.com/weirflow/weir/persistence/table"
)

// joinRow is what an interval join keeps of a key.
type joinRow[L, R any] struct {
	left  []timed[L]
	right []timed[R]
	wake  int64 // ms of event time: the row's timer
}

func (r *joinRow[L, R]) empty() bool { return len(r.left)+len(r.right) == 0 }

// joinRows are the rows of all keys.
type joinRows[K comparable, L, R any] struct {
	scope *keyScope[K]
	table *table.Table[K, joinRow[L, R]]
}

func newJoinRows[L, R any, K comparable](s *States[K]) *joinRows[K, L, R] {
	left, err := CodecOf[L]()
	if err != nil {
		s.declare("left", "join", "", err)
		return nil
	}
	right, err := CodecOf[R]()
	if err != nil {
		s.declare("right", "join", "", err)
		return nil
	}
	codec := &joinRowCodec[L, R]{listCodec[timed[L]]{timedCodec[L]{left}}, listCodec[timed[R]]{timedCodec[R]{right}}}
	t := table.New[K](table.Options[joinRow[L, R]]{Clone: cloneJoinRow[L, R]})
	s.all = append(s.all, plainState(s.declare("join", "join", codec.Name(), nil), s.groups, t, s.keys, Codec[joinRow[L, R]](codec)))
	return &joinRows[K, L, R]{scope: s.scope, table: t}
}

func cloneJoinRow[L, R any](r joinRow[L, R]) joinRow[L, R] {
	r.left, r.right = cloneList(r.left), cloneList(r.right)
	return r
}

// get gives the row of the current key for reading, which may be empty.
func (t *joinRows[K, L, R]) get() joinRow[L, R] {
	row, _ := t.table.Get(t.scope.hash, t.scope.key)
	return row
}

// open gives the row of the current key for writing, and makes it if need be.
func (t *joinRows[K, L, R]) open() (row *joinRow[L, R], existed bool) {
	return t.table.Upsert(t.scope.hash, t.scope.key)
}

func (t *joinRows[K, L, R]) remove() { t.table.Delete(t.scope.hash, t.scope.key) }

// joinRowCodec writes the time of the timer, fixed64, and both lists.
type joinRowCodec[L, R any] struct {
	left  listCodec[timed[L]]
	right listCodec[timed[R]]
}

func (c *joinRowCodec[L, R]) Name() string { return c.left.Name() + " and " + c.right.Name() }

func (c *joinRowCodec[L, R]) Append(buf []byte, r joinRow[L, R]) ([]byte, error) {
	buf, err := c.left.Append(binary.LittleEndian.AppendUint64(buf, uint64(r.wake)), r.left)
	if err != nil {
		return buf, err
	}
	return c.right.Append(buf, r.right)
}

func (c *joinRowCodec[L, R]) Decode(p []byte) (r joinRow[L, R], rest []byte, err error) {
	if len(p) < 8 {
		return r, p, errShortBlock
	}
	r.wake = int64(binary.LittleEndian.Uint64(p))
	if r.left, p, err = c.left.Decode(p[8:]); err != nil {
		return r, p, err
	}
	r.right, p, err = c.right.Decode(p)
	return r, p, err
}
