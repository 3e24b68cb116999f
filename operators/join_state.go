package operators

import (
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/weirflow/weir/messages"
	"github.com/weirflow/weir/messages/mutant"
	"github.com/weirflow/weir/operators/plan"
)

// What joins have in common: records that they keep in the order of their times, at
// one time in that of their arrival, and what is late.

// timed is a record with its event time, ms.
type timed[V any] struct {
	at int64
	v  V
}

// insert puts a record into its place.
func insert[V any](list []timed[V], at int64, v V) []timed[V] {
	i := len(list)
	if i > 0 && list[i-1].at > at {
		if i = search(list, at+1); mutant.On("join-out-of-order") {
			i = len(list)
		}
	}
	return slices.Insert(list, i, timed[V]{at, v})
}

// between gives the records with times in [from, to].
func between[V any](list []timed[V], from, to int64) []timed[V] {
	return list[search(list, from):search(list, to+1)]
}

// since gives the records at or behind a time, in the list's own room.
func since[V any](list []timed[V], at int64) []timed[V] {
	if len(list) == 0 || list[0].at >= at {
		return list
	}
	return withoutFirst(list, search(list, at))
}

// withoutFirst takes the first n elements off a list. A short one keeps its room, so
// that a key with a few records at a time allocates nothing.
func withoutFirst[E any](list []E, n int) []E {
	if len(list)-n <= 64 {
		return slices.Delete(list, 0, n)
	}
	clear(list[:n])
	return list[n:]
}

// search is the index of the first record at or behind a time.
func search[V any](list []timed[V], at int64) int {
	from, to := 0, len(list)
	for from < to {
		if mid := (from + to) / 2; list[mid].at < at {
			from = mid + 1
		} else {
			to = mid
		}
	}
	return from
}

// cloneList copies a list, the records of which do not change, with room for more.
func cloneList[V any](list []timed[V]) []timed[V] {
	if len(list) == 0 {
		return nil
	}
	return append(make([]timed[V], 0, len(list)+len(list)/2+1), list...)
}

func checkJoinTime(at int64) error {
	if at < messages.MinEventTime || at > messages.MaxEventTime {
		return fmt.Errorf("a record without an event time (%d) came to a join; give it one by the source's watermark strategy, or by EmitAt", at)
	}
	return nil
}

func rejectLate[K comparable, O, V any](ctx *Context[K, O], tag Tag[V], v V, dropped *plan.Counter) {
	if tag.name != "" {
		tag.Emit(ctx, v)
	} else {
		dropped.Add(1)
	}
}

// farFuture is after all records, and leaves room for a bound on either side.
const farFuture = messages.MaxEventTime + messages.MaxEventTime/2

// joinClock is the watermark, within what one can calculate with.
func joinClock[K comparable, O any](ctx *Context[K, O]) int64 {
	return min(max(ctx.CurrentWatermark(), messages.MinEventTime), farFuture)
}

// timedCodec writes a record behind its time, fixed64.
type timedCodec[V any] struct{ record Codec[V] }

func (c timedCodec[V]) Name() string { return c.record.Name() + " with its time" }

func (c timedCodec[V]) Append(buf []byte, t timed[V]) ([]byte, error) {
	return c.record.Append(binary.LittleEndian.AppendUint64(buf, uint64(t.at)), t.v)
}

func (c timedCodec[V]) Decode(p []byte) (t timed[V], rest []byte, err error) {
	if len(p) < 8 {
		return t, p, errShortBlock
	}
	t.at = int64(binary.LittleEndian.Uint64(p))
	t.v, rest, err = c.record.Decode(p[8:])
	return t, rest, err
}
