package operators

import (
	"bytes"
	"fmt"
	"reflect"

	"github.com/fxamacker/cbor/v2"
)

// cborCodec writes Go values as CBOR with field names, in the core
// deterministic encoding of RFC 8949: equal values give equal bytes.
type cborCodec[T any] struct {
	name  string
	times timeCheck // nil: there is no time in a T
}

func (c cborCodec[T]) Name() string { return c.name }

func (c cborCodec[T]) Append(buf []byte, v T) ([]byte, error) {
	if c.times != nil {
		if err := c.times(reflect.ValueOf(&v).Elem()); err != nil {
			return buf, fmt.Errorf("encoding %s: %w", c.name, err)
		}
	}
	b := bytes.NewBuffer(buf)
	if err := cborEnc.MarshalToBuffer(&v, b); err != nil {
		return buf, fmt.Errorf("encoding %s: %w", c.name, err)
	}
	return b.Bytes(), nil
}

func (c cborCodec[T]) Decode(p []byte) (v T, rest []byte, err error) {
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
