package operators

import (
	"errors"
	"reflect"

	"github.com/weirflow/weir/operators/plan"
)

// KeyedStream is a stream whose records go to the subtask that owns their key,
// where state and timers of that key are.
type KeyedStream[K comparable, T any] struct {
	stream *Stream[T]
	key    func(T) K
	codec  Codec[K]
	keyer  plan.Keyer
	err    error  // why the stream cannot be keyed so; told by the operator that reads it
	inlet  *inlet // nil: the stream's own edges, hashed by the key
}

// KeyBy shards a stream by a key: an integer, string, bool, byte array, or a
// struct or array of these. It is no operator but a property of the way to the
// operators that read the keyed stream. The function must depend on the record
// alone: it runs again wherever the key is needed.
//
// Floats are refused, for NaN is not equal to itself; so are pointers and
// interfaces, whose equality is not that of what they show.
func KeyBy[T any, K comparable](s *Stream[T], key func(T) K) *KeyedStream[K, T] {
	k := &KeyedStream[K, T]{stream: s, key: key}
	if key == nil {
		k.err = errors.New("the key function is nil; give KeyBy one")
		return k
	}
	if k.err = checkKey(reflect.TypeFor[K]()); k.err != nil {
		return k
	}
	if k.codec, k.err = CodecOf[K](); k.err == nil {
		k.keyer = newKeyer(key, k.codec)
	}
	return k
}

// inlet is another way of a keyed stream into the one operator that reads it: by
// the edges that feed makes, and through what wrap puts around its instances.
type inlet struct {
	feed func(t *Topology, op *plan.Operator)
	wrap func(plan.Instance) plan.Instance // nil: nothing
}

// around has the operator's instances wrapped.
func (i *inlet) around(op *plan.Operator) {
	if inner := op.New; inner != nil && i.wrap != nil { // nil: Build tells what is wrong
		op.New = func() plan.Instance { return i.wrap(inner()) }
	}
}

// feed makes the keyed stream an input of op. One that cannot be keyed is
// connected all the same, so that Build has but one thing to say.
func (k *KeyedStream[K, T]) feed(t *Topology, op *plan.Operator, port int) {
	if k.inlet != nil {
		k.inlet.feed(t, op)
		return
	}
	if k.err != nil {
		t.failf(op, "its key: %w", k.err)
	}
	k.stream.connect(t, op, port, k.keyer)
}
