package window

import (
	"slices"
	"sort"

	"github.com/weirflow/weir/messages"
	"github.com/weirflow/weir/messages/mutant"
)

// Slices cut sliding windows into pieces that none of them splits, each gcd(size,
// slide) wide: a record is in one slice, and a window is some slices in a row. So
// what is collected is kept once, however many windows it belongs to. See
// Traub et al., "Efficient Window Aggregation with General Stream Slicing", 2019.
//
// Slices and windows have numbers: slice n begins at offset + n*width, window k at
// offset + k*slide.
type Slices struct {
	size, slide, width, offset int64 // ms
}

// NewSlices cuts windows of a size that begin every slide, as NewSliding has them.
func NewSlices(size, slide, offset int64) Slices {
	w := NewSliding(size, slide, offset) // panics on what the caller had to check
	return Slices{size: size, slide: slide, width: gcd(size, slide), offset: w.start.offset}
}

func gcd(a, b int64) int64 {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}

// Of is the number of the slice that a time lies in.
func (s Slices) Of(ts int64) int64 { return floorDiv(ts-s.offset, s.width) }

// Slice is the span of slice n.
func (s Slices) Slice(n int64) Window {
	start := s.offset + n*s.width
	return Window{Start: start, End: start + s.width}
}

// Window is the span of window k.
func (s Slices) Window(k int64) Window {
	start := s.offset + k*s.slide
	return Window{Start: start, End: start + s.size}
}

// Range are the slices [from, to) of window k.
func (s Slices) Range(k int64) (from, to int64) {
	from = k * (s.slide / s.width)
	return from, from + s.size/s.width
}

// First and Last are the windows that hold slice n. Where windows leave gaps there
// may be none, and First is greater than Last.
func (s Slices) First(n int64) int64 { return floorDiv(n-s.size/s.width, s.slide/s.width) + 1 }

// Last is the last window that holds slice n, see First.
func (s Slices) Last(n int64) int64 { return floorDiv(n, s.slide/s.width) }

// Number is the number of a window that Window gave.
func (s Slices) Number(w Window) int64 { return floorDiv(w.Start-s.offset, s.slide) }

// FirstAfter is the first window of slice n whose lateness, in ms, is not over at a
// watermark. If it is over for all of them that is the one behind Last.
func (s Slices) FirstAfter(n, lateness, watermark int64) int64 {
	first := s.First(n)
	if s.Window(first).ClearAt(lateness) > watermark {
		return first
	}
	return first + int64(sort.Search(int(s.Last(n)-first+1), func(i int) bool {
		return s.Window(first+int64(i)).ClearAt(lateness) > watermark
	}))
}

// Leaving are the slices [from, to) of window k that are in no later one.
func (s Slices) Leaving(k int64) (from, to int64) {
	from, to = s.Range(k)
	next, _ := s.Range(k + 1)
	return from, min(next, to)
}

// fired is the last window that a watermark has reached.
func (s Slices) fired(watermark int64) int64 {
	// Far beyond all event times nothing changes any more, and nothing overflows.
	const far = messages.MaxEventTime + MaxSize
	watermark = min(max(watermark, -far), far)
	return floorDiv(watermark+1-s.size-s.offset, s.slide)
}

// Sliced is the ordered set of slices with something in them, and the event-time
// clock that fires windows over them.
//
// Invariants: live is sorted; the lateness of the last window of each slice in it
// is not over at the watermark.
type Sliced struct {
	Slices
	lateness  int64 // ms, not negative
	watermark int64
	live      []int64
	deadline  int64 // the least watermark that fires a window or lets go of a slice
}

// NewSliced makes an empty set whose clock stands at watermark.
func NewSliced(s Slices, lateness, watermark int64) *Sliced {
	return &Sliced{Slices: s, lateness: lateness, watermark: watermark, deadline: messages.MaxWatermark}
}

// Watermark is where the clock stands.
func (o *Sliced) Watermark() int64 { return o.watermark }

// InGap tells whether slice n is in no window.
func (s Slices) InGap(n int64) bool { return s.First(n) > s.Last(n) }

// TooLate tells whether slice n takes nothing any more at a watermark: the lateness
// of its last window is over.
func (o *Sliced) TooLate(n, watermark int64) bool {
	return o.Window(o.Last(n)).ClearAt(o.lateness) <= watermark
}

// Fresh tells whether no window of slice n has fired at a watermark.
func (o *Sliced) Fresh(n, watermark int64) bool {
	return o.Window(o.First(n)).MaxTimestamp() > watermark
}

// Add says that there is something in slice n, which is in a window and not too late.
func (o *Sliced) Add(n int64) {
	if i, live := slices.BinarySearch(o.live, n); !live {
		o.live = slices.Insert(o.live, i, n)
		o.deadline = o.nextDeadline()
	}
}

// Pass moves the clock to a watermark that has nothing to do, and gives false where
// there is: Advance does it.
func (o *Sliced) Pass(watermark int64) bool {
	if watermark >= o.deadline {
		return false
	}
	o.watermark = max(o.watermark, watermark)
	return true
}

// Advance moves the clock and calls fire for every window that it reaches and that
// has something in it, in order. empty says that no slice is left.
func (o *Sliced) Advance(watermark int64, fire func(k int64) error) (empty bool, err error) {
	if watermark > o.watermark {
		to := o.fired(watermark)
		for k, ok := o.next(o.fired(o.watermark)); ok && k <= to; k, ok = o.next(k) {
			if err := fire(k); err != nil {
				return false, err
			}
		}
		o.watermark = watermark
		o.expire()
	}
	return len(o.live) == 0, nil
}

// Needed is the first slice that is still needed when window k fires: of k itself,
// or of one before it that waits for late records.
func (o *Sliced) Needed(k int64) int64 {
	from, _ := o.Range(k - max(o.lateness-1, 0)/o.slide)
	if mutant.On("slice-dropped-early") {
		from, _ = o.Range(k)
	}
	return from
}

// next is the first window behind window k that holds a live slice.
func (o *Sliced) next(k int64) (int64, bool) {
	i := sort.Search(len(o.live), func(i int) bool { return o.Last(o.live[i]) > k })
	if i == len(o.live) {
		return 0, false
	}
	return max(k+1, o.First(o.live[i])), true
}

// expire lets go of the slices that nothing needs any more.
func (o *Sliced) expire() {
	n := 0
	for n < len(o.live) && o.TooLate(o.live[n], o.watermark) {
		n++
	}
	o.live = slices.Delete(o.live, 0, n)
	o.deadline = o.nextDeadline()
}

func (o *Sliced) nextDeadline() int64 {
	if len(o.live) == 0 {
		return messages.MaxWatermark
	}
	at := o.Window(o.Last(o.live[0])).ClearAt(o.lateness)
	if k, ok := o.next(o.fired(o.watermark)); ok {
		at = min(at, o.Window(k).MaxTimestamp())
	}
	return at
}

// floorDiv divides by b > 0 and rounds down, also below zero.
func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}
