package files

import "hash/maphash"

// interned gives one string for equal short texts while it remembers them, so
// that a column of few values costs no allocation a record. It forgets by
// overwriting, and is of a fixed size; two places for each text keep two
// frequent ones from pushing each other out for ever.
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
	hash := maphash.Bytes(i.seed, text)
	first, second := &i.slots[hash&(internSlots-1)], &i.slots[hash>>32&(internSlots-1)]
	switch {
	case *first == string(text):
		return *first
	case *second == string(text):
		return *second
	case *first == "":
		second = first
	}
	*second = string(text)
	return *second
}
