package persistence

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/weirflow/weir/messages"
)

// maxClaims is how many claims a log keeps. A claim is the fence for a write
// that was on its way when it was made; it may be deleted only when no such
// write can arrive any more. So the fence holds for a coordinator, or a store,
// that is late by up to a thousand attempts.
const maxClaims = 1000

// Manifests gives the published checkpoints that the log knows since it last
// read the store (OpenLog, Claim, Retain) or published, newest first. Slots that
// cannot be read are skipped and reported, newest first too, unless they are
// older than every manifest that can. The manifests may not be changed.
func (l *Log) Manifests() ([]*messages.Manifest, []Damaged) {
	var ms []*messages.Manifest
	var ds, older []Damaged
	for _, s := range slices.Backward(l.slots) {
		if s.record.GetClaim().GetDiscards() {
			break
		}
		switch m := s.record.GetManifest(); {
		case s.damage != nil:
			older = append(older, Damaged{Slot: s.number, Key: slotKey(l.job, s.number), Err: s.damage})
		case m != nil:
			ms = append(ms, m)
			ds, older = append(ds, older...), nil
		}
	}
	if len(ms) == 0 {
		return nil, older
	}
	return ms, ds
}

// LastCheckpoint is the greatest id of a checkpoint that left a trace in the
// store, published or not, so that the next one can be greater: ids grow over
// all attempts. It is 0 when there is none.
func (l *Log) LastCheckpoint(ctx context.Context) (messages.CheckpointID, error) {
	keys, err := l.store.List(ctx, dataPrefix(l.job))
	if err != nil {
		return 0, fmt.Errorf("persistence.Log.LastCheckpoint: store.List: %w", err)
	}
	var last messages.CheckpointID
	for _, key := range keys {
		cp, _, _ := checkpointOf(l.job, key)
		last = max(last, cp)
	}
	for _, s := range l.slots {
		last = max(last, messages.CheckpointID(s.record.GetManifest().GetCheckpoint()))
	}
	return last, nil
}

// Retain deletes all manifests but the newest keep, and the blobs that no
// manifest left refers to and whose checkpoint is older than the newest: those
// of deleted and of aborted checkpoints. Savepoints are neither counted nor
// deleted. It does nothing until this claim has published: before, the
// checkpoint that was restored need not be the newest one.
//
// What could not be deleted is tried again by the next call. Retain may run
// while the next checkpoint is being written, but not during Publish.
func (l *Log) Retain(ctx context.Context, keep int) error {
	if keep < 1 {
		return fmt.Errorf("persistence.Log.Retain: keep is %d; at least 1 checkpoint must be retained", keep)
	}
	if err := l.checkFence(ctx); err != nil {
		return fmt.Errorf("persistence.Log.Retain: %w", err)
	}
	if !l.published {
		return nil
	}
	newest, _ := l.Manifests()
	err := l.discard(ctx, keep, messages.CheckpointID(newest[0].Checkpoint))
	if err != nil {
		return fmt.Errorf("persistence.Log.Retain: %w", err)
	}
	return nil
}

// DeleteAll deletes every checkpoint of the job but savepoints. The subtasks
// must have ended. It begins with a claim that says so and which the log holds
// afterwards: from then on no checkpoint counts, even if deleting them is cut
// short, and the slots they had stay behind the fence.
func (l *Log) DeleteAll(ctx context.Context, nowMs int64) error {
	if err := l.deleteAll(ctx, nowMs); err != nil {
		return fmt.Errorf("persistence.Log.DeleteAll: %w", err)
	}
	return nil
}

func (l *Log) deleteAll(ctx context.Context, nowMs int64) error {
	if err := l.held(); err != nil {
		return err
	}
	if err := l.refresh(ctx); err != nil {
		return err
	}
	if newest := l.slots[len(l.slots)-1]; !l.isOurs(newest) {
		return l.lose(&takenError{by: newest})
	}
	c := &messages.Claim{Owner: l.claim.Owner, Nonce: l.claim.Nonce, Reason: "all checkpoints deleted", TimeMs: nowMs, Discards: true}
	err := l.appendClaim(ctx, c)
	if taken := (*takenError)(nil); errors.As(err, &taken) {
		return l.lose(taken)
	}
	if err != nil {
		return err
	}
	return l.discard(ctx, 0, everyCheckpoint)
}

// isOurs tells our own records: those of our claim, and the claim of an earlier
// DeleteAll whose outcome the store did not tell.
func (l *Log) isOurs(s slot) bool {
	c := s.record.GetClaim()
	return s.damage == nil && (attemptOf(s.record) == l.Attempt() || c.GetNonce() == l.claim.Nonce && c.GetOwner() == l.claim.Owner)
}

// everyCheckpoint is behind all checkpoints.
const everyCheckpoint = ^messages.CheckpointID(0)

// discard deletes the manifests but the newest keep, claims beyond maxClaims,
// and the blobs of checkpoints before `before` that nothing refers to. The
// manifests go first: one without its blobs would be taken for a corrupt one.
func (l *Log) discard(ctx context.Context, keep int, before messages.CheckpointID) error {
	var errs []error
	for _, n := range l.surplus(keep) {
		errs = append(errs, l.deleteSlot(ctx, n))
	}
	garbage, err := l.garbage(ctx, before)
	errs = append(errs, err)
	for _, key := range garbage {
		errs = append(errs, l.delete(ctx, key))
	}
	return errors.Join(errs...)
}

// surplus gives the slots to delete, oldest first. A slot that cannot be read
// may be a claim, and counts as one.
func (l *Log) surplus(keep int) []uint64 {
	var numbers []uint64
	manifests, claims := 0, 0
	for _, s := range slices.Backward(l.slots) {
		switch m := s.record.GetManifest(); {
		case m == nil:
			if claims++; claims > maxClaims {
				numbers = append(numbers, s.number)
			}
			if s.record.GetClaim().GetDiscards() {
				keep = 0
			}
		case !m.Savepoint:
			if manifests++; manifests > keep {
				numbers = append(numbers, s.number)
			}
		}
	}
	slices.Reverse(numbers)
	return numbers
}

func (l *Log) deleteSlot(ctx context.Context, n uint64) error {
	if err := l.delete(ctx, slotKey(l.job, n)); err != nil {
		return err
	}
	l.slots = slices.DeleteFunc(l.slots, func(s slot) bool { return s.number == n })
	return nil
}

// garbage lists the blobs of checkpoints before `before` that no manifest of
// the log refers to. What a later attempt wrote is never among them.
func (l *Log) garbage(ctx context.Context, before messages.CheckpointID) ([]string, error) {
	keys, err := l.store.List(ctx, dataPrefix(l.job))
	if err != nil {
		return nil, fmt.Errorf("store.List: %w", err)
	}
	used := l.used()
	return slices.DeleteFunc(keys, func(key string) bool {
		cp, attempt, ok := checkpointOf(l.job, key)
		return !ok || used[key] || cp >= before || attempt > l.Attempt()
	}), nil
}

// used holds the key of every blob that a manifest of the log refers to.
func (l *Log) used() map[string]bool {
	used := map[string]bool{}
	for _, s := range l.slots {
		for b := range blobsOf(s.record.GetManifest()) {
			used[b.GetKey()] = true
		}
	}
	return used
}

func (l *Log) delete(ctx context.Context, key string) error {
	if err := l.store.Delete(ctx, key); err != nil {
		return fmt.Errorf("store.Delete: %w", err)
	}
	return nil
}
