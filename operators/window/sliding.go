package window

import "fmt"

// Sliding are windows of one size that begin every slide: they overlap where the
// size is greater, and leave gaps where it is less.
type Sliding struct {
	size  int64    // ms; 0 < size <= MaxSize
	start Tumbling // of size slide: its windows begin where ours do
}

// NewSliding aligns windows to the epoch plus an offset of any sign. The caller
// has checked size and slide, in ms.
func NewSliding(size, slide, offset int64) Sliding {
	if size <= 0 || size > MaxSize {
		panic(fmt.Sprintf("window: size %d ms out of (0, %d]", size, MaxSize))
	}
	return Sliding{size: size, start: NewTumbling(slide, offset)}
}

// Assign appends the windows of a record, the earliest first: size/slide of
// them where that is whole, and none for a record in a gap.
func (s Sliding) Assign(ts int64, to []Window) []Window {
	last := s.start.Assign(ts).Start
	first := last
	for ts-(first-s.start.size) < s.size {
		first -= s.start.size
	}
	for start := first; start <= last; start += s.start.size {
		if w := (Window{Start: start, End: start + s.size}); w.Contains(ts) {
			to = append(to, w)
		}
	}
	return to
}
