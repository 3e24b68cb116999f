package operators_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/weirflow/weir/operators"
)

// borough stands for a call of a service.
func borough(_ context.Context, t Trip) ([]string, error) {
	if t.Zone == "Hoboken" {
		return nil, nil // not in the city: no result
	}
	return []string{t.Zone + ", Manhattan"}, nil
}

// Up to a hundred trips are asked for at a time, and a call that fails is made
// again; the results come in the order of the trips all the same.
func ExampleAsyncOrdered() {
	top := operators.NewTopology("boroughs")
	trips := some(top, Trip{"Harlem", 250, at(1, 0)}, Trip{"Hoboken", 75, at(1, 1)}, Trip{"Chelsea", 50, at(1, 2)})
	operators.AsyncOrdered(trips, "borough", borough, operators.AsyncOptions{
		Capacity: 100,
		Timeout:  time.Minute,
		Retry:    operators.AsyncRetry{Attempts: 3, Backoff: 100 * time.Millisecond},
	}).To("out", printer[string]{})

	run(top)

	// Output:
	// Harlem, Manhattan
	// Chelsea, Manhattan
}

// Where only event time matters, no result waits for a slower one before it.
func ExampleAsyncUnordered() {
	top := operators.NewTopology("boroughs")
	trips := some(top, Trip{"Harlem", 250, at(1, 0)}, Trip{"Chelsea", 50, at(1, 2)})
	operators.AsyncUnordered(trips, "borough", borough, operators.AsyncOptions{}).To("out", printer[string]{})

	run(top)

	// Unordered output:
	// Harlem, Manhattan
	// Chelsea, Manhattan
}

// silent is a service that never answers. Like any call it ends with its context.
func silent(ctx context.Context, t Trip) ([]string, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}

func ExampleTimeoutToSide() {
	top := operators.NewTopology("boroughs")
	trips := some(top, Trip{"Harlem", 250, at(1, 0)}, Trip{"Chelsea", 50, at(1, 2)})
	unanswered := operators.NewTag[Trip]("unanswered")
	asked := operators.AsyncOrdered(trips, "borough", silent, operators.AsyncOptions{
		Timeout:   10 * time.Millisecond,
		OnTimeout: operators.TimeoutToSide(unanswered),
	})
	asked.To("out", printer[string]{})
	operators.SideOutput(asked, unanswered).To("aside", printer[Trip]{})

	run(top)

	// Output:
	// {Harlem 250 3600000}
	// {Chelsea 50 3720000}
}

func ExampleTimeoutResult() {
	top := operators.NewTopology("boroughs")
	trips := some(top, Trip{"Harlem", 250, at(1, 0)})
	operators.AsyncOrdered(trips, "borough", silent, operators.AsyncOptions{
		Timeout:   10 * time.Millisecond,
		OnTimeout: operators.TimeoutResult(func(t Trip) ([]string, error) { return []string{t.Zone + ", somewhere"}, nil }),
	}).To("out", printer[string]{})

	run(top)

	// Output:
	// Harlem, somewhere
}

var errOverloaded = errors.New("overloaded")

// Of the errors that a call gives, those are worth another attempt that pass.
func ExampleAsyncRetry() {
	top := operators.NewTopology("boroughs")
	trips := some(top, Trip{"Harlem", 250, at(1, 0)})
	calls := 0 // of one record, so one at a time
	overloaded := func(ctx context.Context, t Trip) ([]string, error) {
		if calls++; calls < 3 {
			return nil, errOverloaded
		}
		return borough(ctx, t)
	}
	operators.AsyncOrdered(trips, "borough", overloaded, operators.AsyncOptions{
		Retry: operators.AsyncRetry{
			Attempts: 5, Backoff: time.Millisecond, MaxBackoff: time.Second,
			If: func(err error) bool { return errors.Is(err, errOverloaded) },
		},
	}).To("out", printer[string]{})

	run(top)
	fmt.Println(calls, "calls")

	// Output:
	// Harlem, Manhattan
	// 3 calls
}
