package coordinator

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/weirflow/weir/messages"
)

// Topology is what a coordinator knows of a plan: names and numbers, no code.
type Topology struct {
	Fingerprint    string
	MaxParallelism int
	// Operators describes every operator, for the manifest and for the check
	// of what is restored.
	Operators []*messages.OperatorMeta
	// Regions lists the subtasks of every region.
	Regions [][]messages.SubtaskID
	// Sources lists the source operators of all regions.
	Sources []Source
}

// Source is a source operator. Its subtasks bear its name, for a source heads
// its chain.
type Source struct {
	Operator    messages.OperatorID
	Region      int
	Parallelism int
	// Bounded: what was listed once is all there will be.
	Bounded bool
	// DiscoverEvery asks an unbounded source for new splits while it runs; 0:
	// only before each deploy.
	DiscoverEvery time.Duration
	// AlignGroup: the source waits for others of its group when it is more than
	// AlignDrift ahead of them in event time; "" for one that does not.
	AlignGroup string
	AlignDrift time.Duration
	// List gives the ids of all splits there are now. It may block.
	List func(ctx context.Context) ([]string, error)
	// Start gives the positions at which splits begin that no checkpoint knows; nil:
	// all at their beginning. again tells that the source has listed splits before. It
	// may block.
	Start func(ctx context.Context, splits []string, again bool) (positions [][]byte, err error)
}

// Validate finds what no plan would contain.
func (t *Topology) Validate() error {
	if len(t.Regions) == 0 {
		return errors.New("Topology.Regions is empty; a job needs at least one region")
	}
	if t.MaxParallelism < 1 {
		return fmt.Errorf("Topology.MaxParallelism is %d; give at least 1", t.MaxParallelism)
	}
	seen := map[messages.SubtaskID]bool{}
	for i, subtasks := range t.Regions {
		if len(subtasks) == 0 {
			return fmt.Errorf("Topology.Regions[%d] has no subtask", i)
		}
		for _, s := range subtasks {
			if seen[s] {
				return fmt.Errorf("Topology.Regions[%d] names subtask %v, which is named before", i, s)
			}
			seen[s] = true
		}
	}
	for _, s := range t.Sources {
		if s.Region < 0 || s.Region >= len(t.Regions) || s.Parallelism < 1 || s.List == nil {
			return fmt.Errorf("Topology.Sources: %q has region %d of %d, parallelism %d, List set: %v",
				s.Operator, s.Region, len(t.Regions), s.Parallelism, s.List != nil)
		}
		if s.AlignGroup != "" && s.AlignDrift < time.Millisecond {
			return fmt.Errorf("Topology.Sources: %q of group %q has AlignDrift %v; give 1 ms or more", s.Operator, s.AlignGroup, s.AlignDrift)
		}
	}
	return nil
}

// sourcesOf gives the sources of one region, in the topology's order.
func (t *Topology) sourcesOf(region int) []Source {
	var own []Source
	for _, s := range t.Sources {
		if s.Region == region {
			own = append(own, s)
		}
	}
	return own
}
