package actors

import (
	"errors"
	"fmt"
	"runtime/debug"

	"github.com/weirflow/weir/messages"
	"github.com/weirflow/weir/operators/plan"
	"github.com/weirflow/weir/persistence"
)

// node is one operator in its subtask.
type node struct {
	op       *plan.Operator
	id       messages.SubtaskID
	inst     plan.Instance // nil for a source
	sink     *sink         // transactional sinks only
	rt       *plan.Runtime
	outputs  fans
	states   []persistence.State
	kv       persistence.KV // of the states on disk; nil if there are none
	counters []namedCounter
	in, out  uint64 // records since the attempt began
	clock    int64  // as restored, ms
	finished bool   // Finish has run, in this attempt or one before
	initial  bool   // Init is running: states may be registered
	inited   bool   // Init was called: Close must be
	cancel   func() // of the wake-up that is set; nil: none
	wakeAt   int64  // its time, ms
}

// guard runs any other call into the operator, with the same care.
func (n *node) guard(f func() error) (err error) {
	defer n.recovered(&err)
	return n.fail(f())
}

func (n *node) recovered(err *error) {
	r := recover()
	if failed, ok := r.(*plan.StateError); ok {
		*err = n.fail(failed)
	} else if r != nil {
		*err = n.failure(fmt.Sprintf("panic: %v", r), string(debug.Stack()))
	}
}

func (n *node) fail(err error) error {
	if err == nil {
		return nil
	}
	return n.named(err)
}

// named makes a failure of an error, unless it is one already.
func (n *node) named(err error) error {
	var f *messages.Failure
	if errors.As(err, &f) {
		return err
	}
	failed := n.failure(err.Error(), "")
	var panicked *plan.PanicError
	if errors.As(err, &panicked) {
		failed.Stack = string(panicked.Stack)
	}
	var corrupt *persistence.CorruptError
	if errors.As(err, &corrupt) {
		failed.CorruptBlob = corrupt.Key
	}
	var schema *persistence.SchemaError
	var mismatch *plan.MismatchError
	failed.Permanent = errors.As(err, &schema) || errors.As(err, &mismatch)
	return failed
}

func (n *node) failure(reason, stack string) *messages.Failure {
	f := &messages.Failure{Operator: string(n.op.Name), Subtask: n.id.Proto(), Reason: reason, Stack: stack, KeyGroup: -1}
	if at, ok := n.inst.(plan.RecordCursor); ok {
		if time, hash, keyed, ok := at.Cursor(); ok {
			f.HasRecord, f.RecordTimeMs = true, time
			if keyed {
				f.KeyGroup = int32(messages.KeyGroupOf(hash, n.rt.MaxParallelism))
			}
		}
	}
	return f
}

// process runs the operator on one batch. Whatever goes wrong in it becomes a
// *messages.Failure that names it; one from an operator behind it passes.
func (n *node) process(port int, keyer plan.Keyer, b *plan.Batch) (err error) {
	defer n.recovered(&err)
	if keyer != nil {
		keyer.Hash(b)
	}
	n.in += uint64(b.Len())
	if n.sink != nil && b.Len() > 0 {
		n.sink.age.onRecords()
	}
	return n.fail(n.inst.Process(port, b))
}
