package operators

import (
	"cmp"
	"fmt"
	"io"

	"github.com/weirflow/weir/messages"
	"github.com/weirflow/weir/persistence"
	"github.com/weirflow/weir/persistence/table"
)

// tableState is a table as the runtime knows it: persistence.State with types
// only in what writes and reads an entry.
type tableState[K comparable, V any] struct {
	schema *messages.StateSchema
	groups int // the topology's maximal parallelism
	table  *table.Table[K, V]

	// write appends an entry. It runs off the mailbox, on frozen data, so it
	// must touch nothing else that changes.
	write func(buf []byte, key *K, val *V) ([]byte, error)
	// read puts the entry at the front of p into the table and gives its hash.
	read func(p []byte) (hash uint64, rest []byte, err error)
}

func (s *tableState[K, V]) Schema() *messages.StateSchema { return s.schema }

func (s *tableState[K, V]) Len() int { return s.table.Len() }

func (s *tableState[K, V]) Freeze() persistence.Frozen {
	return &frozenTable[K, V]{frozen: s.table.Freeze(), groups: s.groups, write: s.write}
}

func (s *tableState[K, V]) ReadGroup(g messages.KeyGroup, in io.Reader) error {
	err := readBlocks(in, 0, nil, func(p []byte) ([]byte, error) {
		hash, rest, err := s.read(p)
		if err == nil {
			err = inGroup(hash, g, s.groups)
		}
		return rest, err
	})
	if err != nil {
		return fmt.Errorf("state %q, key group %d: %w", s.schema.Name, g, err)
	}
	return nil
}

// inGroup checks that a key hashes to the group that it was found in: if not,
// the hash or the maximal parallelism is no longer what it was.
func inGroup(hash uint64, g messages.KeyGroup, groups int) error {
	if found := messages.KeyGroupOf(hash, groups); found != g {
		return fmt.Errorf("a key of group %d of %d: keys hash otherwise than when the state was written", found, groups)
	}
	return nil
}

// frozenTable is a tableState at a barrier.
type frozenTable[K comparable, V any] struct {
	frozen *table.Frozen[K, V]
	groups int
	write  func(buf []byte, key *K, val *V) ([]byte, error)
}

func (f *frozenTable[K, V]) WriteGroup(g messages.KeyGroup, out io.Writer) (int, error) {
	w := newBlockWriter(out)
	defer w.release()
	var err error
	f.frozen.ScanGroup(g, f.groups, func(_ uint64, key *K, val *V) bool {
		err = w.entry(f.write(w.buf, key, val))
		return err == nil
	})
	if err == nil {
		err = w.close()
	}
	return w.total, err
}

func (f *frozenTable[K, V]) Release() { f.frozen.Release() }

// newTable makes the table of a state. A V that can be changed in place is
// cloned before it is, so that no change reaches a frozen copy.
func newTable[K comparable, V any](values Codec[V]) *table.Table[K, V] {
	return table.New[K](table.Options[V]{Clone: cloneOf(values)})
}

// declarePlain describes a state of one value a key; its schema is nil when V has
// no codec, or when err says what else is wrong.
func declarePlain[V any, K comparable](s *States[K], name, kind string, err error) (Codec[V], *messages.StateSchema) {
	codec, codecErr := CodecOf[V]()
	if err = cmp.Or(err, codecErr); err != nil {
		s.declare(name, kind, "", err)
		return nil, nil
	}
	return codec, s.declare(name, kind, codec.Name(), nil)
}

// plainTable begins such a state on the heap.
func plainTable[V any, K comparable](s *States[K], schema *messages.StateSchema, codec Codec[V]) *table.Table[K, V] {
	t := newTable[K](codec)
	s.all = append(s.all, plainState(schema, s.groups, t, s.keys, codec))
	return t
}

// plainState is a table of one value a key, written as key, value.
func plainState[K comparable, V any](schema *messages.StateSchema, groups int, t *table.Table[K, V], keys keyKind[K], values Codec[V]) *tableState[K, V] {
	return &tableState[K, V]{
		schema: schema, groups: groups, table: t,
		write: func(buf []byte, key *K, val *V) ([]byte, error) {
			buf, err := keys.codec.Append(buf, *key)
			if err != nil {
				return buf, err
			}
			return values.Append(buf, *val)
		},
		read: func(p []byte) (uint64, []byte, error) {
			key, p, err := keys.codec.Decode(p)
			if err != nil {
				return 0, p, err
			}
			val, p, err := values.Decode(p)
			if err != nil {
				return 0, p, err
			}
			hash := keys.hash(key)
			place, _ := t.Upsert(hash, key)
			*place = val
			return hash, p, nil
		},
	}
}
