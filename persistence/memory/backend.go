package memory

import (
	"context"

	"github.com/weirflow/weir/messages"
	"github.com/weirflow/weir/persistence"
)

// Backend keeps all working state on the heap, where the operators' tables
// have it anyway, and writes all of it at every checkpoint: one blob for each
// operator in each subtask.
func Backend() persistence.Backend { return backend{} }

type backend struct{}

func (backend) Name() string { return "memory" }

func (backend) Snapshot(ctx context.Context, store persistence.CheckpointStore, prefix string, groups messages.KeyGroupRange, states []persistence.NamedFrozen) ([]*messages.Blob, error) {
	if len(states) == 0 {
		return nil, nil
	}
	blob, err := persistence.SnapshotBlob(ctx, store, prefix+"heap", groups, states)
	if err != nil {
		return nil, err
	}
	return []*messages.Blob{blob}, nil
}

func (backend) Restore(ctx context.Context, store persistence.CheckpointStore, blobs []*messages.Blob, groups messages.KeyGroupRange, states []persistence.State) error {
	for _, b := range blobs {
		if err := persistence.RestoreBlob(ctx, store, b, groups, states); err != nil {
			return err
		}
	}
	return nil
}
