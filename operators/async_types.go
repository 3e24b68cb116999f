package operators

import (
	"context"
	"errors"
	"fmt"
	"reflect"

	"github.com/weirflow/weir/operators/plan"
)

// TimeoutPolicy is what becomes of a record whose time is over.
type TimeoutPolicy struct {
	takes  reflect.Type // the records
	gives  reflect.Type // the results; nil: none
	tag    AnyTag       // nil: no side output
	emit   func(to Sides, v any)
	result func(v any) (results any, err error)
}

// TimeoutToSide sends a record whose time is over to a side output, at the place
// and with the event time of its result. See SideOutput.
func TimeoutToSide[T any](tag Tag[T]) *TimeoutPolicy {
	return &TimeoutPolicy{
		takes: reflect.TypeFor[T](), tag: tag,
		emit: func(to Sides, v any) { tag.Emit(to, v.(T)) },
	}
}

// TimeoutResult has f give the results of a record whose time is over. f runs on
// the subtask and must not wait; an error, or a panic, fails the attempt.
func TimeoutResult[T, R any](f func(v T) ([]R, error)) *TimeoutPolicy {
	p := &TimeoutPolicy{takes: reflect.TypeFor[T](), gives: reflect.TypeFor[R]()}
	if f != nil {
		p.result = func(v any) (any, error) { return f(v.(T)) }
	}
	return p
}

// fits says why the policy is not one for an operator of these types.
func (p *TimeoutPolicy) fits(types *asyncTypes) error {
	switch {
	case p.takes == nil:
		return errors.New("OnTimeout: it says nothing; make it with TimeoutToSide or TimeoutResult")
	case p.takes != types.takes:
		return fmt.Errorf("OnTimeout takes records of type %v, but those here are of type %v; give it one for these", p.takes, types.takes)
	case p.gives != nil && p.gives != types.gives:
		return fmt.Errorf("OnTimeout gives results of type %v, but call gives %v; give it a function that does the same", p.gives, types.gives)
	case p.tag == nil && p.result == nil:
		return errors.New("OnTimeout: the function of its TimeoutResult is nil; give it one")
	}
	return nil
}

// asyncTypes is all that an async operator knows of its types, so that the rest
// of it is compiled once. A record travels as an any that holds a T, its results
// as one that holds a []R.
type asyncTypes struct {
	takes, gives reflect.Type
	rows         plan.RowType
	value        func(b *plan.Batch, i int) any
	put          func(b *plan.Batch, v any)
	call         func(ctx context.Context, v any) (results any, err error)
	open         func(rt *plan.Runtime, tags []AnyTag) *asyncOutput
}

// asyncOutput is an Out, its type erased.
type asyncOutput struct {
	sides Sides
	emit  func(results any, time int64)
	mark  func(watermark int64)
	flush func() error
}

func asyncTypesOf[T, R any](call func(context.Context, T) ([]R, error)) *asyncTypes {
	return &asyncTypes{
		takes: reflect.TypeFor[T](), gives: reflect.TypeFor[R](),
		rows:  rowsOf[T](),
		value: func(b *plan.Batch, i int) any { return (*valuesOf[T](b))[i] },
		put:   func(b *plan.Batch, v any) { p := valuesOf[T](b); *p = append(*p, v.(T)) },
		call:  func(ctx context.Context, v any) (any, error) { return call(ctx, v.(T)) },
		open:  openAsync[R],
	}
}

func openAsync[R any](rt *plan.Runtime, tags []AnyTag) *asyncOutput {
	out := &Out[R]{main: newEmitter[R](rt.Output("")), sides: openSides(rt, tags)}
	emit := func(results any, time int64) {
		for _, r := range results.([]R) {
			out.main.emit(r, time)
		}
	}
	return &asyncOutput{sides: out, emit: emit, mark: out.mark, flush: out.flush}
}
