package coordinator

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

	"github.com/weirflow/weir/messages"
)

// assignment says which subtask of one source operator reads which split.
type assignment struct {
	owner map[string]int // split id -> subtask index
	count []int          // splits of each subtask
}

// assign spreads splits over the subtasks of an operator. Those with a home stay
// there: the subtask's clock was restored with them, and a split that wanders
// would meet a clock that is ahead of it. The others go, sorted by id, to the
// subtasks with the fewest, which is round robin when none has a home.
func assign(parallelism int, splits []*messages.SplitState, homes map[string]int) (assignment, [][]*messages.SplitState) {
	splits = slices.SortedFunc(slices.Values(splits), func(a, b *messages.SplitState) int {
		return cmp.Compare(a.GetId(), b.GetId())
	})
	a := assignment{owner: make(map[string]int, len(splits)), count: make([]int, parallelism)}
	for _, s := range splits {
		if index, ok := homes[s.GetId()]; ok {
			a.take(s.GetId(), index)
		}
	}
	shares := make([][]*messages.SplitState, parallelism)
	for _, s := range splits {
		index, placed := a.owner[s.GetId()]
		if !placed {
			index = slices.Index(a.count, slices.Min(a.count))
			a.take(s.GetId(), index)
		}
		shares[index] = append(shares[index], s)
	}
	return a, shares
}

// homesOf says which subtask each split of an operator was in, if the operator
// had as many then as now; otherwise no subtask is what it was.
func homesOf(m *messages.Manifest, operator messages.OperatorID, parallelism int) map[string]int {
	homes := map[string]int{}
	for _, subtask := range m.GetSubtasks() {
		for _, o := range subtask.GetOperators() {
			if o.GetOperator() != string(operator) || int(o.GetParallelism()) != parallelism {
				continue
			}
			for _, s := range o.GetSplits() {
				homes[s.GetId()] = int(o.GetIndex())
			}
		}
	}
	return homes
}

func (a *assignment) take(id string, index int) {
	a.owner[id] = index
	a.count[index]++
}

// add gives splits that were not known to the subtasks with the fewest; what
// is assigned stays where it is. It returns the new share of each subtask.
func (a *assignment) add(ids []string) [][]string {
	shares := make([][]string, len(a.count))
	for _, id := range slices.Sorted(slices.Values(ids)) {
		if _, known := a.owner[id]; known {
			continue
		}
		index := slices.Index(a.count, slices.Min(a.count))
		a.take(id, index)
		shares[index] = append(shares[index], id)
	}
	return shares
}

// restoredSplits gives an operator's splits from a manifest, and whether the
// operator was in it at all: then what there was to list had been listed.
func restoredSplits(m *messages.Manifest, operator messages.OperatorID) (splits []*messages.SplitState, listed bool) {
	for _, subtask := range m.GetSubtasks() {
		for _, o := range subtask.GetOperators() {
			if o.GetOperator() == string(operator) {
				splits, listed = append(splits, o.GetSplits()...), true
			}
		}
	}
	return splits, listed
}

// unite adds the splits that are known but not in the checkpoint, to be read
// from where they begin.
func unite(restored []*messages.SplitState, known map[string][]byte) []*messages.SplitState {
	all := slices.Clone(restored)
	seen := map[string]bool{}
	for _, s := range restored {
		seen[s.GetId()] = true
	}
	for _, id := range slices.Sorted(maps.Keys(known)) {
		if !seen[id] {
			all = append(all, newSplit(id, known[id]))
		}
	}
	return all
}

// newSplit is a split of which nothing was read.
func newSplit(id string, start []byte) *messages.SplitState {
	return &messages.SplitState{Id: id, Position: start, Watermark: messages.NoWatermark}
}

// checkListing holds a source to its contract.
func checkListing(ids []string) error {
	seen := make(map[string]bool, len(ids))
	for _, id := range ids {
		if id == "" || seen[id] {
			return fmt.Errorf("split %q is empty or listed twice; ids must be unique and not empty", id)
		}
		seen[id] = true
	}
	return nil
}
