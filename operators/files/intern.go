package files

import "hash/maphash"

// interned gives one string for equal short texts while it remembers them, so
// that a column of few values costs no allocation a record. It forgets by
// overwriting, and is of a fixed size.
type interned struct {
	seed  maphash.Seed
	slots []string
}

const (
	internSlots = 1 << 10 // a power of two
	internBytes = 32      // longer texts seldom repeat
)

func (i *interned) of(text []byte) string {
	if len(text) == 0 || len(text) > internBytes {
		return string(text)
	}
	if i.slots == nil {
		i.seed, i.slots = maphash.MakeSeed(), make([]string, internSlots)
	}
	slot := &i.slots[maphash.Bytes(i.seed, text)&(internSlots-1)]
	if *slot != string(text) {
		*slot = string(text)
	}
	return *slot
}
