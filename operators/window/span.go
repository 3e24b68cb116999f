package window

import (
	"fmt"
	"math"
)

// Window is a span of event time, [Start, End) in ms.
type Window struct{ Start, End int64 }

// MaxTimestamp is the last millisecond of the window: the time of its results,
// and the watermark that fires it.
func (w Window) MaxTimestamp() int64 { return w.End - 1 }

// Contains tells whether a record of time ts belongs to the window.
func (w Window) Contains(ts int64) bool { return w.Start <= ts && ts < w.End }

// ClearAt is the watermark that ends the window: its last millisecond plus
// the allowed lateness, which is not negative.
func (w Window) ClearAt(lateness int64) int64 {
	last := w.MaxTimestamp()
	if last > math.MaxInt64-lateness {
		return math.MaxInt64
	}
	return last + lateness
}

// String gives "[start,end)".
func (w Window) String() string { return fmt.Sprintf("[%d,%d)", w.Start, w.End) }
