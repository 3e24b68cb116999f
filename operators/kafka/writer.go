package kafka

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/weirflow/weir/messages/mutant"
	"github.com/weirflow/weir/operators"
)

// writer is operators.TransactionalWriter for one subtask of an attempt.
//
//	Begin    nothing
//	Write    at the first record begins a transaction of a free id with the marker in it,
//	         while it gathers batches; the next one is begun ahead (opening)
//	Prepare  has all acknowledged; the handle is id, producer and epoch
//	Commit   EndTxn by the handle, from any process
//	Recover  aborts what older attempts left open and no checkpoint knows
//
// Invariants: an id is of one attempt, and in use by one of its transactions at a time; it
// serves again only when the commit of its last one is confirmed and its marker can be
// read, for a broker that lost the end of a transaction would take its records into the
// next one; an id whose transaction is in doubt does not serve again; nothing is written
// after Prepare has begun.
type writer[T any] struct {
	sink     *sink[T]
	encoding encoding[T]
	context  operators.SinkContext
	config   sinkConfig
	client   *client
	producer *producer
	slots    slots

	id       string // of this writer, unlike any other
	open     *transaction
	opened   time.Time
	quick    bool                    // the last one was prepared soon after it was opened
	ahead    *opening                // the next one; nil: none is begun ahead
	count    int64                   // transactions so far
	prepared map[int64]bool          // numbers of those whose commit is not confirmed
	ended    map[string]*transaction // by id: committed, not read back yet
}

// Recover implements operators.TransactionalWriter.
func (w *writer[T]) Recover(ctx context.Context, r operators.Recovery) error {
	mine, err := idsOf(r.Commit)
	if err != nil {
		return err
	}
	kept, err := idsOf(r.Keep)
	if err != nil {
		return err
	}
	lingering, err := w.lingering(ctx)
	if err != nil {
		return err
	}
	for _, id := range lingering {
		if mutant.On("orphans-left") {
			break
		}
		// What others are to commit they abort afterwards, if its id was begun once more.
		if !w.mayFence(id, r) || kept[id] && !mine[id] && !mutant.On("kept-fenced") {
			continue
		}
		w.context.Step("kafka.fencing")
		if _, err := beginTransaction(ctx, w.client, id, w.config.timeout, w.config.patience); err != nil {
			return err
		}
	}
	return w.rehearse(ctx)
}

// mayFence tells whether a lingering transaction is this subtask's to abort: it is of an
// older attempt of this sink. Younger ones have taken over from this one.
func (w *writer[T]) mayFence(id string, r operators.Recovery) bool {
	subtask, attempt, ours := w.slots.owner(id)
	if mutant.On("younger-fenced") {
		return ours && subtask%r.Parallelism == r.Index
	}
	return ours && attempt < w.context.Attempt && subtask%r.Parallelism == r.Index
}

// idsOf gives the transactional ids of some handles.
func idsOf(handles [][]byte) (map[string]bool, error) {
	ids := map[string]bool{}
	for _, handle := range handles {
		t, err := decodeTransaction(handle)
		if err != nil {
			return nil, err
		}
		ids[t.ID] = true
	}
	return ids, nil
}

// lingering gives the ids of all open transactions that this user may see.
func (w *writer[T]) lingering(ctx context.Context) (ids []string, err error) {
	err = insist(ctx, w.config.patience, func() error {
		req := kmsg.NewPtrListTransactionsRequest()
		req.StateFilters = []string{"Ongoing"}
		resp, err := req.RequestWith(ctx, w.client)
		if err != nil {
			return err
		}
		ids = nil
		for _, t := range resp.TransactionStates {
			ids = append(ids, t.TransactionalID)
		}
		return kerr.ErrorForCode(resp.ErrorCode)
	})
	if err != nil {
		return nil, fmt.Errorf("list the open transactions, which Kafka can from 3.0 on: %w", err)
	}
	return ids, nil
}

// rehearse has a transaction with a partition, no records and a marker, and aborts it:
// what is wrong with rights, the time-out and the broker is told before the first record
// is read.
func (w *writer[T]) rehearse(ctx context.Context) error {
	t, last, err := w.next()
	if err != nil {
		return err
	}
	if err := w.begin(ctx, newOpening(t, last)); err != nil {
		return err
	}
	if err := t.addPartitions(ctx, w.client, []partition{{w.sink.topic, 0}}); err != nil {
		return t.explain("write in", 0, err)
	}
	if err := t.end(ctx, w.client, false, w.config.patience); err != nil {
		return t.explain("abort", 0, err)
	}
	w.slots.release(t.ID)
	return nil
}

// Begin implements operators.TransactionalWriter: the broker hears of a transaction with
// the first record.
func (w *writer[T]) Begin(context.Context) error { return nil }

// next gives a transaction of a free id, which the broker does not know of yet, and the
// last one of that id, unless it has been read back.
func (w *writer[T]) next() (t, last *transaction, err error) {
	id, err := w.slots.take()
	if err != nil {
		return nil, nil, err
	}
	last = w.ended[id]
	delete(w.ended, id)
	return w.newTransaction(id), last, nil
}

func (w *writer[T]) newTransaction(id string) *transaction {
	w.count++
	return &transaction{ID: id, Topic: w.sink.topic, Writer: w.id, Number: w.count, PID: noProducer}
}

// begin begins a transaction on the broker and puts its marker in: one request after the
// other, and before records are sent, for beside each other the broker refuses some of
// them for a while. The last transaction is read back first, while its handle can still
// commit it.
func (w *writer[T]) begin(ctx context.Context, o *opening) error {
	if o.before != nil {
		<-o.before.ended // not for longer than the writer lives
		o.last, o.before = o.before.last, nil
	}
	if err := w.readBack(ctx, o.last); err != nil {
		return err
	}
	o.last = nil
	t := o.txn
	begun, err := beginTransaction(ctx, w.client, t.ID, w.config.timeout, w.config.patience)
	if err != nil {
		return err
	}
	t.PID, t.Epoch = begun.PID, begun.Epoch
	if err := t.addMarker(ctx, w.client, w.config.patience); err != nil {
		return err
	}
	return t.mark(ctx, w.client, w.config.patience)
}

// readBack makes sure that the last transaction of an id has ended on the partitions'
// disks too, as far as that can be asked: that its marker can be read. A marker that has
// expired since proves nothing, and neither does it say otherwise.
func (w *writer[T]) readBack(ctx context.Context, t *transaction) error {
	if t == nil {
		return nil
	}
	at, some, err := lastMarker(ctx, w.client, t)
	switch {
	case errors.Is(err, kerr.UnstableOffsetCommit):
		return fmt.Errorf("%s hangs on the broker: it was committed, and its marker cannot be read for %v. Find it with kafka-transactions.sh find-hanging, and end it with its abort command: %w", t, markerPatience, err)
	case err != nil:
		return fmt.Errorf("read the marker of %s: %w", t, err)
	case some && !at.proves(t):
		return fmt.Errorf("%s was committed, and its marker is that of another one: number %d of writer %q. Does another job have the same prefix, or somebody else commit offsets to the group of that name?", t, at.number, at.writer)
	}
	return nil
}

// Write implements operators.Writer.
func (w *writer[T]) Write(ctx context.Context, b *operators.Batch[T]) error {
	if len(b.Values) == 0 {
		return nil
	}
	if err := w.ensureOpen(); err != nil {
		return err
	}
	return w.encoding.write(ctx, w.producer, b)
}

// ensureOpen has the broker begin a transaction while records are gathered for it: to wait
// for its answers would keep the subtask from barriers and commits.
func (w *writer[T]) ensureOpen() error {
	if w.open != nil {
		return nil
	}
	o, err := w.nextOpening()
	if err != nil {
		return err
	}
	w.open, w.opened = o.txn, time.Now()
	w.producer.begin(o.txn, o.await)
	w.context.Step("kafka.beginning")
	return nil
}

// Flush implements operators.Writer; Prepare is called instead.
func (w *writer[T]) Flush(ctx context.Context) error { return w.producer.flush(ctx) }

// Prepare implements operators.TransactionalWriter. It has tried for long enough when it
// fails, so that the attempt does.
func (w *writer[T]) Prepare(ctx context.Context) ([]byte, error) {
	if w.open == nil {
		return nil, nil
	}
	if err := w.acknowledged(ctx); err != nil && !mutant.On("prepared-unacknowledged") {
		return nil, fmt.Errorf("%w: %w", operators.ErrBroken, err)
	}
	w.context.Step("kafka.flushed")
	w.open.Written, w.open.Prepared = w.producer.written(), w.context.Now()
	w.producer.takeKept(w.open)
	handle, err := w.open.encode()
	if err != nil {
		return nil, err
	}
	w.prepared[w.open.Number] = true
	w.quick = time.Since(w.opened) < w.config.ahead()
	w.open = nil
	return handle, nil
}

// acknowledged has everything acknowledged, by a broker that has not given up the
// transaction meanwhile: where it has all records already the marker is put in once more.
func (w *writer[T]) acknowledged(ctx context.Context) error {
	before := w.producer.acknowledged()
	if err := w.producer.flush(ctx); err != nil || !before {
		return err
	}
	return w.open.mark(ctx, w.client, w.config.patience)
}

// Commit implements operators.TransactionalWriter.
func (w *writer[T]) Commit(ctx context.Context, handle []byte) error {
	t, err := decodeTransaction(handle)
	if err != nil {
		return err
	}
	if t.Writer == w.id && !w.prepared[t.Number] && !mutant.On("committed-again") {
		return nil // it is confirmed, and its id may serve another transaction by now
	}
	err = t.end(ctx, w.client, true, w.config.patience)
	if isFenced(err) {
		if err = w.settle(ctx, t, err); mutant.On("fenced-is-committed") {
			err = nil
		}
	}
	if err != nil {
		return t.explain("commit", 0, err)
	}
	if t.Writer == w.id {
		delete(w.prepared, t.Number)
		t.dropOutput() // the id may not serve again for long
		w.ended[t.ID] = t
		w.beginAhead() // of another id: the marker of this one's last is still being written
		w.slots.release(t.ID)
	}
	return nil
}

// settle finds out what became of a transaction that its handle no longer commits: it
// had been committed, or the broker has aborted it. The answer is final, for no request
// with the handle's epoch has an effect any more. What was aborted is written again if it
// was kept.
//
// Under the id of an older attempt that attempt may have begun another transaction, and
// prepared it for a checkpoint that was never complete: its marker would hide the last
// one for as long as it is open, so it is ended first, by who is to write again anyway.
func (w *writer[T]) settle(ctx context.Context, t *transaction, why error) error {
	if mutant.On("open-hides-marker") {
		if at, some, err := lastMarker(ctx, w.client, t); err != nil || some && at.proves(t) {
			return err
		}
	}
	r := &rewriter{w.client, w.config, w.context.Step}
	again, at, some, err := r.fence(ctx, t)
	if err != nil {
		return fmt.Errorf("%w; %w", why, err)
	}
	if some && at.proves(t) && !(mutant.On("written-once-more") && len(t.Kept) > 0) {
		return nil
	}
	if may, whyNot := t.mayRewrite(at, some, w.context.Now()); !may {
		return fmt.Errorf("%w: the broker has aborted %s before it could be committed, after kafka.TransactionTimeout or because somebody else began a transaction of its id; or it was committed longer ago than the broker's offsets.retention.minutes; %s: %w", operators.ErrInDoubt, t, whyNot, why)
	}
	return r.write(ctx, again, func(p *producer) error { return p.addKept(ctx, t) })
}

// AbortOpen implements operators.TransactionalWriter.
func (w *writer[T]) AbortOpen(ctx context.Context) error {
	if w.ahead != nil {
		w.ahead.decide(dropped) // it ends beside the other
	}
	return errors.Join(w.abortOpen(ctx), w.dropAhead(ctx))
}

// abortOpen aborts the open transaction. What is still under way may reach the broker at
// any time: then it is left to the next attempt.
func (w *writer[T]) abortOpen(ctx context.Context) error {
	if w.open == nil {
		return nil
	}
	t := w.open
	w.open = nil
	if err := w.producer.discard(ctx); err != nil {
		return fmt.Errorf("transaction %q stays open until the next attempt aborts it: %w", t.ID, err)
	}
	err := t.abort(ctx, w.client, w.config.patience)
	if err == nil && t.PID != noProducer {
		w.slots.release(t.ID)
	}
	return err
}

// Close implements operators.Writer.
func (w *writer[T]) Close() error {
	w.producer.close()
	w.client.close()
	return nil
}
