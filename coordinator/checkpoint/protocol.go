package checkpoint

import (
	"fmt"
	"time"

	"github.com/weirflow/weir/messages"
	"github.com/weirflow/weir/messages/mutant"
)

// Protocol takes, decides and commits the checkpoints of one job. Each method
// is an event with its time and returns what to do about it.
type Protocol struct {
	pace     pace
	ledger   ledger
	regions  []region
	regionOf map[messages.SubtaskID]int
	finished map[messages.SubtaskID]bool

	round  *round                // the checkpoint under way; nil: none
	newest messages.CheckpointID // the greatest id ever used
	last   messages.CheckpointID // the last checkpoint, once decided; 0: not yet
	final  bool                  // every subtask had finished in last
	wanted bool                  // somebody asked for a checkpoint
	ending bool                  // the next checkpoint is to be the last
	drain  bool                  // sources end for good: none but the last checkpoint counts
	done   bool
}

// region is a group of subtasks that run and fail together.
type region struct {
	subtasks []messages.SubtaskID
	up       bool
	base     messages.CheckpointID // contains what the region does now: restored from it, or part of it
}

// New makes the protocol for the subtasks of every region, all of them down.
func New(cfg Config, regions [][]messages.SubtaskID) *Protocol {
	p := &Protocol{
		pace:     pace{cfg: cfg},
		ledger:   ledger{upTo: map[messages.SubtaskID]messages.CheckpointID{}, doubts: map[uint64]bool{}},
		regionOf: map[messages.SubtaskID]int{},
		finished: map[messages.SubtaskID]bool{},
	}
	for i, subtasks := range regions {
		p.regions = append(p.regions, region{subtasks: subtasks})
		for _, s := range subtasks {
			p.regionOf[s] = i
		}
	}
	return p
}

// Found says which checkpoint id the store holds, usable or not: new ids are
// greater.
func (p *Protocol) Found(id messages.CheckpointID) { p.newest = max(p.newest, id) }

// Restoring says from which checkpoint (0: from nothing) a region is about to be
// restored. It is decided, whoever published it, and nobody knows which of its
// commits happened.
func (p *Protocol) Restoring(id messages.CheckpointID) {
	p.Found(id)
	p.ledger.onDecided(id)
}

// RegionUp says that a region runs, restored from a checkpoint (0: from
// nothing), which was the job's final one or not. What is decided is told to it
// again, since nobody knows which of its commits happened.
func (p *Protocol) RegionUp(now time.Time, index int, restored messages.CheckpointID, final bool) []Action {
	r := &p.regions[index]
	if r.up || p.round != nil {
		panic(fmt.Sprintf("checkpoint: region %d up, was up %v, round %+v", index, r.up, p.round))
	}
	r.up, r.base = true, restored
	p.Restoring(restored)
	if final {
		p.last, p.final = max(p.last, restored), true
	}
	if p.allUp() {
		p.pace.onRunning(now)
	}
	var out []Action
	if p.ledger.owes(r.subtasks) {
		out = append(out, p.complete(now, []int{index}, false))
	}
	return append(out, p.next(now)...)
}

// RegionDown says that a region runs no more. The checkpoint under way is
// aborted in the others, unless the store is already deciding it; that is no
// failure of the checkpoint. What the region still owes, it owes after its
// restart.
func (p *Protocol) RegionDown(now time.Time, index int, reason string) []Action {
	r := &p.regions[index]
	if !r.up {
		return nil
	}
	p.becomeDown(r)
	if p.round == nil || p.round.publishing {
		return nil
	}
	return p.abort(reason)
}

// Tick says that time has passed. It is due at Due, harmless at any other time.
func (p *Protocol) Tick(now time.Time) []Action {
	var out []Action
	if r := p.round; r != nil && !r.publishing && !now.Before(r.deadline) {
		out = append(out, p.fail(now, fmt.Sprintf("timed out after %v: %s", p.pace.cfg.Timeout, p.missing()))...)
	}
	if !p.ledger.resend.IsZero() && !now.Before(p.ledger.resend) {
		out = append(out, p.remind(now)...)
	}
	return append(out, p.next(now)...)
}

// Request says that somebody wants a checkpoint now, whatever the interval and
// pause. It begins when the one under way has ended and every region runs.
func (p *Protocol) Request(now time.Time) []Action {
	p.wanted = true
	return p.next(now)
}

// Want is Request by somebody who will ask again: it is not for the time when a
// checkpoint is under way, or was asked for.
func (p *Protocol) Want(now time.Time) (taken bool, out []Action) {
	if p.round != nil || p.wanted {
		return false, nil
	}
	return true, p.Request(now)
}

// End says that sources read no more and the next checkpoint is to be the last.
func (p *Protocol) End(now time.Time) []Action {
	p.ending = true
	return p.next(now)
}

// Drain says that sources end for good, at the greatest watermark. Until all
// have, a checkpoint would hold the end of some and the middle of others, and
// nothing could go on from there: none is published but the last.
func (p *Protocol) Drain() { p.drain = true }

// Halt says that the job is to end as it is. Nothing more is triggered, the
// checkpoint under way is aborted, and what is decided is committed still.
func (p *Protocol) Halt() []Action {
	p.done = true
	if p.round == nil || p.round.publishing {
		return nil
	}
	return p.abort("the job is being canceled")
}

// Ack says that a subtask's part of a checkpoint is durable. Acks of checkpoints
// that are over, and repeated ones, change nothing.
func (p *Protocol) Ack(now time.Time, id messages.CheckpointID, snapshot *messages.SubtaskSnapshot) []Action {
	s := snapshot.GetSubtask().ID()
	if _, known := p.regionOf[s]; !known || !p.collecting(id) {
		return nil
	}
	if snapshot.GetFinished() {
		p.finished[s] = true // its own word may have been lost
	}
	r := p.round
	r.acks[s] = snapshot
	if len(r.acks) < len(p.regionOf) && !(mutant.On("publish-without-ack") && len(r.acks) == len(p.regionOf)-1) {
		return nil
	}
	r.final = r.allFinished()
	if p.drain && !r.final {
		return append(p.abort("the job is being drained"), p.next(now)...)
	}
	r.publishing = true
	return []Action{Publish{ID: id, Final: r.final, Snapshots: r.snapshots()}}
}

// Decline is a subtask's vote against a checkpoint.
func (p *Protocol) Decline(now time.Time, id messages.CheckpointID, s messages.SubtaskID, reason string) []Action {
	if !p.collecting(id) {
		return nil
	}
	out := p.fail(now, fmt.Sprintf("%v declined: %s", s, reason))
	return append(out, p.next(now)...)
}

// Published says that the manifest is durable, so the checkpoint is decided.
func (p *Protocol) Published(now time.Time, id messages.CheckpointID) []Action {
	r := p.mustPublish(id)
	p.round = nil
	p.ledger.onDecided(id)
	p.pace.onSucceeded(now)
	if r.last || r.final {
		p.last, p.final = id, r.final
	}
	up := p.up()
	for _, i := range up {
		p.regions[i].base = id
	}
	var out []Action
	if len(up) > 0 {
		out = append(out, p.complete(now, up, false))
	}
	return append(out, p.next(now)...)
}

// PublishFailed says that the manifest is certainly not in the store.
func (p *Protocol) PublishFailed(now time.Time, id messages.CheckpointID, reason string) []Action {
	p.mustPublish(id)
	out := p.fail(now, "publish: "+reason)
	return append(out, p.next(now)...)
}

// Committed says that a subtask has committed every transaction up to a
// checkpoint, but for those in doubt.
func (p *Protocol) Committed(now time.Time, id messages.CheckpointID, s messages.SubtaskID, doubts []*messages.InDoubt) []Action {
	if _, known := p.regionOf[s]; !known {
		return nil
	}
	var out []Action
	for _, d := range doubts {
		if p.ledger.maybeDoubt(d) {
			out = append(out, Doubt{d})
		}
	}
	p.ledger.onCommitted(s, min(id, p.ledger.decided)) // nobody commits what is not decided
	if settled, news := p.ledger.maybeSettled(p.regions); news {
		out = append(out, Settled{settled})
	}
	if !p.Unsettled() {
		p.ledger.resend = time.Time{}
	}
	return append(out, p.next(now)...)
}

// Finished says that a subtask has worked off its input to the end, or to where
// the sources were stopped. It still takes part in checkpoints; when all have
// said so, one more is the last.
func (p *Protocol) Finished(now time.Time, s messages.SubtaskID) []Action {
	if r, known := p.regionOf[s]; !known || !p.regions[r].up {
		return nil
	}
	p.finished[s] = true
	return p.next(now)
}

// Due gives the time of the next Tick; zero: none is needed.
func (p *Protocol) Due() time.Time {
	due, _ := p.due()
	if p.round != nil && !p.round.publishing {
		due = earliest(due, p.round.deadline)
	}
	return earliest(due, p.ledger.resend)
}

// Unsettled tells whether a decided checkpoint awaits commits.
func (p *Protocol) Unsettled() bool {
	for i := range p.regions {
		if p.ledger.owes(p.regions[i].subtasks) {
			return true
		}
	}
	return false
}

// Decided is the newest published checkpoint; 0: none.
func (p *Protocol) Decided() messages.CheckpointID { return p.ledger.decided }

// Publishing tells whether the store is deciding a checkpoint.
func (p *Protocol) Publishing() bool { return p.round != nil && p.round.publishing }
