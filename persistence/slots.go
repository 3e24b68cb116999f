package persistence

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/weirflow/weir/messages"
)

// slot is one record of the log, or the reason why it cannot be read.
type slot struct {
	number uint64
	record *messages.LogRecord
	damage error
}

// takenError says that the slot which append tried holds another record, or
// that there is another owner's behind it.
type takenError struct {
	by     slot
	behind bool
}

func (e *takenError) Error() string {
	if e.by.damage != nil {
		return fmt.Sprintf("slot %d is taken by a record that cannot be read: %v", e.by.number, e.by.damage)
	}
	return fmt.Sprintf("slot %d is taken by attempt %d", e.by.number, attemptOf(e.by.record))
}

// append writes r, encoded as data, to the next slot. After a *takenError it is
// not there, unless the error says behind; any other error leaves that open.
// With look it also looks for slots behind the new one, which may have been
// taken before and deleted as too old since.
func (l *Log) append(ctx context.Context, r *messages.LogRecord, data []byte, look bool) error {
	n := l.last + 1
	if err := l.store.PutIfAbsent(ctx, slotKey(l.job, n), data); err != nil {
		if err := l.resolve(ctx, n, data, err); err != nil {
			return err
		}
	}
	if look {
		if err := l.checkNewest(ctx, n); err != nil {
			return err
		}
	}
	l.slots, l.last = append(l.slots, slot{number: n, record: r}), n
	return nil
}

// resolve finds out by reading whether slot n holds data, after PutIfAbsent
// failed with cause. What cannot be read must read alike twice, so that a fault
// on the way is not taken for damage.
func (l *Log) resolve(ctx context.Context, n uint64, data []byte, cause error) error {
	got, err := readAll(ctx, l.store, slotKey(l.job, n))
	if err != nil {
		return fmt.Errorf("%w; reading the slot back: %w", cause, err)
	}
	if bytes.Equal(got, data) {
		return nil
	}
	s, err := l.decode(n, got)
	if err != nil {
		s = slot{number: n, damage: err}
	}
	if s.damage == nil {
		return &takenError{by: s}
	}
	if twice, err := readAll(ctx, l.store, slotKey(l.job, n)); err != nil || !bytes.Equal(got, twice) {
		return fmt.Errorf("%w; reading the slot back: %w", cause, errors.Join(s.damage, err))
	}
	return &takenError{by: s}
}

// checkNewest gives a *takenError with the first slot behind n that is not of
// our attempt, if there is one: nobody appends behind us but a new owner.
func (l *Log) checkNewest(ctx context.Context, n uint64) error {
	numbers, err := l.list(ctx)
	if err != nil {
		return err
	}
	i, _ := slices.BinarySearch(numbers, n+1)
	for _, n := range numbers[i:] {
		s, err := l.read(ctx, n)
		if err != nil {
			return err
		}
		if s.damage != nil || attemptOf(s.record) != l.Attempt() {
			return &takenError{by: s, behind: true}
		}
	}
	return nil
}

// refresh makes slots what the store holds now.
func (l *Log) refresh(ctx context.Context) error {
	numbers, err := l.list(ctx)
	if err != nil {
		return err
	}
	if n := len(numbers); l.last > 0 && (n == 0 || numbers[n-1] < l.last) {
		return fmt.Errorf("slot %d of job %q is gone from %s; was the store emptied while the job ran?", l.last, l.job, l.store)
	}
	known, slots := l.slots, make([]slot, 0, len(numbers))
	for _, n := range numbers {
		i, ok := slices.BinarySearchFunc(known, n, func(s slot, n uint64) int { return cmp.Compare(s.number, n) })
		if ok {
			slots = append(slots, known[i])
			continue
		}
		s, err := l.read(ctx, n)
		if errors.Is(err, ErrNotFound) {
			continue // its owner deleted it since it was listed
		}
		if err != nil {
			return err
		}
		slots = append(slots, s)
	}
	l.slots = slots
	if len(numbers) > 0 {
		l.last = numbers[len(numbers)-1]
	}
	return nil
}

// list gives the numbers of all slots, ascending.
func (l *Log) list(ctx context.Context) ([]uint64, error) {
	keys, err := l.store.List(ctx, logPrefix(l.job))
	if err != nil {
		return nil, fmt.Errorf("store.List: %w", err)
	}
	numbers := make([]uint64, 0, len(keys))
	for _, key := range keys {
		n, ok := slotOf(l.job, key)
		if !ok {
			return nil, fmt.Errorf("%s holds %q, which weir did not write; give job %q a store of its own, or remove it", l.store, key, l.job)
		}
		numbers = append(numbers, n)
	}
	return numbers, nil
}

func (l *Log) read(ctx context.Context, n uint64) (slot, error) {
	data, err := readAll(ctx, l.store, slotKey(l.job, n))
	if err != nil {
		return slot{}, err
	}
	return l.decode(n, data)
}

// decode gives an error for what no other checkpoint is the answer to: a newer
// format, another job. Damage goes into the slot.
func (l *Log) decode(n uint64, data []byte) (slot, error) {
	key := slotKey(l.job, n)
	r, err := decodeRecord(key, data)
	if err == nil {
		err = l.check(key, r)
	}
	newer, other := (*FormatError)(nil), (*OtherJobError)(nil)
	switch {
	case errors.As(err, &newer), errors.As(err, &other):
		return slot{}, err
	case err != nil:
		return slot{number: n, damage: err}, nil
	default:
		return slot{number: n, record: r}, nil
	}
}

func (l *Log) check(key string, r *messages.LogRecord) error {
	if m := r.GetManifest(); m != nil {
		return checkManifest(l.job, key, m)
	}
	if c := r.GetClaim(); c.Job != string(l.job) {
		return &OtherJobError{Key: key, Job: messages.JobID(c.Job), Want: l.job}
	}
	return nil
}

func readAll(ctx context.Context, store CheckpointStore, key string) ([]byte, error) {
	r, err := store.Open(ctx, key)
	if err != nil {
		return nil, fmt.Errorf("store.Open: %w", err)
	}
	data, err := io.ReadAll(r)
	if err := errors.Join(err, r.Close()); err != nil {
		return nil, fmt.Errorf("read %s: %w", key, err)
	}
	return data, nil
}
