package operators

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"slices"

	"github.com/weirflow/weir/messages"
	"github.com/weirflow/weir/messages/mutant"
	"github.com/weirflow/weir/operators/plan"
)

// asyncer runs an AsyncOrdered or AsyncUnordered. What runs off the mailbox sees
// a record's value and its context, and nothing else of it.
//
// A record's way: waiting, then called, or resting between two attempts, then
// resolved, then gone; queue has it all the while. A batch is copied out at once,
// so that up to a batch of records wait beyond the capacity.
type asyncer struct {
	stateless
	types *asyncTypes
	o     AsyncOptions
	rt    *plan.Runtime
	out   *asyncOutput
	queue asyncQueue

	waiting []*asyncRecord // never called for, the oldest first
	resting []*asyncRecord // wait for another attempt, in the order in which they failed
	called  int            // records called for that have not left
	running int            // calls that have not come back, also of records that are gone
	at      *asyncRecord   // that is worked on

	retries, timeouts *plan.Counter
}

// asyncDone is what came of a call.
type asyncDone struct {
	record  *asyncRecord
	results any
	err     error
}

func newAsyncer(types *asyncTypes, o AsyncOptions, ordered bool) *asyncer {
	o.Capacity = o.capacity()
	return &asyncer{types: types, o: o, queue: newAsyncQueue(ordered, messages.NoWatermark)}
}

func (a *asyncer) Init(rt *plan.Runtime) error {
	var tags []AnyTag
	if p := a.o.OnTimeout; p != nil && p.tag != nil {
		tags = append(tags, p.tag)
	}
	a.rt, a.out = rt, a.types.open(rt, tags)
	a.retries, a.timeouts = rt.Counter("retries"), rt.Counter("timeouts")
	return nil
}

// Open calls again for what was pending.
func (a *asyncer) Open() error {
	a.queue.raise(a.rt.Watermark())
	a.issue()
	return nil
}

func (a *asyncer) Process(_ int, b *plan.Batch) error {
	from := 0
	for _, m := range b.Marks {
		a.take(b, from, m.Index)
		a.queue.mark(m.Watermark)
		if mutant.On("async-watermark-overtakes") {
			a.out.mark(m.Watermark)
		}
		from = m.Index
	}
	a.take(b, from, b.Len())
	return a.proceed()
}

// take copies records [from, to) out of a batch.
func (a *asyncer) take(b *plan.Batch, from, to int) {
	for i := from; i < to; i++ {
		r := &asyncRecord{value: a.types.value(b, i), time: b.Times[i]}
		a.queue.add(r)
		a.waiting = append(a.waiting, r)
	}
}

// proceed lets go what may leave, and calls for what then has room.
func (a *asyncer) proceed() error {
	a.queue.release(a)
	a.issue()
	return a.out.flush()
}

// issue calls for what is due, as far as there is room.
func (a *asyncer) issue() {
	a.callResting()
	for len(a.waiting) > 0 && a.called < a.o.Capacity && a.running < a.o.Capacity {
		r := a.waiting[0]
		a.waiting[0] = nil
		a.waiting = a.waiting[1:]
		a.called++
		if r.deadline = 1<<63 - 1; a.o.Timeout > 0 {
			r.deadline = a.rt.Now() + a.o.Timeout.Milliseconds()
			a.rt.SetTimer(r.deadline)
		}
		a.call(r)
	}
}

// callResting makes the further attempts that are due.
func (a *asyncer) callResting() {
	if len(a.resting) == 0 {
		return
	}
	now := a.rt.Now()
	a.resting = slices.DeleteFunc(a.resting, func(r *asyncRecord) bool {
		if r.due > now || a.running == a.o.Capacity {
			return false
		}
		a.call(r)
		return true
	})
}

// call begins an attempt.
func (a *asyncer) call(r *asyncRecord) {
	r.attempts++
	a.running++
	v, types := r.value, a.types
	r.cancel = a.rt.Work("call of "+string(a.rt.Operator), func(ctx context.Context) any {
		d := &asyncDone{record: r}
		d.results, d.err = types.attempt(ctx, v)
		return d
	})
}

// attempt calls the user's function, off the mailbox.
func (t *asyncTypes) attempt(ctx context.Context, v any) (results any, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = &plan.PanicError{Value: p, Stack: debug.Stack()}
		}
	}()
	return t.call(ctx, v)
}

// OnResult takes what came of a call. That of a record which timed out meanwhile
// is nobody's any more.
func (a *asyncer) OnResult(result any) error {
	d := result.(*asyncDone)
	a.running--
	if r := d.record; !r.resolved {
		a.at = r
		if err := a.onAnswer(r, d); err != nil {
			return err
		}
		a.at = nil
	}
	return a.proceed()
}

func (a *asyncer) onAnswer(r *asyncRecord, d *asyncDone) error {
	if d.err == nil {
		r.results = d.results
		a.queue.resolve(r)
		return nil
	}
	var panicked *plan.PanicError
	if errors.As(d.err, &panicked) {
		return fmt.Errorf("its call ended in a %w", d.err)
	}
	retry, why := a.worthRetry(r, d.err)
	if !retry {
		return fmt.Errorf("its call gave an error at attempt %d of %d%s: %w", r.attempts, max(a.o.Retry.Attempts, 1), why, d.err)
	}
	a.retries.Add(1)
	r.due = a.rt.Now() + a.o.Retry.backoff(r.attempts)
	a.resting = append(a.resting, r)
	a.rt.SetTimer(min(r.due, r.deadline))
	return nil
}

// worthRetry tells whether an attempt that gave an error is followed by another one.
func (a *asyncer) worthRetry(r *asyncRecord, err error) (yes bool, why string) {
	switch {
	case r.attempts >= a.o.Retry.Attempts:
		return false, ""
	case a.o.Retry.If != nil && !a.o.Retry.If(err):
		return false, ", which Retry.If does not retry"
	}
	return true, ""
}

// OnProcessingTime ends what took too long and goes on with what has rested.
func (a *asyncer) OnProcessingTime(now int64) error {
	for _, r := range a.late(now) {
		if err := a.onTimeout(r); err != nil {
			return err
		}
	}
	err := a.proceed()
	a.setTimer(now)
	return err
}

// late lists the records whose time is over, in the order of the queue.
func (a *asyncer) late(now int64) (late []*asyncRecord) {
	a.queue.each(func(r *asyncRecord) {
		if r.attempts > 0 && !r.resolved && r.deadline <= now {
			late = append(late, r)
		}
	}, func(int64) {})
	return late
}

func (a *asyncer) onTimeout(r *asyncRecord) (err error) {
	r.cancel()
	a.timeouts.Add(1)
	a.resting = slices.DeleteFunc(a.resting, func(o *asyncRecord) bool { return o == r })
	a.at = r
	switch p := a.o.OnTimeout; {
	case p == nil:
		return fmt.Errorf("a record has no result within Timeout %v, at attempt %d; raise Timeout, or set OnTimeout", a.o.Timeout, r.attempts)
	case p.result != nil:
		if r.results, err = p.result(r.value); err != nil {
			return fmt.Errorf("OnTimeout: %w", err)
		}
	default:
		r.aside = true
	}
	a.at = nil
	a.queue.resolve(r)
	return nil
}

// setTimer asks to be woken at the next deadline or attempt. An attempt that is
// due and has no room waits for a result instead.
func (a *asyncer) setTimer(now int64) {
	next := int64(1<<63 - 1)
	a.queue.each(func(r *asyncRecord) {
		if r.attempts > 0 && !r.resolved {
			next = min(next, r.deadline)
		}
	}, func(int64) {})
	for _, r := range a.resting {
		if r.due > now {
			next = min(next, r.due)
		}
	}
	if next < 1<<63-1 {
		a.rt.SetTimer(next)
	}
}

// leave is asyncReceiver's.
func (a *asyncer) leave(r *asyncRecord) {
	a.called--
	if r.aside {
		a.out.sides.sideOutputs().time = r.time
		a.o.OnTimeout.emit(a.out.sides, r.value)
		return
	}
	a.out.emit(r.results, r.time)
}

// pass is asyncReceiver's.
func (a *asyncer) pass(watermark int64) { a.out.mark(watermark) }

// Ready is plan.Gate's: whether all that came has been called for, and more could be.
func (a *asyncer) Ready() bool {
	return len(a.waiting) == 0 && a.called < a.o.Capacity && a.running < a.o.Capacity
}

// Pending is plan.Deferrer's.
func (a *asyncer) Pending() bool { return a.queue.size > 0 }

// OutputWatermark is plan.Deferrer's.
func (a *asyncer) OutputWatermark(input int64) int64 {
	a.queue.raise(input)
	return a.queue.out
}

// Cursor is plan.RecordCursor's.
func (a *asyncer) Cursor() (time int64, hash uint64, keyed, ok bool) {
	if a.at == nil {
		return 0, 0, false, false
	}
	return a.at.time, 0, false, true
}
