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

// objectCodec is the Codec of a type that encodes itself, its types erased
// behind the length that each encoding has before it.
type objectCodec[T any] struct{ object object }

// object is a type that encodes itself. Values and pointers to them are boxed.
type object interface {
	name() string
	append(buf []byte, v any) ([]byte, error) // of a *T
	decode(b []byte, into any) error          // into a *T; b may not be kept
}

func (c *objectCodec[T]) Name() string { return c.object.name() }

func (c *objectCodec[T]) Append(buf []byte, v T) ([]byte, error) { return c.object.append(buf, &v) }

func (c *objectCodec[T]) Decode(p []byte) (v T, rest []byte, err error) {
	b, rest, err := sized(c.object.name(), p)
	if err != nil {
		return v, p, err
	}
	into := new(T)
	if err := c.object.decode(b, into); err != nil {
		return v, p, err
	}
	return *into, rest, nil
}

// binaryMarshals tells whether a t, not a pointer, encodes itself both ways.
func binaryMarshals(t reflect.Type) bool {
	p := reflect.PointerTo(t)
	return t.Kind() != reflect.Pointer && t.Kind() != reflect.Interface &&
		p.Implements(marshalerType) && p.Implements(unmarshalerType)
}

// binaryObject is what MarshalBinary gives.
type binaryObject struct{ schema string }

func (o binaryObject) name() string { return o.schema }

func (o binaryObject) append(buf []byte, v any) ([]byte, error) {
	b, err := v.(encoding.BinaryMarshaler).MarshalBinary()
	if err != nil {
		return buf, fmt.Errorf("encoding %s: MarshalBinary: %w", o.schema, err)
	}
	return append(binary.AppendUvarint(buf, uint64(len(b))), b...), nil
}

// decode copies the bytes, for UnmarshalBinary may keep what it is given only
// by breaking its own contract, but some do.
func (o binaryObject) decode(b []byte, into any) error {
	if err := into.(encoding.BinaryUnmarshaler).UnmarshalBinary(append([]byte(nil), b...)); err != nil {
		return fmt.Errorf("decoding %s: UnmarshalBinary: %w", o.schema, err)
	}
	return nil
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

// protoObject is a message, its maps in a stable order.
type protoObject struct {
	schema string
	empty  proto.Message
}

func newProtoObject(t reflect.Type) object {
	empty := reflect.New(t.Elem()).Interface().(proto.Message)
	return protoObject{schema: "proto:" + string(empty.ProtoReflect().Descriptor().FullName()), empty: empty}
}

func (o protoObject) name() string { return o.schema }

func (o protoObject) append(buf []byte, v any) ([]byte, error) {
	m := reflect.ValueOf(v).Elem().Interface().(proto.Message)
	if !m.ProtoReflect().IsValid() {
		return buf, fmt.Errorf("encoding %s: the message is nil; emit an empty one, or nothing", o.schema)
	}
	options := proto.MarshalOptions{Deterministic: true}
	buf = binary.AppendUvarint(buf, uint64(options.Size(m)))
	options.UseCachedSize = true
	out, err := options.MarshalAppend(buf, m)
	if err != nil {
		return buf, fmt.Errorf("encoding %s: %w", o.schema, err)
	}
	return out, nil
}

func (o protoObject) decode(b []byte, into any) error {
	m := o.empty.ProtoReflect().New().Interface()
	if err := proto.Unmarshal(b, m); err != nil {
		return fmt.Errorf("decoding %s: %w", o.schema, err)
	}
	reflect.ValueOf(into).Elem().Set(reflect.ValueOf(m))
	return nil
}
