package operators

import (
	"errors"
	"fmt"
	"time"

	"github.com/weirflow/weir/messages/mutant"
)

// Evictor removes elements from a window when it fires, for good. With one a
// window keeps all its records, also for Aggregate and ReduceWindow, which then
// fold what is left when it fires. One value serves all subtasks at once, so it
// holds no state.
type Evictor[T any] interface {
	// EvictBefore runs before the window's function and gives those of the
	// elements, which are in the order of arrival, that it keeps. It may reuse
	// the slice.
	EvictBefore(elements []Element[T], c EvictContext) []Element[T]
	// EvictAfter runs after the function and does likewise.
	EvictAfter(elements []Element[T], c EvictContext) []Element[T]
}

// EvictContext is the window that fires and the clocks.
type EvictContext struct {
	Window         Window
	Watermark      int64 // ms
	ProcessingTime int64 // ms
}

// Evict sets the evictor of the windows; nil takes it back.
func (w *WindowedStream[K, T]) Evict(e Evictor[T]) *WindowedStream[K, T] {
	c := *w
	if c.evict = nil; e != nil {
		c.evict = &evicting[T]{e}
	}
	return &c
}

type evicting[T any] struct{ Evictor[T] }

// KeepLast evicts all but the last n elements that arrived, before the function
// runs.
func KeepLast[T any](n int) Evictor[T] {
	err := error(nil)
	if n < 0 {
		err = fmt.Errorf("KeepLast(%d): the number of elements is not negative; give how many to keep", n)
	}
	return keeping[T]{name: fmt.Sprintf("keep the last %d", n), err: err, keep: func(es []Element[T]) []Element[T] {
		return append(es[:0], es[max(len(es)-n, 0):]...)
	}}
}

// KeepNewest evicts what is older than the newest element by d of event time or
// more, before the function runs.
func KeepNewest[T any](d time.Duration) Evictor[T] {
	return keeping[T]{name: fmt.Sprintf("keep the newest %v", d), err: checkEvery("KeepNewest", d), keep: func(es []Element[T]) []Element[T] {
		newest := int64(0)
		for i := range es {
			if newest = max(newest, es[i].Time); i == 0 && !mutant.On("newest-since-epoch") {
				newest = es[i].Time
			}
		}
		return keepIf(es, func(e *Element[T]) bool { return uint64(newest)-uint64(e.Time) < uint64(max(d.Milliseconds(), 0)) })
	}}
}

// KeepNear evicts what is as far as a threshold or further from the last element
// that arrived, before the function runs.
func KeepNear[T any](threshold float64, distance func(from, to T) float64) Evictor[T] {
	err := checkDistance("KeepNear", threshold, distance == nil)
	return keeping[T]{name: fmt.Sprintf("keep within %v", threshold), err: err, keep: func(es []Element[T]) []Element[T] {
		if len(es) == 0 {
			return es
		}
		last := es[len(es)-1].Value
		return keepIf(es, func(e *Element[T]) bool { return distance(e.Value, last) < threshold })
	}}
}

// AfterFunction has an evictor of this package evict when the function has run.
func AfterFunction[T any](e Evictor[T]) Evictor[T] { return afterFunction[T]{e} }

type afterFunction[T any] struct{ Evictor[T] }

func (a afterFunction[T]) check() error {
	if a.Evictor == nil {
		return errors.New("AfterFunction(nil): give it an evictor of this package")
	}
	return checkOption(a.Evictor)
}

func (a afterFunction[T]) String() string { return describing(a.Evictor) + " after the function" }

func (a afterFunction[T]) EvictBefore(es []Element[T], _ EvictContext) []Element[T] { return es }

func (a afterFunction[T]) EvictAfter(es []Element[T], c EvictContext) []Element[T] {
	return a.Evictor.EvictBefore(es, c)
}

type keeping[T any] struct {
	name string
	err  error // what is wrong with its options
	keep func([]Element[T]) []Element[T]
}

func (k keeping[T]) check() error { return k.err }

func (k keeping[T]) String() string { return k.name }

func (k keeping[T]) EvictBefore(es []Element[T], _ EvictContext) []Element[T] { return k.keep(es) }

func (k keeping[T]) EvictAfter(es []Element[T], _ EvictContext) []Element[T] { return es }

func keepIf[T any](es []Element[T], keep func(*Element[T]) bool) []Element[T] {
	kept := es[:0]
	for i := range es {
		if keep(&es[i]) {
			kept = append(kept, es[i])
		}
	}
	return kept
}
