package checkpoint

import (
	"fmt"

	"github.com/weirflow/weir/messages"
)

// Action is what the coordinator has to do next. Actions are carried out in
// the order in which they are returned.
type Action interface {
	fmt.Stringer
	action()
}

// Trigger asks every source subtask to send the barrier of a new checkpoint.
type Trigger struct {
	ID   messages.CheckpointID
	Last bool // nothing is triggered after it, once it is decided
}

// Publish makes the manifest durable; its outcome comes back by Published or
// PublishFailed. The snapshots are sorted by subtask.
type Publish struct {
	ID        messages.CheckpointID
	Final     bool // every subtask had finished at its barrier
	Snapshots []*messages.SubtaskSnapshot
}

// Complete tells every subtask of some regions that a checkpoint is decided.
type Complete struct {
	ID      messages.CheckpointID
	Regions []int
	Heard   []uint64 // keys of doubts that were reported since the last one
	Again   bool     // re-sent, because a subtask has not answered yet
}

// Abort tells the subtasks of some regions that a checkpoint will never be.
type Abort struct {
	ID      messages.CheckpointID
	Regions []int
	Reason  string
}

// Doubt reports a transaction that can neither be committed nor proved
// committed. Each is reported once; the job goes on.
type Doubt struct{ InDoubt *messages.InDoubt }

// Settled reports that every subtask has committed everything up to ID.
type Settled struct{ ID messages.CheckpointID }

// GiveUp fails the attempts of all regions: more checkpoints in a row failed
// than are tolerated.
type GiveUp struct {
	Failures int // in a row
	Reason   string
}

// Done reports that the last checkpoint is settled and the job has ended.
type Done struct {
	ID    messages.CheckpointID
	Final bool // every subtask had finished; otherwise the job can go on from it
}

func (Trigger) action()  {}
func (Publish) action()  {}
func (Complete) action() {}
func (Abort) action()    {}
func (Doubt) action()    {}
func (Settled) action()  {}
func (GiveUp) action()   {}
func (Done) action()     {}

func (a Trigger) String() string {
	if a.Last {
		return fmt.Sprintf("trigger %d last", a.ID)
	}
	return fmt.Sprintf("trigger %d", a.ID)
}

func (a Publish) String() string {
	s := fmt.Sprintf("publish %d", a.ID)
	if a.Final {
		s += " final"
	}
	for _, p := range a.Snapshots {
		s += " " + p.Subtask.ID().String()
	}
	return s
}

func (a Complete) String() string {
	s := fmt.Sprintf("complete %d regions=%v", a.ID, a.Regions)
	if len(a.Heard) > 0 {
		s += fmt.Sprintf(" doubts heard=%d", len(a.Heard))
	}
	if a.Again {
		s += " again"
	}
	return s
}

func (a Abort) String() string {
	return fmt.Sprintf("abort %d regions=%v: %s", a.ID, a.Regions, a.Reason)
}

func (a Doubt) String() string {
	d := a.InDoubt
	return fmt.Sprintf("in doubt %s[%d] checkpoint %d: %s", d.GetOperator(), d.GetIndex(), d.GetCheckpoint(), d.GetReason())
}

func (a Settled) String() string { return fmt.Sprintf("settled %d", a.ID) }

func (a GiveUp) String() string {
	return fmt.Sprintf("give up after %d in a row: %s", a.Failures, a.Reason)
}

func (a Done) String() string {
	if a.Final {
		return fmt.Sprintf("done %d final", a.ID)
	}
	return fmt.Sprintf("done %d", a.ID)
}
