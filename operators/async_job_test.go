package operators_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/weirflow/weir/cluster"
	"github.com/weirflow/weir/messages"
	"github.com/weirflow/weir/operators"
)

// A call that fails, or panics, ends the attempt: the failure names the operator
// and the record and keeps the stack, and the contexts of all other calls end, or
// the job would never.
func TestAsyncFailureEndsTheJob(t *testing.T) {
	for name, fail := range map[string]func() ([]int64, error){
		"its call gave an error at attempt 1 of 1: there is no such thing": func() ([]int64, error) { return nil, errors.New("there is no such thing") },
		"its call ended in a panic: no service":                            func() ([]int64, error) { panic("no service") },
	} {
		waiting := make(chan struct{})
		ask := func(ctx context.Context, v int64) ([]int64, error) {
			if v == 5 {
				close(waiting)
				<-ctx.Done()
				return nil, ctx.Err()
			}
			<-waiting
			return fail()
		}
		top := operators.NewTopology("ask")
		in := operators.From(top, "in", operators.Slice[int64](5, 6), operators.Monotonous(func(v int64) int64 { return v }))
		operators.AsyncUnordered(in, "ask", ask, operators.AsyncOptions{}).To("out", asyncNowhere{})
		_, err := cluster.Run(context.Background(), top, cluster.Config{Restart: cluster.NoRestart{}})
		var f *messages.Failure
		if !errors.As(err, &f) {
			t.Fatalf("the job ended with %v, want a failure", err)
		}
		if f.GetOperator() != "ask" || !f.GetHasRecord() || f.GetRecordTimeMs() != 6 || f.GetReason() != name {
			t.Errorf("the failure is %v", f)
		}
		if panicked := strings.Contains(name, "panic"); panicked != strings.Contains(f.GetStack(), "async_job_test.go") {
			t.Errorf("stack %q", f.GetStack())
		}
	}
}

// asyncNowhere is a sink that takes anything.
type asyncNowhere struct{}

func (asyncNowhere) Kind() operators.SinkKind { return operators.Plain }

func (asyncNowhere) Open(context.Context, operators.SinkContext) (operators.Writer[int64], error) {
	return asyncNowhere{}, nil
}

func (asyncNowhere) Write(context.Context, *operators.Batch[int64]) error { return nil }
func (asyncNowhere) Flush(context.Context) error                          { return nil }
func (asyncNowhere) Close() error                                         { return nil }
