package operators

import (
	"encoding/binary"
	"fmt"
	"io"
	"math"

	"github.com/weirflow/weir/messages"
	"github.com/weirflow/weir/operators/plan"
	"github.com/weirflow/weir/persistence"
)

// shelf is where the states of one operator in one subtask lie when its backend
// has a disk. The first state opens it.
type shelf struct {
	open   func() (persistence.KV, error)
	kv     persistence.KV
	states int
}

// shelfOf is the shelf of an instance, nil if its backend has no disk.
func shelfOf(rt *plan.Runtime) *shelf {
	if rt.OpenKV == nil {
		return nil
	}
	return &shelf{open: rt.OpenKV}
}

// A disk key is
//
//	1 byte   the state's number in its operator
//	2 bytes  the key group, big endian
//	uvarint  length of the key
//	...      the key, as its codec writes it
//	...      for a map state: the map key, in a form that sorts as its values do
//
// so a key group is a range, and so is all that one key has.
const (
	diskHead  = 3
	maxStates = math.MaxUint8 // of one operator, on disk
)

// diskState is a state on disk as the runtime knows it, and what the typed
// states put and get their bytes through.
type diskState[K comparable] struct {
	schema *messages.StateSchema
	keys   keyKind[K]
	scope  *keyScope[K]
	groups int
	kv     persistence.KV
	number byte
	writes int // since the instance began

	key, value []byte // scratch

	// write appends an entry as tableState writes it, from its disk key behind
	// diskHead and the length, split behind the key, and its value. It runs off
	// the mailbox.
	write func(buf, key, mapKey, value []byte) ([]byte, error)
	// read takes an entry apart: the map key and value that belong on disk, which
	// are appended to mapKey and value.
	read func(p, mapKey, value []byte) (mk, v, rest []byte, err error)
}

// onDisk begins a state on the shelf, or gives nil if it is for the heap.
func onDisk[K comparable](s *States[K], schema *messages.StateSchema) *diskState[K] {
	if s.shelf == nil {
		return nil
	}
	d := &diskState[K]{schema: schema, keys: s.keys, scope: s.scope, groups: s.groups}
	if err := s.shelf.take(d.place); err != nil {
		s.fail("state %q: %w", schema.Name, err)
		return nil
	}
	s.all = append(s.all, d)
	return d
}

func (d *diskState[K]) place(kv persistence.KV, number byte) { d.kv, d.number = kv, number }

func (s *shelf) take(place func(kv persistence.KV, number byte)) (err error) {
	if s.states == maxStates {
		return fmt.Errorf("an operator has at most %d states on disk; use fewer, a map state for instance", maxStates)
	}
	if s.kv == nil {
		if s.kv, err = s.open(); err != nil {
			return err
		}
	}
	place(s.kv, byte(s.states))
	s.states++
	return nil
}

func (d *diskState[K]) Schema() *messages.StateSchema { return d.schema }

// Len counts: it reads every key.
func (d *diskState[K]) Len() (n int) {
	d.must("counting entries", d.kv.Scan([]byte{d.number}, func(_, _ []byte) bool { n++; return true }))
	return n
}

// must ends the subtask, for the state interfaces have no errors: a disk that
// fails is nothing that a user's function could put right.
func (d *diskState[K]) must(doing string, err error) {
	if err != nil {
		panic(&plan.StateError{State: d.schema.GetName(), Doing: doing, Err: err})
	}
}

// at is the disk key of the current key. It is valid until the next call.
func (d *diskState[K]) at() []byte {
	buf := append(d.key[:0], d.number, 0, 0)
	binary.BigEndian.PutUint16(buf[1:], uint16(messages.KeyGroupOf(d.scope.hash, d.groups)))
	buf, err := appendKey(buf, d.keys.codec, d.scope.key)
	d.must("encoding a key", err)
	d.key = buf
	return buf
}

// appendKey appends a key behind its length.
func appendKey[K any](buf []byte, codec Codec[K], key K) ([]byte, error) {
	const oneByte = 1 // of a uvarint, for keys of less than 128 bytes
	start := len(buf)
	buf, err := codec.Append(append(buf, 0), key)
	if n := len(buf) - start - oneByte; n < 1<<7 {
		buf[start] = byte(n)
		return buf, err
	}
	long := append([]byte(nil), buf[start+oneByte:]...)
	return append(binary.AppendUvarint(buf[:start], uint64(len(long))), long...), err
}

func (d *diskState[K]) put(value []byte) {
	d.writes++
	d.must("writing", d.kv.Put(d.at(), value))
}

func (d *diskState[K]) get() ([]byte, bool) {
	value, ok, err := d.kv.Get(d.value[:0], d.at())
	d.must("reading", err)
	d.value = value
	return value, ok
}

// remove removes all that the current key has.
func (d *diskState[K]) remove() {
	d.writes++
	d.must("deleting", d.kv.Delete(d.at()))
}

// group is what the keys of a key group begin with.
func (d *diskState[K]) group(g messages.KeyGroup) []byte {
	return binary.BigEndian.AppendUint16([]byte{d.number}, uint16(g))
}

func (d *diskState[K]) Freeze() persistence.Frozen {
	kv, err := d.kv.Freeze()
	return &frozenDisk[K]{diskState: d, kv: kv, err: err}
}

// ReadGroup puts entries on disk as they come.
func (d *diskState[K]) ReadGroup(g messages.KeyGroup, in io.Reader) error {
	var mapKey, value []byte
	err := readBlocks(in, 0, nil, func(p []byte) (rest []byte, err error) {
		key, rest, err := d.keys.codec.Decode(p)
		if err != nil {
			return rest, err
		}
		if mapKey, value, rest, err = d.read(rest, mapKey[:0], value[:0]); err != nil {
			return rest, err
		}
		at, err := appendKey(d.group(g), d.keys.codec, key)
		if err != nil {
			return rest, err
		}
		if err := inGroup(d.keys.hash(key), g, d.groups); err != nil {
			return rest, err
		}
		return rest, d.kv.Put(append(at, mapKey...), value)
	})
	if err != nil {
		return fmt.Errorf("state %q, key group %d: %w", d.schema.Name, g, err)
	}
	return nil
}

// frozenDisk is a diskState at a barrier.
type frozenDisk[K comparable] struct {
	*diskState[K]
	kv  persistence.FrozenKV
	err error // why there is none
}

func (f *frozenDisk[K]) WriteGroup(g messages.KeyGroup, out io.Writer) (int, error) {
	if f.err != nil {
		return 0, f.err
	}
	w := newBlockWriter(out)
	defer w.release()
	var failed error
	err := f.kv.Scan(f.group(g), func(at, value []byte) bool {
		key, mapKey := splitDiskKey(at)
		failed = w.entry(f.write(w.buf, key, mapKey, value))
		return failed == nil
	})
	if failed != nil {
		return w.total, failed
	}
	if err == nil {
		err = w.close()
	}
	return w.total, err
}

func (f *frozenDisk[K]) Release() {
	if f.kv != nil {
		f.kv.Release()
	}
}

// splitDiskKey gives the key and the map key of a disk key that this process wrote.
func splitDiskKey(at []byte) (key, mapKey []byte) {
	n, size := binary.Uvarint(at[diskHead:])
	from := diskHead + size
	return at[from : from+int(n)], at[from+int(n):]
}

// plainEntry writes and reads entries that are a key and a value, on disk as in
// a snapshot.
func plainEntry[K comparable, V any](d *diskState[K], values Codec[V]) {
	d.write = func(buf, key, _, value []byte) ([]byte, error) { return append(append(buf, key...), value...), nil }
	d.read = func(p, mapKey, value []byte) (_, _, rest []byte, err error) {
		_, rest, err = values.Decode(p)
		return mapKey, append(value, p[:len(p)-len(rest)]...), rest, err
	}
}
