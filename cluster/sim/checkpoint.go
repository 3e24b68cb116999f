package sim

import (
	"context"
	"encoding/binary"
	"fmt"
	"log/slog"

	"github.com/weirflow/weir/messages"
	"github.com/weirflow/weir/operators/plan"
	"github.com/weirflow/weir/persistence"
	"github.com/weirflow/weir/persistence/memory"
)

// Checkpoint is a published checkpoint, to be compared with the input that it is
// a fold of.
type Checkpoint struct {
	Manifest *messages.Manifest
	job      *job
}

// Read tells how many records of each split of a SourceOf the checkpoint contains.
func (c *Checkpoint) Read(source string) map[string]int {
	read := map[string]int{}
	for _, s := range c.Manifest.GetSubtasks() {
		for _, o := range s.GetOperators() {
			for _, split := range o.GetSplits() {
				if o.GetOperator() == source {
					n, _ := binary.Uvarint(split.GetPosition())
					read[split.GetId()] = int(n)
				}
			}
		}
	}
	return read
}

// Probe asks an operator what it would answer: it restores the operator from the
// checkpoint, all of its subtasks in one, gives it records and returns what it
// emits as its main output.
func Probe[T, R any](c *Checkpoint, operator string, records ...T) ([]R, error) {
	op := c.job.plan.Operator(messages.OperatorID(operator))
	if op == nil {
		return nil, fmt.Errorf("sim.Probe: no operator %q", operator)
	}
	out := &collector[R]{}
	inst, err := c.restore(op, out)
	if err != nil {
		return nil, fmt.Errorf("sim.Probe of %q: %w", operator, err)
	}
	b := op.Inputs[0].Type.New(len(records))
	*b.Values.(*[]T) = records
	b.Times = make([]int64, len(records))
	if op.Inputs[0].Keyer != nil {
		op.Inputs[0].Keyer.Hash(b)
	}
	err = inst.Process(op.Inputs[0].Port, b)
	return out.values, err
}

// restore makes an instance that holds all of the operator's state.
func (c *Checkpoint) restore(op *plan.Operator, out plan.Output) (plan.Instance, error) {
	inst := op.New()
	rt := &plan.Runtime{
		Operator: op.Name, Parallelism: 1, MaxParallelism: c.job.plan.MaxParallelism, Context: context.Background(), Restored: true,
		Groups: messages.KeyGroupRange{To: messages.KeyGroup(c.job.plan.MaxParallelism)},
		Logger: slog.New(slog.DiscardHandler), Now: func() int64 { return 0 }, SetTimer: func(int64) {},
		Watermark: func() int64 { return messages.NoWatermark }, Counter: func(string) *plan.Counter { return new(plan.Counter) },
		Output: func(tag string) plan.Output {
			if tag == "" {
				return out
			}
			return discard{}
		},
		Step: func(string) {},
	}
	return inst, c.load(inst, rt, op)
}

func (c *Checkpoint) load(inst plan.Instance, rt *plan.Runtime, op *plan.Operator) error {
	var states []persistence.State
	rt.Register = func(s persistence.State) error {
		states = append(states, s)
		return nil
	}
	if err := inst.Init(rt); err != nil {
		return err
	}
	err := memory.Backend().Restore(context.Background(), c.job.inner, c.blobs(op.Name), rt.Groups, states)
	if err != nil {
		return err
	}
	return inst.Open()
}

func (c *Checkpoint) blobs(operator messages.OperatorID) []*messages.Blob {
	var all []*messages.Blob
	for _, s := range c.Manifest.GetSubtasks() {
		for _, o := range s.GetOperators() {
			if o.GetOperator() == string(operator) {
				all = append(all, o.GetBlobs()...)
			}
		}
	}
	return all
}

// collector is an output that keeps what it gets.
type collector[R any] struct{ values []R }

func (c *collector[R]) Push(b *plan.Batch) error {
	c.values = append(c.values, *b.Values.(*[]R)...)
	return nil
}

type discard struct{}

func (discard) Push(*plan.Batch) error { return nil }

// checkUser asks an AtCheckpoint of the test.
type checkUser struct {
	unconcerned
	job   *job
	check func(o *Outside, c *Checkpoint) error
}

func (c *checkUser) onSlot(_ string, r *messages.LogRecord) error {
	m := r.GetManifest()
	if m == nil {
		return nil
	}
	err := c.check(c.job.oracle, &Checkpoint{Manifest: m, job: c.job})
	if err != nil {
		return fmt.Errorf("checkpoint %d: %w", m.GetCheckpoint(), err)
	}
	return nil
}
