package table

import "reflect"

// ShallowSafe tells whether assigning a value of type t copies all of it, so
// that no change through one copy can be seen in the other: there is no
// pointer, map, slice, interface, channel or function in it. Strings are safe,
// they cannot be changed. Such values need no Options.Clone.
//
// It errs on the safe side: a time.Time, say, holds a pointer to its location,
// which nobody changes, and is reported as unsafe.
func ShallowSafe(t reflect.Type) bool {
	switch t.Kind() {
	case reflect.Array:
		return t.Len() == 0 || ShallowSafe(t.Elem())
	case reflect.Struct:
		for i := range t.NumField() {
			if !ShallowSafe(t.Field(i).Type) {
				return false
			}
		}
		return true
	case reflect.Pointer, reflect.UnsafePointer, reflect.Map, reflect.Slice,
		reflect.Interface, reflect.Chan, reflect.Func:
		return false
	default: // booleans, numbers, strings
		return true
	}
}
