package coordinator

import (
	"errors"
	"fmt"

	"github.com/weirflow/weir/messages"
)

// The messages of this file come from the job's handle, in the same process.
// Replies are sent without waiting, so a Reply channel needs room for one.

// GetStatus asks for the job's Status.
type GetStatus struct{ Reply chan<- Status }

// Trigger asks for a checkpoint now. It is taken when the one under way has
// ended and every region runs; the reply comes when it is published or failed.
type Trigger struct{ Reply chan<- TriggerResult }

// TriggerResult is the answer to Trigger.
type TriggerResult struct {
	Checkpoint messages.CheckpointID
	Err        error
}

// Cancel ends the job as it is: commits what is decided, stops everything, and
// deletes the checkpoints unless they are retained.
type Cancel struct{}

// Stop ends the sources, takes a last checkpoint, commits it and ends the job.
// With Drain every window fires and the job has FINISHED; without, it is
// STOPPED and can go on from the checkpoint.
type Stop struct{ Drain bool }

// State is that of a job.
type State string

// The states of a job; the last five are final.
const (
	Starting   State = "STARTING"   // no region has run yet
	Running    State = "RUNNING"    // every region runs
	Restarting State = "RESTARTING" // some region does not run
	Stopping   State = "STOPPING"   // on its way to FINISHED or STOPPED by request
	Canceling  State = "CANCELING"
	Failing    State = "FAILING"
	Finished   State = "FINISHED" // its input is worked off and committed
	Stopped    State = "STOPPED"  // it can go on from its last checkpoint
	Canceled   State = "CANCELED"
	Failed     State = "FAILED"
	Fenced     State = "FENCED" // another coordinator has taken the job over
)

// Final tells whether nothing follows.
func (s State) Final() bool {
	switch s {
	case Finished, Stopped, Canceled, Failed, Fenced:
		return true
	}
	return false
}

// Result is how a job ended.
type Result struct {
	State State
	// Err is nil for a job that ended as it should. A *FailedError for FAILED,
	// a *persistence.FencedError for FENCED, an *InDoubtError when transactions
	// are in doubt though the job itself ended well.
	Err        error
	Checkpoint messages.CheckpointID // the newest published; 0: none
	Restarts   int
	Failures   []FailureRecord
	InDoubt    []*messages.InDoubt
}

// FailedError is why a job has FAILED.
type FailedError struct {
	Job      messages.JobID
	Cause    error  // what the last attempt died of first
	Limit    string // why it was not restarted
	Restarts int
	History  []FailureRecord // the first and the newest
}

func (e *FailedError) Error() string {
	s := fmt.Sprintf("job %q failed after %d restarts (%s): %v", e.Job, e.Restarts, e.Limit, e.Cause)
	if len(e.History) > 1 && e.History[0].Failure.GetReason() != e.History[len(e.History)-1].Failure.GetReason() {
		s += fmt.Sprintf("; its first failure was: %v", e.History[0].Failure)
	}
	return s
}

// Unwrap gives the cause.
func (e *FailedError) Unwrap() error { return e.Cause }

// InDoubtError says that a job ended with transactions that nobody can commit
// or prove committed: their records may be missing from the output.
type InDoubtError struct{ InDoubt []*messages.InDoubt }

func (e *InDoubtError) Error() string {
	d := e.InDoubt[0]
	return fmt.Sprintf("%d transactions are in doubt, the first of %s[%d] at checkpoint %d: %s",
		len(e.InDoubt), d.GetOperator(), d.GetIndex(), d.GetCheckpoint(), d.GetReason())
}

// errEnded answers a Trigger that came too late.
var errEnded = errors.New("the job has ended")
