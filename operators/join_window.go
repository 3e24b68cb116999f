package operators

import (
	"errors"
	"slices"

	"github.com/weirflow/weir/messages/mutant"
	"github.com/weirflow/weir/operators/plan"
)

// CoWindow cuts two keyed streams into the same windows: a window of a key holds
// the records of both. CoGroup, JoinWindow, LeftJoinWindow and FullJoinWindow
// make results of it; lateness, triggers, evictors and a side output for late
// records are set as for the windows of one stream. The event-time clock is the
// smaller of theirs.
//
// Every record is kept until its last window goes. Both streams are inputs of the
// operator behind the windows: nothing runs in between.
func CoWindow[K comparable, A, B any](a *KeyedStream[K, A], b *KeyedStream[K, B], w Windows) *WindowedStream[K, Either[A, B]] {
	both := united(a, b).Window(w)
	if _, err := eitherCodecOf[A, B](); err != nil {
		both.err = errors.Join(append(eachOf(both.err), err)...)
	}
	return both
}

// CoGroup hands each window that fires to a function, the records of the first
// stream in a and those of the second in b, both in the order of arrival. One of
// them is empty if a side has none; a key without records has no window. What
// the function emits has the last millisecond of the window as its time.
//
// The function may read a and b during the call only. It may write to the side
// outputs of the given tags, by Tag.Emit; an error fails the attempt.
func CoGroup[K comparable, A, B, R any](w *WindowedStream[K, Either[A, B]], name string, f func(c *WindowContext[K, R], a []A, b []B) error, tags ...AnyTag) *Stream[R] {
	return coPanes(w, name, "cogroup", f, tags)
}

// JoinWindow emits what join makes of each pair of records of a key that lie in
// the same window, when that fires. A window that fires again, by a trigger or
// for a late record, shows all its pairs again.
func JoinWindow[K comparable, A, B, R any](w *WindowedStream[K, Either[A, B]], name string, join func(a A, b B) R) *Stream[R] {
	var pair func(*A, *B) R
	if join != nil {
		pair = func(a *A, b *B) R { return join(*a, *b) }
	}
	return joinPanes(w, name, pair, false, false)
}

// LeftJoinWindow is a JoinWindow that also shows each record of the first stream
// whose key has none of the second in the window: b is nil then. What b points to
// may be read during the call only.
func LeftJoinWindow[K comparable, A, B, R any](w *WindowedStream[K, Either[A, B]], name string, join func(a A, b *B) R) *Stream[R] {
	var pair func(*A, *B) R
	if join != nil {
		pair = func(a *A, b *B) R { return join(*a, b) }
	}
	return joinPanes(w, name, pair, true, false)
}

// FullJoinWindow is a JoinWindow that also shows the records without a partner,
// of either stream: the other pointer is nil then. What they point to may be read
// during the call only.
func FullJoinWindow[K comparable, A, B, R any](w *WindowedStream[K, Either[A, B]], name string, join func(a *A, b *B) R) *Stream[R] {
	return joinPanes(w, name, join, true, true)
}

// joinPanes groups and pairs. left and right say whose records come out alone.
func joinPanes[K comparable, A, B, R any](w *WindowedStream[K, Either[A, B]], name string, pair func(*A, *B) R, left, right bool) *Stream[R] {
	if pair == nil {
		return coPanes[K, A, B, R](w, name, "join", nil, nil)
	}
	return coPanes(w, name, "join", func(c *WindowContext[K, R], as []A, bs []B) error {
		for i := range as {
			for k := range bs {
				c.Emit(pair(&as[i], &bs[k]))
			}
			if left && (len(bs) == 0 || mutant.On("alone-with-partners")) {
				c.Emit(pair(&as[i], nil))
			}
		}
		for k := range bs {
			if right && len(as) == 0 {
				c.Emit(pair(nil, &bs[k]))
			}
		}
		return nil
	}, nil)
}

// coPanes puts an operator over the windows of two streams into the topology.
func coPanes[K comparable, A, B, R any](w *WindowedStream[K, Either[A, B]], name string, kind plan.Kind, f func(*WindowContext[K, R], []A, []B) error, tags []AnyTag) *Stream[R] {
	c, _ := gathered(w.evict)         // its codec finds those of A and B anew for every record
	codec, _ := eitherCodecOf[A, B]() // CoWindow has told what is wrong with it
	c.codec = elementsCodec[Either[A, B]]{codec}
	var err error
	if f == nil {
		err = errNilFunction
	}
	declare := func(*WindowStates[K]) windowFunction[K, []Element[Either[A, B]], R] {
		return windowFunction[K, []Element[Either[A, B]], R]{apply: sorting(f)}
	}
	s := addElements(w, name, paneSpec[K, Either[A, B], []Element[Either[A, B]], R]{contents: c, declare: declare, tags: tags}, err)
	s.legs[0].from.Kind = kind
	return s
}

// sorting gives a function each side's elements. It belongs to one subtask.
func sorting[K comparable, A, B, R any](f func(*WindowContext[K, R], []A, []B) error) func(*WindowContext[K, R], []Element[Either[A, B]]) error {
	var as []A
	var bs []B
	return func(c *WindowContext[K, R], es []Element[Either[A, B]]) error {
		as, bs = resize(as, 0), resize(bs, 0)
		for i := range es {
			if e := &es[i].Value; e.second {
				bs = append(bs, e.b)
			} else {
				as = append(as, e.a)
			}
		}
		err := f(c, as, bs)
		clear(as)
		clear(bs)
		return err
	}
}

// united is two streams as one, for an operator that reads both.
func united[K comparable, A, B any](a *KeyedStream[K, A], b *KeyedStream[K, B]) *KeyedStream[K, Either[A, B]] {
	k := &KeyedStream[K, Either[A, B]]{
		stream: &Stream[Either[A, B]]{top: a.stream.top, legs: slices.Concat(a.stream.legs, b.stream.legs)},
		codec:  a.codec,
		err:    errors.Join(a.err, b.err),
	}
	k.key = func(e Either[A, B]) K {
		if e.second {
			return b.key(e.b)
		}
		return a.key(e.a)
	}
	if k.err == nil {
		k.keyer = newKeyer(k.key, k.codec)
	}
	k.inlet = &inlet{
		feed: func(t *Topology, op *plan.Operator) {
			a.feed(t, op, 0)
			b.feed(t, op, 1)
		},
		wrap: func(inner plan.Instance) plan.Instance { return newEitherInput[A, B](inner) },
	}
	return k
}

// eitherInput brings the records of two ports to an instance that has one.
type eitherInput[A, B any] struct {
	plan.Instance
	batch  plan.Batch
	values []Either[A, B] // what batch.Values points to
	scrub  bool
}

func newEitherInput[A, B any](inner plan.Instance) *eitherInput[A, B] {
	o := &eitherInput[A, B]{Instance: inner, scrub: holdsPointers[Either[A, B]]()}
	o.batch.Values = &o.values
	return o
}

func (o *eitherInput[A, B]) Process(port int, b *plan.Batch) error {
	o.values = resize(o.values, b.Len())
	if port == 0 {
		for i, v := range *valuesOf[A](b) {
			o.values[i] = Either[A, B]{a: v}
		}
	} else {
		for i, v := range *valuesOf[B](b) {
			o.values[i] = Either[A, B]{b: v, second: true}
		}
	}
	o.batch.Times, o.batch.Hashes, o.batch.Marks = b.Times, b.Hashes, b.Marks
	if err := o.Instance.Process(0, &o.batch); err != nil {
		return err // the cursor is still at the record
	}
	if o.scrub {
		clear(o.values)
	}
	o.batch.Times, o.batch.Hashes, o.batch.Marks = nil, nil, nil
	return nil
}

// OnProcessingTime is the inner instance's, if it asks for wake-ups.
func (o *eitherInput[A, B]) OnProcessingTime(now int64) error {
	if t, ok := o.Instance.(plan.ProcessingTimer); ok {
		return t.OnProcessingTime(now)
	}
	return nil
}

// Cursor is the inner instance's.
func (o *eitherInput[A, B]) Cursor() (time int64, hash uint64, keyed, ok bool) {
	if c, is := o.Instance.(plan.RecordCursor); is {
		return c.Cursor()
	}
	return 0, 0, false, false
}
