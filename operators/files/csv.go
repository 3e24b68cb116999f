package files

import (
	"bytes"
	"fmt"
	"strings"
)

// csvRows finds rows and splits them into fields. It is stricter than some: a
// quote stands at both ends of a field or not at all.
type csvRows struct {
	comma  byte
	fields []field // of the last row split
	spare  []byte  // holds fields that had doubled quotes
}

// field is the text of one column. It is valid until the next row.
type field struct {
	text   []byte
	quoted bool
}

// frame finds the row at the front of p. Most rows have no quote, and then a
// row is a line.
func (c *csvRows) frame(p []byte, until end) frame {
	f := frameLine(p, until)
	if f.size == 0 || bytes.IndexByte(p[:f.size], '"') < 0 {
		return f
	}
	size, bad := c.quotedRow(p, until == ofFile)
	switch {
	case bad != "":
	case size > 0:
		return frame{size: size, lines: max(1, int64(bytes.Count(p[:size], []byte{'\n'})))}
	case until == ofBuffer:
		return frame{}
	case until == ofFile:
		bad = "a quote is not closed until the end of the file"
	default:
		bad = fmt.Sprintf("a row that begins here is not complete within %d bytes: is a quote not closed?", len(p))
	}
	f.bad = bad // and reading goes on at the next line
	return f
}

// quotedRow walks over the fields of a row. It gives size 0 when p ends before
// the row does; whole says that nothing can follow p.
func (c *csvRows) quotedRow(p []byte, whole bool) (size int, bad string) {
	for i := 0; ; i++ { // i is where a field begins
		quoted := i < len(p) && p[i] == '"'
		if quoted {
			closing := closingQuote(p[i+1:])
			if closing < 0 {
				return 0, ""
			}
			i += closing + 2
		}
		for ; i < len(p) && p[i] != c.comma && p[i] != '\n'; i++ {
			switch {
			case p[i] == '\r' && (i+1 == len(p) || p[i+1] == '\n'):
			case quoted:
				return 0, "something follows a closing quote: double a quote that belongs to the field"
			case p[i] == '"':
				return 0, "a quote within a field that does not begin with one: put the field in quotes and double it"
			}
		}
		switch {
		case i < len(p) && p[i] == '\n':
			return i + 1, ""
		case i >= len(p) && whole:
			return len(p), ""
		case i >= len(p):
			return 0, ""
		}
	}
}

// closingQuote finds the quote that ends a quoted field.
func closingQuote(p []byte) int {
	for i := 0; ; i += 2 {
		n := bytes.IndexByte(p[i:], '"')
		if n < 0 {
			return -1
		}
		if i += n; i+1 >= len(p) || p[i+1] != '"' {
			return i
		}
	}
}

// split cuts a row that frame found into c.fields.
func (c *csvRows) split(row []byte) {
	row = trimLineEnd(row)
	c.fields, c.spare = c.fields[:0], c.spare[:0]
	for {
		f, size := c.field(row)
		c.fields = append(c.fields, f)
		if size >= len(row) {
			return
		}
		row = row[size+1:]
	}
}

// field gives the field at the front of a row and where its comma is.
func (c *csvRows) field(row []byte) (field, int) {
	if len(row) > 0 && row[0] == '"' {
		n := closingQuote(row[1:])
		return field{c.unquote(row[1 : 1+n]), true}, n + 2
	}
	for i, b := range row {
		if b == c.comma {
			return field{text: row[:i]}, i
		}
	}
	return field{text: row}, len(row)
}

// unquote undoubles quotes.
func (c *csvRows) unquote(text []byte) []byte {
	n := bytes.IndexByte(text, '"')
	if n < 0 {
		return text
	}
	from := len(c.spare)
	for ; n >= 0; n = bytes.IndexByte(text, '"') {
		c.spare = append(c.spare, text[:n+1]...)
		text = text[n+2:]
	}
	c.spare = append(c.spare, text...)
	return c.spare[from:len(c.spare):len(c.spare)]
}

// headerNames reads a header row.
func (c *csvRows) headerNames(row []byte) ([]string, error) {
	c.split(bytes.TrimPrefix(row, byteOrderMark))
	names := make([]string, len(c.fields))
	seen := map[string]int{}
	for i, f := range c.fields {
		names[i] = string(f.text)
		if first, twice := seen[names[i]]; twice && names[i] != "" {
			return nil, fmt.Errorf("column %q is there twice, as column %d and %d: rename one", names[i], first+1, i+1)
		}
		seen[names[i]] = i
	}
	return names, nil
}

// checkWidth refuses a row that does not fit its header.
func (c *csvRows) checkWidth(columns int) error {
	if len(c.fields) != columns {
		return &fieldError{reason: fmt.Sprintf("row has %d fields, the header %d", len(c.fields), columns)}
	}
	return nil
}

// list names columns in an error.
func list(names []string) string {
	if len(names) > 30 {
		names = append(names[:30:30], "...")
	}
	return strings.Join(names, ", ")
}
