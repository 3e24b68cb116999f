package persistence

import (
	"fmt"
	"time"

	"github.com/weirflow/weir/messages"
)

// Owner tells who claims an attempt.
type Owner struct {
	Name  string // for people: host and pid
	Nonce uint64 // drawn by chance for every Log, so that no two owners claim alike
}

// FencedError says that another coordinator claimed the job: this one may
// publish nothing more, and must neither commit nor abort what it prepared,
// for the new owner does that.
type FencedError struct {
	Job     messages.JobID
	By      string           // owner of the claim that fences
	Attempt messages.Attempt // 0: not known
	Since   int64            // wall clock of that owner, ms; 0: not known
}

func (e *FencedError) Error() string {
	return fmt.Sprintf("job %q was taken over by %s%s; it runs on the same store: stop one of the two, or give one of them another job name or another store",
		e.Job, e.By, e.when())
}

func (e *FencedError) when() string {
	switch {
	case e.Attempt == 0:
		return ""
	case e.Since == 0:
		return fmt.Sprintf(" (attempt %d)", e.Attempt)
	default:
		return fmt.Sprintf(" (attempt %d, since %s)", e.Attempt, time.UnixMilli(e.Since).UTC().Format(time.RFC3339))
	}
}

// UncertainError says that it is not known whether a manifest was published.
// The checkpoint may be decided or not: neither commit nor abort it. Either
// publish the same manifest again, or claim again and look at Manifests.
type UncertainError struct {
	Checkpoint messages.CheckpointID
	Slot       uint64
	Err        error
}

func (e *UncertainError) Error() string {
	return fmt.Sprintf("it is not known whether checkpoint %d was published in slot %d: %v", e.Checkpoint, e.Slot, e.Err)
}

// Unwrap gives the cause.
func (e *UncertainError) Unwrap() error { return e.Err }
