package operators

import (
	"cmp"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/fxamacker/cbor/v2"
)

var (
	cborMarshalerType   = reflect.TypeFor[cbor.Marshaler]()
	cborUnmarshalerType = reflect.TypeFor[cbor.Unmarshaler]()
)

// describe names a type with all that is in it, so that a state written with
// other fields is found out at restore: "main.Trip{At int64, Zone string}".
// Fields are sorted: CBOR finds them by name, so their order may change. It
// fails on what the codec would lose or could not take back.
func describe(t reflect.Type) (string, error) {
	name, err := (&describer{}).describe(t, t.String())
	if err != nil {
		return "", fmt.Errorf("%s cannot be encoded: %w", t, err)
	}
	return name, nil
}

// describer walks a type; within are the structs it is in.
type describer struct{ within []reflect.Type }

// describe names t, which lies at path below the root: "main.Trip.Legs[i].At".
func (d *describer) describe(t reflect.Type, path string) (string, error) {
	switch {
	case t == timeType:
		return "time", nil
	case t.Implements(protoType) || reflect.PointerTo(t).Implements(protoType):
		return "", fmt.Errorf("%s is a protobuf message: use the pointer to it as the whole type, or a Go type", path)
	case marshalsItself(t):
		return d.opaque(t, path)
	}
	switch t.Kind() {
	case reflect.Struct:
		return d.structType(t, path)
	case reflect.Pointer:
		if t.Elem().Kind() == reflect.Pointer {
			return "", fmt.Errorf("%s is a pointer to a pointer: nil has two meanings there", path)
		}
		return d.nested("*", t.Elem(), path)
	case reflect.Slice:
		return d.nested("[]", t.Elem(), path+"[i]")
	case reflect.Array:
		return d.nested(fmt.Sprintf("[%d]", t.Len()), t.Elem(), path+"[i]")
	case reflect.Map:
		return d.mapType(t, path)
	case reflect.Interface:
		return "", fmt.Errorf("%s is an interface: use a concrete type, or one with MarshalBinary and UnmarshalBinary", path)
	case reflect.Chan, reflect.Func, reflect.UnsafePointer, reflect.Uintptr, reflect.Complex64, reflect.Complex128:
		return "", fmt.Errorf("%s is a %s: leave it out", path, t.Kind())
	}
	return t.Kind().String(), nil
}

func (d *describer) nested(prefix string, t reflect.Type, path string) (string, error) {
	name, err := d.describe(t, path)
	return prefix + name, err
}

func (d *describer) mapType(t reflect.Type, path string) (string, error) {
	if err := checkKeyAt(t.Key(), "the key of "+path); err != nil {
		return "", err
	}
	key, err := d.describe(t.Key(), "the key of "+path)
	if err != nil {
		return "", err
	}
	return d.nested("map["+key+"]", t.Elem(), path+"[k]")
}

// marshalsItself tells whether a t, not a pointer, brings its own encoding.
func marshalsItself(t reflect.Type) bool {
	if t.Kind() == reflect.Pointer || t.Kind() == reflect.Interface {
		return false
	}
	p := reflect.PointerTo(t)
	return binaryMarshals(t) || p.Implements(cborMarshalerType) && p.Implements(cborUnmarshalerType)
}

// opaque names a type that encodes itself, unless it only seems to: a struct
// inherits the methods of what it embeds, and they know nothing of its fields.
func (d *describer) opaque(t reflect.Type, path string) (string, error) {
	for i := range structFields(t) {
		f := t.Field(i)
		if f.Anonymous && (marshalsItself(f.Type) || f.Type.Kind() == reflect.Pointer && marshalsItself(f.Type.Elem())) {
			return "", fmt.Errorf("%s embeds %s, whose encoding hides the other fields; give that field a name", path, f.Type)
		}
	}
	return "binary:" + t.String(), nil
}

// structFields counts the fields of a struct; other kinds have none.
func structFields(t reflect.Type) int {
	if t.Kind() != reflect.Struct {
		return 0
	}
	return t.NumField()
}

func (d *describer) structType(t reflect.Type, path string) (string, error) {
	if slices.Contains(d.within, t) {
		return "", fmt.Errorf("%s contains itself at %s: give it MarshalBinary and UnmarshalBinary", t, path)
	}
	d.within = append(d.within, t)
	defer func() { d.within = d.within[:len(d.within)-1] }()
	fields, err := d.fields(t, path)
	if err != nil {
		return "", err
	}
	slices.SortFunc(fields, func(a, b field) int { return cmp.Compare(a.name, b.name) })
	parts := make([]string, len(fields))
	for i, f := range fields {
		parts[i] = f.name + " " + f.schema
		if i > 0 && fields[i-1].name == f.name {
			return "", fmt.Errorf("%s has two fields named %q, of which CBOR keeps none; rename one", path, f.name)
		}
	}
	return t.String() + "{" + strings.Join(parts, ", ") + "}", nil
}

// field is a struct's field as CBOR names it.
type field struct{ name, schema string }

// fields lists the fields of t, those of embedded structs among them.
func (d *describer) fields(t reflect.Type, path string) ([]field, error) {
	var fields []field
	for i := range t.NumField() {
		f := t.Field(i)
		at := path + "." + f.Name
		name, err := wireName(f)
		if err != nil {
			return nil, fmt.Errorf("%s %w", at, err)
		}
		if f.Anonymous && name == "" {
			embedded, err := d.embedded(f.Type, at)
			if err != nil {
				return nil, err
			}
			fields = append(fields, embedded...)
			continue
		}
		if name == "" {
			name = f.Name
		}
		schema, err := d.describe(f.Type, at)
		if err != nil {
			return nil, err
		}
		fields = append(fields, field{name: name, schema: schema})
	}
	return fields, nil
}

// embedded lists the fields that an embedded struct lends to its parent.
func (d *describer) embedded(t reflect.Type, path string) ([]field, error) {
	if t.Kind() != reflect.Struct || marshalsItself(t) {
		return nil, fmt.Errorf("%s is embedded but no plain struct; give it a name", path)
	}
	return d.fields(t, path)
}

var (
	errUnexported = errors.New("is unexported and would be lost: export it, or give the type MarshalBinary and UnmarshalBinary")
	errOmitted    = errors.New(`is tagged "-" and would be lost wherever the record leaves the process: drop the field or the tag`)
)

// wireName is the name that a tag gives to a field, or "".
func wireName(f reflect.StructField) (string, error) {
	tag := f.Tag.Get("cbor")
	if tag == "" {
		tag = f.Tag.Get("json")
	}
	name, _, _ := strings.Cut(tag, ",")
	switch {
	case !f.IsExported():
		return "", errUnexported
	case tag == "-":
		return "", errOmitted
	}
	return name, nil
}
