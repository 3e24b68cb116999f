package operators

import (
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"reflect"
	"unsafe"
)

// plainCodec is the Codec of a type whose memory a layout can read and write:
// integers, floats, bool, strings, byte slices and byte arrays. All that depends
// on T is where the value lies, so that a program with many types has the
// encoding once.
type plainCodec[T any] struct{ layout layout }

func (c *plainCodec[T]) Name() string { return c.layout.name }

func (c *plainCodec[T]) Append(buf []byte, v T) ([]byte, error) {
	return c.layout.append(buf, unsafe.Pointer(&v)), nil
}

func (c *plainCodec[T]) Decode(p []byte) (v T, rest []byte, err error) {
	rest, err = c.layout.decode(p, unsafe.Pointer(&v))
	return v, rest, err
}

// layout says what lies in memory. Its methods are no interface's, so that what
// they point to stays on the stack.
type layout struct {
	name string
	form form
	size int // bytes, of forms with a fixed size
}

type form uint8

const (
	formNone   form = iota
	formInt         // and floats, as their bits: little endian
	formBool        // 0 or 1
	formString      // uvarint length and bytes, which need not be UTF-8
	formBytes       // uvarint length + 1 and bytes; 0 is nil
	formArray       // bytes as they are
)

// layoutOf gives the layout of a type of a fixed size, a string or bytes, named
// by its kind, which keeps int apart from int64: a state is not retyped so. Any
// other type has formNone.
func layoutOf(t reflect.Type) layout {
	l := layout{name: t.Kind().String(), size: int(t.Size())}
	switch t.Kind() {
	case reflect.Bool:
		l.form = formBool
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64,
		reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64,
		reflect.Float32, reflect.Float64:
		l.form = formInt
	case reflect.String:
		l.form = formString
	case reflect.Slice:
		if t.Elem().Kind() == reflect.Uint8 {
			l.name, l.form = "bytes", formBytes
		}
	case reflect.Array:
		if isBytes(t) {
			l.name, l.form = fmt.Sprintf("[%d]byte", t.Size()), formArray
		}
	}
	return l
}

func (l *layout) append(buf []byte, v unsafe.Pointer) []byte {
	switch l.form {
	case formInt:
		return appendInt(buf, v, l.size)
	case formBool:
		return append(buf, *(*uint8)(v))
	case formString:
		s := *(*string)(v)
		return append(binary.AppendUvarint(buf, uint64(len(s))), s...)
	case formBytes:
		b := *(*[]byte)(v)
		if b == nil {
			return append(buf, 0)
		}
		return append(binary.AppendUvarint(buf, uint64(len(b))+1), b...)
	}
	return append(buf, unsafe.Slice((*byte)(v), l.size)...)
}

func appendInt(buf []byte, v unsafe.Pointer, size int) []byte {
	switch size {
	case 1:
		return append(buf, *(*uint8)(v))
	case 2:
		return binary.LittleEndian.AppendUint16(buf, *(*uint16)(v))
	case 4:
		return binary.LittleEndian.AppendUint32(buf, *(*uint32)(v))
	}
	return binary.LittleEndian.AppendUint64(buf, *(*uint64)(v))
}

// decode reads a value into v, which is zero and stays so on an error.
func (l *layout) decode(p []byte, v unsafe.Pointer) (rest []byte, err error) {
	switch l.form {
	case formString:
		b, rest, err := sized(l.name, p)
		if err == nil {
			*(*string)(v) = string(b)
			return rest, nil
		}
		return p, err
	case formBytes:
		return decodeBytes(p, v)
	}
	if len(p) < l.size {
		return p, short(l.name, l.size, len(p))
	}
	switch l.form {
	case formInt:
		decodeInt(p, v, l.size)
	case formBool:
		if p[0] > 1 {
			return p, fmt.Errorf("decoding bool: byte %d is neither 0 nor 1", p[0])
		}
		*(*uint8)(v) = p[0]
	default:
		copy(unsafe.Slice((*byte)(v), l.size), p)
	}
	return p[l.size:], nil
}

func decodeInt(p []byte, v unsafe.Pointer, size int) {
	switch size {
	case 1:
		*(*uint8)(v) = p[0]
	case 2:
		*(*uint16)(v) = binary.LittleEndian.Uint16(p)
	case 4:
		*(*uint32)(v) = binary.LittleEndian.Uint32(p)
	default:
		*(*uint64)(v) = binary.LittleEndian.Uint64(p)
	}
}

func decodeBytes(p []byte, v unsafe.Pointer) (rest []byte, err error) {
	n, rest, ok := uvarint(p)
	if !ok || n > uint64(len(rest))+1 {
		return p, short("bytes", int(min(n, math.MaxInt32)), len(rest))
	}
	if n == 0 {
		return rest, nil
	}
	*(*[]byte)(v) = append(make([]byte, 0, n-1), rest[:n-1]...)
	return rest[n-1:], nil
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
