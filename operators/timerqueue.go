package operators

import (
	"bytes"
	"math"
	"math/bits"
	"slices"

	"github.com/weirflow/weir/messages/mutant"
)

// timerQueue gives timers in the order of their times, at one time in that of their
// keys' hashes. It is a radix heap (Ahuja et al., "Faster Algorithms for the Shortest
// Path Problem", 1990), which uses that time only moves on: bucket b > 0 holds what
// first differs from last in bit b-1, so that what is due soon lies in low buckets.
// A timer moves to a lower bucket a few times in its life, with its neighbours, and
// is compared with those of the same time alone.
//
// Invariants: last never falls nor passes what was asked of pop; due, bucket 0, holds
// what is at or before last, the first one at its end; bit b of filled is set if bucket b
// is not empty, and then least[b] is its first time.
type timerQueue[K comparable] struct {
	keys    keyKind[K]
	last    int64
	n       int    // timers in all buckets
	filled  uint64 // buckets 1..64 as bits 0..63
	least   [65]int64
	due     []queuedTimer[K]  // bucket 0
	buckets [65][]timerKey[K] // 1..64; their hashes are found when they are due
}

type queuedTimer[K comparable] struct {
	at   int64
	hash uint64 // of the key
	key  K
}

func newTimerQueue[K comparable](keys keyKind[K]) timerQueue[K] {
	return timerQueue[K]{keys: keys, last: math.MinInt64}
}

// first is the time of the first timer.
func (q *timerQueue[K]) first() (at int64, ok bool) {
	if n := len(q.due); n > 0 {
		return q.due[n-1].at, true
	}
	if q.filled == 0 {
		return 0, false
	}
	return q.least[bits.TrailingZeros64(q.filled)+1], true
}

func (q *timerQueue[K]) push(timer queuedTimer[K]) {
	q.n++
	if timer.at <= q.last {
		i, _ := slices.BinarySearchFunc(q.due, timer, q.compare)
		if mutant.On("overdue-out-of-order") {
			i = 0
		}
		q.due = slices.Insert(q.due, i, timer)
		return
	}
	q.place(timerKey[K]{timer.key, timer.at})
}

// place puts a timer behind last into its bucket.
func (q *timerQueue[K]) place(timer timerKey[K]) {
	b := bits.Len64(uint64(timer.at) ^ uint64(q.last))
	if bit := uint64(1) << (b - 1); q.filled&bit == 0 {
		q.filled |= bit
		q.least[b] = timer.at
	} else {
		if !mutant.On("first-timer-unnoticed") {
			q.least[b] = min(q.least[b], timer.at)
		}
	}
	q.buckets[b] = append(q.buckets[b], timer)
}

// pop takes out the first timer that is at or before now.
func (q *timerQueue[K]) pop(now int64) (first queuedTimer[K], ok bool) {
	at, ok := q.first()
	if !ok || at > now {
		return first, false
	}
	if len(q.due) == 0 {
		q.moveOn(bits.TrailingZeros64(q.filled) + 1)
	}
	n := len(q.due) - 1
	first, q.due[n] = q.due[n], queuedTimer[K]{}
	q.due = q.due[:n]
	q.n--
	return first, true
}

// moveOn brings last to the first time in bucket b, the lowest, and deals the bucket
// out to those below it.
func (q *timerQueue[K]) moveOn(b int) {
	q.last = q.least[b]
	q.filled &^= 1 << (b - 1)
	moved := q.buckets[b]
	q.buckets[b] = nil
	for i := range moved {
		if k := &moved[i]; k.at == q.last {
			q.due = append(q.due, queuedTimer[K]{at: k.at, hash: q.keys.hash(k.key), key: k.key})
		} else {
			q.place(*k)
		}
	}
	slices.SortFunc(q.due, q.compare)
	if clear(moved); cap(moved) <= max(q.n, keptTimers) {
		q.buckets[b] = moved[:0]
	}
}

// keptTimers is how many timers the array of an empty bucket may have room for and
// still be kept for those to come, whatever their number is now. Times of buckets
// grow by a factor of two, so that all of them together keep about twice the timers
// there are.
const keptTimers = 1 << 11

// compare has the first timer last. Two keys of one hash are told apart by their
// encodings.
func (q *timerQueue[K]) compare(a, b queuedTimer[K]) int {
	switch {
	case a.at != b.at:
		return order(b.at < a.at)
	case a.hash != b.hash:
		return order(b.hash < a.hash)
	case a.key == b.key:
		return 0
	}
	return bytes.Compare(mustEncode(q.keys.codec, b.key), mustEncode(q.keys.codec, a.key))
}

func order(less bool) int {
	if less {
		return -1
	}
	return 1
}

// reset empties the queue.
func (q *timerQueue[K]) reset() { *q = newTimerQueue(q.keys) }
