package operators

import (
	"fmt"

	"github.com/weirflow/weir/messages"
	"github.com/weirflow/weir/operators/plan"
	"github.com/weirflow/weir/persistence/table"
)

// Reduce folds the records of every key into one and emits, for each record,
// what has come together so far, with the record's event time. The first record
// of a key is emitted as it is.
//
// The function must not change its arguments nor keep them: a is state, and has
// been emitted.
func Reduce[K comparable, T any](s *KeyedStream[K, T], name string, f func(a, b T) T) *Stream[T] {
	op := s.add("reduce", name, func(op *plan.Operator) ([]*messages.StateSchema, error) {
		if f == nil {
			return nil, errNilFunction
		}
		codec, err := CodecOf[T]()
		if err != nil {
			return nil, fmt.Errorf("the record is its state: %w", err)
		}
		schema := &messages.StateSchema{Name: "reduce", Kind: "value", Key: s.codec.Name(), Value: codec.Name()}
		op.New = func() plan.Instance {
			return &reducer[K, T]{keyedInput: s.input(), f: f, schema: schema, keys: keyKindOf(s.codec), values: codec}
		}
		return []*messages.StateSchema{schema}, nil
	})
	return output[T](s.stream.top, op)
}

// reducer runs a Reduce. What it emits takes the place of what came in.
type reducer[K comparable, T any] struct {
	stateless
	keyedInput[K, T]
	f      func(a, b T) T
	schema *messages.StateSchema
	keys   keyKind[K]
	values Codec[T]

	table *table.Table[K, T]
	out   plan.Output
	seen  uint64 // what Fetch returned
}

// fetchRun is how many keys are looked for in memory at once.
const fetchRun = 32

func (r *reducer[K, T]) Init(rt *plan.Runtime) error {
	r.out = rt.Output("")
	r.table = newTable[K](r.values)
	return rt.Register(plainState(r.schema, rt.MaxParallelism, r.table, r.keys, r.values))
}

func (r *reducer[K, T]) Process(_ int, b *plan.Batch) error {
	values, hashes := r.columns(b)
	r.batch = b
	for i := range values {
		if i%fetchRun == 0 {
			r.seen = r.table.Fetch(hashes[i:min(i+fetchRun, len(hashes))])
		}
		r.at = i
		place, existed := r.table.Upsert(hashes[i], r.key(values[i]))
		if existed {
			values[i] = r.f(*place, values[i])
		}
		*place = values[i]
	}
	r.batch = nil
	keyed := b.Hashes
	b.Hashes = nil // the stream behind is not
	err := r.out.Push(b)
	b.Hashes = keyed
	return err
}
