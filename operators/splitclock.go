package operators

import (
	"encoding/binary"
	"fmt"

	"github.com/weirflow/weir/messages"
	"github.com/weirflow/weir/operators/plan"
)

const noneYet = messages.NoWatermark

// boundedClock is plan.SplitClock of the built-in strategies.
//
// With w = greatest time − bound − 1 the watermark is ⌊(w+1)/g⌋·g − 1, and it
// advances behind the record that makes it grow. No sum here can overflow:
// times lie within ±2^62 and durations within ±2^44 ms.
//
// Invariant: next is the smallest event time that makes the watermark grow, so
// the loop over records does nothing but compare.
type boundedClock[T any] struct {
	extract     func(T) int64
	bound       int64 // ms
	granularity int64 // ms, at least 1: "whenever it grows" is the same as 1
	greatest    int64 // time so far, noneYet before the first record
	last        int64 // watermark
	next        int64
}

func newBoundedClock[T any](extract func(T) int64, bound, granularity int64) *boundedClock[T] {
	return &boundedClock[T]{
		extract: extract, bound: bound, granularity: max(granularity, 1),
		greatest: noneYet, last: noneYet, next: messages.MinEventTime,
	}
}

func (c *boundedClock[T]) Observe(b *plan.Batch) error {
	if err := setTimes(b, c.extract); err != nil {
		return err
	}
	for i, t := range b.Times {
		if t >= c.next {
			c.advance(t)
			b.Marks = append(b.Marks, plan.Mark{Index: i + 1, Watermark: c.last})
		}
		c.greatest = max(c.greatest, t)
	}
	return nil
}

// advance moves the watermark to what event time t makes of it.
func (c *boundedClock[T]) advance(t int64) {
	g := c.granularity
	c.last = floorDiv(t-c.bound, g)*g - 1
	c.next = c.last + 1 + g + c.bound
}

func (c *boundedClock[T]) Periodic(int64) (int64, bool) { return 0, false }

func (c *boundedClock[T]) Snapshot() ([]byte, error) {
	return appendClock(nil, c.greatest, c.last), nil
}

// Restore keeps the last watermark also when bound or granularity are others
// now: what was late stays late.
func (c *boundedClock[T]) Restore(p []byte) error {
	var err error
	if c.greatest, c.last, _, err = decodeClock(p); err == nil && c.last != noneYet {
		c.next = (floorDiv(c.last+1, c.granularity)+1)*c.granularity + c.bound
	}
	return err
}

// arrivalClock is plan.SplitClock of IngestionTime: a boundedClock over times
// that it makes itself. It never touches the records, whatever their type.
//
// Invariant: greatest is the time of the records to come, unless the node's
// clock goes on before, and above the watermark.
type arrivalClock struct{ boundedClock[int64] }

// Arrive is that of plan.ArrivalClock.
func (c *arrivalClock) Arrive(now int64) { c.greatest = max(c.greatest, now) }

func (c *arrivalClock) Observe(b *plan.Batch) error {
	for i := range b.Times {
		b.Times[i] = c.greatest
	}
	return c.boundedClock.Observe(b)
}

// Periodic moves the watermark on while no record comes. Those that come have a
// time above it, also if the node's clock is set back.
func (c *arrivalClock) Periodic(now int64) (int64, bool) {
	c.Arrive(now)
	if c.greatest < c.next {
		return 0, false
	}
	c.advance(c.greatest)
	return c.last, true
}

// Restore goes on above the last watermark also where another strategy left it.
func (c *arrivalClock) Restore(p []byte) error {
	err := c.boundedClock.Restore(p)
	if c.last != noneYet {
		c.greatest = max(c.greatest, c.last+1)
	}
	return err
}

// userClock is plan.SplitClock of a user's generator.
type userClock[T any] struct {
	extract   func(T) int64
	generator WatermarkGenerator[T]
	last      int64
}

func (c *userClock[T]) Observe(b *plan.Batch) error {
	if err := setTimes(b, c.extract); err != nil {
		return err
	}
	for i, v := range *valuesOf[T](b) {
		if w, ok := c.grow(c.generator.OnEvent(v, b.Times[i])); ok {
			b.Marks = append(b.Marks, plan.Mark{Index: i + 1, Watermark: w})
		}
	}
	return nil
}

func (c *userClock[T]) Periodic(now int64) (int64, bool) { return c.grow(c.generator.OnPeriodic(now)) }

// grow lets only growing watermarks through. The greatest int64 is the end of
// input, which is not a generator's to declare.
func (c *userClock[T]) grow(w int64, ok bool) (int64, bool) {
	w = min(w, messages.MaxWatermark-1)
	if !ok || w <= c.last {
		return 0, false
	}
	c.last = w
	return w, true
}

func (c *userClock[T]) Snapshot() ([]byte, error) {
	p := appendClock(nil, noneYet, c.last)
	s, ok := c.generator.(SnapshottedGenerator)
	if !ok {
		return p, nil
	}
	own, err := s.Snapshot()
	if err != nil {
		return nil, fmt.Errorf("WatermarkGenerator.Snapshot: %w", err)
	}
	return append(p, own...), nil
}

func (c *userClock[T]) Restore(p []byte) error {
	_, last, own, err := decodeClock(p)
	if err != nil {
		return err
	}
	c.last = last
	if s, ok := c.generator.(SnapshottedGenerator); ok && len(own) > 0 {
		if err := s.Restore(own); err != nil {
			return fmt.Errorf("WatermarkGenerator.Restore: %w", err)
		}
	}
	return nil
}

// untimed is plan.SplitClock where there are no watermarks. Times stay as the
// source gave them.
type untimed struct{}

func (untimed) Observe(*plan.Batch) error    { return nil }
func (untimed) Periodic(int64) (int64, bool) { return 0, false }
func (untimed) Snapshot() ([]byte, error)    { return nil, nil }
func (untimed) Restore([]byte) error         { return nil }

// setTimes extracts the event times and holds them to their range.
func setTimes[T any](b *plan.Batch, extract func(T) int64) error {
	if extract != nil {
		for i, v := range *valuesOf[T](b) {
			b.Times[i] = extract(v)
		}
	}
	for i, t := range b.Times {
		if t < messages.MinEventTime || t > messages.MaxEventTime {
			return timeError(i, len(b.Times), t, extract != nil)
		}
	}
	return nil
}

func timeError(i, n int, t int64, extracted bool) error {
	if t == NoTime && !extracted {
		return fmt.Errorf("record %d of a batch of %d has no event time: its source sets none, so give the watermark strategy an extractor", i+1, n)
	}
	return fmt.Errorf("record %d of a batch of %d has event time %d ms, outside [%d, %d]; let the extractor give milliseconds since 1970, or filter such records in the source",
		i+1, n, t, messages.MinEventTime, messages.MaxEventTime)
}

// A clock's snapshot: greatest time and last watermark, 8 bytes little endian
// each, then what a user's generator wrote.

func appendClock(p []byte, greatest, last int64) []byte {
	p = binary.LittleEndian.AppendUint64(p, uint64(greatest))
	return binary.LittleEndian.AppendUint64(p, uint64(last))
}

// decodeClock accepts nothing as well: a split that had no strategy before.
func decodeClock(p []byte) (greatest, last int64, own []byte, err error) {
	if len(p) == 0 {
		return noneYet, noneYet, nil, nil
	}
	if len(p) < 16 {
		return 0, 0, nil, fmt.Errorf("watermark clock of %d bytes is cut short", len(p))
	}
	return int64(binary.LittleEndian.Uint64(p)), int64(binary.LittleEndian.Uint64(p[8:])), p[16:], nil
}

// floorDiv divides by b > 0 and rounds down, also below zero.
func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}
