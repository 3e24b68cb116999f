package files

import (
	"fmt"
	"strconv"
	"time"
)

// newTimeCell binds a time, by the column's layout and zone.
func newTimeCell(v *time.Time, c *column) cell {
	t := &timeCell{v: v, layout: c.layout, zone: c.zone}
	if t.zone == nil {
		t.zone = time.UTC
	}
	switch c.layout {
	case "":
		t.layout = time.RFC3339Nano
	case "unix":
		return epochCell{t, "seconds", time.Time.Unix, func(n int64) time.Time { return time.Unix(n, 0) }}
	case "unixms":
		return epochCell{t, "milliseconds", time.Time.UnixMilli, time.UnixMilli}
	}
	return t
}

type timeCell struct {
	v      *time.Time
	layout string
	zone   *time.Location
}

func (c *timeCell) set(text []byte, _ bool) (err error) {
	*c.v, err = parseTime(text, c.layout, c.zone)
	return err
}

func (c *timeCell) text(buf []byte) ([]byte, bool, error) {
	return c.v.In(c.zone).AppendFormat(buf, c.layout), false, nil
}

func parseTime(text []byte, layout string, zone *time.Location) (time.Time, error) {
	if layout == time.DateTime {
		if t, ok := parseDateTime(text, zone); ok {
			return t, nil
		}
	}
	t, err := time.ParseInLocation(layout, string(text), zone)
	switch {
	case err != nil && len(text) == 0:
		err = notA("time", text)
	case err != nil:
		err = fmt.Errorf("%q is not a time of layout %q", clip(text), layout)
	}
	return t, err
}

// parseDateTime is time.ParseInLocation for the layout "2006-01-02 15:04:05",
// the commonest by far, at a third of the cost. It leaves to the real one what
// is not plainly of that form.
func parseDateTime(p []byte, zone *time.Location) (time.Time, bool) {
	if len(p) != len(time.DateTime) || p[4] != '-' || p[7] != '-' || p[10] != ' ' || p[13] != ':' || p[16] != ':' {
		return time.Time{}, false
	}
	year, month, day := digits(p[0:4]), digits(p[5:7]), digits(p[8:10])
	hour, minute, second := digits(p[11:13]), digits(p[14:16]), digits(p[17:19])
	if year < 0 || month < 1 || month > 12 || day < 1 || day > 28 || uint(hour) > 23 || uint(minute) > 59 || uint(second) > 59 {
		return time.Time{}, false
	}
	return time.Date(year, time.Month(month), day, hour, minute, second, 0, zone), true
}

// digits gives the number that p spells, or a negative one.
func digits(p []byte) int {
	n := 0
	for _, b := range p {
		if b < '0' || b > '9' {
			return -1
		}
		n = n*10 + int(b-'0')
	}
	return n
}

// epochCell is a time as a whole number of units since 1970.
type epochCell struct {
	*timeCell
	unit string
	to   func(time.Time) int64
	from func(int64) time.Time
}

func (c epochCell) set(text []byte, _ bool) error {
	n, err := strconv.ParseInt(string(text), 10, 64)
	if err != nil {
		return notA("number of "+c.unit+" since 1970", text)
	}
	*c.v = c.from(n).In(c.zone)
	return nil
}

func (c epochCell) text(buf []byte) ([]byte, bool, error) {
	return strconv.AppendInt(buf, c.to(*c.v), 10), false, nil
}
