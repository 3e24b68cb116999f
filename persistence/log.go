package persistence

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"google.golang.org/protobuf/proto"

	"github.com/weirflow/weir/messages"
	"github.com/weirflow/weir/messages/mutant"
)

// Log is a job's append-only log in the checkpoint store: slots 1, 2, 3 ...,
// each taken once, by PutIfAbsent, with a claim or a manifest in it.
//
// Taking the next slot is the fence. What holds, and is tested:
//
//   - A coordinator appends only to the slot behind the last one it knows. So
//     once another has claimed that slot it appends nowhere, whatever it
//     believes: between its last slot and the claim there is no free one.
//   - Therefore claims are not deleted while they may be the next slot of
//     somebody (see Retain), and the greatest slot never is.
//   - Slots of manifests are deleted, and are free again. So whoever wrote to a
//     slot that he may have known to be free too long ago (a claim, a write tried
//     again) looks for slots behind it, and if there are any it did not count.
//   - An attempt's number is never greater than the slot of its claim, so the
//     slot's number is a safe number for the next attempt when the record before
//     it cannot be read.
//   - After a write with an unknown outcome the log tries the same record
//     again or nothing, until it claims anew.
//
// A Log belongs to one coordinator, which makes one call at a time.
type Log struct {
	store CheckpointStore
	job   messages.JobID

	slots []slot // ascending; as read last, plus what was appended since
	last  uint64 // greatest slot known to be taken; 0: none

	owned     bool               // a claim of ours succeeded, at some time
	claim     *messages.Claim    // ours and the newest; nil: none, or lost
	lost      error              // why claim is nil, once it was not
	pending   *messages.Manifest // its write to slot last+1 has an unknown outcome
	published bool               // under claim
}

// Damaged is a slot that cannot be read. It may have been a claim or a manifest.
type Damaged struct {
	Slot uint64
	Key  string
	Err  error
}

func (d Damaged) Error() string {
	return fmt.Sprintf("slot %d of the log (%s): %v", d.Slot, d.Key, d.Err)
}

// errNoClaim is a bug of the caller, or what is left after a failed Claim.
var errNoClaim = errors.New("the log holds no claim; call Claim first")

// OpenLog reads what there is. It needs no claim and disturbs no owner.
func OpenLog(ctx context.Context, store CheckpointStore, job messages.JobID) (*Log, error) {
	if err := CheckJob(job); err != nil {
		return nil, fmt.Errorf("persistence.OpenLog: %w", err)
	}
	l := &Log{store: store, job: job}
	if err := l.refresh(ctx); err != nil {
		return nil, fmt.Errorf("persistence.OpenLog: %w", err)
	}
	return l, nil
}

// Claim opens the next attempt, whose number it returns: from now on nobody
// with an older claim can publish. nowMs is wall clock, for people. After an
// error the log holds no claim, though its record may stand in the log. It fails
// with a *FencedError when the log's claim was taken over by another owner.
func (l *Log) Claim(ctx context.Context, owner Owner, reason string, nowMs int64) (messages.Attempt, error) {
	c := &messages.Claim{Owner: owner.Name, Nonce: owner.Nonce, Reason: reason, TimeMs: nowMs}
	if err := l.take(ctx, c); err != nil {
		return 0, fmt.Errorf("persistence.Log.Claim: %w", err)
	}
	return l.Attempt(), nil
}

// claimTries bounds how often in a row others may be quicker.
const claimTries = 100

// take claims behind whatever others append. It must look behind its slot: the
// owner may have published there, and deleted that as too old, since the log was
// read; a claim between older slots fences nobody.
func (l *Log) take(ctx context.Context, c *messages.Claim) error {
	l.claim, l.lost, l.pending, l.published = nil, nil, nil, false
	for range claimTries {
		if err := l.refresh(ctx); err != nil {
			return err
		}
		if l.lost = l.takenOver(c.Nonce); l.lost != nil {
			return l.lost
		}
		err := l.appendClaim(ctx, c)
		if taken := (*takenError)(nil); !errors.As(err, &taken) {
			return err
		}
	}
	return fmt.Errorf("slot %d of job %q is taken whenever it is tried, but %s does not list it or others are always quicker", l.last+1, l.job, l.store)
}

// takenOver gives a *FencedError when we owned the job and the newest claim is
// another's: whoever was replaced must not take the job back, for it may still
// run what its successor has already restored. The first claim of an opened log
// passes any other; that is how a job is taken over.
func (l *Log) takenOver(nonce uint64) error {
	if !l.owned {
		return nil
	}
	for _, s := range slices.Backward(l.slots) {
		if c := s.record.GetClaim(); c != nil && c.Nonce != nonce {
			return &FencedError{Job: l.job, By: c.Owner, Attempt: messages.Attempt(c.Attempt), Since: c.TimeMs}
		} else if c != nil {
			return nil
		}
	}
	return nil
}

// appendClaim makes c the log's claim if its slot is the last one.
func (l *Log) appendClaim(ctx context.Context, c *messages.Claim) error {
	c.Job, c.Attempt = string(l.job), uint64(l.nextAttempt())
	r := &messages.LogRecord{Record: &messages.LogRecord_Claim{Claim: c}}
	data, err := encodeRecord(r)
	if err != nil {
		return err
	}
	if err := l.append(ctx, r, data, true); err != nil {
		return err
	}
	l.claim, l.owned, l.pending, l.published = c, true, nil, false
	return nil
}

func (l *Log) nextAttempt() messages.Attempt {
	if l.last == 0 {
		return 1
	}
	if len(l.slots) == 0 {
		return messages.Attempt(l.last + 1)
	}
	newest := l.slots[len(l.slots)-1]
	if newest.damage != nil || newest.number != l.last {
		return messages.Attempt(l.last + 1)
	}
	if mutant.On("reuse-attempt") {
		return attemptOf(newest.record)
	}
	return attemptOf(newest.record) + 1
}

func attemptOf(r *messages.LogRecord) messages.Attempt {
	if c := r.GetClaim(); c != nil {
		return messages.Attempt(c.Attempt)
	}
	return messages.Attempt(r.GetManifest().GetAttempt())
}

// Attempt is that of the claim the log holds; 0 without one.
func (l *Log) Attempt() messages.Attempt { return messages.Attempt(l.claim.GetAttempt()) }

// Publish decides m's checkpoint: when it returns nil the checkpoint is
// complete and will be restored from until a later one is. Format, job and
// attempt may be left out of m. It fails with
//
//   - a *FencedError when another coordinator has claimed the job,
//   - an *UncertainError when the store did not tell the outcome,
//   - any other error when nothing was published. Some of these say that the
//     claim is lost: then all that follow fail likewise until Claim.
func (l *Log) Publish(ctx context.Context, m *messages.Manifest) error {
	if err := l.publish(ctx, m); err != nil {
		return fmt.Errorf("persistence.Log.Publish: %w", err)
	}
	return nil
}

func (l *Log) publish(ctx context.Context, m *messages.Manifest) error {
	if err := l.held(); err != nil {
		return err
	}
	m, err := complete(l.job, l.Attempt(), m)
	if err != nil {
		return err
	}
	if l.pending != nil && !proto.Equal(l.pending, m) {
		return l.uncertain(l.pending, errors.New("its outcome must be known before another is published"))
	}
	if ms, _ := l.Manifests(); len(ms) > 0 && m.Checkpoint <= ms[0].Checkpoint {
		return fmt.Errorf("checkpoint %d is not greater than the newest, %d; ids grow over all attempts: see LastCheckpoint", m.Checkpoint, ms[0].Checkpoint)
	}
	r := &messages.LogRecord{Record: &messages.LogRecord_Manifest{Manifest: m}}
	data, err := encodeRecord(r)
	if err != nil {
		return err
	}
	return l.conclude(m, l.append(ctx, r, data, l.pending != nil))
}

// conclude takes the outcome of appending m into the log's state.
func (l *Log) conclude(m *messages.Manifest, err error) error {
	if err == nil {
		l.pending, l.published = nil, true
		return nil
	}
	if taken := (*takenError)(nil); errors.As(err, &taken) {
		return l.lose(taken)
	}
	l.pending = m
	return l.uncertain(m, err)
}

// lose gives up the claim, for taken shows that another owner may have claimed.
func (l *Log) lose(taken *takenError) error {
	l.claim, l.lost = nil, fencedBy(l.job, taken)
	return l.lost
}

// checkFence gives a *FencedError when the newest claim is not ours.
func (l *Log) checkFence(ctx context.Context) error {
	if err := l.held(); err != nil {
		return err
	}
	err := l.checkNewest(ctx, l.last)
	if taken := (*takenError)(nil); errors.As(err, &taken) && taken.by.damage == nil {
		return l.lose(taken)
	}
	return err
}

func (l *Log) uncertain(m *messages.Manifest, err error) error {
	return &UncertainError{Checkpoint: messages.CheckpointID(m.Checkpoint), Slot: l.last + 1, Err: err}
}

func (l *Log) held() error {
	switch {
	case l.claim != nil:
		return nil
	case l.lost != nil:
		return l.lost
	default:
		return errNoClaim
	}
}

// fencedBy tells who took the slot. When that cannot be read, and so nothing of
// ours stands there either, it is not said that there is another owner: the
// record may be our own, torn. Only a new claim can pass it.
func fencedBy(job messages.JobID, taken *takenError) error {
	c := taken.by.record.GetClaim()
	switch {
	case taken.by.damage != nil && !taken.behind:
		return fmt.Errorf("%w; it may be another owner's claim: claim again", taken)
	case c == nil: // damaged, or its claim is older than those that are kept
		return &FencedError{Job: job, By: "an owner whose claim cannot be read", Attempt: attemptOf(taken.by.record)}
	default:
		return &FencedError{Job: job, By: c.Owner, Attempt: messages.Attempt(c.Attempt), Since: c.TimeMs}
	}
}
