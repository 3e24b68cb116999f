// Package credit bounds what is under way on a channel. The receiver grants a
// number of batches when the channel begins and one more for each batch it has
// consumed; a sender without credit keeps its output and stops taking input. It
// never blocks and never drops.
//
// Only batches cost credit. Barriers, statuses and the end of input are free,
// but keep their place behind the batches that wait.
//
// # Concurrency
//
// A Window belongs to one actor. It is pure: no I/O, no clock, no goroutine.
//
// # Testing
//
// testdata holds scripts of sends and returns with what goes out.
package credit

import "fmt"

// DefaultBatches is how many batches may be under way on a channel.
const DefaultBatches = 8

// Window is the sender's side of one channel: a queue in front of a number of
// credits. Invariants: 0 <= credits <= limit; a batch waits in the queue only
// while credits is 0; what is not a batch waits only behind something.
type Window[E any] struct {
	limit   int
	credits int
	queue   []E
	isBatch func(E) bool
	send    func(E)
}

// NewWindow makes a window with limit credits. send is called, in order, for
// every element that may go out; isBatch tells which of them cost a credit.
func NewWindow[E any](limit int, isBatch func(E) bool, send func(E)) *Window[E] {
	return &Window[E]{limit: limit, credits: limit, isBatch: isBatch, send: send}
}

// Offer takes an element, and sends it at once if it may go. The queue is
// bounded by the caller's restraint: it offers no output of a further input
// while Open is false.
func (w *Window[E]) Offer(e E) {
	if len(w.queue) > 0 || !w.maySend(e) {
		w.queue = append(w.queue, e)
		return
	}
	w.emit(e)
}

// Return gives back n credits and sends what now may go. More credits than were
// ever taken are a fault of the peer.
func (w *Window[E]) Return(n int) error {
	if n < 1 || w.credits+n > w.limit {
		return fmt.Errorf("credit.Return: %d credits returned, %d of %d are out", n, w.limit-w.credits, w.limit)
	}
	w.credits += n
	sent := 0
	for sent < len(w.queue) && w.maySend(w.queue[sent]) {
		w.emit(w.queue[sent])
		sent++
	}
	w.queue = append(w.queue[:0], w.queue[sent:]...)
	return nil
}

// Open tells whether the next batch would go out at once: the sender takes
// input only while all its windows are open.
func (w *Window[E]) Open() bool { return w.credits > 0 && len(w.queue) == 0 }

// Waiting is the number of elements in the queue.
func (w *Window[E]) Waiting() int { return len(w.queue) }

// Credits is the number of batches that may still be sent.
func (w *Window[E]) Credits() int { return w.credits }

func (w *Window[E]) maySend(e E) bool { return w.credits > 0 || !w.isBatch(e) }

func (w *Window[E]) emit(e E) {
	if w.isBatch(e) {
		w.credits--
	}
	w.send(e)
}
