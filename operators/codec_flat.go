package operators

import (
	"encoding/binary"
	"reflect"
	"slices"
	"strings"
	"unsafe"
)

// flatStruct writes a struct of integers, booleans and strings as cborCodec would, byte
// for byte, from where its fields lie: most states are such structs, and a snapshot
// encodes each entry that has changed.
type flatStruct struct {
	head   []byte
	fields []flatField // in the order of their encoded names
}

type flatField struct {
	name   string // encoded
	offset uintptr
	size   uintptr
	kind   flatKind
}

type flatKind uint8

const (
	flatInt flatKind = iota
	flatUint
	flatBool
	flatString
)

// The major types of RFC 8949, section 3.1, as they stand in a head's first byte.
const (
	cborUint     = 0 << 5
	cborNegative = 1 << 5
	cborText     = 3 << 5
	cborMap      = 5 << 5
	cborFalse    = 7<<5 | 20
)

// flatOf gives nil for a type that it cannot write: one with tags, with fields that are
// embedded, not exported or encode themselves, or of other kinds.
func flatOf(t reflect.Type) *flatStruct {
	if t.Kind() != reflect.Struct || marshalsAnyhow(t) {
		return nil
	}
	s := &flatStruct{head: appendCBORHead(nil, cborMap, uint64(t.NumField()))}
	for f := range t.Fields() {
		kind, ok := flatKindOf(f.Type)
		if !ok || !f.IsExported() || f.Anonymous || f.Tag != "" {
			return nil
		}
		name := append(appendCBORHead(nil, cborText, uint64(len(f.Name))), f.Name...)
		s.fields = append(s.fields, flatField{string(name), f.Offset, f.Type.Size(), kind})
	}
	slices.SortFunc(s.fields, func(a, b flatField) int { return strings.Compare(a.name, b.name) })
	return s
}

func flatKindOf(t reflect.Type) (flatKind, bool) {
	if marshalsAnyhow(t) {
		return 0, false
	}
	switch t.Kind() {
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return flatInt, true
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return flatUint, true
	case reflect.Bool:
		return flatBool, true
	case reflect.String:
		return flatString, true
	}
	return 0, false
}

// marshalsAnyhow tells whether the library may ask a t, or a pointer to one, for its
// encoding.
func marshalsAnyhow(t reflect.Type) bool {
	p := reflect.PointerTo(t)
	return slices.ContainsFunc([]reflect.Type{cborMarshalerType, marshalerType, protoType}, p.Implements)
}

// append writes the struct at v. Like layout's methods it is no interface's.
func (s *flatStruct) append(buf []byte, v unsafe.Pointer) []byte {
	buf = append(buf, s.head...)
	for i := range s.fields {
		f := &s.fields[i]
		buf = f.append(append(buf, f.name...), unsafe.Add(v, f.offset))
	}
	return buf
}

func (f *flatField) append(buf []byte, v unsafe.Pointer) []byte {
	switch f.kind {
	case flatInt:
		n := int64(signed(v, f.size))
		if n < 0 {
			return appendCBORHead(buf, cborNegative, uint64(^n))
		}
		return appendCBORHead(buf, cborUint, uint64(n))
	case flatUint:
		return appendCBORHead(buf, cborUint, unsigned(v, f.size))
	case flatBool:
		return append(buf, cborFalse+*(*uint8)(v))
	}
	text := *(*string)(v)
	return append(appendCBORHead(buf, cborText, uint64(len(text))), text...)
}

// appendCBORHead appends a head in its shortest form (RFC 8949, section 4.2.1).
func appendCBORHead(buf []byte, major byte, n uint64) []byte {
	switch {
	case n < 24:
		return append(buf, major|byte(n))
	case n < 1<<8:
		return append(buf, major|24, byte(n))
	case n < 1<<16:
		return binary.BigEndian.AppendUint16(append(buf, major|25), uint16(n))
	case n < 1<<32:
		return binary.BigEndian.AppendUint32(append(buf, major|26), uint32(n))
	}
	return binary.BigEndian.AppendUint64(append(buf, major|27), n)
}
