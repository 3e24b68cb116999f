package operators

import (
	"errors"

	"github.com/weirflow/weir/messages"
	"github.com/weirflow/weir/operators/plan"
)

// keyedInput is what every instance behind a KeyBy has: the key function, the
// hashes of the batch, and the place where it stands.
type keyedInput[K comparable, T any] struct {
	cursor
	key     func(T) K
	keyer   plan.Keyer
	scratch plan.Batch // for hashes that did not come with the batch

	firing   bool // a timer or a window is worked off, not a record
	fireTime int64
	fireHash uint64
}

func (k *KeyedStream[K, T]) input() keyedInput[K, T] {
	return keyedInput[K, T]{key: k.key, keyer: k.keyer}
}

// columns gives values and hashes of a batch. Within a subtask a batch may come
// without hashes, and goes back so.
func (k *keyedInput[K, T]) columns(b *plan.Batch) (values []T, hashes []uint64) {
	if len(b.Hashes) == b.Len() {
		return *valuesOf[T](b), b.Hashes
	}
	k.scratch.Values, k.scratch.Times = b.Values, b.Times
	k.keyer.Hash(&k.scratch)
	k.scratch.Values, k.scratch.Times = nil, nil
	return *valuesOf[T](b), k.scratch.Hashes
}

// fire notes that what happens now is on behalf of a key at a time.
func (k *keyedInput[K, T]) fire(time int64, hash uint64) {
	k.firing, k.fireTime, k.fireHash = true, time, hash
}

// Cursor gives the record, timer or window being worked on, if any.
func (k *keyedInput[K, T]) Cursor() (time int64, hash uint64, keyed, ok bool) {
	if k.firing {
		return k.fireTime, k.fireHash, true, true
	}
	time, hash, keyed, ok = k.cursor.Cursor()
	if ok && !keyed && k.at < len(k.scratch.Hashes) {
		hash, keyed = k.scratch.Hashes[k.at], true
	}
	return time, hash, keyed, ok
}

// add puts an operator that reads the keyed stream into the topology. Its
// states are those that an instance of it would register; what keeps them from
// being is told by err.
func (k *KeyedStream[K, T]) add(kind plan.Kind, name string, declare func(op *plan.Operator) ([]*messages.StateSchema, error)) *plan.Operator {
	top := k.stream.top
	op := top.add(kind, name, nil)
	op.Stateful = true
	k.feed(top, op, 0)
	if k.err != nil {
		return op // without a key there is nothing to declare
	}
	states, err := declare(op)
	op.States = states
	for _, err := range eachOf(err) {
		top.failf(op, "%w", err)
	}
	return op
}

// eachOf takes apart what errors.Join put together, so that each error gets a
// line of its own.
func eachOf(err error) []error {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		return joined.Unwrap()
	}
	if err == nil {
		return nil
	}
	return []error{err}
}

var errNilFunction = errors.New("its function is nil; give it one")
