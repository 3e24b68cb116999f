package persistence

import (
	"context"
	"errors"
	"fmt"

	"github.com/weirflow/weir/messages"
	"github.com/weirflow/weir/messages/mutant"
)

// A blob holds the keyed states of one operator in one subtask:
//
//	magic "weirblob" | version u32 | length u32 | xxhash64 of the two and the header | header
//	chunk | chunk | ... | end
//
// all little endian; the header is a messages.BlobHeader. A section, the entries
// of one state in one key group as Frozen.WriteGroup gave them, is a run of
// chunks with the same state and group, each with a checksum of its own:
//
//	state u32 | group u32 | length u32 | xxhash64 of the payload | xxhash64 of the chunk's header, low 32 bits | payload
//
// The end is a chunk's header with endState for the state and the number of
// chunks for the payload's checksum. So a blob is written and read in one go with
// one chunk in memory, nothing is used before it is verified, and a reader that
// needs few key groups skips the others without reading them where the store's
// readers can seek. A table of contents at the end was rejected for it: it would
// have to be read first, which stores that only stream cannot do.
const (
	blobMagic     = "weirblob"
	blobVersion   = 1
	blobHeader    = 8 + 4 + 4 + 8     // bytes before the header
	blobHeaderMax = 16 << 20          // bytes of a header that is believed
	chunkHeader   = 4 + 4 + 4 + 8 + 4 // bytes before the payload
	chunkSize     = 256 << 10         // bytes of payload, at most
	endState      = ^uint32(0)
)

// SnapshotBlob writes the groups of states as one blob.
func SnapshotBlob(ctx context.Context, store CheckpointStore, key string, groups messages.KeyGroupRange, states []NamedFrozen) (*messages.Blob, error) {
	var blob *messages.Blob
	err := store.Put(ctx, key, newBlobFiller(ctx, key, groups, states, &blob))
	if err != nil && !(mutant.On("ack-before-durable") && blob != nil) {
		return nil, fmt.Errorf("store.Put: %w", err)
	}
	return blob, nil
}

// RestoreBlob reads from blob what belongs to groups into the states of the
// same name. No state is touched before all schemas were compared. Errors are as
// Backend.Restore says; after one the states hold an arbitrary part.
func RestoreBlob(ctx context.Context, store CheckpointStore, blob *messages.Blob, groups messages.KeyGroupRange, states []State) error {
	src, err := store.Open(ctx, blob.GetKey())
	if errors.Is(err, ErrNotFound) {
		return &CorruptError{Key: blob.GetKey(), Err: err}
	}
	if err != nil {
		return fmt.Errorf("store.Open: %w", err)
	}
	err = restore(ctx, newBlobReader(src, blob), groups, states)
	if cerr := src.Close(); err == nil && cerr != nil {
		return fmt.Errorf("close %s: %w", blob.GetKey(), cerr)
	}
	return err
}

func restore(ctx context.Context, r *blobReader, groups messages.KeyGroupRange, states []State) error {
	header, err := r.header()
	if err != nil {
		return err
	}
	targets, err := match(header.GetStates(), states)
	if err != nil {
		return err
	}
	if messages.KeyGroup(header.GetTo()) <= groups.From || groups.To <= messages.KeyGroup(header.GetFrom()) {
		return nil
	}
	for {
		s, err := r.next()
		if err != nil || s == nil {
			return err
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		if s.state >= len(targets) {
			return r.corrupt("a section of state %d, of %d", s.state, len(targets))
		}
		if groups.Contains(s.group) {
			err = r.deliver(s, targets[s.state])
		} else {
			err = r.pass()
		}
		if err != nil {
			return err
		}
	}
}

// match finds for every schema in a blob the state that is declared now.
func match(was []*messages.StateSchema, now []State) ([]State, error) {
	targets := make([]State, len(was))
	for i, w := range was {
		for _, s := range now {
			if s.Schema().GetName() == w.GetName() {
				targets[i] = s
			}
		}
		if targets[i] == nil {
			return nil, &SchemaError{State: w.GetName(), Was: w}
		}
		if n := targets[i].Schema(); !sameSchema(w, n) {
			return nil, &SchemaError{State: w.GetName(), Was: w, Now: n}
		}
	}
	return targets, nil
}
