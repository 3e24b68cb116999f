package cluster

import (
	"github.com/weirflow/weir/coordinator"
	"github.com/weirflow/weir/messages"
	"github.com/weirflow/weir/operators/plan"
)

// topologyOf tells a coordinator of a plan: names and numbers, no code but the
// listing of splits.
func topologyOf(p *plan.Plan) coordinator.Topology {
	t := coordinator.Topology{
		Fingerprint:    p.Fingerprint(),
		MaxParallelism: p.MaxParallelism,
		Operators:      p.Metas(),
		Regions:        make([][]messages.SubtaskID, p.Regions),
	}
	for r := range t.Regions {
		t.Regions[r] = p.Subtasks(r)
	}
	for _, op := range p.Operators {
		if op.Source != nil {
			t.Sources = append(t.Sources, coordinator.Source{
				Operator: op.Name, Region: p.Chains[op.Chain].Region, Parallelism: op.Parallelism,
				Bounded: op.Source.Bounded, DiscoverEvery: op.Source.DiscoverEvery, List: op.Source.Source.Splits, Start: op.Source.Source.Start,
				AlignGroup: op.Source.AlignGroup, AlignDrift: op.Source.AlignDrift,
			})
		}
	}
	return t
}
