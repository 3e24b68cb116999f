package operators

import "bytes"

// timerQueue is a binary heap of timers, the first one at its root.
type timerQueue[K comparable] struct{ heap []queuedTimer[K] }

type queuedTimer[K comparable] struct {
	at   int64
	hash uint64 // of the key
	key  K
}

// before is the order in which timers fire. Two keys of one hash are told apart
// by their encodings.
func (t *timers[K]) before(a, b *queuedTimer[K]) bool {
	switch {
	case a.at != b.at:
		return a.at < b.at
	case a.hash != b.hash:
		return a.hash < b.hash
	case a.key == b.key:
		return false
	}
	return bytes.Compare(mustEncode(t.keys.codec, a.key), mustEncode(t.keys.codec, b.key)) < 0
}

func (q *timerQueue[K]) push(t *timers[K], timer queuedTimer[K]) {
	q.heap = append(q.heap, timer)
	for i := len(q.heap) - 1; i > 0; {
		parent := (i - 1) / 2
		if !t.before(&q.heap[i], &q.heap[parent]) {
			return
		}
		q.heap[i], q.heap[parent] = q.heap[parent], q.heap[i]
		i = parent
	}
}

func (q *timerQueue[K]) pop(t *timers[K]) queuedTimer[K] {
	h, last := q.heap, len(q.heap)-1
	first := h[0]
	h[0], h[last] = h[last], queuedTimer[K]{}
	q.heap = h[:last]
	q.sink(t)
	return first
}

// sink moves the root down to its place.
func (q *timerQueue[K]) sink(t *timers[K]) {
	for i, h := 0, q.heap; ; {
		child := 2*i + 1
		if child >= len(h) {
			return
		}
		if child+1 < len(h) && t.before(&h[child+1], &h[child]) {
			child++
		}
		if !t.before(&h[child], &h[i]) {
			return
		}
		h[i], h[child] = h[child], h[i]
		i = child
	}
}
