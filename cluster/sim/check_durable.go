package sim

import (
	"context"
	"fmt"
	"io"

	"github.com/cespare/xxhash/v2"

	"github.com/weirflow/weir/messages"
	"github.com/weirflow/weir/persistence"
)

// checkDurable holds that a subtask acknowledges only what is durable: when a
// manifest is published, every blob it names is in the store, whole.
type checkDurable struct {
	unconcerned
	store persistence.CheckpointStore // below the faults
}

func (c *checkDurable) onSlot(_ string, r *messages.LogRecord) error {
	for _, s := range r.GetManifest().GetSubtasks() {
		for _, o := range s.GetOperators() {
			for _, b := range o.GetBlobs() {
				if err := c.check(b); err != nil {
					return fmt.Errorf("checkpoint %d, %s: %w", r.GetManifest().GetCheckpoint(), b.GetKey(), err)
				}
			}
		}
	}
	return nil
}

func (c *checkDurable) check(b *messages.Blob) error {
	r, err := c.store.Open(context.Background(), b.GetKey())
	if err != nil {
		return err
	}
	data, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	if uint64(len(data)) != b.GetSize() || xxhash.Sum64(data) != b.GetChecksum() {
		return fmt.Errorf("%d bytes with another checksum, of %d", len(data), b.GetSize())
	}
	return nil
}
