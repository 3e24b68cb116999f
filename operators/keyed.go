package operators

import (
	"errors"

	"github.com/weirflow/weir/messages"
	"github.com/weirflow/weir/operators/plan"
)

// keyedCursor is the cursor of an instance behind a KeyBy, which may be at a
// timer or a window as well, and whose hashes need not have come with the batch.
type keyedCursor struct {
	cursor
	hashes []uint64 // of the batch's records, wherever they are; empty without keys

	firing   bool // a timer or a window is worked off, not a record
	fireTime int64
	fireHash uint64
}

// fire notes that what happens now is on behalf of a key at a time.
func (c *keyedCursor) fire(time int64, hash uint64) {
	c.firing, c.fireTime, c.fireHash = true, time, hash
}

// Cursor gives the record, timer or window being worked on, if any.
func (c *keyedCursor) Cursor() (time int64, hash uint64, keyed, ok bool) {
	if c.firing {
		return c.fireTime, c.fireHash, true, true
	}
	time, hash, keyed, ok = c.cursor.Cursor()
	if ok && !keyed && c.at < len(c.hashes) {
		hash, keyed = c.hashes[c.at], true
	}
	return time, hash, keyed, ok
}

// keyedPort is one keyed input: the key function, and the hashes of the batch.
type keyedPort[K comparable, T any] struct {
	key     func(T) K
	keyer   plan.Keyer
	scratch plan.Batch // for hashes that did not come with the batch
}

func (k *KeyedStream[K, T]) port() keyedPort[K, T] {
	return keyedPort[K, T]{key: k.key, keyer: k.keyer}
}

// columns gives values and hashes of a batch. Within a subtask a batch may come
// without hashes, and goes back so.
func (k *keyedPort[K, T]) columns(b *plan.Batch) (values []T, hashes []uint64) {
	if len(b.Hashes) == b.Len() {
		return *valuesOf[T](b), b.Hashes
	}
	k.scratch.Values, k.scratch.Times = b.Values, b.Times
	k.keyer.Hash(&k.scratch)
	k.scratch.Values, k.scratch.Times = nil, nil
	return *valuesOf[T](b), k.scratch.Hashes
}

// keyedInput is what an instance behind one KeyBy has: the input, and the place
// where it stands.
type keyedInput[K comparable, T any] struct {
	keyedCursor
	keyedPort[K, T]
}

func (k *KeyedStream[K, T]) input() keyedInput[K, T] {
	return keyedInput[K, T]{keyedPort: k.port()}
}

func (k *keyedInput[K, T]) columns(b *plan.Batch) (values []T, hashes []uint64) {
	values, k.hashes = k.keyedPort.columns(b)
	return values, k.hashes
}

// end is a stream as an input of a keyed operator, its types erased.
type end interface {
	feed(t *Topology, op *plan.Operator, port int)
	unfit() error // why it cannot be an input; feed has told it
}

func (k *KeyedStream[K, T]) unfit() error { return k.err }

// add puts an operator that reads the keyed stream into the topology.
func (k *KeyedStream[K, T]) add(kind plan.Kind, name string, declare func(op *plan.Operator) ([]*messages.StateSchema, error)) *plan.Operator {
	op := k.stream.top.addKeyed(kind, name, declare, k)
	if k.inlet != nil {
		k.inlet.around(op)
	}
	return op
}

// addKeyed puts an operator with state into the topology, each of its inputs on
// a port of its own. Its states are those that an instance of it would
// register; what keeps them from being is told by err.
func (t *Topology) addKeyed(kind plan.Kind, name string, declare func(op *plan.Operator) ([]*messages.StateSchema, error), inputs ...end) *plan.Operator {
	op := t.add(kind, name, nil)
	op.Stateful = true
	fit := true
	for port, in := range inputs {
		in.feed(t, op, port)
		fit = fit && in.unfit() == nil
	}
	if !fit {
		return op // without a key there is nothing to declare
	}
	states, err := declare(op)
	op.States = states
	for _, err := range eachOf(err) {
		t.failf(op, "%w", err)
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
