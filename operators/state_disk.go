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

// operatorKV is the KV that the states of one operator in one subtask share. The
// first of them opens it.
type operatorKV struct {
	open   func() (persistence.KV, error)
	kv     persistence.KV
	states int
	failed *plan.StateError // the first; nothing goes on behind it
}

// kvOf is the KV of an instance, nil if its backend keeps states on the heap.
func kvOf(rt *plan.Runtime) *operatorKV {
	if rt.OpenKV == nil {
		return nil
	}
	return &operatorKV{open: rt.OpenKV}
}

// next gives the KV for one more state, and the state's number in it.
func (o *operatorKV) next() (kv persistence.KV, number byte, err error) {
	if o.states == maxStates {
		return nil, 0, fmt.Errorf("an operator has at most %d states on disk; use fewer, a map state for instance", maxStates)
	}
	if o.kv == nil {
		if o.kv, err = o.open(); err != nil {
			return nil, 0, err
		}
	}
	o.states++
	return o.kv, byte(o.states - 1), nil
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
	shared *operatorKV
	kv     persistence.KV
	number byte

	puts    int // since the instance began
	changes int // puts and deletions

	key, value []byte // scratch of the mailbox

	// write appends an entry as tableState writes it, from the key, the map key and
	// the value that are on disk. It runs off the mailbox.
	write func(buf, key, mapKey, value []byte) ([]byte, error)
	// read takes an entry apart: the map key and value that belong on disk, which
	// are appended to mapKey and value.
	read func(p, mapKey, value []byte) (mk, v, rest []byte, err error)
}

// onDisk begins a state on disk. It gives nil if states are on the heap, and if
// there is no place on disk: then an error is noted, and the state is never used.
func onDisk[K comparable](s *States[K], schema *messages.StateSchema) *diskState[K] {
	if s.kv == nil {
		return nil
	}
	kv, number, err := s.kv.next()
	if err != nil {
		s.fail("state %q: %w", schema.Name, err)
		return nil
	}
	d := &diskState[K]{schema: schema, keys: s.keys, scope: s.scope, groups: s.groups, shared: s.kv, kv: kv, number: number}
	s.all = append(s.all, d)
	return d
}

func (d *diskState[K]) Schema() *messages.StateSchema { return d.schema }

// Len counts: it reads every key.
func (d *diskState[K]) Len() (n int) {
	d.must("counting entries", d.kv.Scan([]byte{d.number}, func(_, _ []byte) bool { n++; return true }))
	return n
}

// must ends the subtask, for the state interfaces have no errors: a disk that
// fails is nothing that a user's function could put right. Should the function
// recover, the state fails again whenever it is used, and at the next barrier.
func (d *diskState[K]) must(doing string, err error) {
	if err != nil && d.shared.failed == nil {
		d.shared.failed = &plan.StateError{State: d.schema.GetName(), Doing: doing, Err: err}
	}
	if d.shared.failed != nil {
		panic(d.shared.failed)
	}
}

// at is the disk key of the current key. It is valid until the next call.
func (d *diskState[K]) at() []byte {
	buf := appendGroup(d.key[:0], d.number, messages.KeyGroupOf(d.scope.hash, d.groups))
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

// written is how often something was put into the state.
func (d *diskState[K]) written() int { return d.puts }

// What follows uses the KV, unless there is no key: then nothing is there, nothing
// is written, and written tells that somebody tried.

func (d *diskState[K]) get(buf, at []byte) (value []byte, ok bool) {
	if d.scope.none {
		return buf, false
	}
	value, ok, err := d.kv.Get(buf, at)
	d.must("reading", err)
	return value, ok
}

func (d *diskState[K]) put(at, value []byte) {
	if d.change(1) {
		d.must("writing", d.kv.Put(at, value))
	}
}

func (d *diskState[K]) append(at, tail []byte) {
	if d.change(1) {
		d.must("appending", d.kv.Append(at, tail))
	}
}

func (d *diskState[K]) remove(at []byte) {
	if d.change(0) {
		d.must("deleting", d.kv.Delete(at))
	}
}

func (d *diskState[K]) removeAll(prefix []byte) {
	if d.change(0) {
		d.must("deleting", d.kv.DeletePrefix(prefix))
	}
}

func (d *diskState[K]) scan(prefix []byte, yield func(at, value []byte) bool) {
	if !d.scope.none {
		d.must("reading", d.kv.Scan(prefix, yield))
	}
}

// change counts, and tells whether there is a key to change something of.
func (d *diskState[K]) change(puts int) bool {
	d.puts += puts
	d.changes++
	return !d.scope.none
}

// appendGroup appends what the disk keys of a state in a key group begin with.
func appendGroup(buf []byte, number byte, g messages.KeyGroup) []byte {
	return binary.BigEndian.AppendUint16(append(buf, number), uint16(g))
}

func (d *diskState[K]) Freeze() persistence.Frozen {
	if d.shared.failed != nil {
		return &frozenDisk{err: d.shared.failed}
	}
	kv, err := d.kv.Freeze()
	return &frozenDisk{number: d.number, write: d.write, kv: kv, err: err}
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
		at, err := appendKey(appendGroup(nil, d.number, g), d.keys.codec, key)
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

// frozenDisk is a diskState at a barrier. It is read off the mailbox, and shares
// with its state only what does not change.
type frozenDisk struct {
	number byte
	write  func(buf, key, mapKey, value []byte) ([]byte, error)
	kv     persistence.FrozenKV
	err    error // why there is none
}

func (f *frozenDisk) WriteGroup(g messages.KeyGroup, out io.Writer) (int, error) {
	if f.err != nil {
		return 0, f.err
	}
	w := newBlockWriter(out)
	defer w.release()
	var failed error
	err := f.kv.Scan(appendGroup(nil, f.number, g), func(at, value []byte) bool {
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

func (f *frozenDisk) Release() {
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
