package operators

import (
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"reflect"
	"unsafe"
)

type integer interface {
	int8 | int16 | int32 | int64 | uint8 | uint16 | uint32 | uint64
}

// fixedCodecOf gives the codec of a kind of fixed size or a string, or nil.
func fixedCodecOf[T any](kind reflect.Kind) Codec[T] {
	switch kind {
	case reflect.Bool:
		return boolCodec[T]{}
	case reflect.Int8:
		return intCodec[T, int8]{"int8"}
	case reflect.Int16:
		return intCodec[T, int16]{"int16"}
	case reflect.Int32:
		return intCodec[T, int32]{"int32"}
	case reflect.Int64, reflect.Int:
		return intCodec[T, int64]{kind.String()}
	case reflect.Uint8:
		return intCodec[T, uint8]{"uint8"}
	case reflect.Uint16:
		return intCodec[T, uint16]{"uint16"}
	case reflect.Uint32:
		return intCodec[T, uint32]{"uint32"}
	case reflect.Uint64, reflect.Uint:
		return intCodec[T, uint64]{kind.String()}
	case reflect.Float32:
		return intCodec[T, uint32]{"float32"} // as its bits
	case reflect.Float64:
		return intCodec[T, uint64]{"float64"}
	case reflect.String:
		return stringCodec[T]{}
	}
	return nil
}

// intCodec writes the memory of a T, an integer or float as wide as I, little
// endian. The name keeps int apart from int64, for a state is not retyped so.
type intCodec[T any, I integer] struct{ name string }

func (c intCodec[T, I]) Name() string { return c.name }

func (c intCodec[T, I]) Append(buf []byte, v T) ([]byte, error) {
	x := uint64(as[I](v))
	switch unsafe.Sizeof(v) {
	case 1:
		return append(buf, byte(x)), nil
	case 2:
		return binary.LittleEndian.AppendUint16(buf, uint16(x)), nil
	case 4:
		return binary.LittleEndian.AppendUint32(buf, uint32(x)), nil
	}
	return binary.LittleEndian.AppendUint64(buf, x), nil
}

func (c intCodec[T, I]) Decode(p []byte) (v T, rest []byte, err error) {
	size := int(unsafe.Sizeof(v))
	if len(p) < size {
		return v, p, short(c.name, size, len(p))
	}
	var x uint64
	switch size {
	case 1:
		x = uint64(p[0])
	case 2:
		x = uint64(binary.LittleEndian.Uint16(p))
	case 4:
		x = uint64(binary.LittleEndian.Uint32(p))
	default:
		x = binary.LittleEndian.Uint64(p)
	}
	return as[T](I(x)), p[size:], nil
}

type boolCodec[T any] struct{}

func (boolCodec[T]) Name() string { return "bool" }

func (boolCodec[T]) Append(buf []byte, v T) ([]byte, error) { return append(buf, as[uint8](v)), nil }

func (boolCodec[T]) Decode(p []byte) (v T, rest []byte, err error) {
	if len(p) < 1 {
		return v, p, short("bool", 1, 0)
	}
	if p[0] > 1 {
		return v, p, fmt.Errorf("decoding bool: byte %d is neither 0 nor 1", p[0])
	}
	return as[T](p[0] == 1), p[1:], nil
}

// stringCodec: uvarint length and bytes, which need not be UTF-8.
type stringCodec[T any] struct{}

func (stringCodec[T]) Name() string { return "string" }

func (stringCodec[T]) Append(buf []byte, v T) ([]byte, error) {
	s := as[string](v)
	return append(binary.AppendUvarint(buf, uint64(len(s))), s...), nil
}

func (stringCodec[T]) Decode(p []byte) (v T, rest []byte, err error) {
	b, rest, err := sized("string", p)
	if err != nil {
		return v, p, err
	}
	return as[T](string(b)), rest, nil
}

// bytesCodec: uvarint length + 1 and bytes; 0 is nil.
type bytesCodec[T any] struct{}

func (bytesCodec[T]) Name() string { return "bytes" }

func (bytesCodec[T]) Append(buf []byte, v T) ([]byte, error) {
	b := as[[]byte](v)
	if b == nil {
		return append(buf, 0), nil
	}
	return append(binary.AppendUvarint(buf, uint64(len(b))+1), b...), nil
}

func (bytesCodec[T]) Decode(p []byte) (v T, rest []byte, err error) {
	n, rest, ok := uvarint(p)
	if !ok || n > uint64(len(rest))+1 {
		return v, p, short("bytes", int(min(n, math.MaxInt32)), len(rest))
	}
	if n == 0 {
		return v, rest, nil
	}
	b := append(make([]byte, 0, n-1), rest[:n-1]...)
	return as[T](b), rest[n-1:], nil
}

// arrayCodec writes an array of bytes as it is.
type arrayCodec[T any] struct{}

func (arrayCodec[T]) Name() string {
	var v T
	return fmt.Sprintf("[%d]byte", unsafe.Sizeof(v))
}

func (arrayCodec[T]) Append(buf []byte, v T) ([]byte, error) {
	return append(buf, unsafe.Slice((*byte)(unsafe.Pointer(&v)), unsafe.Sizeof(v))...), nil
}

func (c arrayCodec[T]) Decode(p []byte) (v T, rest []byte, err error) {
	size := int(unsafe.Sizeof(v))
	if len(p) < size {
		return v, p, short(c.Name(), size, len(p))
	}
	copy(unsafe.Slice((*byte)(unsafe.Pointer(&v)), size), p)
	return v, p[size:], nil
}

// sized reads a uvarint length and that many bytes; b aliases p.
func sized(name string, p []byte) (b, rest []byte, err error) {
	n, rest, ok := uvarint(p)
	if !ok {
		return nil, p, fmt.Errorf("decoding %s: bad length: %w", name, io.ErrUnexpectedEOF)
	}
	if n > uint64(len(rest)) {
		return nil, p, short(name, int(min(n, math.MaxInt32)), len(rest))
	}
	return rest[:n], rest[n:], nil
}

func short(name string, want, have int) error {
	return fmt.Errorf("decoding %s: %d bytes needed, %d left: %w", name, want, have, io.ErrUnexpectedEOF)
}
