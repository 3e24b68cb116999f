package files

import (
	"encoding"
	"fmt"
	"math"
	"reflect"
	"strconv"
	"time"
)

// cell converts between the text of a column and a field of one particular
// record, to which it is bound. A reader or writer keeps one such record and
// copies every record out of or into it, so that no reflection happens a record.
type cell interface {
	// set parses text into the field. quoted tells "" from nothing.
	set(text []byte, quoted bool) error
	// text appends the field's text; null says that there is no value.
	text(buf []byte) (out []byte, null bool, err error)
}

var (
	timeType        = reflect.TypeFor[time.Time]()
	durationType    = reflect.TypeFor[time.Duration]()
	textUnmarshaler = reflect.TypeFor[encoding.TextUnmarshaler]()
	textMarshaler   = reflect.TypeFor[encoding.TextMarshaler]()
)

// cellOf binds a cell to an addressable field.
func cellOf(field reflect.Value, c *column) (cell, error) {
	t := field.Type()
	switch {
	case t == timeType:
		return newTimeCell(field.Addr().Interface().(*time.Time), c), nil
	case c.layout != "" || c.zone != nil:
		if t.Kind() != reflect.Pointer {
			return nil, fmt.Errorf("layout and zone are for time.Time, not for %s", t)
		}
	case reflect.PointerTo(t).Implements(textUnmarshaler) && t.Kind() != reflect.Pointer:
		return textCell{field}, nil
	case t == durationType:
		return durationCell{field.Addr().Interface().(*time.Duration)}, nil
	}
	switch t.Kind() {
	case reflect.String:
		return &stringCell{v: bind[string](field)}, nil
	case reflect.Bool:
		return boolCell{bind[bool](field)}, nil
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return intCellOf(field), nil
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return uintCellOf(field), nil
	case reflect.Float32:
		return floatCell[float32]{bind[float32](field), 32}, nil
	case reflect.Float64:
		return floatCell[float64]{bind[float64](field), 64}, nil
	case reflect.Slice:
		if t.Elem().Kind() == reflect.Uint8 {
			return bytesCell{bind[[]byte](field)}, nil
		}
	case reflect.Pointer:
		return optionalCellOf(field, c)
	}
	return nil, fmt.Errorf("type %s has no text form: use a number, string, bool, []byte, time.Time, time.Duration, a pointer to one, implement encoding.TextUnmarshaler, or leave it out with csv:\"-\"", t)
}

// bind gives the address of a field whose type is made from T.
func bind[T any](field reflect.Value) *T {
	return field.Addr().Convert(reflect.TypeFor[*T]()).Interface().(*T)
}

type stringCell struct {
	v    *string
	seen interned
}

func (c *stringCell) set(text []byte, _ bool) error { *c.v = c.seen.of(text); return nil }

func (c *stringCell) text(buf []byte) ([]byte, bool, error) { return append(buf, *c.v...), false, nil }

type bytesCell struct{ v *[]byte }

func (c bytesCell) set(text []byte, _ bool) error { *c.v = append([]byte{}, text...); return nil }

func (c bytesCell) text(buf []byte) ([]byte, bool, error) { return append(buf, *c.v...), false, nil }

type boolCell struct{ v *bool }

func (c boolCell) set(text []byte, _ bool) (err error) {
	if *c.v, err = strconv.ParseBool(string(text)); err != nil {
		return notA("bool", text)
	}
	return nil
}

func (c boolCell) text(buf []byte) ([]byte, bool, error) {
	return strconv.AppendBool(buf, *c.v), false, nil
}

type intCell[I int | int8 | int16 | int32 | int64] struct{ v *I }

func intCellOf(field reflect.Value) cell {
	switch field.Kind() {
	case reflect.Int8:
		return intCell[int8]{bind[int8](field)}
	case reflect.Int16:
		return intCell[int16]{bind[int16](field)}
	case reflect.Int32:
		return intCell[int32]{bind[int32](field)}
	case reflect.Int:
		return intCell[int]{bind[int](field)}
	}
	return intCell[int64]{bind[int64](field)}
}

func (c intCell[I]) set(text []byte, _ bool) error {
	n, err := strconv.ParseInt(string(text), 10, 64)
	if *c.v = I(n); err != nil || int64(*c.v) != n {
		return notA(reflect.TypeFor[I]().String(), text)
	}
	return nil
}

func (c intCell[I]) text(buf []byte) ([]byte, bool, error) {
	return strconv.AppendInt(buf, int64(*c.v), 10), false, nil
}

type uintCell[U uint | uint8 | uint16 | uint32 | uint64] struct{ v *U }

func uintCellOf(field reflect.Value) cell {
	switch field.Kind() {
	case reflect.Uint8:
		return uintCell[uint8]{bind[uint8](field)}
	case reflect.Uint16:
		return uintCell[uint16]{bind[uint16](field)}
	case reflect.Uint32:
		return uintCell[uint32]{bind[uint32](field)}
	case reflect.Uint:
		return uintCell[uint]{bind[uint](field)}
	}
	return uintCell[uint64]{bind[uint64](field)}
}

func (c uintCell[U]) set(text []byte, _ bool) error {
	n, err := strconv.ParseUint(string(text), 10, 64)
	if *c.v = U(n); err != nil || uint64(*c.v) != n {
		return notA(reflect.TypeFor[U]().String(), text)
	}
	return nil
}

func (c uintCell[U]) text(buf []byte) ([]byte, bool, error) {
	return strconv.AppendUint(buf, uint64(*c.v), 10), false, nil
}

type floatCell[F float32 | float64] struct {
	v    *F
	bits int
}

func (c floatCell[F]) set(text []byte, _ bool) error {
	n, err := strconv.ParseFloat(string(text), c.bits)
	if *c.v = F(n); err != nil {
		return notA(reflect.TypeFor[F]().String(), text)
	}
	return nil
}

func (c floatCell[F]) text(buf []byte) ([]byte, bool, error) {
	form := byte('f')
	if a := math.Abs(float64(*c.v)); a != 0 && (a < 1e-6 || a >= 1e21) {
		form = 'e'
	}
	return strconv.AppendFloat(buf, float64(*c.v), form, -1, c.bits), false, nil
}

type durationCell struct{ v *time.Duration }

func (c durationCell) set(text []byte, _ bool) (err error) {
	if *c.v, err = time.ParseDuration(string(text)); err != nil {
		return notA("duration such as 1h30m", text)
	}
	return nil
}

func (c durationCell) text(buf []byte) ([]byte, bool, error) {
	return append(buf, c.v.String()...), false, nil
}

// textCell is a field that converts itself.
type textCell struct{ field reflect.Value }

func (c textCell) set(text []byte, _ bool) error {
	if err := c.field.Addr().Interface().(encoding.TextUnmarshaler).UnmarshalText(text); err != nil {
		return fmt.Errorf("%q is no %s: %w", clip(text), c.field.Type(), err)
	}
	return nil
}

func (c textCell) text(buf []byte) ([]byte, bool, error) {
	text, err := c.field.Addr().Interface().(encoding.TextMarshaler).MarshalText() // see newStructEncoder
	return append(buf, text...), false, err
}

// optionalCell is a pointer, nil where the column is empty and not quoted.
type optionalCell struct {
	field reflect.Value
	value reflect.Value // what value's cell is bound to
	cell  cell
}

func optionalCellOf(field reflect.Value, c *column) (cell, error) {
	value := reflect.New(field.Type().Elem()).Elem()
	if value.Kind() == reflect.Pointer {
		return nil, fmt.Errorf("type %s is a pointer to a pointer: one makes a column optional", field.Type())
	}
	inner, err := cellOf(value, c)
	return &optionalCell{field: field, value: value, cell: inner}, err
}

func (c *optionalCell) set(text []byte, quoted bool) error {
	if len(text) == 0 && !quoted {
		c.field.SetZero()
		return nil
	}
	c.value.SetZero()
	if err := c.cell.set(text, quoted); err != nil {
		return err
	}
	c.field.Set(reflect.New(c.value.Type()))
	c.field.Elem().Set(c.value)
	return nil
}

func (c *optionalCell) text(buf []byte) ([]byte, bool, error) {
	if c.field.IsNil() {
		return buf, true, nil
	}
	c.value.Set(c.field.Elem())
	return c.cell.text(buf)
}

// notA says what a text should have been.
func notA(kind string, text []byte) error {
	if len(text) == 0 {
		return fmt.Errorf("is empty, not a %s: make the field a pointer where a value may be absent", kind)
	}
	return fmt.Errorf("%q is no %s", clip(text), kind)
}

// clip keeps errors short.
func clip(text []byte) string {
	if len(text) > 64 {
		return string(text[:64]) + "..."
	}
	return string(text)
}
