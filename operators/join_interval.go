package operators

import (
	"errors"
	"fmt"
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
// watermark says that no partner can come any more.
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
		op.New = func() plan.Instance { return newIntervalJoiner(f, left, right) }
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

// intervalJoiner runs an IntervalJoin: a CoProcess whose function is told a little more.
type intervalJoiner[K comparable, L, R, O any] struct {
	*coProcessor[K, L, R, O]
}

func newIntervalJoiner[K comparable, L, R, O any](f keyedFunction[K, O], left *KeyedStream[K, L], right *KeyedStream[K, R]) *intervalJoiner[K, L, R, O] {
	return &intervalJoiner[K, L, R, O]{newCoProcessor(f, left, right)}
}

func (o *intervalJoiner[K, L, R, O]) Init(rt *plan.Runtime) error {
	if err := o.coProcessor.Init(rt); err != nil {
		return err
	}
	o.function.(*intervalJoin[K, L, R, O]).dropped = rt.Counter(lateDropped)
	return nil
}

// intervalJoin is the function: each record is paired with what is kept of the
// other side, and kept itself for what is still to come.
//
// Invariant: a side with records of a key has a timer for when the first of them
// goes, or for an earlier time.
type intervalJoin[K comparable, L, R, O any] struct {
	join     func(L, R) O
	from, to int64 // right - left lies within, ms
	left     *joinBuffer[K, L]
	right    *joinBuffer[K, R]
	late     struct {
		left  Tag[L]
		right Tag[R]
	}

	dropped *plan.Counter
}

func newIntervalJoin[K comparable, L, R, O any](s *States[K], spec intervalSpec[L, R, O]) *intervalJoin[K, L, R, O] {
	f := &intervalJoin[K, L, R, O]{join: spec.join, left: newJoinBuffer[L](s, "left"), right: newJoinBuffer[R](s, "right")}
	f.from, f.to = spec.bounds()
	f.late.left, f.late.right = spec.LateLeft, spec.LateRight
	return f
}

func (f *intervalJoin[K, L, R, O]) ProcessElement1(ctx *Context[K, O], v L) error {
	now, at := ctx.CurrentWatermark(), ctx.Time()
	if err := checkJoinTime(at); err != nil {
		return err
	}
	if at < now {
		rejectLate(ctx, f.late.left, v, f.dropped)
		return nil
	}
	for _, r := range f.right.between(at+f.from, at+f.to) {
		ctx.EmitAt(f.join(v, r.v), max(at, r.at))
	}
	if last := at + f.to; last >= now && f.left.add(at, v) {
		ctx.RegisterEventTimer(last + 1)
	}
	return nil
}

func (f *intervalJoin[K, L, R, O]) ProcessElement2(ctx *Context[K, O], v R) error {
	now, at := ctx.CurrentWatermark(), ctx.Time()
	if err := checkJoinTime(at); err != nil {
		return err
	}
	if at < now {
		rejectLate(ctx, f.late.right, v, f.dropped)
		return nil
	}
	for _, l := range f.left.between(at-f.to, at-f.from) {
		ctx.EmitAt(f.join(l.v, v), max(at, l.at))
	}
	if last := at - f.from; last >= now && f.right.add(at, v) {
		ctx.RegisterEventTimer(last + 1)
	}
	return nil
}

func checkJoinTime(at int64) error {
	if at < messages.MinEventTime || at > messages.MaxEventTime {
		return fmt.Errorf("a record without an event time (%d) came to a join; give it one by the source's watermark strategy, or by EmitAt", at)
	}
	return nil
}

func rejectLate[K comparable, O, V any](ctx *Context[K, O], tag Tag[V], v V, dropped *plan.Counter) {
	if tag.name != "" {
		tag.Emit(ctx, v)
	} else {
		dropped.Add(1)
	}
}

// farFuture is after all records, and leaves room for a bound on either side.
const farFuture = messages.MaxEventTime + messages.MaxEventTime/2

// OnTimer lets go of what no partner can come for any more: the watermark has
// passed the last time that one could have.
func (f *intervalJoin[K, L, R, O]) OnTimer(ctx *Context[K, O], _ int64, _ Domain) error {
	now := min(ctx.CurrentWatermark(), farFuture)
	if mutant.On("join-dropped-early") {
		now++
	}
	if first, more := f.left.dropBefore(now - f.to); more {
		ctx.RegisterEventTimer(first + f.to + 1)
	}
	if first, more := f.right.dropBefore(now + f.from); more && !mutant.On("join-timer-lost") {
		ctx.RegisterEventTimer(first - f.from + 1)
	}
	return nil
}
