package operators

import (
	"fmt"
	"reflect"

	"google.golang.org/protobuf/proto"

	"github.com/weirflow/weir/persistence/table"
)

// Codec turns values of type T into bytes and back. CodecOf chooses one by type.
// Implementations are stateless and safe for concurrent use.
type Codec[T any] interface {
	// Name identifies codec and type in schemas: "int64", "string",
	// "proto:weir.Trip", "cbor:main.Trip{...}".
	Name() string
	// Append appends the encoding of v to buf. Encodings are self-delimiting
	// within Decode's p: the codec finds its own end.
	Append(buf []byte, v T) ([]byte, error)
	// Decode reads one value from the front of p and gives what is left. The
	// value does not alias p.
	Decode(p []byte) (v T, rest []byte, err error)
}

// CodecOf chooses the codec of a type, or says which part of it has none:
//
//   - pointers to protobuf messages: protobuf, behind their length
//   - integers, floats and bool: fixed size, little endian
//   - strings and byte slices: their bytes behind their length; byte arrays bare
//   - time.Time: instant and offset, fixed size
//   - types with MarshalBinary and UnmarshalBinary: these, behind the length
//   - structs, slices, arrays, maps and pointers of all that: CBOR with field names
//
// Refused is what would lose data in silence (unexported or untransmitted
// fields) or has no encoding (interfaces, channels, functions, recursive types).
func CodecOf[T any]() (Codec[T], error) {
	t := reflect.TypeFor[T]()
	switch {
	case isProto(t):
		return &objectCodec[T]{newProtoObject(t)}, nil
	case t == timeType:
		return any(timeCodec{}).(Codec[T]), nil
	}
	l := layoutOf(t)
	if l.form == formInt || l.form == formBool || l.form == formString {
		return &plainCodec[T]{l}, nil
	}
	schema, err := describe(t)
	switch {
	case err != nil:
		return nil, err
	case binaryMarshals(t):
		return &objectCodec[T]{binaryObject{schema}}, nil
	case l.form != formNone:
		return &plainCodec[T]{l}, nil
	}
	return newCBORCodec[T]("cbor:"+schema, timesIn(t)), nil
}

// cloneOf gives a function that copies a value deeply, or nil when plain
// assignment already does.
func cloneOf[T any](c Codec[T]) func(T) T {
	t := reflect.TypeFor[T]()
	switch {
	case table.ShallowSafe(t):
		return nil
	case isProto(t):
		return func(v T) T { return any(proto.Clone(any(v).(proto.Message))).(T) }
	}
	return func(v T) T {
		p, err := c.Append(nil, v)
		if err == nil {
			v, _, err = c.Decode(p)
		}
		if err != nil {
			panic(fmt.Errorf("copying a %s: %w", c.Name(), err))
		}
		return v
	}
}
