package operators

import (
	"errors"
	"fmt"
	"time"

	"github.com/weirflow/weir/operators/window"
)

// TumblingWindows cut event time into windows of one size, without gap or
// overlap, aligned to the epoch.
type TumblingWindows struct{ size, offset time.Duration }

// Tumbling gives windows [n*size, (n+1)*size). The size is a whole number of
// milliseconds, at least one.
func Tumbling(size time.Duration) TumblingWindows { return TumblingWindows{size: size} }

// Offset moves all windows by d, either way: with size 24h and offset -8h they
// are the days of China, with +5h those of New York in winter.
func (w TumblingWindows) Offset(d time.Duration) TumblingWindows {
	w.offset = d
	return w
}

// WindowedStream is a keyed stream cut into windows of event time. Aggregate
// and ReduceWindow make results of it. It is a handle and immutable.
type WindowedStream[K comparable, T any] struct {
	keyed    *KeyedStream[K, T]
	windows  TumblingWindows
	lateness time.Duration
	late     *Tag[T] // nil: late records are dropped and counted
}

// Window cuts the stream into windows. A window fires when the watermark
// reaches its last millisecond; a key without records in it gives no result.
func (k *KeyedStream[K, T]) Window(w TumblingWindows) *WindowedStream[K, T] {
	return &WindowedStream[K, T]{keyed: k, windows: w}
}

// AllowedLateness keeps a window for d after it fired: each late record fires
// it again at once with all its contents. The default is 0: a record is late,
// and lost to the result, once its window has fired.
func (w *WindowedStream[K, T]) AllowedLateness(d time.Duration) *WindowedStream[K, T] {
	c := *w
	c.lateness = d
	return &c
}

// SideOutputLate sends records that are too late for their window to a side
// output, unchanged. Without it they are dropped, and counted by the metric
// records_late_dropped.
func (w *WindowedStream[K, T]) SideOutputLate(tag Tag[T]) *WindowedStream[K, T] {
	c := *w
	c.late = &tag
	return &c
}

// WindowResult is what a window makes of one key. Its event time is the last
// millisecond of the window.
type WindowResult[K, V any] struct {
	Key   K     `json:"key" csv:"key"`
	Start int64 `json:"start" csv:"start"` // ms
	End   int64 `json:"end" csv:"end"`     // ms, exclusive
	Value V     `json:"value" csv:"value"`
}

// check tells what is wrong with the options.
func (w *WindowedStream[K, T]) check() error {
	return errors.Join(
		w.windows.check(),
		wholeMillis("Offset", w.windows.offset),
		w.checkLateness())
}

func (w TumblingWindows) check() error {
	if w.size <= 0 {
		return fmt.Errorf("Tumbling(%v): a window's size is positive; give at least 1ms", w.size)
	}
	return wholeMillis("Tumbling", w.size)
}

func (w *WindowedStream[K, T]) checkLateness() error {
	if w.lateness < 0 {
		return fmt.Errorf("AllowedLateness(%v): lateness is not negative; give 0 to allow none", w.lateness)
	}
	return wholeMillis("AllowedLateness", w.lateness)
}

func wholeMillis(option string, d time.Duration) error {
	if d%time.Millisecond != 0 {
		return fmt.Errorf("%s(%v): event time is in milliseconds; give a whole number of them", option, d)
	}
	return nil
}

// assigner is the kernel's form of the windows, which check has passed.
func (w TumblingWindows) assigner() window.Tumbling {
	return window.NewTumbling(w.size.Milliseconds(), w.offset.Milliseconds())
}

// String describes the windows in plans and in the schema of their state.
func (w TumblingWindows) String() string {
	if w.offset == 0 {
		return fmt.Sprintf("tumbling %v", w.size)
	}
	return fmt.Sprintf("tumbling %v offset %v", w.size, w.offset)
}

func (w *WindowedStream[K, T]) detail() string {
	s := w.windows.String()
	if w.lateness > 0 {
		s += fmt.Sprintf(", lateness %v", w.lateness)
	}
	if w.late != nil {
		s += ", late to " + w.late.Name()
	}
	return s
}
