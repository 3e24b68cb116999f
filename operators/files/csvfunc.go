package files

import (
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"time"
)

// csvFunc is the format of CSVFunc.
type csvFunc[T any] struct {
	config *sourceConfig
	decode func(Row) (T, error)
}

func (*csvFunc[T]) name() string { return "files.CSVFunc" }

func (f *csvFunc[T]) validate() error {
	if f.decode == nil {
		return fmt.Errorf("the decode function is nil")
	}
	return nil
}

func (f *csvFunc[T]) newDecoder() decoder[T] {
	d := &funcDecoder[T]{function: f.decode}
	d.row.comma = byte(f.config.comma)
	if f.config.columns != nil {
		d.row.name(f.config.columns)
	}
	return d
}

// funcDecoder decodes the rows of one file.
type funcDecoder[T any] struct {
	row      rowState
	function func(Row) (T, error)
}

func (d *funcDecoder[T]) frame(p []byte, until end) frame { return d.row.frame(p, until) }

func (d *funcDecoder[T]) hasHeader() bool { return d.row.names == nil }

func (d *funcDecoder[T]) header(row []byte) error {
	names, err := d.row.headerNames(row)
	if err == nil {
		d.row.name(names)
	}
	return err
}

func (d *funcDecoder[T]) decode(row []byte) (v T, skip bool, err error) {
	if row = trimLineEnd(row); len(row) == 0 {
		return v, true, nil
	}
	d.row.split(row)
	if err := d.row.checkWidth(len(d.row.names)); err != nil {
		return v, false, err
	}
	d.row.err = nil
	v, err = d.function(Row{&d.row})
	if d.row.err != nil {
		err = d.row.err
	}
	return v, false, err
}

// Row is one row of a CSV file, for the function of CSVFunc, and valid until
// it returns. A column that does not exist, or does not convert, gives the zero
// value; the function need not look, for the first such error fails the row.
type Row struct{ row *rowState }

// rowState is what all rows of a file share.
type rowState struct {
	csvRows
	names []string
	index map[string]int
	seen  []interned // one a column
	err   error      // the first of this row
}

func (r *rowState) name(names []string) {
	r.names, r.index, r.seen = names, make(map[string]int, len(names)), make([]interned, len(names))
	for i, name := range slices.Backward(names) { // the first wins
		r.index[name] = i
	}
}

// column finds a column. That there is none is the program's mistake.
func (r *rowState) column(name string) (int, bool) {
	i, ok := r.index[name]
	if !ok && r.err == nil {
		r.err = &fatalError{fmt.Errorf("the function asks for column %q, but the columns are %s: correct the name", name, list(r.names))}
	}
	return i, ok
}

func (r *rowState) fail(column string, err error) {
	if r.err == nil {
		r.err = &fieldError{field: column, reason: err.Error()}
	}
}

// Names gives the columns of the file. They are not the caller's to change.
func (r Row) Names() []string { return r.row.names }

// Has tells whether the file has a column and the row a value there.
func (r Row) Has(column string) bool {
	i, ok := r.row.index[column]
	return ok && (len(r.row.fields[i].text) > 0 || r.row.fields[i].quoted)
}

// Bytes gives the text of a column, valid only until the function returns.
func (r Row) Bytes(column string) []byte {
	if i, ok := r.row.column(column); ok {
		return r.row.fields[i].text
	}
	return nil
}

// String gives the text of a column.
func (r Row) String(column string) string {
	if i, ok := r.row.column(column); ok {
		return r.row.seen[i].of(r.row.fields[i].text)
	}
	return ""
}

// Int gives a column as an integer.
func (r Row) Int(column string) int64 {
	return convert(r, column, func(text []byte) (int64, error) {
		n, err := strconv.ParseInt(string(text), 10, 64)
		return n, err
	})
}

// Float gives a column as a floating-point number.
func (r Row) Float(column string) float64 {
	return convert(r, column, func(text []byte) (float64, error) {
		n, err := strconv.ParseFloat(string(text), 64)
		return n, err
	})
}

// Bool gives a column as a boolean.
func (r Row) Bool(column string) bool {
	return convert(r, column, func(text []byte) (bool, error) {
		b, err := strconv.ParseBool(string(text))
		return b, err
	})
}

// Time gives a column as a time of a layout of package time. Without a zone
// in the layout it is a local time of zone.
func (r Row) Time(column, layout string, zone *time.Location) time.Time {
	i, ok := r.row.column(column)
	if !ok {
		return time.Time{}
	}
	t, err := parseTime(r.row.fields[i].text, layout, zone)
	if err != nil {
		r.row.fail(column, err)
	}
	return t
}

// convert reads a column as a V.
func convert[V any](r Row, column string, parse func([]byte) (V, error)) V {
	var zero V
	i, ok := r.row.column(column)
	if !ok {
		return zero
	}
	v, err := parse(r.row.fields[i].text)
	if err != nil {
		r.row.fail(column, notA(reflect.TypeFor[V]().String(), r.row.fields[i].text))
		return zero
	}
	return v
}
