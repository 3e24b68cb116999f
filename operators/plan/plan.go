// Package plan is the waist between what a user writes and what runs: a
// topology with its types erased. The operators package builds a Plan, the
// actors package runs it, and neither knows the other.
//
// A Plan prints itself (String, DOT) and says for every sink which guarantee
// holds end to end, and why.
//
// # Concurrency
//
// A Plan is immutable once Build returned it and may be shared.
package plan

import (
	"errors"

	"github.com/weirflow/weir/messages"
)

// ErrInDoubt is wrapped by Transactional.Commit when a prepared transaction can
// never be committed: it is reported, and neither retried nor dropped.
var ErrInDoubt = errors.New("transaction in doubt")

// ErrBroken is wrapped by Transactional.Prepare when trying again cannot help.
var ErrBroken = errors.New("transaction broken")

// DefaultMaxParallelism is the number of key groups unless a topology says otherwise.
const DefaultMaxParallelism = 128

// MaxMaxParallelism bounds the number of key groups.
const MaxMaxParallelism = 1 << 15

// Plan is a topology ready to run.
type Plan struct {
	Name           string
	MaxParallelism int
	Operators      []*Operator // every operator after its inputs
	Edges          []*Edge
	Chains         []*Chain
	Regions        int // number of regions, 0..Regions-1
}

// Operator finds an operator by name, or nil.
func (p *Plan) Operator(name messages.OperatorID) *Operator {
	for _, o := range p.Operators {
		if o.Name == name {
			return o
		}
	}
	return nil
}

// Subtasks lists every subtask of a region in the order of chains and index.
func (p *Plan) Subtasks(region int) []messages.SubtaskID {
	var ids []messages.SubtaskID
	for _, c := range p.Chains {
		for i := 0; c.Region == region && i < c.Parallelism; i++ {
			ids = append(ids, messages.SubtaskID{Chain: c.Head().Name, Index: i})
		}
	}
	return ids
}
