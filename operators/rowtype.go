package operators

import (
	"encoding/binary"
	"errors"
	"fmt"
	"reflect"

	"github.com/weirflow/weir/messages"
	"github.com/weirflow/weir/operators/plan"
)

// RowTypeOf gives the row type of T, or says why T cannot travel between nodes.
func RowTypeOf[T any]() (plan.RowType, error) {
	r := rowsOf[T]()
	return r, r.err
}

// rowType is plan.RowType for records of type T. A T without a codec still
// travels within a subtask; err says why it can go no farther.
type rowType[T any] struct {
	codec Codec[T]
	err   error
	scrub bool // T holds pointers: clear what a batch lets go of
}

func rowsOf[T any]() *rowType[T] {
	c, err := CodecOf[T]()
	return &rowType[T]{codec: c, err: err, scrub: holdsPointers[T]()}
}

// valuesOf is the typed column of a batch.
func valuesOf[T any](b *plan.Batch) *[]T { return b.Values.(*[]T) }

func (r *rowType[T]) Name() string {
	if r.err != nil {
		return reflect.TypeFor[T]().String()
	}
	return r.codec.Name()
}

func (r *rowType[T]) New(capacity int) *plan.Batch {
	values := make([]T, 0, capacity)
	return &plan.Batch{Values: &values, Times: make([]int64, 0, capacity)}
}

func (r *rowType[T]) Reset(b *plan.Batch) {
	values := valuesOf[T](b)
	if r.scrub {
		clear(*values)
	}
	*values = (*values)[:0]
	b.Times, b.Hashes, b.Marks = b.Times[:0], b.Hashes[:0], b.Marks[:0]
}

func (r *rowType[T]) Append(dst, src *plan.Batch, from, to int) {
	values := valuesOf[T](dst)
	*values = append(*values, (*valuesOf[T](src))[from:to]...)
	dst.Times = append(dst.Times, src.Times[from:to]...)
	if len(src.Hashes) > 0 {
		dst.Hashes = append(dst.Hashes, src.Hashes[from:to]...)
	}
}

// Scatter goes column by column: the loop over values finds its targets in a
// typed array, the others touch no interface.
func (r *rowType[T]) Scatter(dst []*plan.Batch, src *plan.Batch, from, to int, target []int32) {
	var few [16]*[]T
	columns := few[:0]
	for _, d := range dst {
		columns = append(columns, valuesOf[T](d))
	}
	values := (*valuesOf[T](src))[from:to]
	target = target[:len(values)]
	for i := range values {
		c := columns[target[i]]
		*c = append(*c, values[i])
	}
	for i, t := range src.Times[from:to] {
		d := dst[target[i]]
		d.Times = append(d.Times, t)
	}
	if len(src.Hashes) == 0 {
		return
	}
	for i, h := range src.Hashes[from:to] {
		d := dst[target[i]]
		d.Hashes = append(d.Hashes, h)
	}
}

// The wire form of a batch:
//
//	uvarint  number of records n, shifted left by one; the low bit says hashed
//	varint   n event times, each as the difference from the one before
//	fixed64  n hashes, when hashed
//	uvarint  number of marks, then each mark: uvarint index, varint watermark
//	values   n, each as the codec writes it
//
// All integers are little endian.

func (r *rowType[T]) Encode(buf []byte, b *plan.Batch) ([]byte, error) {
	if r.err != nil {
		return buf, r.err
	}
	buf = appendColumns(buf, b)
	for i, v := range *valuesOf[T](b) {
		var err error
		if buf, err = r.codec.Append(buf, v); err != nil {
			return buf, fmt.Errorf("encoding record %d of %d: %w", i, b.Len(), err)
		}
	}
	return buf, nil
}

func (r *rowType[T]) Decode(b *plan.Batch, p []byte) error {
	if r.err != nil {
		return r.err
	}
	n, p, err := decodeColumns(b, p)
	if err != nil {
		return err
	}
	values := valuesOf[T](b)
	for i := range n {
		v, rest, err := r.codec.Decode(p)
		if err != nil {
			return fmt.Errorf("decoding record %d of %d: %w", i, n, err)
		}
		*values, p = append(*values, v), rest
	}
	if len(p) > 0 {
		return fmt.Errorf("batch of %d records: %d bytes too many", n, len(p))
	}
	return nil
}

// appendColumns writes all of a batch but its values.
func appendColumns(buf []byte, b *plan.Batch) []byte {
	hashed := uint64(0)
	if len(b.Hashes) > 0 {
		hashed = 1
	}
	buf = binary.AppendUvarint(buf, uint64(b.Len())<<1|hashed)
	last := int64(0)
	for _, t := range b.Times {
		buf = binary.AppendVarint(buf, t-last) // wraps at the extremes, and back again
		last = t
	}
	for _, h := range b.Hashes {
		buf = binary.LittleEndian.AppendUint64(buf, h)
	}
	buf = binary.AppendUvarint(buf, uint64(len(b.Marks)))
	for _, m := range b.Marks {
		buf = binary.AppendUvarint(buf, uint64(m.Index))
		buf = binary.AppendVarint(buf, m.Watermark)
	}
	return buf
}

var errShortBatch = errors.New("batch is cut short")

// decodeColumns reads what appendColumns wrote into the empty batch b. It never
// allocates more than p can hold.
func decodeColumns(b *plan.Batch, p []byte) (n int, rest []byte, err error) {
	head, p, ok := uvarint(p)
	if !ok || head>>1 > uint64(len(p)) {
		return 0, nil, errShortBatch
	}
	n = int(head >> 1)
	last := int64(0)
	for range n {
		d, k := binary.Varint(p)
		if k <= 0 {
			return 0, nil, errShortBatch
		}
		last, p = last+d, p[k:]
		b.Times = append(b.Times, last)
	}
	if head&1 == 1 {
		if len(p) < 8*n {
			return 0, nil, errShortBatch
		}
		for range n {
			b.Hashes = append(b.Hashes, binary.LittleEndian.Uint64(p))
			p = p[8:]
		}
	}
	rest, err = decodeMarks(b, p)
	return n, rest, err
}

func decodeMarks(b *plan.Batch, p []byte) (rest []byte, err error) {
	count, p, ok := uvarint(p)
	if !ok || count > uint64(len(p)) {
		return nil, errShortBatch
	}
	index, watermark := uint64(0), messages.NoWatermark
	for range count {
		i, p1, ok := uvarint(p)
		w, k := binary.Varint(p1)
		if !ok || k <= 0 {
			return nil, errShortBatch
		}
		if i < index || i > uint64(b.Len()) || w <= watermark {
			return nil, fmt.Errorf("mark %d at record %d of %d is out of order", w, i, b.Len())
		}
		index, watermark, p = i, w, p1[k:]
		b.Marks = append(b.Marks, plan.Mark{Index: int(i), Watermark: w})
	}
	return p, nil
}

// uvarint reads an unsigned varint from the front of p.
func uvarint(p []byte) (x uint64, rest []byte, ok bool) {
	x, k := binary.Uvarint(p)
	if k <= 0 {
		return 0, p, false
	}
	return x, p[k:], true
}

// holdsPointers tells whether values of T keep other memory alive.
func holdsPointers[T any]() bool { return pointers(reflect.TypeFor[T]()) }

func pointers(t reflect.Type) bool {
	switch t.Kind() {
	case reflect.Array:
		return t.Len() > 0 && pointers(t.Elem())
	case reflect.Struct:
		for i := range t.NumField() {
			if pointers(t.Field(i).Type) {
				return true
			}
		}
		return false
	case reflect.String, reflect.Slice, reflect.Map, reflect.Pointer, reflect.Interface,
		reflect.Chan, reflect.Func, reflect.UnsafePointer:
		return true
	}
	return false
}
