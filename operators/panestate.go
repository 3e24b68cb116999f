package operators

import (
	"encoding/binary"
	"reflect"

	"github.com/weirflow/weir/messages/mutant"
	"github.com/weirflow/weir/persistence/table"
)

// pane is what a window holds of a key: A is an accumulator, or elements.
type pane[A any] struct {
	contents A
	filled   bool  // there is something in it
	onTime   bool  // it has fired for the watermark that ended it
	unseen   int64 // records that no firing has shown
}

// paneCodec writes the flags and the number of records unseen and, if there is
// something, the contents.
type paneCodec[A any] struct{ contents Codec[A] }

func (c paneCodec[A]) Name() string { return c.contents.Name() }

func (c paneCodec[A]) Append(buf []byte, p pane[A]) ([]byte, error) {
	var flags byte
	if p.filled {
		flags |= 1
	}
	if p.onTime {
		flags |= 2
	}
	buf = binary.AppendUvarint(append(buf, flags), uint64(p.unseen))
	if !p.filled {
		return buf, nil
	}
	return c.contents.Append(buf, p.contents)
}

func (c paneCodec[A]) Decode(b []byte) (p pane[A], rest []byte, err error) {
	if len(b) == 0 {
		return p, b, errShortBlock
	}
	p.filled, p.onTime = b[0]&1 != 0, b[0]&2 != 0 && !mutant.On("on-time-not-restored")
	unseen, b, ok := uvarint(b[1:])
	if !ok {
		return p, b, errShortBlock
	}
	if p.unseen = int64(unseen); p.filled {
		p.contents, b, err = c.contents.Decode(b)
	}
	return p, b, err
}

// Element is a record in a window, with its event time in ms.
type Element[T any] struct {
	Value T
	Time  int64
}

// elementsCodec writes the number of elements, then time and value of each.
type elementsCodec[T any] struct{ value Codec[T] }

func (c elementsCodec[T]) Name() string { return "elements of " + c.value.Name() }

func (c elementsCodec[T]) Append(buf []byte, es []Element[T]) (_ []byte, err error) {
	buf = binary.AppendUvarint(buf, uint64(len(es)))
	for i := range es {
		buf = binary.LittleEndian.AppendUint64(buf, uint64(es[i].Time))
		if buf, err = c.value.Append(buf, es[i].Value); err != nil {
			return buf, err
		}
	}
	return buf, nil
}

func (c elementsCodec[T]) Decode(p []byte) (es []Element[T], rest []byte, err error) {
	n, p, err := readCount(p)
	for range n {
		if len(p) < 8 {
			return nil, p, errShortBlock
		}
		e := Element[T]{Time: int64(binary.LittleEndian.Uint64(p))}
		if e.Value, p, err = c.value.Decode(p[8:]); err != nil {
			return nil, p, err
		}
		es = append(es, e)
	}
	return es, p, err
}

// contents says how a window keeps its records: folded into an accumulator, or
// all of them. One value serves all subtasks.
type contents[T, A any] struct {
	codec Codec[A]
	folds bool // A is an accumulator
	add   func(a *A, first bool, v T, ts int64)
	merge func(into, from A) A // may change into, must leave from as it is
	empty func() A             // nil: a copy of an accumulator may be merged into
	evict *evicting[T]         // nil: nothing is evicted. Then A is []Element[T]
}

// folded keeps an accumulator, whatever the number of records.
func folded[T, Acc, R any](agg Aggregator[T, Acc, R]) (contents[T, Acc], error) {
	codec, err := CodecOf[Acc]()
	firsts, _ := agg.(firster[T, Acc])
	empty := agg.CreateAccumulator
	if firsts != nil || table.ShallowSafe(reflect.TypeFor[Acc]()) {
		empty = nil
	}
	return contents[T, Acc]{
		codec: codec,
		empty: empty,
		folds: true,
		add: func(a *Acc, first bool, v T, _ int64) {
			switch {
			case first && firsts != nil:
				*a = firsts.first(v)
				return
			case first:
				*a = agg.CreateAccumulator()
			}
			*a = agg.Add(*a, v)
		},
		merge: agg.Merge,
	}, err
}

// gathered keeps every record.
func gathered[T any](evict *evicting[T]) (contents[T, []Element[T]], error) {
	codec, err := CodecOf[T]()
	return contents[T, []Element[T]]{
		codec: elementsCodec[T]{codec},
		add: func(a *[]Element[T], _ bool, v T, ts int64) {
			*a = append(*a, Element[T]{v, ts})
		},
		merge: func(into, from []Element[T]) []Element[T] { return append(into, from...) },
		evict: evict,
	}, err
}
