package operatortest_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/weirflow/weir/operators"
	"github.com/weirflow/weir/operators/operatortest"
)

// asking asks a service that is busy at the first call for 2, and never answers
// for 3; what it does not answer in 50 ms goes aside.
func asking(busy map[int64]int) func(in *operators.Stream[int64]) *operators.Stream[int64] {
	ask := func(_ context.Context, v int64) ([]int64, error) {
		busy[v]++
		if v == 3 || v == 2 && busy[v] == 1 {
			return nil, errors.New("busy")
		}
		return []int64{10 * v}, nil
	}
	return func(in *operators.Stream[int64]) *operators.Stream[int64] {
		return operators.AsyncOrdered(in, "ask", ask, operators.AsyncOptions{
			Capacity: 2, Timeout: 50 * time.Millisecond, OnTimeout: operators.TimeoutToSide(unanswered),
			Retry: operators.AsyncRetry{Attempts: 1000, Backoff: 20 * time.Millisecond, MaxBackoff: 20 * time.Millisecond},
		})
	}
}

var unanswered = operators.NewTag[int64]("unanswered")

// A call is over when the step that asked for it is; back-offs and timeouts take
// processing time; what is pending outlives a restore, at any parallelism, and
// the end of the input waits for it.
func TestHarnessAsync(t *testing.T) {
	calls := map[int64]int{}
	h := operatortest.Keyed(t, asking(calls))
	h.Process(1, 5)
	h.Process(2, 6)
	h.Watermark(6)
	expect(t, h.Output(), operatortest.At(int64(10), 5))
	h.AdvanceProcessingTime(19 * time.Millisecond)
	expect(t, h.Output())
	h.AdvanceProcessingTime(time.Millisecond)
	expect(t, h.Output(), operatortest.At(int64(20), 6))

	h.Process(3, 7)
	h.Process(1, 8)
	h.Process(1, 9) // above the capacity: it waits
	if calls[1] != 2 {
		t.Errorf("%d calls for 1, want 2", calls[1])
	}
	h.Restore(h.Snapshot(), 2)
	h.End()
	h.Restore(h.Snapshot(), 1)
	h.AdvanceProcessingTime(49 * time.Millisecond)
	expect(t, h.Output())
	h.AdvanceProcessingTime(time.Millisecond)
	expect(t, h.Output(), operatortest.At(int64(10), 8), operatortest.At(int64(10), 9))
	expect(t, operatortest.Side(h, unanswered), operatortest.At(int64(3), 7))
}

// The order of the results and the watermarks are the same however a script is
// run, as long as no call is pending between two steps.
func TestScriptAsync(t *testing.T) {
	build := func(in *operators.Stream[int64]) *operators.Stream[int64] {
		ask := func(_ context.Context, v int64) ([]int64, error) { return []int64{10 * v}, nil }
		return operators.AsyncOrdered(in, "ask", ask, operators.AsyncOptions{Capacity: 2})
	}
	operatortest.RunScript(t, build, operatortest.NewScript[int64, int64]().
		Process(1, 5).Process(3, 6).Process(1, 7).Watermark(6).
		Expect(operatortest.At(int64(10), 5), operatortest.At(int64(30), 6), operatortest.At(int64(10), 7)).
		Process(4, 7).Watermark(8).
		End().
		Expect(operatortest.At(int64(40), 7)))
}

func expect(t *testing.T, got []operatortest.Record[int64], want ...operatortest.Record[int64]) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("got %v, want %v", got, want)
	}
	for i := range got {
		if got[i] != want[i] {
			t.Fatalf("got %v, want %v", got, want)
		}
	}
}
