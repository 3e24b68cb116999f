package actors

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
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

type namedCounter struct {
	name  string
	value *plan.Counter
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

func (s *subtask) newNode(op *plan.Operator) *node {
	n := &node{op: op, id: s.id, outputs: fans{}, clock: messages.NoWatermark}
	n.rt = &plan.Runtime{
		Job: s.o.Job, Operator: op.Name, Index: s.id.Index, Parallelism: op.Parallelism, MaxParallelism: s.o.Plan.MaxParallelism,
		Groups:      messages.KeyGroupsOf(s.id.Index, op.Parallelism, s.o.Plan.MaxParallelism),
		StepResults: s.o.BatchRecords * s.o.Credits, // what a channel takes at a time
		Attempt:     s.attempt, Restored: s.restore != nil, Context: s.ctx,
		Logger:    s.o.Logger.With(slog.String("operator", string(op.Name)), slog.Int("subtask", s.id.Index)),
		Now:       s.now,
		SetTimer:  func(at int64) { s.wake(n, at) },
		Watermark: func() int64 { return n.clock },
		Output:    n.output,
		Register:  n.register,
		OpenKV:    s.openerFor(n),
		Counter:   n.counter,
		Step:      s.o.Env.Step,
		Work:      func(name string, f func(context.Context) any) func() { return s.workFor(n, name, f) },
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

// openerFor lets an operator open its place on disk, if the backend has a disk.
func (s *subtask) openerFor(n *node) func() (persistence.KV, error) {
	disk, ok := s.o.Backend.(persistence.Disk)
	if !ok {
		return nil
	}
	return func() (kv persistence.KV, err error) {
		if !n.initial || n.kv != nil {
			return nil, fmt.Errorf("operator %q opened its KV a second time, or after Init", n.op.Name)
		}
		n.kv, err = disk.OpenKV(s.ctx, fmt.Sprintf("%s-%s-%d", s.o.Job, n.op.Name, s.id.Index))
		return n.kv, err
	}
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

// node finds an operator of the chain.
func (c *chain) node(op *plan.Operator) *node {
	return c.nodes[slices.IndexFunc(c.nodes, func(n *node) bool { return n.op == op })]
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
		if n.kv != nil {
			if err := n.kv.Close(); err != nil {
				log.Warn("state on disk did not close", "operator", string(n.op.Name), "error", err)
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
