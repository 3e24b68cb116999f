package actors

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"slices"

	"github.com/weirflow/weir/messages"
	"github.com/weirflow/weir/operators/plan"
	"github.com/weirflow/weir/persistence"
)

// chain is the operators of one subtask, fused: a batch goes through all of
// them in nested calls, one erased call an operator.
type chain struct {
	nodes []*node // the head first, each after the one that feeds it
}

// node is one operator in its subtask.
type node struct {
	op       *plan.Operator
	id       messages.SubtaskID
	inst     plan.Instance // nil for a source
	sink     *sink         // transactional sinks only
	rt       *plan.Runtime
	outputs  fans
	states   []persistence.State
	counters []namedCounter
	in, out  uint64 // records since the attempt began
	clock    int64  // as restored, ms
	finished bool   // Finish has run, in this attempt or one before
	initial  bool   // Init is running: states may be registered
	inited   bool   // Init was called: Close must be
	cancel   func() // of the wake-up that is set; nil: none
	wakeAt   int64  // its time, ms
}

type namedCounter struct {
	name  string
	value *plan.Counter
}

// fan hands a batch to everybody who reads one output of a node. All but the
// last get a copy, for each may change what it gets.
type fan struct {
	node    *node
	types   plan.RowType
	targets []plan.Output
	spare   *plan.Batch
}

// fans are a node's outputs by tag; "" is the main one.
type fans map[string]*fan

func (f fans) push(tag string, b *plan.Batch) error {
	if out, ok := f[tag]; ok {
		return out.Push(b)
	}
	return nil
}

func (f *fan) Push(b *plan.Batch) error {
	if b.Len() == 0 && len(b.Marks) == 0 {
		return nil
	}
	f.node.out += uint64(b.Len())
	if len(f.targets) == 0 {
		return nil
	}
	last := len(f.targets) - 1
	for _, t := range f.targets[:last] {
		if err := t.Push(f.copyOf(b)); err != nil {
			return err
		}
	}
	return f.targets[last].Push(b)
}

func (f *fan) copyOf(b *plan.Batch) *plan.Batch {
	if f.spare == nil {
		f.spare = f.types.New(b.Len())
	}
	f.types.Reset(f.spare)
	f.types.Append(f.spare, b, 0, b.Len())
	f.spare.Marks = append(f.spare.Marks[:0], b.Marks...)
	return f.spare
}

// call is a chained edge: the next operator's Process, right here.
type call struct {
	node  *node
	port  int
	keyer plan.Keyer
}

func (c *call) Push(b *plan.Batch) error { return c.node.process(c.port, c.keyer, b) }

// process runs the operator on one batch. Whatever goes wrong in it becomes a
// *messages.Failure that names it; one from an operator behind it passes.
func (n *node) process(port int, keyer plan.Keyer, b *plan.Batch) (err error) {
	defer n.recovered(&err)
	if keyer != nil {
		keyer.Hash(b)
	}
	n.in += uint64(b.Len())
	return n.fail(n.inst.Process(port, b))
}

// guard runs any other call into the operator, with the same care.
func (n *node) guard(f func() error) (err error) {
	defer n.recovered(&err)
	return n.fail(f())
}

func (n *node) recovered(err *error) {
	if r := recover(); r != nil {
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
	var corrupt *persistence.CorruptError
	if errors.As(err, &corrupt) {
		failed.CorruptBlob = corrupt.Key
	}
	var schema *persistence.SchemaError
	failed.Permanent = errors.As(err, &schema)
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

// newChain makes the operators of a subtask and connects them. exchanges holds
// the output of every unchained edge by its index.
func newChain(s *subtask, exchanges map[int]*exchange) *chain {
	c := &chain{}
	byOperator := map[int]*node{}
	for _, op := range s.chain.Operators {
		n := s.newNode(op)
		byOperator[op.Index] = n
		c.nodes = append(c.nodes, n)
	}
	for _, n := range c.nodes {
		for _, e := range n.op.Outputs {
			n.fanOf(e).add(e, byOperator, exchanges)
		}
	}
	return c
}

func (n *node) fanOf(e *plan.Edge) *fan {
	f := n.outputs[e.Tag]
	if f == nil {
		f = &fan{node: n, types: e.Type}
		n.outputs[e.Tag] = f
	}
	return f
}

func (f *fan) add(e *plan.Edge, chained map[int]*node, exchanges map[int]*exchange) {
	if e.Chained {
		f.targets = append(f.targets, &call{node: chained[e.To.Index], port: e.Port, keyer: e.Keyer})
		return
	}
	f.targets = append(f.targets, exchanges[e.Index])
}

func (s *subtask) newNode(op *plan.Operator) *node {
	n := &node{op: op, id: s.id, outputs: fans{}, clock: messages.NoWatermark}
	n.rt = &plan.Runtime{
		Job: s.o.Job, Operator: op.Name, Index: s.id.Index, Parallelism: op.Parallelism, MaxParallelism: s.o.Plan.MaxParallelism,
		Groups:  messages.KeyGroupsOf(s.id.Index, op.Parallelism, s.o.Plan.MaxParallelism),
		Attempt: s.attempt, Restored: s.restore != nil, Context: s.ctx,
		Logger:    s.o.Logger.With(slog.String("operator", string(op.Name)), slog.Int("subtask", s.id.Index)),
		Now:       s.now,
		SetTimer:  func(at int64) { s.wake(n, at) },
		Watermark: func() int64 { return n.clock },
		Output:    n.output,
		Register:  n.register,
		Counter:   n.counter,
		Step:      s.o.Env.Step,
	}
	if op.New != nil {
		n.inst = op.New()
		if tx, ok := n.inst.(plan.Transactional); ok && op.Sink == plan.TransactionalSink {
			n.sink = newSink(s, n, tx)
		}
	}
	return n
}

func (n *node) output(tag string) plan.Output {
	if f, ok := n.outputs[tag]; ok {
		return f
	}
	return &fan{node: n} // nobody reads it
}

func (n *node) register(st persistence.State) error {
	if !n.initial {
		return fmt.Errorf("state %q of operator %q was registered after Init", st.Schema().GetName(), n.op.Name)
	}
	n.states = append(n.states, st)
	return nil
}

func (n *node) counter(name string) *plan.Counter {
	for _, c := range n.counters {
		if c.name == name {
			return c.value
		}
	}
	c := new(plan.Counter)
	n.counters = append(n.counters, namedCounter{name, c})
	slices.SortFunc(n.counters, func(a, b namedCounter) int { return cmp.Compare(a.name, b.name) })
	return c
}

// init runs Init of every operator, the last first, so that outputs exist.
func (c *chain) init() error {
	for _, n := range slices.Backward(c.nodes) {
		if n.inst == nil {
			continue
		}
		n.initial, n.inited = true, true
		err := n.guard(func() error { return n.inst.Init(n.rt) })
		if n.initial = false; err != nil {
			return err
		}
	}
	return nil
}

// open runs Open of every operator, the last first: a consumer is ready before
// anything can be pushed to it.
func (c *chain) open() error {
	for _, n := range slices.Backward(c.nodes) {
		if n.inst == nil {
			continue
		}
		if err := n.guard(n.inst.Open); err != nil {
			return err
		}
	}
	return nil
}

// recover brings every sink to its first transaction. It runs when all nodes
// are deployed, for until then it is not certain that this checkpoint can be
// restored everywhere, and nothing of it may be committed twice over.
func (c *chain) recover(ctx context.Context) error {
	for _, k := range c.sinks() {
		if err := k.recover(ctx); err != nil {
			return err
		}
	}
	return nil
}

// finish runs Finish of every operator, the head first, so that what one emits
// the next still gets.
func (c *chain) finish() error {
	for _, n := range c.nodes {
		if n.finished {
			continue
		}
		if n.inst != nil {
			if err := n.guard(n.inst.Finish); err != nil {
				return err
			}
		}
		n.finished = true
	}
	return nil
}

// close ends every operator that began; it never fails the attempt, which is
// over, and never panics, for protoactor does not survive that.
func (c *chain) close(log *slog.Logger) {
	for _, n := range slices.Backward(c.nodes) {
		if n.cancel != nil {
			n.cancel()
		}
		if n.sink != nil {
			n.sink.abandon(log)
		}
		if n.inited {
			if err := n.guard(n.inst.Close); err != nil {
				log.Warn("operator did not close", "error", err)
			}
		}
	}
}

// sinks are the chain's transactional sinks, the head's first.
func (c *chain) sinks() []*sink {
	var all []*sink
	for _, n := range c.nodes {
		if n.sink != nil {
			all = append(all, n.sink)
		}
	}
	return all
}
