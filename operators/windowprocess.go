package operators

import (
	"errors"
	"fmt"
	"io"
	"reflect"

	"github.com/weirflow/weir/messages"
	"github.com/weirflow/weir/operators/plan"
)

// ProcessWindowFunction makes of each window that fires any number of results. V
// is what it gets of the window: all elements, []Element[T], or what an
// Aggregator made of them. Clear (WindowClearer), Open (Opener) and Close
// (io.Closer) are optional. Each subtask has a function of its own.
type ProcessWindowFunction[K comparable, V, R any] interface {
	// Process runs when a window fires. It may read v during the call only and
	// must not change it.
	Process(c *WindowContext[K, R], v V) error
}

// WindowClearer is a ProcessWindowFunction with state of windows.
type WindowClearer[K comparable, R any] interface {
	// Clear runs when a window goes, and clears the function's state of it.
	Clear(c *WindowContext[K, R]) error
}

// WindowStates is where a ProcessWindowFunction declares its state: of a key and
// window, until the window goes, or of a key over all its windows. Names must be
// unique over both. Windows that merge have no state of a window.
type WindowStates[K comparable] struct {
	Window *States[WindowKey[K]]
	Global *States[K]
}

// Firing says why a window fires.
type Firing uint8

// The firings. A window that never ends has early ones only.
const (
	Early  Firing = iota // its end has not been reached
	OnTime               // the watermark, or the clock, has reached its end
	Late                 // again, for a late record
)

// String gives "early", "on time" or "late".
func (f Firing) String() string { return [...]string{"early", "on time", "late"}[f%3] }

// WindowContext is a window that fires or goes. It is valid during the call only.
type WindowContext[K comparable, R any] struct {
	times  windowTimes
	scope  *keyScope[WindowKey[K]]
	firing Firing
	out    Out[R]
}

// Key is the key of the window; all state is scoped to the two.
func (c *WindowContext[K, R]) Key() K { return c.scope.key.Key }

// Window is the window.
func (c *WindowContext[K, R]) Window() Window { return c.scope.key.Window }

// Firing says why the window fires.
func (c *WindowContext[K, R]) Firing() Firing { return c.firing }

// CurrentWatermark is the event-time clock, in ms.
func (c *WindowContext[K, R]) CurrentWatermark() int64 { return c.times.watermark() }

// CurrentProcessingTime is the clock of the node, in ms.
func (c *WindowContext[K, R]) CurrentProcessingTime() int64 { return c.times.now() }

// Time is the event time of the results: the last millisecond of the window, and
// for a window that never ends the greatest event time there is.
func (c *WindowContext[K, R]) Time() int64 { return c.out.Time() }

// Emit sends v to the main output.
func (c *WindowContext[K, R]) Emit(v R) { c.out.Emit(v) }

func (c *WindowContext[K, R]) sideOutputs() *sideOutputs { return &c.out.sides }

// ProcessWindow hands each window that fires, with all its records in the order of
// arrival, to a function. Every record is kept until its last window goes: where
// results can be folded together, AggregateProcess keeps one accumulator instead.
//
// newFunction makes the function and declares its state, as Process says. The
// function may write to the side outputs of the given tags, by Tag.Emit.
func ProcessWindow[K comparable, T, R any, F ProcessWindowFunction[K, []Element[T], R]](w *WindowedStream[K, T], name string, newFunction func(s *WindowStates[K]) F, tags ...AnyTag) *Stream[R] {
	c, err := gathered(w.evict)
	declare := windowFunctionOf(w, newFunction, func(es []Element[T]) []Element[T] { return es })
	return addElements(w, name, paneSpec[K, T, []Element[T], R]{contents: c, declare: declare, tags: tags}, err)
}

// AggregateProcess folds each window by an Aggregator and hands the result to a
// function, which knows the window.
func AggregateProcess[K comparable, T, Acc, V, R any, F ProcessWindowFunction[K, V, R]](w *WindowedStream[K, T], name string, agg Aggregator[T, Acc, V], newFunction func(s *WindowStates[K]) F, tags ...AnyTag) *Stream[R] {
	if agg == nil {
		declare := windowFunctionOf(w, newFunction, func(Acc) (none V) { return none })
		return addPanes(w, name, paneSpec[K, T, Acc, R]{declare: declare, tags: tags}, errNilAggregator)
	}
	if w.evict != nil {
		c, err := gathered(w.evict)
		return addElements(w, name, paneSpec[K, T, []Element[T], R]{contents: c, declare: windowFunctionOf(w, newFunction, foldAll(agg)), tags: tags}, err)
	}
	c, err := folded(agg)
	return addFolded(w, name, paneSpec[K, T, Acc, R]{contents: c, declare: windowFunctionOf(w, newFunction, agg.Result), tags: tags}, err)
}

// ReduceProcess folds the records of each window into one and hands that to a
// function, which knows the window.
func ReduceProcess[K comparable, T, R any, F ProcessWindowFunction[K, T, R]](w *WindowedStream[K, T], name string, f func(a, b T) T, newFunction func(s *WindowStates[K]) F, tags ...AnyTag) *Stream[R] {
	if f == nil {
		return AggregateProcess[K, T, T](w, name, Aggregator[T, T, T](nil), newFunction, tags...)
	}
	return AggregateProcess(w, name, Aggregator[T, T, T](reduction[T](f)), newFunction, tags...)
}

// foldAll is what an Aggregator makes of elements that an evictor left.
func foldAll[T, Acc, V any](agg Aggregator[T, Acc, V]) func([]Element[T]) V {
	firsts, _ := agg.(firster[T, Acc])
	return func(es []Element[T]) V {
		if firsts != nil && len(es) > 0 {
			acc := firsts.first(es[0].Value)
			for _, e := range es[1:] {
				acc = agg.Add(acc, e.Value)
			}
			return agg.Result(acc)
		}
		acc := agg.CreateAccumulator()
		for _, e := range es {
			acc = agg.Add(acc, e.Value)
		}
		return agg.Result(acc)
	}
}

// aggregatePanes is Aggregate for what windower does not do.
func aggregatePanes[K comparable, T, Acc, R any](w *WindowedStream[K, T], name string, agg Aggregator[T, Acc, R]) *Stream[WindowResult[K, R]] {
	if w.evict != nil {
		c, err := gathered(w.evict)
		fold := foldAll(agg)
		declare := resultsOf[K](func(es []Element[T]) (R, bool) {
			if len(es) == 0 {
				var none R
				return none, false
			}
			return fold(es), true
		})
		return addElements(w, name, paneSpec[K, T, []Element[T], WindowResult[K, R]]{contents: c, declare: declare, plain: true}, err)
	}
	c, err := folded(agg)
	declare := resultsOf[K](func(acc Acc) (R, bool) { return agg.Result(acc), true })
	return addFolded(w, name, paneSpec[K, T, Acc, WindowResult[K, R]]{contents: c, declare: declare, plain: true}, err)
}

// resultsOf is the function that shows a window as a WindowResult.
func resultsOf[K comparable, A, R any](result func(A) (R, bool)) func(*WindowStates[K]) windowFunction[K, A, WindowResult[K, R]] {
	return func(*WindowStates[K]) windowFunction[K, A, WindowResult[K, R]] {
		return windowFunction[K, A, WindowResult[K, R]]{apply: func(c *WindowContext[K, WindowResult[K, R]], a A) error {
			if v, some := result(a); some {
				w := c.Window()
				c.Emit(WindowResult[K, R]{Key: c.Key(), Start: w.Start, End: w.End, Value: v})
			}
			return nil
		}}
	}
}

// windowFunctionOf makes a user's function out of newFunction.
func windowFunctionOf[K comparable, T, A, V, R any, F ProcessWindowFunction[K, V, R]](w *WindowedStream[K, T], newFunction func(*WindowStates[K]) F, show func(A) V) func(*WindowStates[K]) windowFunction[K, A, R] {
	return func(s *WindowStates[K]) (wf windowFunction[K, A, R]) {
		if newFunction == nil {
			s.Global.errs = append(s.Global.errs, errNilFunction)
			return wf
		}
		before := len(s.Window.all)
		f := ProcessWindowFunction[K, V, R](newFunction(s))
		if v := reflect.ValueOf(f); !v.IsValid() || v.Kind() == reflect.Pointer && v.IsNil() {
			s.Global.fail("its function is nil; let newFunction return one")
			return wf
		}
		if w.cut.merges && len(s.Window.all) > before {
			s.Global.fail("its function has state of windows, but these merge; keep it in WindowStates.Global")
		}
		s.Global.errs = append(s.Global.errs, errors.Join(checkMethod[WindowClearer[K, R]](f, "Clear"), checkMethod[Opener](f, "Open"), checkMethod[io.Closer](f, "Close")))
		wf.apply = func(c *WindowContext[K, R], a A) error { return f.Process(c, show(a)) }
		if c, ok := f.(WindowClearer[K, R]); ok {
			wf.clear = c.Clear
		}
		if o, ok := f.(Opener); ok {
			wf.open = o.Open
		}
		if c, ok := f.(io.Closer); ok {
			wf.close = c.Close
		}
		return wf
	}
}

// addElements puts an operator of windows that keep their records into the topology.
func addElements[K comparable, T, R any](w *WindowedStream[K, T], name string, spec paneSpec[K, T, []Element[T], R], err error) *Stream[R] {
	spec.quick = keptQuickly[K, T, R]
	return addPanes(w, name, spec, err)
}

// addFolded puts an operator of windows that are folded into the topology.
func addFolded[K comparable, T, A, R any](w *WindowedStream[K, T], name string, spec paneSpec[K, T, A, R], err error) *Stream[R] {
	spec.quick = foldedQuickly[K, T, A, R]
	return addPanes(w, name, spec, err)
}

// addPanes puts an operator of any windows into the topology.
func addPanes[K comparable, T, A, R any](w *WindowedStream[K, T], name string, spec paneSpec[K, T, A, R], err error) *Stream[R] {
	top := w.keyed.stream.top
	spec.w = w
	op := w.keyed.add("window", name, func(op *plan.Operator) ([]*messages.StateSchema, error) {
		if err := errors.Join(append(eachOf(w.check()), err)...); err != nil {
			return nil, err
		}
		op.New = func() plan.Instance { return spec.instance() }
		o := spec.instance()
		if err := o.declare(top.maxParallelism); err != nil {
			return nil, err
		}
		return o.schemas(), nil
	})
	w.describe(op)
	top.declareSides(op, spec.tags...)
	return output[R](top, op)
}

// windowInstance is an operator of windows, which can say what states it has.
type windowInstance interface {
	plan.Instance
	declare(groups int) error
	schemas() []*messages.StateSchema
}

func (s *paneSpec[K, T, A, R]) instance() windowInstance {
	if s.quick != nil {
		if o := s.quick(s); o != nil {
			return o
		}
	}
	return newPaneOperator(s)
}

// foldedQuickly is paneSpec.quick for accumulators.
func foldedQuickly[K comparable, T, A, R any](s *paneSpec[K, T, A, R]) windowInstance {
	switch {
	case s.sliceable():
		return newSlicer(s)
	case s.sessionable():
		return newSessioner(s)
	}
	return nil
}

// keptQuickly is paneSpec.quick for records.
func keptQuickly[K comparable, T, R any](s *paneSpec[K, T, []Element[T], R]) windowInstance {
	if s.w.sliding == nil {
		return nil
	}
	return newSharer(s)
}

var errNilAggregator = fmt.Errorf("its Aggregator is nil; give it one")
