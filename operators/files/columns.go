package files

import (
	"fmt"
	"reflect"
	"strings"
	"time"
)

// column is what one field of a record type means in a CSV file. Reader and
// writer share it, so that what one writes the other reads.
type column struct {
	name   string
	tagged bool   // the name is the tag's and matches exactly
	field  string // e.g. "Trip.Fare", for errors
	path   []int  // to the field from the record, for reflect
	layout string // of a time
	zone   *time.Location
}

// matches tells whether the column of that name is meant.
func (c *column) matches(name string) bool {
	return c.name == name || !c.tagged && strings.EqualFold(c.name, name)
}

// columnsOf lists the columns of a record type: the exported fields of a
// struct, or for any other type itself, under the name "value".
func columnsOf(record reflect.Type) ([]column, error) {
	if !hasFields(record) {
		if _, err := cellOf(reflect.New(record).Elem(), &column{}); err != nil {
			return nil, fmt.Errorf("%s is neither a struct nor a value of one column: use JSON lines for it", record)
		}
		return []column{{name: "value", field: record.String()}}, nil
	}
	columns, err := fieldColumns(record, record.Name(), "", nil)
	if err != nil {
		return nil, err
	}
	if len(columns) == 0 {
		return nil, fmt.Errorf("%s has no exported field: export those that are columns", record)
	}
	return columns, checkNames(columns)
}

// fieldColumns lists the columns of a struct whose fields are found at path.
func fieldColumns(t reflect.Type, field, prefix string, path []int) ([]column, error) {
	var columns []column
	for i := range t.NumField() {
		f := t.Field(i)
		tag, tagged := f.Tag.Lookup("csv")
		if tag == "-" || !f.IsExported() {
			continue
		}
		c := column{field: field + "." + f.Name, path: append(append([]int(nil), path...), i)}
		if err := c.parseTag(tag, tagged, f.Name); err != nil {
			return nil, err
		}
		c.name = prefix + c.name
		if hasFields(f.Type) {
			under := c.name + "."
			if f.Anonymous && !tagged {
				under = prefix
			}
			inner, err := fieldColumns(f.Type, c.field, under, c.path)
			if err != nil {
				return nil, err
			}
			columns = append(columns, inner...)
			continue
		}
		if _, err := cellOf(reflect.New(f.Type).Elem(), &c); err != nil {
			return nil, fmt.Errorf("field %s (column %q): %w", c.field, c.name, err)
		}
		columns = append(columns, c)
	}
	return columns, nil
}

// hasFields tells a struct of columns from one that is a single value.
func hasFields(t reflect.Type) bool {
	return t.Kind() == reflect.Struct && t != timeType && !reflect.PointerTo(t).Implements(textUnmarshaler)
}

// parseTag reads "name,layout=...,zone=...". A comma within a layout belongs
// to it: only a known option begins after one.
func (c *column) parseTag(tag string, tagged bool, fieldName string) error {
	name, options, _ := strings.Cut(tag, ",")
	if c.name, c.tagged = name, name != ""; name == "" {
		c.name = strings.ToLower(fieldName)
	}
	for options != "" {
		var option string
		option, options = cutOption(options)
		key, value, _ := strings.Cut(option, "=")
		switch key {
		case "layout":
			c.layout = value
		case "zone":
			zone, err := time.LoadLocation(value)
			if err != nil {
				return fmt.Errorf("field %s: tag csv:%q: %w; import time/tzdata where the system has no zones", c.field, tag, err)
			}
			c.zone = zone
		default:
			return fmt.Errorf("field %s: tag csv:%q: unknown option %q: there are layout= and zone=", c.field, tag, key)
		}
	}
	return nil
}

// cutOption cuts off the first option.
func cutOption(options string) (option, rest string) {
	for i := range options {
		if tail := options[i:]; i > 0 && (strings.HasPrefix(tail, ",zone=") || strings.HasPrefix(tail, ",layout=")) {
			return options[:i], options[i+1:]
		}
	}
	return options, ""
}

// checkNames refuses two fields for one column.
func checkNames(columns []column) error {
	for i := range columns {
		for j := range i {
			if columns[i].matches(columns[j].name) || columns[j].matches(columns[i].name) {
				return fmt.Errorf("fields %s and %s both mean column %q: give one another csv tag, or csv:\"-\"",
					columns[j].field, columns[i].field, columns[i].name)
			}
		}
	}
	return nil
}
