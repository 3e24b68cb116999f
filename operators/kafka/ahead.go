package kafka

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/weirflow/weir/messages/mutant"
)

// opening is a transaction that is begun on the broker beside the mailbox. Where
// checkpoints are frequent it is begun ahead, while the one before it is written: to begin
// one takes five answers, one after the other, which records would have to wait for. That is
// done once a commit is over, for until then readers wait for the broker.
//
// What was begun ahead grows old before its first record. After a while in which nobody
// takes it, it is dropped: aborted, so that nothing is left open where nothing is written.
type opening struct {
	txn    *transaction
	last   *transaction // of the same id, to be read back first; nil once it has been
	before *opening     // of the same id, which was dropped and ends first
	known  []partition  // that it is to have from the beginning
	since  time.Time

	begun chan struct{} // is closed when the broker has begun it, or err says why not
	err   error
	gone  chan struct{} // is closed when it was taken, or has been aborted, or left says why not
	left  error

	mu      sync.Mutex
	fate    fate
	decided chan struct{} // is closed when its fate is
}

// fate is what becomes of an opening: one thing, once.
type fate int

const (
	undecided fate = iota
	taken          // it is the writer's open transaction
	dropped
)

func newOpening(txn, last *transaction) *opening {
	return &opening{txn: txn, last: last, since: time.Now(), begun: make(chan struct{}), gone: make(chan struct{}), decided: make(chan struct{})}
}

// decide sets its fate, unless it is decided, and tells whether it is that now.
func (o *opening) decide(f fate) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.fate == undecided {
		o.fate = f
		close(o.decided)
	}
	return o.fate == f
}

// maxAhead bounds the age of a transaction that was begun ahead when its first record
// comes: what it has left of its time-out is Lifetime then.
const maxAhead = time.Second

func (c *sinkConfig) ahead() time.Duration { return min(maxAhead, c.timeout/16) }

// nextOpening gives the transaction that was begun ahead, or begins one.
func (w *writer[T]) nextOpening() (*opening, error) {
	o := w.ahead
	w.ahead = nil
	if o == nil {
		return w.startOpening(taken)
	}
	if time.Since(o.since) < w.config.ahead() && o.decide(taken) {
		return o, nil
	}
	o.decide(dropped)
	w.count++
	again := newOpening(&transaction{ID: o.txn.ID, Topic: w.sink.topic, Writer: w.id, Number: w.count, PID: noProducer}, nil)
	again.before = o
	w.run(again, taken)
	return again, nil
}

// beginAhead begins the transaction after the open one, with the partitions of the last
// one, if it is likely to be wanted soon and there is an id for it.
func (w *writer[T]) beginAhead() {
	if !w.quick || w.ahead != nil {
		return
	}
	if o, err := w.startOpening(undecided); err == nil {
		w.ahead = o
	}
}

func (w *writer[T]) startOpening(f fate) (*opening, error) {
	t, last, err := w.next()
	if err != nil {
		return nil, err
	}
	o := newOpening(t, last)
	if f == undecided {
		o.known = w.written
	}
	w.run(o, f)
	return o, nil
}

// run has the producer's goroutines begin a transaction, and end it if it is dropped.
func (w *writer[T]) run(o *opening, f fate) {
	if f != undecided {
		o.decide(f)
	}
	p := w.producer
	p.senders.Go(func() {
		defer close(o.gone)
		o.err = w.begin(p.ctx, o)
		close(o.begun)
		if o.awaitFate(p.ctx, w.config.ahead()); o.decide(dropped) && p.ctx.Err() == nil {
			o.left = w.abort(p.ctx, o.txn)
		}
	})
}

// awaitFate returns when its fate is decided, or it is too old to be taken.
func (o *opening) awaitFate(ctx context.Context, age time.Duration) {
	var old <-chan time.Time
	if !mutant.On("ahead-for-ever") {
		timer := time.NewTimer(age - time.Since(o.since))
		defer timer.Stop()
		old = timer.C
	}
	select {
	case <-o.decided:
	case <-old:
	case <-ctx.Done():
	}
}

// await returns when the broker has begun it.
func (o *opening) await(ctx context.Context) error {
	select {
	case <-o.begun:
		return o.err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// abort ends a transaction that nothing of is under way.
func (w *writer[T]) abort(ctx context.Context, t *transaction) error {
	if t.PID == noProducer {
		return nil // the broker has not begun it
	}
	err := t.end(ctx, w.client, false, w.config.patience)
	if err == nil || errors.Is(err, kerr.InvalidTxnState) { // nothing was in it
		return nil
	}
	return t.explain("abort", 0, err)
}

// dropAhead ends what was begun ahead.
func (w *writer[T]) dropAhead(ctx context.Context) error {
	o := w.ahead
	if o == nil {
		return nil
	}
	w.ahead = nil
	o.decide(dropped)
	ctx, cancel := context.WithTimeout(ctx, w.config.patience)
	defer cancel()
	select {
	case <-o.gone:
	case <-ctx.Done():
		return fmt.Errorf("transaction %q stays open until the next attempt aborts it: %w", o.txn.ID, ctx.Err())
	}
	if o.left == nil {
		w.slots.release(o.txn.ID)
	}
	return o.left
}
