package operatortest

import (
	"context"

	"github.com/weirflow/weir/operators"
)

// ConformSink tells Conform of a transactional sink whose records are of type T.
type ConformSink[T any] struct {
	// Outside opens an outside in which nobody has ever written: an empty folder, a
	// topic of its own. Every scenario gets one.
	Outside func() ConformOutside[T]
	// Value makes the nth record. No two are equal.
	Value func(n int) T
	// Equal compares records; nil: reflect.DeepEqual.
	Equal func(a, b T) bool
	// Parts splits the scenarios into as many parts, of which Part, from 0 on, is run:
	// some of them where all take too long, or all of them at the same time. 0: there is
	// one part, which is everything.
	Part, Parts int
}

// ConformOutside is what a sink writes to, in one scenario.
type ConformOutside[T any] struct {
	// Sink writes there. Its Open is asked for every subtask of every attempt, and stands
	// for the processes that these run in: what its writers share must not be more than
	// processes could.
	Sink operators.TransactionalSink[T]
	// Committed gives what readers outside see now, in any order.
	Committed func(ctx context.Context) ([]T, error)
	// Lingering names what is there beside that, such as open transactions and files in
	// progress. It must be nothing when the last attempt has recovered, committed and
	// closed. Without it Conform cannot see that a sink leaves behind what it should
	// abort; nil: it does not look.
	Lingering func(ctx context.Context) ([]string, error)
	// Faults are troubles of the outside, by which calls may fail; each is tried at each
	// call. They are the same in every scenario.
	Faults []ConformFault
	// Close ends the scenario; nil: there is nothing to end.
	Close func()
}

// ConformFault is something that befalls the outside in the middle of a call: a broken
// connection, an answer that gets lost, a full disk.
type ConformFault struct {
	Name string
	// Arm has it happen from now on, or once; disarm ends that.
	Arm func() (disarm func())
}

// Conform holds a transactional sink to the contract of operators.TransactionalWriter. It
// makes the calls that a job makes, without a job, and has processes die before each
// of them and at each step that the sink marks (SinkContext.Step), in a job that starts,
// in one that goes on and in one that recovers, once and three times in a row, at the same
// parallelism and another one. Attempts that are given up die, abort, close late, or go
// on for a while, as one does that has not heard of its successor.
//
// In the end each record of a complete checkpoint must be there once, and no other. If it
// is not, t fails with the scenario, call by call. All is the same in every run.
//
// A step is left by a panic, on the goroutine of the call, so that a writer whose call
// marks one must not hold a lock that others wait for. That does not end what a writer
// does on other goroutines: give Conform one that waits for them before it returns.
func Conform[T any](t TB, sink ConformSink[T]) {
	t.Helper()
	if sink.Part < 0 || sink.Part >= max(sink.Parts, 1) {
		t.Fatalf("operatortest.Conform: there is no part %d of %d; count from 0", sink.Part, max(sink.Parts, 1))
	}
	k := conformKit[T]{sink: sink}
	if err := k.all(); err != nil {
		t.Fatalf("operatortest.Conform: scenario %d.%d, %s: %v", k.series, k.at, k.title, err)
	}
}
