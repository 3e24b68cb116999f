package operatortest

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/weirflow/weir/messages"
	"github.com/weirflow/weir/operators/plan"
	"github.com/weirflow/weir/persistence"
)

// node is one operator in one subtask.
type node struct {
	engine   *engine
	op       *plan.Operator
	index    int
	inst     plan.Instance // nil for a source and for a sink
	sink     *collector    // sinks only
	rt       *plan.Runtime
	outputs  map[string]*fan
	states   []persistence.State
	counters map[string]*plan.Counter
	senders  []sender // by channel; a source has none
	clock    clock
	timer    int64 // the earliest processing time that was asked for, ms
	timerSet bool
	ended    bool // its input is at its end, and Finish has run
}

// sender is where a channel comes from.
type sender struct {
	*node
	tag string // of the output
}

// channel is the way from one subtask to another.
type channel struct {
	to    *node
	index int // in the receiver's clock
}

func newNode(e *engine, op *plan.Operator, index int, restored bool) *node {
	n := &node{engine: e, op: op, index: index, outputs: map[string]*fan{}, counters: map[string]*plan.Counter{}}
	n.clock.current = messages.NoWatermark
	if op.Source != nil {
		n.clock.add(messages.NoWatermark)
	}
	n.rt = &plan.Runtime{
		Job: messages.JobID(e.plan.Name), Operator: op.Name, Index: index, Parallelism: op.Parallelism, MaxParallelism: e.plan.MaxParallelism,
		Groups:      messages.KeyGroupsOf(index, op.Parallelism, e.plan.MaxParallelism),
		StepResults: e.results,
		Attempt:     e.attempt, Restored: restored,
		Context: context.Background(), Logger: slog.New(slog.DiscardHandler),
		Now:       func() int64 { return e.now },
		SetTimer:  n.setTimer,
		Watermark: func() int64 { return n.clock.current },
		Output:    func(tag string) plan.Output { return n.fan(tag) },
		Register:  func(st persistence.State) error { n.states = append(n.states, st); return nil },
		Counter:   n.counter,
		Step:      func(string) {},
		Work:      n.ask,
	}
	if op.New != nil && op.Sink == plan.NotASink {
		n.inst = op.New()
	}
	return n
}

func (n *node) addChannel(from *node, tag string) channel {
	n.senders = append(n.senders, sender{from, tag})
	return channel{to: n, index: n.clock.add(messages.NoWatermark)}
}

func (n *node) counter(name string) *plan.Counter {
	if n.counters[name] == nil {
		n.counters[name] = new(plan.Counter)
	}
	return n.counters[name]
}

func (n *node) fan(tag string) *fan {
	if n.outputs[tag] == nil {
		n.outputs[tag] = &fan{node: n, tag: tag, mark: messages.NoWatermark}
	}
	return n.outputs[tag]
}

func (n *node) setTimer(at int64) {
	if !n.timerSet || at < n.timer {
		n.timer, n.timerSet = at, true
	}
}

// wake fires the timer that is set, at its time or now if that is later.
func (n *node) wake() {
	n.engine.t.Helper()
	n.timerSet = false
	n.engine.now = max(n.engine.now, n.timer)
	if t, ok := n.inst.(plan.ProcessingTimer); ok {
		n.check("OnProcessingTime", t.OnProcessingTime(n.engine.now))
	}
}

// feed is how records come into a source. Marks that do not grow are dropped.
func (n *node) feed(b *plan.Batch) {
	n.engine.t.Helper()
	if n.ended {
		n.engine.t.Fatalf("%v, subtask %d: a record or watermark came after the end of its input", n.op, n.index)
	}
	n.engine.rest()
	b.Marks = n.clock.merge(0, b.Marks)
	n.check("Push", n.fan("").Push(b))
	n.engine.settle()
}

// end is the end of a source's input, all the way through the topology.
func (n *node) end() {
	n.engine.t.Helper()
	if !n.ended {
		n.feed((&plan.Batch{Values: n.op.Source.Type.New(0).Values}).WithMark(messages.MaxWatermark))
		n.ended = true
		n.engine.finish()
	}
}

// receive works off a batch, whose marks are those of a channel.
func (n *node) receive(c channel, port int, b *plan.Batch) error {
	n.engine.t.Helper()
	if n.sink != nil {
		n.sink.take(n.engine.t, n.clock.channels[c.index], b)
		n.sink.marked(n.engine.attempt, n.index, c.index, b.Marks)
	}
	b.Marks = n.clock.merge(c.index, b.Marks)
	return n.process(port, b)
}

func (n *node) process(port int, b *plan.Batch) error {
	n.engine.t.Helper()
	if n.inst == nil || b.Len() == 0 && len(b.Marks) == 0 {
		return nil
	}
	err := n.inst.Process(port, b)
	n.check("Process", err)
	return err
}

// raise gives an operator that is new in the topology the watermark of those
// that were restored before it.
func (n *node) raise() {
	n.engine.t.Helper()
	if !n.clock.raise() || len(n.op.Inputs) == 0 {
		return
	}
	edge := n.op.Inputs[0]
	n.check("Process", n.process(edge.Port, edge.Type.New(0).WithMark(n.clock.current)))
}

// check fails the test with the operator, and the record where it is known.
func (n *node) check(call string, err error) {
	if err == nil {
		return
	}
	n.engine.t.Helper()
	at := ""
	if c, ok := n.inst.(plan.RecordCursor); ok {
		if time, _, _, ok := c.Cursor(); ok {
			at = fmt.Sprintf(", at time %s", showTime(time))
		}
	}
	n.engine.t.Fatalf("%v, subtask %d of %d%s: %s: %v", n.op, n.index, n.op.Parallelism, at, call, err)
}
