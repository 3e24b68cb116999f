package operators

import (
	"errors"
	"fmt"
	"slices"

	"github.com/weirflow/weir/messages"
	"github.com/weirflow/weir/operators/plan"
)

// Topology collects the operators of a job. It is built by one goroutine, with
// From at its start and To at its ends; Build turns it into a plan and reports
// everything that is wrong with it at once.
type Topology struct {
	name           string
	maxParallelism int
	parallelism    int
	operators      []*plan.Operator
	tags           map[string]tagUse
	single         map[*plan.Operator]bool // those of WindowAll: parallelism 1
	follows        []follow
	errs           []error
}

// NewTopology begins a topology. Its name goes into plans, metrics and error
// texts: letters, digits, '-', '_', '.', ':' and '=' only.
func NewTopology(name string) *Topology {
	return &Topology{
		name:           name,
		maxParallelism: plan.DefaultMaxParallelism,
		parallelism:    1,
		tags:           map[string]tagUse{},
		single:         map[*plan.Operator]bool{},
	}
}

// MaxParallelism sets the number of key groups, 1..32768 (default 128). It
// bounds the parallelism of every operator for the life of the job's state: a
// checkpoint restores only with the number that it was taken with.
func (t *Topology) MaxParallelism(n int) *Topology {
	t.maxParallelism = n
	if n < 1 || n > plan.MaxMaxParallelism {
		t.errs = append(t.errs, fmt.Errorf("MaxParallelism(%d): give a number in 1..%d", n, plan.MaxMaxParallelism))
		t.maxParallelism = plan.DefaultMaxParallelism
	}
	return t
}

// Parallelism sets the number of subtasks of every operator that does not set
// its own (default 1).
func (t *Topology) Parallelism(n int) *Topology {
	if t.parallelism = n; n < 1 {
		t.errs = append(t.errs, fmt.Errorf("Parallelism(%d): give at least 1", n))
		t.parallelism = 1
	}
	return t
}

// Name is what NewTopology was given.
func (t *Topology) Name() string { return t.name }

// Build checks the topology and gives its plan. The error joins all that is
// wrong, one line each, with the operator's name and the remedy.
func (t *Topology) Build() (*plan.Plan, error) {
	t.followAll()
	p, err := plan.Build(plan.Spec{
		Name:           t.name,
		MaxParallelism: t.maxParallelism,
		Parallelism:    t.parallelism,
		Operators:      t.operators,
	})
	if err := errors.Join(append(slices.Clone(t.errs), err)...); err != nil {
		return nil, fmt.Errorf("topology %q cannot run:\n%w", t.name, err)
	}
	return p, nil
}

// add puts a vertex into the topology.
func (t *Topology) add(kind plan.Kind, name string, instance func() plan.Instance) *plan.Operator {
	op := &plan.Operator{Name: messages.OperatorID(name), Kind: kind, New: instance}
	t.operators = append(t.operators, op)
	return op
}

// failf keeps an error about op for Build.
func (t *Topology) failf(op *plan.Operator, format string, args ...any) {
	t.errs = append(t.errs, fmt.Errorf("%s: "+format, append([]any{op}, args...)...))
}

// setParallelism is what the Parallelism methods of streams and sinks do.
func (t *Topology) setParallelism(op *plan.Operator, n int) {
	if n < 1 {
		t.failf(op, "parallelism %d: give at least 1, or leave it out for the topology's default", n)
		return
	}
	if t.single[op] && n != 1 {
		t.failf(op, "parallelism %d: WindowAll has all records in one subtask; leave it out, or key the stream", n)
		return
	}
	op.Parallelism = n
}
