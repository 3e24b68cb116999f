package checkpoint

import (
	"cmp"
	"slices"
	"time"

	"github.com/weirflow/weir/messages"
)

// round is phase 1 of one checkpoint: from its trigger to its decision.
type round struct {
	id         messages.CheckpointID
	deadline   time.Time // for the last ack
	last       bool      // none follows once it is decided
	final      bool      // known when publishing: every snapshot says finished
	acks       map[messages.SubtaskID]*messages.SubtaskSnapshot
	publishing bool // every subtask has acked; from here only the store decides
}

// allFinished tells whether every subtask had worked off its input to the very
// end at its barrier. A subtask whose sources were stopped has not.
func (r *round) allFinished() bool {
	for _, s := range r.acks { // order: all of them
		if !s.GetFinished() {
			return false
		}
	}
	return true
}

// snapshots gives what was acked, sorted by subtask.
func (r *round) snapshots() []*messages.SubtaskSnapshot {
	all := make([]*messages.SubtaskSnapshot, 0, len(r.acks))
	for _, s := range r.acks { // order: sorted below
		all = append(all, s)
	}
	slices.SortFunc(all, func(a, b *messages.SubtaskSnapshot) int {
		return compareSubtasks(a.Subtask.ID(), b.Subtask.ID())
	})
	return all
}

func compareSubtasks(a, b messages.SubtaskID) int {
	return cmp.Or(cmp.Compare(a.Chain, b.Chain), cmp.Compare(a.Index, b.Index))
}

// ledger is phase 2: what is decided and who has committed it. An answer is a
// fact that outlives the attempt in which it was given: the transactions up to
// that checkpoint are committed for good. So an entry only ever grows.
type ledger struct {
	decided messages.CheckpointID // the newest published one; 0: none
	settled messages.CheckpointID // committed by every subtask, as far as reported
	upTo    map[messages.SubtaskID]messages.CheckpointID
	resend  time.Time
	doubts  map[uint64]bool // what was reported as in doubt, by its key
	heard   []uint64        // of these, what was since decided checkpoints were last told
}

func (l *ledger) onDecided(id messages.CheckpointID) { l.decided = max(l.decided, id) }

func (l *ledger) onCommitted(s messages.SubtaskID, id messages.CheckpointID) {
	l.upTo[s] = max(l.upTo[s], id)
}

// owes tells whether one of the subtasks has not committed what is decided.
func (l *ledger) owes(subtasks []messages.SubtaskID) bool {
	return slices.ContainsFunc(subtasks, func(s messages.SubtaskID) bool { return l.upTo[s] < l.decided })
}

// maybeSettled gives the newest checkpoint that every subtask has committed, if
// it is newer than what was reported before.
func (l *ledger) maybeSettled(regions []region) (messages.CheckpointID, bool) {
	least := l.decided
	for _, r := range regions {
		for _, s := range r.subtasks {
			least = min(least, l.upTo[s])
		}
	}
	if least <= l.settled {
		return 0, false
	}
	l.settled = least
	return least, true
}

// maybeDoubt tells whether d is news: a subtask repeats what is in doubt with
// every answer until it is told that this was heard, and after every restart.
func (l *ledger) maybeDoubt(d *messages.InDoubt) bool {
	key := d.Key()
	if !slices.Contains(l.heard, key) {
		l.heard = append(l.heard, key)
	}
	if l.doubts[key] {
		return false
	}
	l.doubts[key] = true
	return true
}

// takeHeard gives the doubts that were heard, for the next telling of a decision. If
// that gets lost, they are told again, and heard again.
func (l *ledger) takeHeard() []uint64 {
	heard := l.heard
	l.heard = nil
	return heard
}
