package files

import (
	"fmt"
	"reflect"
)

// csvStructs is the format of CSV.
type csvStructs[T any] struct{ config *sourceConfig }

func (*csvStructs[T]) name() string { return "files.CSV" }

func (f *csvStructs[T]) validate() error {
	columns, err := recordColumns[T]()
	if err == nil && f.config.columns != nil {
		_, err = assign(f.config.columns, columns, f.config.strict)
	}
	return err
}

// recordColumns gives the columns of T, which is a record or a pointer to one.
func recordColumns[T any]() ([]column, error) {
	if _, ok := messageMaker[T](); ok {
		return nil, fmt.Errorf("%s is a protobuf message, whose fields cannot carry csv tags: map columns with files.CSVFunc", reflect.TypeFor[T]())
	}
	return columnsOf(recordType[T]())
}

func recordType[T any]() reflect.Type {
	t := reflect.TypeFor[T]()
	if t.Kind() == reflect.Pointer && hasFields(t.Elem()) {
		return t.Elem()
	}
	return t
}

func (f *csvStructs[T]) newDecoder() decoder[T] {
	d := &structDecoder[T]{csvRows: csvRows{comma: byte(f.config.comma)}, strict: f.config.strict, record: newRecord[T]()}
	if f.config.columns != nil {
		d.err = d.bind(f.config.columns)
	}
	return d
}

// structDecoder decodes the rows of one file.
type structDecoder[T any] struct {
	csvRows
	strict bool
	names  []string // of the file's columns; nil until the header is known
	cells  []cell   // one a column of the file, nil for one nobody asked for
	record record[T]
	err    error // from Columns, which validate reports first
}

func (d *structDecoder[T]) hasHeader() bool { return d.names == nil }

func (d *structDecoder[T]) header(row []byte) error {
	names, err := d.headerNames(row)
	if err != nil {
		return err
	}
	return d.bind(names)
}

// bind finds for every field its column.
func (d *structDecoder[T]) bind(names []string) error {
	columns, err := recordColumns[T]()
	if err != nil {
		return err
	}
	asked, err := assign(names, columns, d.strict)
	if err != nil {
		return err
	}
	d.cells = make([]cell, len(names))
	for i, c := range asked {
		if c == nil {
			continue
		}
		if d.cells[i], err = d.record.cell(c); err != nil {
			return err
		}
	}
	d.names = names
	return nil
}

// assign gives for each of a file's columns the one that asks for it, or nil.
func assign(names []string, columns []column, strict bool) ([]*column, error) {
	asked := make([]*column, len(names))
	for i := range columns {
		c := &columns[i]
		at, err := c.find(names)
		if err != nil {
			return nil, err
		}
		asked[at] = c
	}
	for i, name := range names {
		if strict && asked[i] == nil {
			return nil, fmt.Errorf("no field asks for column %q: add one, or leave out files.Strict", name)
		}
	}
	return asked, nil
}

// find gives the index of the column's name, exactly so before in another case.
func (c *column) find(names []string) (int, error) {
	at := -1
	for i, name := range names {
		switch {
		case name == c.name:
			return i, nil
		case c.matches(name) && at >= 0:
			return 0, fmt.Errorf("field %s could mean column %q or %q: say which with a csv tag", c.field, names[at], name)
		case c.matches(name):
			at = i
		}
	}
	if at < 0 {
		return 0, fmt.Errorf("field %s asks for column %q, but the columns are %s: correct its csv tag, or write csv:\"-\"", c.field, c.name, list(names))
	}
	return at, nil
}

func (d *structDecoder[T]) decode(row []byte) (v T, skip bool, err error) {
	if d.err != nil {
		return v, false, &fatalError{d.err}
	}
	if row = trimLineEnd(row); len(row) == 0 {
		return v, true, nil
	}
	d.split(row)
	if err := d.checkWidth(len(d.names)); err != nil {
		return v, false, err
	}
	d.record.clear()
	for i, c := range d.cells {
		if c == nil {
			continue
		}
		if err := c.set(d.fields[i].text, d.fields[i].quoted); err != nil {
			return v, false, &fieldError{field: d.names[i], reason: err.Error()}
		}
	}
	return d.record.get(), false, nil
}

// record is the one T that cells are bound to.
type record[T any] struct {
	value   *T            // bound, unless T is a pointer
	pointee reflect.Value // else what is bound
}

func newRecord[T any]() record[T] {
	if t := recordType[T](); t != reflect.TypeFor[T]() {
		return record[T]{pointee: reflect.New(t).Elem()}
	}
	return record[T]{value: new(T)}
}

// cell binds a cell to a column's field of the record.
func (r *record[T]) cell(c *column) (cell, error) {
	v := r.pointee
	if r.value != nil {
		v = reflect.ValueOf(r.value).Elem()
	}
	if len(c.path) > 0 {
		v = v.FieldByIndex(c.path)
	}
	return cellOf(v, c)
}

// clear makes the record zero, so that nothing of the last one is shared.
func (r *record[T]) clear() {
	if r.value == nil {
		r.pointee.SetZero()
		return
	}
	var zero T
	*r.value = zero
}

// get gives a copy of the record.
func (r *record[T]) get() T {
	if r.value != nil {
		return *r.value
	}
	p := reflect.New(r.pointee.Type())
	p.Elem().Set(r.pointee)
	return p.Interface().(T)
}

// set makes the record a copy of v. It fails for a nil pointer.
func (r *record[T]) set(v T) error {
	if r.value != nil {
		*r.value = v
		return nil
	}
	p := reflect.ValueOf(v)
	if p.IsNil() {
		return fmt.Errorf("a nil %s has no columns", p.Type())
	}
	r.pointee.Set(p.Elem())
	return nil
}
