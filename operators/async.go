package operators

import (
	"context"
	"fmt"
	"time"

	"github.com/weirflow/weir/messages"
	"github.com/weirflow/weir/operators/plan"
)

// AsyncOptions are those of AsyncOrdered and AsyncUnordered. The zero value is
// 100 records at once, any time, one attempt.
type AsyncOptions struct {
	// Capacity is how many records a subtask has called for whose results have not
	// left, 1..65536 (default 100). More of them wait and hold the input back. A
	// call that goes on after its context ended counts until it returns.
	Capacity int
	// Timeout is how long a record may take in processing time, in whole
	// milliseconds, from its first call on, with all attempts and back-offs (default
	// 0: as long as it takes). A restart begins it anew.
	Timeout time.Duration
	// OnTimeout says what becomes of a record that takes longer: see TimeoutToSide
	// and TimeoutResult. nil fails the attempt of the job, which names the record.
	OnTimeout *TimeoutPolicy
	// Retry says what follows when a call gives an error.
	Retry AsyncRetry
}

// AsyncRetry is what follows when a call gives an error. The zero value fails
// the attempt of the job at once.
type AsyncRetry struct {
	// Attempts is how often a record is called for, the first call included
	// (default 1). A restart counts anew.
	Attempts int
	// Backoff is the pause before the second attempt, in whole milliseconds, and
	// doubles with each one after it (default 0: none).
	Backoff time.Duration
	// MaxBackoff is where it stops doubling (default 0: nowhere).
	MaxBackoff time.Duration
	// If tells whether an error is worth another attempt (default nil: each is). It
	// runs on the subtask and must not wait.
	If func(err error) bool
}

// DefaultAsyncCapacity is that of AsyncOptions.
const DefaultAsyncCapacity = 100

const maxAsyncCapacity = 1 << 16

// AsyncOrdered calls for every record what answers slowly, a service or a
// database, without waiting for one answer before it asks for the next. Results
// leave in the order of their records, with their event times.
//
// call gives any number of results. It runs on many goroutines at once, for all
// subtasks of a process, and must not change v. Its context ends at the timeout
// and with the attempt of the job, and it should heed that: a job ends only when
// its calls have. An error that is not retried, or a panic, fails the attempt,
// which names the record.
//
// # Guarantee
//
// A watermark leaves behind the results of all records before it. Records whose
// results have not left are in every checkpoint, and are called for again after a
// restart: each result leaves once, but a call may be made several times, so it
// should only read, or be idempotent. The end of the input waits for all results.
//
// A checkpoint goes on while calls are under way, but its barrier keeps its place
// behind the records before it. Where calls are slow, let few of those wait, by
// small batches and few credits, or checkpoints time out.
//
// The operator is never fused with its neighbours, so both its records and its
// results need codecs.
func AsyncOrdered[T, R any](s *Stream[T], name string, call func(ctx context.Context, v T) ([]R, error), o AsyncOptions) *Stream[R] {
	return async(s, name, call, o, true)
}

// AsyncUnordered is AsyncOrdered for streams in which only event time matters:
// results leave as they come, but none overtakes a watermark, nor is overtaken by
// one. Records that wait for a slow one hold nobody up until the next watermark.
func AsyncUnordered[T, R any](s *Stream[T], name string, call func(ctx context.Context, v T) ([]R, error), o AsyncOptions) *Stream[R] {
	return async(s, name, call, o, false)
}

func async[T, R any](s *Stream[T], name string, call func(context.Context, T) ([]R, error), o AsyncOptions, ordered bool) *Stream[R] {
	types := asyncTypesOf(call)
	op := s.top.add("async", name, func() plan.Instance { return newAsyncer(types, o, ordered) })
	if call == nil {
		s.top.failf(op, "%w", errNilFunction)
	}
	describeAsync(s.top, op, types, o, ordered)
	s.feed(s.top, op, 0)
	return output[R](s.top, op)
}

// describeAsync checks the options and tells the plan of the operator.
func describeAsync(top *Topology, op *plan.Operator, types *asyncTypes, o AsyncOptions, ordered bool) {
	op.Stateful, op.Alone, op.Detail = true, true, o.describe(ordered)
	op.States = []*messages.StateSchema{{Name: "pending", Kind: "async", Value: types.rows.Name()}}
	for _, err := range o.validate(types) {
		top.failf(op, "%w", err)
	}
	if o.OnTimeout != nil && o.OnTimeout.tag != nil {
		top.declareSides(op, o.OnTimeout.tag)
	}
}

// describe says for people what the options are.
func (o AsyncOptions) describe(ordered bool) string {
	text := "unordered between watermarks"
	if ordered {
		text = "ordered"
	}
	text += fmt.Sprintf(", %d at once", o.capacity())
	if o.Timeout > 0 {
		text += fmt.Sprintf(", timeout %v", o.Timeout)
	}
	if o.Retry.Attempts > 1 {
		text += fmt.Sprintf(", %d attempts", o.Retry.Attempts)
	}
	return text
}

func (o AsyncOptions) capacity() int {
	if o.Capacity == 0 {
		return DefaultAsyncCapacity
	}
	return o.Capacity
}

// validate says what is wrong with the options.
func (o AsyncOptions) validate(types *asyncTypes) (errs []error) {
	fail := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if o.Capacity < 0 || o.Capacity > maxAsyncCapacity {
		fail("Capacity %d: give a number in 1..%d, or 0 for %d", o.Capacity, maxAsyncCapacity, DefaultAsyncCapacity)
	}
	if o.Timeout < 0 || o.Timeout%time.Millisecond != 0 {
		fail("Timeout %v: give whole milliseconds, or 0 for none", o.Timeout)
	}
	if o.OnTimeout != nil {
		if o.Timeout == 0 {
			fail("OnTimeout is set, but Timeout is 0, so no record ever takes too long; give a Timeout, or leave OnTimeout out")
		}
		if err := o.OnTimeout.fits(types); err != nil {
			errs = append(errs, err)
		}
	}
	return append(errs, o.Retry.validate()...)
}

func (r AsyncRetry) validate() (errs []error) {
	fail := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if r.Attempts < 0 {
		fail("Retry.Attempts %d: give the number of calls a record may take, at least 1, or 0 for 1", r.Attempts)
	}
	for _, b := range []struct {
		option string
		value  time.Duration
	}{{"Backoff", r.Backoff}, {"MaxBackoff", r.MaxBackoff}} {
		if b.value < 0 || b.value%time.Millisecond != 0 {
			fail("Retry.%s %v: give whole milliseconds, at least 0", b.option, b.value)
		}
	}
	if r.MaxBackoff > 0 && r.MaxBackoff < r.Backoff {
		fail("Retry.MaxBackoff %v is below Retry.Backoff %v; raise it, or leave it out", r.MaxBackoff, r.Backoff)
	}
	if r.Attempts < 2 && (r.Backoff > 0 || r.MaxBackoff > 0 || r.If != nil) {
		fail("Retry says how to retry, but Retry.Attempts %d allows no second attempt; give at least 2, or leave Retry out", r.Attempts)
	}
	return errs
}

// backoff is the pause before attempt n+1, in ms.
func (r AsyncRetry) backoff(n int) int64 {
	ms, most := r.Backoff.Milliseconds(), r.MaxBackoff.Milliseconds()
	if most == 0 {
		most = (1 << 62) / time.Millisecond.Nanoseconds() // still a time.Duration
	}
	for ; n > 1 && ms < most; n-- {
		ms *= 2
	}
	return min(ms, most)
}
