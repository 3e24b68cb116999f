package sim

import (
	"container/heap"
	"time"
)

// event is something that happens at a time.
type event struct {
	at   time.Duration
	seq  uint64 // order among those at the same time: the order of scheduling
	life *life  // whose event it is, nil for the world's own
	name string
	run  func() // nil once cancelled
}

// events are what is to come, earliest first.
type events struct {
	heap eventHeap
	seq  uint64
}

func (q *events) push(e *event) *event {
	q.seq++
	e.seq = q.seq
	heap.Push(&q.heap, e)
	return e
}

// pop takes the event that next showed.
func (q *events) pop() *event { return heap.Pop(&q.heap).(*event) }

// next shows the earliest event, nil if there is none. Events that were
// cancelled or whose node is dead leave the queue unseen. Those of a paused node
// move to the end of the pause; they keep their order.
func (q *events) next() *event {
	for len(q.heap) > 0 {
		e := q.heap[0]
		switch {
		case e.run == nil || e.life != nil && e.life.dead:
			q.pop()
		case e.life != nil && e.life.pausedUntil > e.at:
			e.at = e.life.pausedUntil
			heap.Fix(&q.heap, 0)
		default:
			return e
		}
	}
	return nil
}

type eventHeap []*event

func (h eventHeap) Len() int { return len(h) }
func (h eventHeap) Less(i, j int) bool {
	return h[i].at < h[j].at || h[i].at == h[j].at && h[i].seq < h[j].seq
}
func (h eventHeap) Swap(i, j int) { h[i], h[j] = h[j], h[i] }
func (h *eventHeap) Push(e any)   { *h = append(*h, e.(*event)) }
func (h *eventHeap) Pop() any {
	last := len(*h) - 1
	e := (*h)[last]
	(*h)[last] = nil
	*h = (*h)[:last]
	return e
}
