package files

import (
	"bytes"
	"fmt"
	"reflect"
)

// structEncoder writes records as CSV rows.
type structEncoder[T any] struct {
	columns []column
	cells   []cell
	record  record[T]
}

func newStructEncoder[T any]() (*structEncoder[T], error) {
	columns, err := recordColumns[T]()
	if err != nil {
		return nil, fmt.Errorf("option files.AsCSV: %w", err)
	}
	e := &structEncoder[T]{columns: columns, record: newRecord[T]()}
	for i := range columns {
		c, err := e.record.cell(&columns[i])
		if err != nil {
			return nil, fmt.Errorf("option files.AsCSV: %w", err)
		}
		if t := marshaled(c); t != nil && !reflect.PointerTo(t).Implements(textMarshaler) {
			return nil, fmt.Errorf("option files.AsCSV: field %s of type %s cannot be written: implement encoding.TextMarshaler", columns[i].field, t)
		}
		e.cells = append(e.cells, c)
	}
	if _, optional := e.cells[0].(*optionalCell); optional && len(e.cells) == 1 {
		return nil, fmt.Errorf("option files.AsCSV: %s is one pointer, whose nil would be an empty line, which is no record: use files.AsJSONLines", columns[0].field)
	}
	return e, nil
}

// marshaled gives the type of a field that converts itself, or nil.
func marshaled(c cell) reflect.Type {
	if o, ok := c.(*optionalCell); ok {
		c = o.cell
	}
	if t, ok := c.(textCell); ok {
		return t.field.Type()
	}
	return nil
}

func (e *structEncoder[T]) extension() string { return "csv" }

func (e *structEncoder[T]) header(buf []byte) []byte {
	for i, c := range e.columns {
		if i > 0 {
			buf = append(buf, ',')
		}
		from := len(buf)
		buf = quoteFrom(append(buf, c.name...), from, c.name == "")
	}
	return append(buf, '\n')
}

func (e *structEncoder[T]) encode(buf []byte, v T) (_ []byte, err error) {
	if err := e.record.set(v); err != nil {
		return buf, err
	}
	for i, c := range e.cells {
		if i > 0 {
			buf = append(buf, ',')
		}
		from := len(buf)
		var null bool
		if buf, null, err = c.text(buf); err != nil {
			return buf, fmt.Errorf("field %s: %w", e.columns[i].field, err)
		}
		buf = quoteFrom(buf, from, e.tellEmpty(c, null))
	}
	return append(buf, '\n'), nil
}

// tellEmpty says that an empty text needs quotes: an optional one, to be told
// from nil, and one alone in its row, to be told from no row at all.
func (e *structEncoder[T]) tellEmpty(c cell, null bool) bool {
	_, optional := c.(*optionalCell)
	return !null && (optional || len(e.cells) == 1)
}

// quoteFrom puts buf[from:] in quotes where it would not be read back otherwise.
func quoteFrom(buf []byte, from int, evenEmpty bool) []byte {
	text := buf[from:]
	if len(text) == 0 && !evenEmpty {
		return buf
	}
	if len(text) > 0 && !bytes.ContainsAny(text, "\",\r\n") && text[0] != ' ' && text[len(text)-1] != ' ' {
		return buf
	}
	quoted := append([]byte{'"'}, bytes.ReplaceAll(text, []byte{'"'}, []byte{'"', '"'})...)
	return append(append(buf[:from], quoted...), '"')
}
