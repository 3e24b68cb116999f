package kafka

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/weirflow/weir/messages/mutant"
)

// opening is a transaction that is begun on the broker beside the mailbox. Where
// checkpoints are frequent it is begun ahead, while the one before it is written: to begin
// one takes four answers, one after the other, which records would have to wait for. That is
// done once a commit is over, for until then readers wait for the broker.
//
// What was begun ahead grows old before its first record. After a while in which nobody
// takes it, it is dropped: aborted, so that nothing is left open where nothing is written.
//
// A goroutine of the producer begins it, and ends it where it is dropped. The first fields
// are that goroutine's until begun is closed, abortErr is until ended is.
type opening struct {
	txn  *transaction
	last *transaction // of the same id, to be read back first; nil once it has been
	err  error        // why the broker has not begun it

	before   *opening // of the same id: it was dropped, and ends first
	since    time.Time
	begun    chan struct{}
	abortErr error
	ended    chan struct{} // the goroutine is done with it

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
	return &opening{
		txn: txn, last: last, since: time.Now(),
		begun: make(chan struct{}), ended: make(chan struct{}), decided: make(chan struct{}),
	}
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

// await returns when the broker has begun it.
func (o *opening) await(ctx context.Context) error {
	select {
	case <-o.begun:
		return o.err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// failed tells whether what it failed by may be over. That somebody else has taken over its
// id is for the writer to hear.
func (o *opening) failed() bool {
	select {
	case <-o.begun:
		return o.err != nil && !isFenced(o.err)
	default:
		return false
	}
}

// awaitFate returns when its fate is decided, or it is too old to be taken.
func (o *opening) awaitFate(ctx context.Context, oldest time.Duration) {
	var old <-chan time.Time
	if !mutant.On("ahead-for-ever") {
		timer := time.NewTimer(oldest - time.Since(o.since))
		defer timer.Stop()
		old = timer.C
	}
	select {
	case <-o.decided:
	case <-old:
	case <-ctx.Done():
	}
}

// maxAhead bounds the age of a transaction that was begun ahead when its first record
// comes: what it has left of its time-out is Lifetime then.
const maxAhead = time.Second

// ahead is that bound, a sixteenth of the time-out at most.
func (c *sinkConfig) ahead() time.Duration { return min(c.maxAhead, c.timeout/16) }

// nextOpening gives the transaction that was begun ahead, or begins one.
func (w *writer[T]) nextOpening() (*opening, error) {
	o := w.ahead
	w.ahead = nil
	switch {
	case o == nil:
		t, last, err := w.next()
		if err != nil {
			return nil, err
		}
		o = newOpening(t, last)
	case !o.failed() && time.Since(o.since) < w.config.ahead() && o.decide(taken):
		return o, nil
	default:
		o.decide(dropped)
		again := newOpening(w.newTransaction(o.txn.ID), nil)
		again.before, o = o, again
	}
	o.decide(taken)
	w.start(o)
	return o, nil
}

// beginAhead begins the transaction after the open one, if it is likely to be wanted soon
// and there is an id for it.
func (w *writer[T]) beginAhead() {
	if !w.quick || w.ahead != nil {
		return
	}
	if t, last, err := w.next(); err == nil {
		w.ahead = newOpening(t, last)
		w.start(w.ahead)
	}
}

// start has a goroutine of the producer begin a transaction, and end it if it is dropped.
func (w *writer[T]) start(o *opening) {
	p := w.producer
	p.senders.Go(func() {
		defer close(o.ended)
		o.err = w.begin(p.ctx, o)
		close(o.begun)
		o.awaitFate(p.ctx, w.config.ahead())
		if o.decide(dropped) && p.ctx.Err() == nil {
			o.abortErr = o.txn.abort(p.ctx, w.client, w.config.patience)
		}
	})
}

// dropAhead ends what was begun ahead, once more where its goroutine could not.
func (w *writer[T]) dropAhead(ctx context.Context) error {
	o := w.ahead
	if o == nil {
		return nil
	}
	w.ahead = nil
	o.decide(dropped)
	waiting, cancel := context.WithTimeout(ctx, w.config.patience)
	defer cancel()
	select {
	case <-o.ended:
	case <-waiting.Done():
		return fmt.Errorf("transaction %q stays open until the next attempt aborts it: %w", o.txn.ID, waiting.Err())
	}
	if o.abortErr != nil {
		o.abortErr = o.txn.abort(ctx, w.client, w.config.patience)
	}
	if isFenced(o.abortErr) {
		return nil // who has fenced it has ended it
	}
	if o.abortErr == nil {
		w.free(o)
	}
	return o.abortErr
}

// free has the id of what was dropped serve again.
func (w *writer[T]) free(o *opening) {
	if o.last != nil {
		w.ended[o.txn.ID] = o.last // it has not been read back
	}
	w.slots.release(o.txn.ID)
}
