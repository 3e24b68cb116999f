package operators

import (
	"bytes"
	"fmt"
	"reflect"
	"sync"
	"unsafe"

	"github.com/fxamacker/cbor/v2"
)

// cborCodec writes Go values as CBOR with field names, in the core
// deterministic encoding of RFC 8949: equal values give equal bytes.
type cborCodec[T any] struct {
	name    string
	flat    *flatStruct // nil: a T is none, and the library writes it
	times   timeCheck   // nil: there is no time in a T
	scratch *sync.Pool  // of *cborScratch[T]
}

// cborScratch is what the library wants on the heap: without it every entry of
// a snapshot would cost two allocations.
type cborScratch[T any] struct {
	value T
	out   bytes.Buffer
}

func newCBORCodec[T any](name string, times timeCheck) *cborCodec[T] {
	return &cborCodec[T]{name: name, flat: flatOf(reflect.TypeFor[T]()), times: times, scratch: &sync.Pool{New: func() any { return new(cborScratch[T]) }}}
}

func (c *cborCodec[T]) Name() string { return c.name }

func (c *cborCodec[T]) Append(buf []byte, v T) ([]byte, error) {
	if c.flat != nil {
		return c.flat.append(buf, unsafe.Pointer(&v)), nil
	}
	s := c.scratch.Get().(*cborScratch[T])
	defer c.scratch.Put(s)
	defer s.forget()
	s.value = v
	if err := c.encode(s); err != nil {
		return buf, fmt.Errorf("encoding %s: %w", c.name, err)
	}
	return append(buf, s.out.Bytes()...), nil
}

// forget keeps memory for the next value, but not that of a giant.
func (s *cborScratch[T]) forget() {
	s.value = *new(T)
	if s.out.Reset(); s.out.Cap() > 64<<10 {
		s.out = bytes.Buffer{}
	}
}

func (c *cborCodec[T]) encode(s *cborScratch[T]) error {
	if c.times != nil {
		if err := c.times(reflect.ValueOf(&s.value).Elem()); err != nil {
			return err
		}
	}
	return cborEnc.MarshalToBuffer(&s.value, &s.out)
}

func (c *cborCodec[T]) Decode(p []byte) (v T, rest []byte, err error) {
	rest, err = cborDec.UnmarshalFirst(p, &v)
	if err != nil {
		return v, p, fmt.Errorf("decoding %s: %w", c.name, err)
	}
	return v, rest, nil
}

var (
	cborEnc = mustEnc()
	cborDec = mustDec()
)

func mustEnc() cbor.UserBufferEncMode {
	options := cbor.CoreDetEncOptions()
	options.Time = cbor.TimeRFC3339Nano
	m, err := options.UserBufferEncMode()
	if err != nil {
		panic(err)
	}
	return m
}

// mustDec takes back all that mustEnc writes: strings that are not UTF-8, and
// collections of any size. A field that the type no longer has is an error.
func mustDec() cbor.DecMode {
	m, err := cbor.DecOptions{
		UTF8:              cbor.UTF8DecodeInvalid,
		MaxArrayElements:  1<<31 - 1,
		MaxMapPairs:       1<<31 - 1,
		MaxNestedLevels:   1 << 12,
		ExtraReturnErrors: cbor.ExtraDecErrorUnknownField,
		FieldNameMatching: cbor.FieldNameMatchingCaseSensitive,
	}.DecMode()
	if err != nil {
		panic(err)
	}
	return m
}
