package operators

import (
	"errors"
	"fmt"
	"time"
	"unicode/utf8"

	"github.com/weirflow/weir/operators/plan"
)

// WatermarkStrategy says where a source's event times come from and how far
// event time has come. One clock runs for each split, and its state is in every
// checkpoint. The zero value is NoWatermarks.
//
// Watermarks are promises: after watermark w no record with a time ≤ w is on
// time any more. They travel among the records, each right behind the record
// that caused it, so that which records are late depends on the records alone:
// not on batches, speed or restarts.
type WatermarkStrategy[T any] struct {
	kind        strategyKind
	extract     func(T) int64
	bound       time.Duration
	granularity time.Duration
	idle        time.Duration // 0: never
	periodic    bool
	every       time.Duration
	generator   func() WatermarkGenerator[T]
	aligned     bool
	group       string
	drift       time.Duration
}

type strategyKind int

const (
	noWatermarks strategyKind = iota
	outOfOrder
	userMade
	ingestion
)

// DefaultGranularity is how far event time moves between two watermarks of a
// built-in strategy.
const DefaultGranularity = 100 * time.Millisecond

// WatermarkGenerator is a user's own policy, one value a split. Watermarks that
// do not grow are ignored.
//
// A generator with state that matters has the two methods of
// SnapshottedGenerator as well; without them it begins anew after a restart,
// and only the last watermark is kept, so that a late record stays late.
type WatermarkGenerator[T any] interface {
	// OnEvent sees every record with its event time (ms). With ok, the
	// watermark takes effect right behind that record.
	OnEvent(v T, time int64) (watermark int64, ok bool)
	// OnPeriodic is asked in processing time (now, in ms) by Periodic alone.
	OnPeriodic(now int64) (watermark int64, ok bool)
}

// SnapshottedGenerator is an optional ability of a WatermarkGenerator.
type SnapshottedGenerator interface {
	Snapshot() ([]byte, error)
	Restore(p []byte) error
}

// BoundedOutOfOrderness is for records that come at most bound later than any
// record with a greater time: the watermark is the greatest time so far, less
// the bound, less 1 ms, rounded down to the granularity. extract gives a
// record's event time in ms; it may be nil where the source sets the times.
func BoundedOutOfOrderness[T any](bound time.Duration, extract func(T) int64) WatermarkStrategy[T] {
	return WatermarkStrategy[T]{kind: outOfOrder, extract: extract, bound: bound, granularity: DefaultGranularity}
}

// Monotonous is for splits whose times never decrease.
func Monotonous[T any](extract func(T) int64) WatermarkStrategy[T] {
	return BoundedOutOfOrderness(0, extract)
}

// Punctuated takes watermarks from the records, by a user's generator. extract
// may be nil where the source sets the times.
func Punctuated[T any](extract func(T) int64, newGenerator func() WatermarkGenerator[T]) WatermarkStrategy[T] {
	return WatermarkStrategy[T]{kind: userMade, extract: extract, generator: newGenerator}
}

// Periodic asks a user's generator for a watermark every so often in processing
// time, and also behind every record. What is late then differs from run to
// run; the other strategies have no such freedom.
func Periodic[T any](every time.Duration, extract func(T) int64, newGenerator func() WatermarkGenerator[T]) WatermarkStrategy[T] {
	s := Punctuated(extract, newGenerator)
	s.periodic, s.every = true, every
	return s
}

// IngestionTime makes the event time of a record the moment at which the source
// brings it in: processing time of the source's node, given once, so that every
// operator behind it sees the same, and windows, timers and joins of event time
// work. Nothing is late in its split, and nothing waits for disorder.
//
// Within a split time never goes back, also where the node's clock does and over
// a restart. The watermark is right behind it: 1 ms less, rounded down to the
// granularity; it goes on while no record comes, so that the last window fires,
// and Idle is not needed.
//
// Results cannot be had again: what is read a second time, after a failure, gets
// the times of the second reading, and two runs differ. The records of a batch
// have one time. A split that is found later, on a node whose clock is behind
// the others', may bring late records.
func IngestionTime[T any]() WatermarkStrategy[T] {
	return WatermarkStrategy[T]{kind: ingestion, granularity: DefaultGranularity, every: DefaultGranularity}
}

// NoWatermarks is for jobs without event time. Operators that work in event
// time are refused behind such a source.
func NoWatermarks[T any]() WatermarkStrategy[T] { return WatermarkStrategy[T]{} }

// Granularity is how far event time moves between two watermarks of a built-in
// strategy (default 100 ms): they are multiples of it, less 1 ms. Windows that
// end on such a multiple fire with the first record past their end. 0 gives a
// watermark whenever it grows.
func (s WatermarkStrategy[T]) Granularity(d time.Duration) WatermarkStrategy[T] {
	s.granularity = d
	return s
}

// Idle says after how long without a record a split holds no watermark back
// any more (default 0: it holds it back for ever). It is the one thing here that
// is taken from processing time.
func (s WatermarkStrategy[T]) Idle(d time.Duration) WatermarkStrategy[T] {
	s.idle = d
	return s
}

// Align keeps the splits of all sources that name the same group close to each
// other in event time: a split whose watermark is more than drift ahead of the
// group's least is not read until the others have come after it. What joins and
// windows keep while they wait for the slowest is bounded by that, not by how much
// faster another one is. Output is what it is without; only the order in
// which splits are read changes.
//
// The least is that of all splits which hold the watermark back: not of one that
// is idle (see Idle), has ended, or joined behind the clock, nor of one in a
// bounded source that waits to be opened. One without a watermark yet holds all
// others where they are, as does a source whose region is restarting, by then
// within the drift: alignment never makes a job faster. A split from which
// nothing comes stops the others for good unless Idle is given, and with it the
// watermark.
//
// A split may be ahead by a batch more, and by what the sources read until they
// have heard of each other, some milliseconds in a quiet cluster. A drift that
// is short for the speed of event time makes all of them wait for word; give
// one of seconds or minutes. It is in whole milliseconds, and each source of a
// group has its own.
//
// How far they are apart is in the job's status: Furthest of one operator less
// Watermark of another; the counters splits_paused (now) and alignment_pauses (how
// often) tell who waits.
func (s WatermarkStrategy[T]) Align(group string, drift time.Duration) WatermarkStrategy[T] {
	s.aligned, s.group, s.drift = true, group, drift
	return s
}

// String says for people what the strategy is.
func (s WatermarkStrategy[T]) String() string {
	text := "no watermarks"
	switch s.kind {
	case outOfOrder:
		text = fmt.Sprintf("watermarks %v behind, every %v", s.bound, max(s.granularity, time.Millisecond))
	case ingestion:
		text = fmt.Sprintf("ingestion time, watermarks every %v", max(s.granularity, time.Millisecond))
	case userMade:
		text = "watermarks by a user's generator"
		if s.periodic {
			text += fmt.Sprintf(", asked every %v", s.every)
		}
	}
	if s.idle > 0 {
		text += fmt.Sprintf(", idle after %v", s.idle)
	}
	if s.aligned {
		text += fmt.Sprintf(", at most %v ahead of group %q", s.drift, s.group)
	}
	return text
}

// validate says what is wrong with the options.
func (s WatermarkStrategy[T]) validate() error {
	var errs []error
	if s.bound < 0 || s.bound%time.Millisecond != 0 {
		errs = append(errs, fmt.Errorf("BoundedOutOfOrderness(%v): give a bound ≥ 0 in whole milliseconds", s.bound))
	}
	if s.granularity < 0 || s.granularity%time.Millisecond != 0 {
		errs = append(errs, fmt.Errorf("Granularity(%v): give whole milliseconds, or 0 for a watermark whenever it grows", s.granularity))
	}
	if s.idle < 0 || s.idle > 0 && s.idle < time.Millisecond {
		errs = append(errs, fmt.Errorf("Idle(%v): give a duration of at least 1 ms, or 0 for never", s.idle))
	}
	if s.periodic && s.every <= 0 {
		errs = append(errs, fmt.Errorf("Periodic(%v): give an interval above 0", s.every))
	}
	if s.kind == userMade && s.generator == nil {
		errs = append(errs, errors.New("the function that makes watermark generators is nil; give one"))
	}
	return errors.Join(append(errs, s.validateAlignment()...)...)
}

func (s WatermarkStrategy[T]) validateAlignment() (errs []error) {
	if !s.aligned {
		return nil
	}
	if s.group == "" || !utf8.ValidString(s.group) {
		errs = append(errs, fmt.Errorf("Align(%q, %v): give the group a name in UTF-8, the same for all sources that are to wait for each other", s.group, s.drift))
	}
	if s.drift <= 0 || s.drift%time.Millisecond != 0 {
		errs = append(errs, fmt.Errorf("Align(%q, %v): give a drift above 0 in whole milliseconds", s.group, s.drift))
	}
	if s.kind == noWatermarks {
		errs = append(errs, fmt.Errorf("Align(%q, %v): sources are aligned by their watermarks, and NoWatermarks has none; give another strategy, e.g. BoundedOutOfOrderness, or leave Align out", s.group, s.drift))
	}
	return errs
}

// newClock makes the clock of one split.
func (s WatermarkStrategy[T]) newClock() plan.SplitClock {
	switch s.kind {
	case outOfOrder:
		return newBoundedClock(s.extract, s.bound.Milliseconds(), s.granularity.Milliseconds())
	case userMade:
		return &userClock[T]{extract: s.extract, generator: s.generator(), last: noneYet}
	case ingestion:
		return &arrivalClock{*newBoundedClock[int64](nil, 0, s.granularity.Milliseconds())}
	}
	return untimed{}
}
