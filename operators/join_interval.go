package operators

import (
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/weirflow/weir/messages"
	"github.com/weirflow/weir/messages/mutant"
	"github.com/weirflow/weir/operators/plan"
)

// IntervalJoinOptions say which pairs an IntervalJoin leaves out, and where late
// records go. The zero value is the default.
type IntervalJoinOptions[L, R any] struct {
	// ExclusiveLower leaves out a right record exactly at the lower bound.
	ExclusiveLower bool
	// ExclusiveUpper leaves out a right record exactly at the upper bound.
	ExclusiveUpper bool
	// LateLeft and LateRight are the side outputs that late records go to,
	// unchanged. Without a tag they are dropped, and counted by the metric
	// records_late_dropped.
	LateLeft  Tag[L]
	LateRight Tag[R]
}

// IntervalJoin pairs each left record with the right ones of its key whose time
// lies within [left+lower, left+upper], and emits what join makes of a pair,
// once, when the second of the two is there. A pair has the later time of the
// two. The bounds are whole milliseconds, and may be negative.
//
// A record is late when its time is behind the watermark, which is the smaller
// one of both inputs; at the watermark it is not. A record is kept until the
// watermark says that no partner can come any more, and at most upper-lower of event
// time longer.
//
// join must not change its arguments, which are state.
func IntervalJoin[K comparable, L, R, O any](left *KeyedStream[K, L], right *KeyedStream[K, R], name string, lower, upper time.Duration, join func(l L, r R) O, options ...IntervalJoinOptions[L, R]) *Stream[O] {
	top := left.stream.top
	spec := intervalSpec[L, R, O]{lower: lower, upper: upper, join: join}
	op := top.addKeyed("join", name, func(op *plan.Operator) ([]*messages.StateSchema, error) {
		if err := spec.take(options); err != nil {
			return nil, err
		}
		f := keyedFunction[K, O]{codec: left.codec, tags: spec.tags()}
		f.newFunction = func(s *States[K]) any { return newIntervalJoin(s, spec) }
		op.New = func() plan.Instance { return newCoProcessor(f, left, right) }
		return f.describe(top.maxParallelism)
	}, left, right)
	op.EventTime, op.Detail = true, spec.detail()
	top.declareSides(op, spec.tags()...)
	return output[O](top, op)
}

// intervalSpec is what an IntervalJoin is to do.
type intervalSpec[L, R, O any] struct {
	lower, upper time.Duration
	join         func(L, R) O
	IntervalJoinOptions[L, R]
}

// take adds the options and tells what is wrong.
func (s *intervalSpec[L, R, O]) take(options []IntervalJoinOptions[L, R]) error {
	switch len(options) {
	case 0:
	case 1:
		s.IntervalJoinOptions = options[0]
	default:
		return fmt.Errorf("%d IntervalJoinOptions were given; put all options into one", len(options))
	}
	var join error
	if s.join == nil {
		join = errors.New("its join function is nil; give it one")
	}
	return errors.Join(join, s.checkBounds())
}

func (s *intervalSpec[L, R, O]) checkBounds() error {
	if err := errors.Join(wholeMillis("the lower bound ", s.lower), wholeMillis("the upper bound ", s.upper)); err != nil {
		return err
	}
	if from, to := s.bounds(); from > to {
		return fmt.Errorf("no time lies within %s; give a lower bound that is not above the upper one", s.detail())
	}
	return nil
}

// bounds are the inclusive ones, in ms.
func (s *intervalSpec[L, R, O]) bounds() (from, to int64) {
	from, to = s.lower.Milliseconds(), s.upper.Milliseconds()
	if s.ExclusiveLower {
		from++
	}
	if s.ExclusiveUpper && !mutant.On("bound-off-by-one") {
		to--
	}
	return from, to
}

// tags are the side outputs that were asked for.
func (s *intervalSpec[L, R, O]) tags() (tags []AnyTag) {
	if s.LateLeft.name != "" {
		tags = append(tags, s.LateLeft)
	}
	if s.LateRight.name != "" {
		tags = append(tags, s.LateRight)
	}
	return tags
}

// detail describes the interval in plans, e.g. "[-1s, 1m0s)".
func (s *intervalSpec[L, R, O]) detail() string {
	from, to := "[", "]"
	if s.ExclusiveLower {
		from = "("
	}
	if s.ExclusiveUpper {
		to = ")"
	}
	text := fmt.Sprintf("%s%v, %v%s", from, s.lower, s.upper, to)
	for _, tag := range s.tags() {
		text += ", late to " + tag.Name()
	}
	return text
}

// intervalJoin is the function: each record is paired with what is kept of the
// other side, and kept itself for what is still to come. What nothing can come for
// any more goes when its key is met again, or by a timer of the key, at the latest
// as long after its time as the interval is wide.
//
// Invariant: a key with a row has a timer at row.wake, and row.wake is at most
// width after the time at which each of its records becomes useless.
type intervalJoin[K comparable, L, R, O any] struct {
	join     func(L, R) O
	from, to int64 // right - left lies within, ms
	rows     *joinRows[K, L, R]
	late     struct {
		left  Tag[L]
		right Tag[R]
	}

	dropped *plan.Counter
}

func newIntervalJoin[K comparable, L, R, O any](s *States[K], spec intervalSpec[L, R, O]) *intervalJoin[K, L, R, O] {
	f := &intervalJoin[K, L, R, O]{join: spec.join, rows: newJoinRows[L, R](s)}
	f.from, f.to = spec.bounds()
	f.late.left, f.late.right = spec.LateLeft, spec.LateRight
	return f
}

func (f *intervalJoin[K, L, R, O]) Open(info OpenContext) error {
	f.dropped = info.Counter(lateDropped)
	return nil
}

func (f *intervalJoin[K, L, R, O]) ProcessElement1(ctx *Context[K, O], v L) error {
	at, now := ctx.Time(), joinClock(ctx)
	if err := checkJoinTime(at); err != nil {
		return err
	}
	if at < now {
		rejectLate(ctx, f.late.left, v, f.dropped)
		return nil
	}
	last := at + f.to
	if last < now { // of no use to what is still to come
		f.pairLeft(ctx, at, v, f.rows.get().right)
		return nil
	}
	row := f.row(ctx, now, last+1)
	f.pairLeft(ctx, at, v, row.right)
	row.left = insert(row.left, at, v)
	return nil
}

func (f *intervalJoin[K, L, R, O]) ProcessElement2(ctx *Context[K, O], v R) error {
	at, now := ctx.Time(), joinClock(ctx)
	if err := checkJoinTime(at); err != nil {
		return err
	}
	if at < now {
		rejectLate(ctx, f.late.right, v, f.dropped)
		return nil
	}
	last := at - f.from
	if last < now {
		f.pairRight(ctx, at, v, f.rows.get().left)
		return nil
	}
	row := f.row(ctx, now, last+1)
	f.pairRight(ctx, at, v, row.left)
	row.right = insert(row.right, at, v)
	return nil
}

func (f *intervalJoin[K, L, R, O]) pairLeft(ctx *Context[K, O], at int64, l L, right []timed[R]) {
	for _, r := range between(right, at+f.from, at+f.to) {
		ctx.EmitAt(f.join(l, r.v), max(at, r.at))
	}
}

func (f *intervalJoin[K, L, R, O]) pairRight(ctx *Context[K, O], at int64, r R, left []timed[L]) {
	for _, l := range between(left, at-f.to, at-f.from) {
		ctx.EmitAt(f.join(l.v, r), max(at, l.at))
	}
}

// row gives the row of the current key for a record that becomes useless at a time,
// without those that are so now.
func (f *intervalJoin[K, L, R, O]) row(ctx *Context[K, O], now, useless int64) *joinRow[L, R] {
	row, existed := f.rows.open()
	f.prune(row, now)
	if !existed || useless+f.width() < row.wake {
		if row.wake = useless; !mutant.On("join-timer-lost") {
			ctx.RegisterEventTimer(useless)
		}
	}
	return row
}

func (f *intervalJoin[K, L, R, O]) width() int64 { return f.to - f.from }

// prune lets go of what no partner can come for any more: the watermark has passed
// the last time that one could have.
func (f *intervalJoin[K, L, R, O]) prune(row *joinRow[L, R], now int64) {
	if mutant.On("join-dropped-early") {
		now++
	}
	row.left, row.right = since(row.left, now-f.to), since(row.right, now+f.from)
}

// OnTimer prunes a row and has what is left wait: until all of it is useless, but
// none longer than the interval is wide.
func (f *intervalJoin[K, L, R, O]) OnTimer(ctx *Context[K, O], at int64, _ Domain) error {
	if f.rows.get().wake != at { // there is an earlier one, or no row
		return nil
	}
	row, _ := f.rows.open()
	f.prune(row, joinClock(ctx))
	if row.empty() {
		f.rows.remove()
		return nil
	}
	first, last := f.useless(row)
	row.wake = min(last, first+f.width())
	ctx.RegisterEventTimer(row.wake)
	return nil
}

// useless gives when the first and the last record of a row become so.
func (f *intervalJoin[K, L, R, O]) useless(row *joinRow[L, R]) (first, last int64) {
	first, last = math.MaxInt64, math.MinInt64
	if n := len(row.left); n > 0 {
		first, last = row.left[0].at+f.to, row.left[n-1].at+f.to
	}
	if n := len(row.right); n > 0 {
		first, last = min(first, row.right[0].at-f.from), max(last, row.right[n-1].at-f.from)
	}
	return first + 1, last + 1
}
