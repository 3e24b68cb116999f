package persistence

import (
	"context"

	"github.com/weirflow/weir/messages"
)

// FullSnapshots is half a Backend, for one that writes all of its state at every
// checkpoint, as one blob for each operator in each subtask. What one backend
// wrote with it another one reads.
type FullSnapshots struct{}

// Snapshot is Backend.Snapshot.
func (FullSnapshots) Snapshot(ctx context.Context, store CheckpointStore, prefix string, groups messages.KeyGroupRange, states []NamedFrozen) ([]*messages.Blob, error) {
	if len(states) == 0 {
		return nil, nil
	}
	blob, err := SnapshotBlob(ctx, store, prefix+"state", groups, states)
	if err != nil {
		return nil, err
	}
	return []*messages.Blob{blob}, nil
}

// Restore is Backend.Restore.
func (FullSnapshots) Restore(ctx context.Context, store CheckpointStore, blobs []*messages.Blob, groups messages.KeyGroupRange, states []State) error {
	for _, b := range blobs {
		if err := RestoreBlob(ctx, store, b, groups, states); err != nil {
			return err
		}
	}
	return nil
}
