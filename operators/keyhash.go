package operators

import (
	"cmp"
	"encoding"
	"encoding/binary"
	"fmt"
	"reflect"
	"slices"
	"unsafe"

	"github.com/cespare/xxhash/v2"

	"github.com/weirflow/weir/operators/plan"
	"github.com/weirflow/weir/persistence/table"
)

// The hash of a key decides its key group, and so where its state lies in every
// snapshot. It is a part of the snapshot format and never changes:
//
//	integers, bool        mix64 of the value, sign-extended to 64 bits; false 0, true 1
//	strings, byte arrays  xxhash64 of the bytes
//	structs, arrays       xxhash64 of the elements in order, a struct's fields
//	                      ordered by name: integers and bool as 8 bytes little
//	                      endian, strings and byte arrays as a length of 8
//	                      bytes and the bytes, structs and arrays as their elements
//	encoding.BinaryMarshaler  xxhash64 of the marshalled bytes, also inside structs
//
// The field order is by name so that reordering a struct's fields moves no key.

// mix64 is the one in package table, where it is said why.
func mix64(x uint64) uint64 { return table.Mix64(x) }

// keyer is plan.Keyer: a key function and the typed loop that hashes its keys.
type keyer[T, K any] struct {
	key  func(T) K
	loop func(values []T, key func(T) K, hashes []uint64)
	name string
}

func (k *keyer[T, K]) Name() string { return k.name }

func (k *keyer[T, K]) Hash(b *plan.Batch) {
	values := *valuesOf[T](b)
	b.Hashes = slices.Grow(b.Hashes[:0], len(values))[:len(values)]
	k.loop(values, k.key, b.Hashes)
}

// newKeyer chooses the loop by the key's kind. K has passed checkKey.
func newKeyer[T, K any](key func(T) K, codec Codec[K]) plan.Keyer {
	k := &keyer[T, K]{key: key, name: codec.Name()}
	t := reflect.TypeFor[K]()
	switch t.Kind() {
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		k.loop = hashSigned[T, K]
	case reflect.Bool, reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		k.loop = hashUnsigned[T, K]
	case reflect.String:
		k.loop = hashStrings[T, K]
	default:
		k.loop = hashParts[T](keyParts[K]())
	}
	return k
}

func hashSigned[T, K any](values []T, key func(T) K, hashes []uint64) {
	for i := range values {
		k := key(values[i])
		hashes[i] = mix64(signed(unsafe.Pointer(&k), unsafe.Sizeof(k)))
	}
}

func hashUnsigned[T, K any](values []T, key func(T) K, hashes []uint64) {
	for i := range values {
		k := key(values[i])
		hashes[i] = mix64(unsigned(unsafe.Pointer(&k), unsafe.Sizeof(k)))
	}
}

// signed reads an integer of some size and extends it to 64 bits. Both functions
// are inlined where the size is a constant.
func signed(p unsafe.Pointer, size uintptr) uint64 {
	switch size {
	case 1:
		return uint64(*(*int8)(p))
	case 2:
		return uint64(*(*int16)(p))
	case 4:
		return uint64(*(*int32)(p))
	}
	return *(*uint64)(p)
}

func unsigned(p unsafe.Pointer, size uintptr) uint64 {
	switch size {
	case 1:
		return uint64(*(*uint8)(p))
	case 2:
		return uint64(*(*uint16)(p))
	case 4:
		return uint64(*(*uint32)(p))
	}
	return *(*uint64)(p)
}

func hashStrings[T, K any](values []T, key func(T) K, hashes []uint64) {
	for i := range values {
		k := key(values[i])
		hashes[i] = xxhash.Sum64String(*(*string)(unsafe.Pointer(&k)))
	}
}

// hashParts hashes what the parts of a composite key append.
func hashParts[T, K any](parts []keyPart[K]) func([]T, func(T) K, []uint64) {
	return func(values []T, key func(T) K, hashes []uint64) {
		var k K
		scratch := make([]byte, 0, 64)
		for i := range values {
			k = key(values[i])
			scratch = scratch[:0]
			for _, p := range parts {
				scratch = p(scratch, &k)
			}
			hashes[i] = xxhash.Sum64(scratch)
		}
	}
}

// keyPart appends one element of a composite key.
type keyPart[K any] func(buf []byte, k *K) []byte

// keyParts flattens a composite key. A byte array alone has no length before it.
func keyParts[K any]() []keyPart[K] {
	t := reflect.TypeFor[K]()
	if isBytes(t) && !binaryMarshals(t) {
		return []keyPart[K]{func(buf []byte, k *K) []byte {
			return append(buf, unsafe.Slice((*byte)(unsafe.Pointer(k)), t.Len())...)
		}}
	}
	if binaryMarshals(t) {
		return []keyPart[K]{func(buf []byte, k *K) []byte { return append(buf, mustMarshal(t, unsafe.Pointer(k))...) }}
	}
	var parts []keyPart[K]
	flattenKey(t, 0, func(offset uintptr, write keyWriter) {
		parts = append(parts, func(buf []byte, k *K) []byte { return write(buf, unsafe.Add(unsafe.Pointer(k), offset)) })
	})
	return parts
}

// keyWriter appends the element at p.
type keyWriter func(buf []byte, p unsafe.Pointer) []byte

// flattenKey visits the elements of a key type, t lying at offset.
func flattenKey(t reflect.Type, offset uintptr, visit func(uintptr, keyWriter)) {
	switch {
	case binaryMarshals(t):
		visit(offset, func(buf []byte, p unsafe.Pointer) []byte { return appendSized(buf, mustMarshal(t, p)) })
	case isBytes(t):
		visit(offset, func(buf []byte, p unsafe.Pointer) []byte {
			return appendSized(buf, unsafe.Slice((*byte)(p), t.Len()))
		})
	case t.Kind() == reflect.String:
		visit(offset, func(buf []byte, p unsafe.Pointer) []byte { return appendSized(buf, *(*string)(p)) })
	case t.Kind() == reflect.Struct:
		for _, f := range fieldsByName(t) {
			flattenKey(f.Type, offset+f.Offset, visit)
		}
	case t.Kind() == reflect.Array:
		for i := range t.Len() {
			flattenKey(t.Elem(), offset+uintptr(i)*t.Elem().Size(), visit)
		}
	default:
		visit(offset, intWriter(t))
	}
}

func intWriter(t reflect.Type) keyWriter {
	read, size := unsigned, t.Size()
	switch t.Kind() {
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		read = signed
	case reflect.Bool, reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
	default:
		panic(fmt.Sprintf("operators: kind %s passed checkKey", t.Kind()))
	}
	return func(buf []byte, p unsafe.Pointer) []byte {
		return binary.LittleEndian.AppendUint64(buf, read(p, size))
	}
}

func appendSized[B []byte | string](buf []byte, b B) []byte {
	return append(binary.LittleEndian.AppendUint64(buf, uint64(len(b))), b...)
}

// mustMarshal gives the bytes of the BinaryMarshaler of type t at p. A key that
// does not marshal has no place to be, so it ends the attempt as a user's panic.
func mustMarshal(t reflect.Type, p unsafe.Pointer) []byte {
	m := reflect.NewAt(t, p).Interface().(encoding.BinaryMarshaler)
	b, err := m.MarshalBinary()
	if err != nil {
		panic(fmt.Errorf("key of type %s: MarshalBinary: %w", t, err))
	}
	return b
}

// fieldsByName are a struct's fields in the order in which they are hashed.
func fieldsByName(t reflect.Type) []reflect.StructField {
	fields := make([]reflect.StructField, t.NumField())
	for i := range fields {
		fields[i] = t.Field(i)
	}
	slices.SortFunc(fields, func(a, b reflect.StructField) int { return cmp.Compare(a.Name, b.Name) })
	return fields
}

// isBytes tells whether t is an array of bytes.
func isBytes(t reflect.Type) bool {
	return t.Kind() == reflect.Array && t.Elem().Kind() == reflect.Uint8
}

// checkKey refuses keys whose equality is not that of their bytes.
func checkKey(t reflect.Type) error { return checkKeyAt(t, t.String()) }

func checkKeyAt(t reflect.Type, path string) error {
	switch {
	case t == timeType:
		return fmt.Errorf("%s is a time.Time, where == tells equal instants apart; use its UnixMilli as key", path)
	case binaryMarshals(t):
		return nil
	}
	switch t.Kind() {
	case reflect.Bool, reflect.String,
		reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64,
		reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return nil
	case reflect.Float32, reflect.Float64, reflect.Complex64, reflect.Complex128:
		return fmt.Errorf("%s is a %s, and NaN is not equal to itself; use an integer as key, e.g. the value in fixed units", path, t.Kind())
	case reflect.Array:
		return checkKeyAt(t.Elem(), path+"[i]")
	case reflect.Struct:
		for i := range t.NumField() {
			if err := checkKeyAt(t.Field(i).Type, path+"."+t.Field(i).Name); err != nil {
				return err
			}
		}
		return nil
	}
	return fmt.Errorf("%s is of kind %s, which is no key: use an integer, string, bool, byte array, or a struct of these", path, t.Kind())
}
