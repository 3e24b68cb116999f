package operators

import (
	"math/bits"
	"slices"

	"github.com/weirflow/weir/messages"
)

// timerSlabs cut time into slabs, so that timers of about one time lie together in
// their table: those that are registered now, and those that fire now, are in a few
// segments of each key group and not all over a table that no cache of the processor
// can hold.
//
// Slabs are cut from how far ahead timers are registered or, where that is not known,
// from the time between the first and the last: 128 to 256 of them, so that each of the
// 64 parts of a key group always holds some and none is emptied and filled in turn. It
// is decided once, when there are many timers. Those of very few times, as the ends of
// windows are, would crowd few segments: they are not cut.
type timerSlabs struct {
	mean    int64 // how far ahead, ms, a running mean; 0: not known
	shift   uint  // a slab is 1<<shift ms
	bits    uint  // of a slab that count: slabBits, or 0 for no slabs
	decided bool
}

const (
	slabBits   = 6       // 64 parts
	spanBits   = 8       // a span has at most 256 slabs
	manyTimers = 1 << 12 // to decide, and to move once
	fewTimes   = 16

	maxSlabSpan = 1 << 40 // 35 years, in ms: leaves room to calculate
)

// of gives the slab of a time.
func (s *timerSlabs) of(at int64) (slab uint64, bits uint) { return uint64(at >> s.shift), s.bits }

// ahead learns from a timer how far ahead it is.
func (s *timerSlabs) ahead(ms int64) {
	if ms > 0 && ms <= maxSlabSpan {
		s.mean += (ms - s.mean + 63) / 64
	}
}

// decide cuts slabs by the times of many timers, which it sorts.
func (s *timerSlabs) decide(times []int64) {
	s.decided = true
	slices.Sort(times)
	span := s.mean
	if span == 0 {
		span = min(times[len(times)-1], messages.MaxEventTime) - max(times[0], messages.MinEventTime)
	}
	if len(slices.Compact(times)) < fewTimes {
		return
	}
	s.bits, s.shift = slabBits, uint(bits.Len64(uint64(max(span, 1))>>spanBits))
}
