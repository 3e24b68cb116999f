package operators

import (
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/weirflow/weir/operators/window"
)

// Window is a span of time, [Start, End) in ms.
type Window = window.Window

// Windows is how a stream is cut: Tumbling, Sliding, Session or Global.
// KeyedStream.WindowBy takes assigners of your own.
type Windows interface {
	fmt.Stringer
	check() error
	// cut gives the assigner for records of any type.
	cut() cut
}

// clock says which time windows are of.
type clock uint8

const (
	byEvents clock = iota // event time: fired by watermarks
	byClock               // processing time: fired by the clock of the node
	timeless              // global: nothing is ever late
)

// cut is what windows are to the operator.
type cut struct {
	clock  clock
	merges bool                                            // windows that touch become one
	assign func(to []Window, ts, now int64) (all []Window) // ts is the record's event time, now the node's clock
}

// at is the time that windows of a clock lie in.
func (c clock) at(ts, now int64) int64 {
	if c == byClock {
		return now
	}
	return ts
}

// ProcessingTime makes the windows ones of processing time: a record belongs to
// the window in which it arrives, and the clock of the node fires it. Nothing is
// late, nothing comes out the same way twice, and what is open at the end of
// input does not fire.
func (w TumblingWindows) ProcessingTime() TumblingWindows {
	w.clock = byClock
	return w
}

func (w TumblingWindows) cut() cut {
	a := w.assigner()
	return cut{clock: w.clock, assign: func(to []Window, ts, now int64) []Window {
		return append(to, a.Assign(w.clock.at(ts, now)))
	}}
}

// SlidingWindows overlap: a record belongs to each of the size/slide windows
// that hold its time.
type SlidingWindows struct {
	size, slide, offset time.Duration
	clock               clock
}

// Sliding gives windows of a size, one beginning every slide. Both are whole
// numbers of milliseconds, at least one.
//
// Aggregate, ReduceWindow and, without allowed lateness, AggregateProcess and
// ReduceProcess keep one accumulator for each slice of gcd(size, slide) and
// combine those of a window by Merge when it fires: a record costs the same
// however many windows it is in. Where records are kept, as ProcessWindow, CoGroup,
// window joins and evictors do, each is kept once for all of its windows, and put
// together with the others when one fires. Only windows that are folded and have a
// trigger of their own, are of processing time, or have a function together with
// allowed lateness, keep an accumulator each.
func Sliding(size, slide time.Duration) SlidingWindows {
	return SlidingWindows{size: size, slide: slide}
}

// Offset moves all windows by d, either way.
func (w SlidingWindows) Offset(d time.Duration) SlidingWindows {
	w.offset = d
	return w
}

// ProcessingTime makes them windows of processing time, as
// TumblingWindows.ProcessingTime says.
func (w SlidingWindows) ProcessingTime() SlidingWindows {
	w.clock = byClock
	return w
}

// String describes the windows in plans and in the schema of their state.
func (w SlidingWindows) String() string {
	return fmt.Sprintf("sliding %v by %v%s%s", w.size, w.slide, offsetText(w.offset), w.clock)
}

func (w SlidingWindows) check() error {
	return errors.Join(positive("Sliding", "size", w.size), positive("Sliding", "slide", w.slide), wholeMillis("Offset", w.offset))
}

// slices is the kernel's form of the windows, which check has passed.
func (w SlidingWindows) slices() window.Slices {
	return window.NewSlices(w.size.Milliseconds(), w.slide.Milliseconds(), w.offset.Milliseconds())
}

func (w SlidingWindows) cut() cut {
	a := window.NewSliding(w.size.Milliseconds(), w.slide.Milliseconds(), w.offset.Milliseconds())
	return cut{clock: w.clock, assign: func(to []Window, ts, now int64) []Window {
		return a.Assign(w.clock.at(ts, now), to)
	}}
}

// SessionWindows hold the records of a key between two gaps.
type SessionWindows struct {
	gap   time.Duration
	clock clock
}

// Session gives windows that end when nothing has come for the gap: records at
// most the gap apart share a session, which ends the gap after its last record.
// A late record can merge sessions that had fired already.
func Session(gap time.Duration) SessionWindows { return SessionWindows{gap: gap} }

// ProcessingTime makes them windows of processing time, as
// TumblingWindows.ProcessingTime says.
func (w SessionWindows) ProcessingTime() SessionWindows {
	w.clock = byClock
	return w
}

// String describes the windows in plans and in the schema of their state.
func (w SessionWindows) String() string { return fmt.Sprintf("session %v%s", w.gap, w.clock) }

func (w SessionWindows) check() error { return positive("Session", "gap", w.gap) }

func (w SessionWindows) cut() cut {
	gap := w.gap.Milliseconds()
	return cut{clock: w.clock, merges: true, assign: func(to []Window, ts, now int64) []Window {
		return append(to, window.Session(w.clock.at(ts, now), gap))
	}}
}

// GlobalWindows hold all records of a key in one window.
type GlobalWindows struct{}

// Global gives every key one window, which never ends. It fires by a trigger of
// its own (Triggered), without one never. Its results have the greatest event
// time, messages.MaxEventTime.
func Global() GlobalWindows { return GlobalWindows{} }

// String describes the windows in plans and in the schema of their state.
func (GlobalWindows) String() string { return "global" }

func (GlobalWindows) check() error { return nil }

// always is the one global window.
var always = Window{Start: math.MinInt64, End: math.MaxInt64}

func (GlobalWindows) cut() cut {
	return cut{clock: timeless, assign: func(to []Window, _, _ int64) []Window { return append(to, always) }}
}

// Assigner is a way to cut a stream of your own. It depends on the record alone
// and serves all subtasks at once, so it holds no state.
type Assigner[T any] interface {
	fmt.Stringer // in plans and in the schema of the state
	// Assign appends the windows of a record of event time ts, in ms. Each has
	// Start < End, in which ts need not lie.
	Assign(to []Window, v T, ts int64) []Window
}

// Merging is an Assigner whose windows become one where they touch, as those of
// sessions do: each record has one window.
type Merging interface {
	// MergesWindows only marks the type.
	MergesWindows()
}

// SessionBy gives sessions whose gap depends on the record: its window ends the
// gap after it, and windows that touch are one.
func SessionBy[T any](gap func(T) time.Duration) Assigner[T] { return sessionBy[T]{gap} }

type sessionBy[T any] struct{ gap func(T) time.Duration }

func (s sessionBy[T]) String() string { return "session by record" }
func (s sessionBy[T]) MergesWindows() {}

func (s sessionBy[T]) Assign(to []Window, v T, ts int64) []Window {
	return append(to, window.Session(ts, s.gap(v).Milliseconds()))
}

func (c clock) String() string {
	if c == byClock {
		return " of processing time"
	}
	return ""
}

func offsetText(d time.Duration) string {
	if d == 0 {
		return ""
	}
	return fmt.Sprintf(" offset %v", d)
}

func positive(option, what string, d time.Duration) error {
	if d <= 0 {
		return fmt.Errorf("%s(%v): a window's %s is positive; give at least 1ms", option, d, what)
	}
	if d.Milliseconds() > window.MaxSize {
		return fmt.Errorf("%s(%v): a window's %s is at most %d ms", option, d, what, window.MaxSize)
	}
	return wholeMillis(option, d)
}
