package operators

import (
	"encoding/binary"
	"fmt"
	"math"
	"reflect"
	"time"
)

var timeType = reflect.TypeFor[time.Time]()

// timeCodec writes an instant to the nanosecond and its offset from UTC: int64
// seconds since 1970, uint32 nanoseconds, int32 seconds east, little endian. The
// smallest int32 says UTC. Names of zones and monotonic readings are not kept.
type timeCodec struct{}

func (timeCodec) Name() string { return "time" }

func (timeCodec) Append(buf []byte, v time.Time) ([]byte, error) {
	offset := math.MinInt32
	if v.Location() != time.UTC {
		_, offset = v.Zone()
	}
	buf = binary.LittleEndian.AppendUint64(buf, uint64(v.Unix()))
	buf = binary.LittleEndian.AppendUint32(buf, uint32(v.Nanosecond()))
	return binary.LittleEndian.AppendUint32(buf, uint32(offset)), nil
}

func (timeCodec) Decode(p []byte) (v time.Time, rest []byte, err error) {
	if len(p) < 16 {
		return v, p, short("time", 16, len(p))
	}
	nanoseconds, offset := binary.LittleEndian.Uint32(p[8:]), int32(binary.LittleEndian.Uint32(p[12:]))
	if nanoseconds >= 1e9 {
		return v, p, fmt.Errorf("decoding time: %d nanoseconds", nanoseconds)
	}
	v = time.Unix(int64(binary.LittleEndian.Uint64(p)), int64(nanoseconds))
	if offset == math.MinInt32 {
		return v.UTC(), p[16:], nil
	}
	return v.In(time.FixedZone("", int(offset))), p[16:], nil
}

// Times within other values are CBOR's, as text of RFC 3339. That text knows
// four digits of a year and whole minutes of an offset, and the library writes
// others as well, which then do not come back: a checkpoint that cannot be read.

// timeCheck refuses such a time within a value.
type timeCheck func(reflect.Value) error

// checkTime is the timeCheck of a time itself.
func checkTime(v reflect.Value) error {
	t := v.Interface().(time.Time)
	if _, offset := t.Zone(); offset%60 != 0 || t.Year() < 0 || t.Year() > 9999 {
		return fmt.Errorf("time %s: within a record, years are 0 to 9999 and offsets from UTC whole minutes; use its UTC, or UnixMilli", t)
	}
	return nil
}

// timesIn gives the check for values of t, which describe has accepted, or nil
// when there is no time in it.
func timesIn(t reflect.Type) timeCheck {
	if t == timeType {
		return checkTime
	}
	if marshalsItself(t) {
		return nil
	}
	switch t.Kind() {
	case reflect.Struct:
		return timesInStruct(t)
	case reflect.Pointer:
		return within(t, func(v reflect.Value, check timeCheck) error {
			if v.IsNil() {
				return nil
			}
			return check(v.Elem())
		})
	case reflect.Slice, reflect.Array:
		return within(t, func(v reflect.Value, check timeCheck) error {
			for i := range v.Len() {
				if err := check(v.Index(i)); err != nil {
					return err
				}
			}
			return nil
		})
	case reflect.Map: // keys are never times
		return within(t, func(v reflect.Value, check timeCheck) error {
			for i := v.MapRange(); i.Next(); {
				if err := check(i.Value()); err != nil {
					return err
				}
			}
			return nil
		})
	}
	return nil
}

// within applies the check of t's elements, if they have one, by each.
func within(t reflect.Type, each func(reflect.Value, timeCheck) error) timeCheck {
	check := timesIn(t.Elem())
	if check == nil {
		return nil
	}
	return func(v reflect.Value) error { return each(v, check) }
}

func timesInStruct(t reflect.Type) timeCheck {
	var fields []int
	var checks []timeCheck
	for i := range t.NumField() {
		if check := timesIn(t.Field(i).Type); check != nil {
			fields, checks = append(fields, i), append(checks, check)
		}
	}
	if fields == nil {
		return nil
	}
	return func(v reflect.Value) error {
		for k, i := range fields {
			if err := checks[k](v.Field(i)); err != nil {
				return fmt.Errorf("%s: %w", t.Field(i).Name, err)
			}
		}
		return nil
	}
}
