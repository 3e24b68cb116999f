package operators

import (
	"encoding"
	"encoding/binary"
	"fmt"
	"reflect"

	"google.golang.org/protobuf/proto"
)

var (
	marshalerType   = reflect.TypeFor[encoding.BinaryMarshaler]()
	unmarshalerType = reflect.TypeFor[encoding.BinaryUnmarshaler]()
	protoType       = reflect.TypeFor[proto.Message]()
)

// binaryMarshals tells whether a t, not a pointer, encodes itself both ways.
func binaryMarshals(t reflect.Type) bool {
	p := reflect.PointerTo(t)
	return t.Kind() != reflect.Pointer && t.Kind() != reflect.Interface &&
		p.Implements(marshalerType) && p.Implements(unmarshalerType)
}

// binaryCodec: uvarint length and what MarshalBinary gives.
type binaryCodec[T any] struct{ name string }

func newBinaryCodec[T any](name string) Codec[T] { return binaryCodec[T]{name} }

func (c binaryCodec[T]) Name() string { return c.name }

func (c binaryCodec[T]) Append(buf []byte, v T) ([]byte, error) {
	b, err := any(&v).(encoding.BinaryMarshaler).MarshalBinary()
	if err != nil {
		return buf, fmt.Errorf("encoding %s: MarshalBinary: %w", c.name, err)
	}
	return append(binary.AppendUvarint(buf, uint64(len(b))), b...), nil
}

// Decode copies the bytes, for UnmarshalBinary may keep what it is given only
// by breaking its own contract, but some do.
func (c binaryCodec[T]) Decode(p []byte) (v T, rest []byte, err error) {
	b, rest, err := sized(c.name, p)
	if err != nil {
		return v, p, err
	}
	if err := any(&v).(encoding.BinaryUnmarshaler).UnmarshalBinary(append([]byte(nil), b...)); err != nil {
		return v, p, fmt.Errorf("decoding %s: UnmarshalBinary: %w", c.name, err)
	}
	return v, rest, nil
}

// isProto tells whether t is a pointer to a generated message. A struct that
// embeds one inherits its methods but is none: they would drop its own fields.
func isProto(t reflect.Type) bool {
	if t.Kind() != reflect.Pointer || t.Elem().Kind() != reflect.Struct || !t.Implements(protoType) {
		return false
	}
	m := reflect.New(t.Elem()).Interface().(proto.Message)
	return reflect.TypeOf(m.ProtoReflect().Interface()) == t
}

// protoCodec: uvarint length and the message, its maps in a stable order.
type protoCodec[T any] struct {
	name  string
	empty proto.Message
}

func newProtoCodec[T any]() Codec[T] {
	empty := reflect.New(reflect.TypeFor[T]().Elem()).Interface().(proto.Message)
	return protoCodec[T]{name: "proto:" + string(empty.ProtoReflect().Descriptor().FullName()), empty: empty}
}

func (c protoCodec[T]) Name() string { return c.name }

func (c protoCodec[T]) Append(buf []byte, v T) ([]byte, error) {
	m := any(v).(proto.Message)
	if !m.ProtoReflect().IsValid() {
		return buf, fmt.Errorf("encoding %s: the message is nil; emit an empty one, or nothing", c.name)
	}
	options := proto.MarshalOptions{Deterministic: true}
	buf = binary.AppendUvarint(buf, uint64(options.Size(m)))
	options.UseCachedSize = true
	out, err := options.MarshalAppend(buf, m)
	if err != nil {
		return buf, fmt.Errorf("encoding %s: %w", c.name, err)
	}
	return out, nil
}

func (c protoCodec[T]) Decode(p []byte) (v T, rest []byte, err error) {
	b, rest, err := sized(c.name, p)
	if err != nil {
		return v, p, err
	}
	m := c.empty.ProtoReflect().New().Interface()
	if err := proto.Unmarshal(b, m); err != nil {
		return v, p, fmt.Errorf("decoding %s: %w", c.name, err)
	}
	return any(m).(T), rest, nil
}
