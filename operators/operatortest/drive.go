package operatortest

import (
	"reflect"
	"slices"
	"time"

	"github.com/weirflow/weir/messages"
	"github.com/weirflow/weir/operators"
	"github.com/weirflow/weir/operators/plan"
)

// Driver runs a whole topology in the caller's goroutine. In pipes stand where
// its sources are and out pipes where its sinks are, by name; sources and sinks
// themselves are never opened, and watermark strategies not asked. Everything in
// between is as in a job: parallelism, partitioning, the merging of watermarks.
//
// What is sent has gone all the way through when Send returns, depth first: the
// order in which records of different senders meet is one of those that a job
// may have, and always the same.
type Driver struct {
	t       TB
	engine  *engine
	sinks   map[messages.OperatorID]*collector
	dealing map[messages.OperatorID]int // by source: the subtask of the next record
}

// Drive builds a topology and starts it. The test fails if it cannot be built.
func Drive(t TB, top *operators.Topology) *Driver {
	t.Helper()
	p, err := top.Build()
	if err != nil {
		t.Fatalf("%v", err)
	}
	d := &Driver{t: t, sinks: map[messages.OperatorID]*collector{}, dealing: map[messages.OperatorID]int{}}
	for _, op := range p.Operators {
		if isSink(op) {
			d.sinks[op.Name] = newCollector(op.Inputs[0].Type, false)
		}
	}
	d.engine = newEngine(t, p, world{collectors: d.sinks, attempt: 1}, nil)
	return d
}

// AdvanceProcessingTime is that of Harness.
func (d *Driver) AdvanceProcessingTime(by time.Duration) {
	d.t.Helper()
	d.engine.advance(by)
}

// Timers is the number of timers pending in all operators.
func (d *Driver) Timers() int { return d.engine.count(true) }

// StateSize is the number of entries in all states, timers left out.
func (d *Driver) StateSize() int { return d.engine.count(false) }

// Close calls Close of the functions that have it. The Driver must not be used
// afterwards; a test of functions that own nothing needs no Close.
func (d *Driver) Close() {
	d.t.Helper()
	d.engine.close()
}

func isSource(op *plan.Operator) bool { return op.Source != nil }
func isSink(op *plan.Operator) bool   { return op.Sink != plan.NotASink }

// InPipe brings records of type T where a source would.
type InPipe[T any] struct {
	d     *Driver
	op    *plan.Operator
	nodes []*node // those it speaks for
}

// In is the pipe of a source, which has records of type T.
func In[T any](d *Driver, source string) *InPipe[T] {
	d.t.Helper()
	op := d.engine.operator("source", source, isSource)
	checkType[T](d.t, op, op.Source.Type)
	return &InPipe[T]{d: d, op: op, nodes: d.engine.nodes[op.Index]}
}

// Subtask is the pipe of one subtask of the source alone.
func (p *InPipe[T]) Subtask(i int) *InPipe[T] {
	p.d.t.Helper()
	all := p.d.engine.nodes[p.op.Index]
	if i < 0 || i >= len(all) {
		p.d.t.Fatalf("%v has no subtask %d; its parallelism is %d", p.op, i, len(all))
	}
	return &InPipe[T]{d: p.d, op: p.op, nodes: all[i : i+1]}
}

// Send brings a record with an event time in ms, or operators.NoTime. The pipe
// of a source with several subtasks deals the records out to them like cards.
func (p *InPipe[T]) Send(value T, time int64) {
	p.d.t.Helper()
	n := p.nodes[0]
	if len(p.nodes) > 1 {
		n = p.nodes[p.d.dealing[p.op.Name]%len(p.nodes)]
		p.d.dealing[p.op.Name]++
	}
	n.feed(batchOf(p.d.t, p.op.Source.Type, []T{value}, []int64{time}))
}

// Watermark brings a watermark, in ms, to every subtask that the pipe speaks for.
func (p *InPipe[T]) Watermark(watermark int64) {
	p.d.t.Helper()
	checkWatermark(p.d.t, watermark)
	for _, n := range p.nodes {
		n.feed(p.op.Source.Type.New(0).WithMark(watermark))
	}
}

// Close ends the source, with the last watermark. Nothing may be sent any more.
func (p *InPipe[T]) Close() {
	p.d.t.Helper()
	for _, n := range p.nodes {
		n.end()
	}
}

// OutPipe takes records of type R where a sink would.
type OutPipe[R any] struct {
	sink  *collector
	nodes []*node
}

// Out is the pipe of a sink, which takes records of type R.
func Out[R any](d *Driver, sink string) *OutPipe[R] {
	d.t.Helper()
	op := d.engine.operator("sink", sink, isSink)
	checkType[R](d.t, op, op.Inputs[0].Type)
	return &OutPipe[R]{sink: d.sinks[op.Name], nodes: d.engine.nodes[op.Index]}
}

// Records gives what came since the last call, to all subtasks of the sink.
func (p *OutPipe[R]) Records() []Record[R] {
	defer p.sink.drain()
	return recordsOf[R](p.sink, 0)
}

// Watermark is the least that the sink's subtasks have got: the merged watermark
// of everything before them. It is messages.NoWatermark before the first one.
func (p *OutPipe[R]) Watermark() int64 {
	least := messages.MaxWatermark
	for _, n := range p.nodes {
		least = min(least, n.clock.current)
	}
	return least
}

// Ended tells whether all sources before the sink are closed.
func (p *OutPipe[R]) Ended() bool {
	return !slices.ContainsFunc(p.nodes, func(n *node) bool { return !n.ended })
}

// checkType fails unless the records of an operator are of type X.
func checkType[X any](t TB, op *plan.Operator, rows plan.RowType) {
	t.Helper()
	values := rows.New(0).Values
	if _, ok := values.(*[]X); !ok {
		t.Fatalf("%v has records of type %v, not %v", op, reflect.TypeOf(values).Elem().Elem(), reflect.TypeFor[X]())
	}
}
