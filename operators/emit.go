package operators

import (
	"github.com/weirflow/weir/operators/plan"
)

// emitSize is the number of records after which an emitter pushes on its own.
const emitSize = 512

// emitter collects what an instance produces record by record and pushes it in
// batches. Its batch is reused: in steady state it allocates nothing.
//
// An error of a push is kept and given back by flush; until then emit and mark
// do nothing, so that user code in between needs no checks.
type emitter[R any] struct {
	out    plan.Output
	batch  plan.Batch
	values []R // what batch.Values points to
	scrub  bool
	err    error
}

func newEmitter[R any](out plan.Output) *emitter[R] {
	e := &emitter[R]{out: out, scrub: holdsPointers[R]()}
	e.batch.Values = &e.values
	return e
}

// emit adds a record, and pushes when that fills the batch.
func (e *emitter[R]) emit(v R, time int64) {
	if e.err != nil {
		return
	}
	e.values = append(e.values, v)
	e.batch.Times = append(e.batch.Times, time)
	if len(e.values) >= emitSize {
		e.push()
	}
}

// mark adds a watermark behind the records so far.
func (e *emitter[R]) mark(watermark int64) {
	e.batch.Marks = append(e.batch.Marks, plan.Mark{Index: len(e.values), Watermark: watermark})
}

// flush pushes what there is. An instance calls it at the end of Process, of
// OnProcessingTime and of Finish, so that an emitter is empty between them.
func (e *emitter[R]) flush() error {
	if e.err == nil && len(e.values)+len(e.batch.Marks) > 0 {
		e.push()
	}
	return e.err
}

func (e *emitter[R]) push() {
	e.err = e.out.Push(&e.batch)
	if e.scrub {
		clear(e.values)
	}
	e.values = e.values[:0]
	e.batch.Times = e.batch.Times[:0]
	e.batch.Hashes = e.batch.Hashes[:0]
	e.batch.Marks = e.batch.Marks[:0]
}
