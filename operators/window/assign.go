package window

import "fmt"

// MaxSize bounds the size of a window, so that no end overflows for a record
// within [messages.MinEventTime, messages.MaxEventTime].
const MaxSize int64 = 1 << 60

// Tumbling cuts event time into windows of one size without gap or overlap.
type Tumbling struct {
	size   int64 // ms; 0 < size <= MaxSize
	offset int64 // ms; 0 <= offset < size
}

// NewTumbling aligns windows of a size, in ms, to the epoch plus an offset of
// any sign. The caller has checked the size.
func NewTumbling(size, offset int64) Tumbling {
	if size <= 0 || size > MaxSize {
		panic(fmt.Sprintf("window: size %d ms out of (0, %d]", size, MaxSize))
	}
	return Tumbling{size: size, offset: floorMod(offset, size)}
}

// Assign gives the one window of a record: it starts at
// ts - mod(ts - offset, size), the modulus never negative, so that windows lie
// the same way before 1970 as after it.
func (t Tumbling) Assign(ts int64) Window {
	start := ts - floorMod(ts-t.offset, t.size)
	return Window{Start: start, End: start + t.size}
}

// At gives the window that begins at start, which Assign gave earlier.
func (t Tumbling) At(start int64) Window { return Window{Start: start, End: start + t.size} }

func floorMod(a, b int64) int64 {
	m := a % b
	if m < 0 {
		m += b
	}
	return m
}
