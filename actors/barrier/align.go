// Package barrier decides, for one subtask, when the barriers of a checkpoint
// have come in on all its channels, and which channels must wait until then. It
// is the alignment of Carbone et al., "Lightweight Asynchronous Snapshots for
// Distributed Dataflows" (2015), a variant of Chandy and Lamport's snapshots
// for acyclic graphs.
//
// In mode ExactlyOnce a channel whose barrier n came in waits until all have
// it: nothing behind barrier n is worked off before the state is frozen. In
// mode AtLeastOnce no channel ever waits.
//
// # Concurrency
//
// An Aligner belongs to one actor. It is pure: no I/O, no clock, no goroutine.
//
// # Testing
//
// testdata holds scripts whose output draws the channels as bars.
package barrier

import (
	"github.com/weirflow/weir/messages"
	"github.com/weirflow/weir/messages/mutant"
)

// Mode says whether channels wait for each other.
type Mode int

// The modes of alignment.
const (
	ExactlyOnce Mode = iota
	AtLeastOnce
)

// Aligner follows one checkpoint at a time over a fixed number of channels.
//
// Invariants: pending is 0 or greater than done; in mode ExactlyOnce a channel
// is blocked exactly when its barrier of pending came in; arrived counts the
// channels whose barrier of pending came in, and is less than their number.
type Aligner struct {
	mode    Mode
	has     []bool // by channel: its barrier of pending came in
	arrived int
	pending messages.CheckpointID // being aligned; 0: none
	done    messages.CheckpointID // greatest one completed or given up
}

// Outcome is what a step decided.
type Outcome struct {
	Complete  messages.CheckpointID // take the snapshot of this checkpoint now; 0: not yet
	GaveUp    messages.CheckpointID // this checkpoint will never align here; 0: none
	Unblocked bool                  // channels that waited may go on
}

// NewAligner makes an aligner over n channels, n >= 1. Barriers up to done
// belong to the past.
func NewAligner(mode Mode, n int, done messages.CheckpointID) *Aligner {
	return &Aligner{mode: mode, has: make([]bool, n), done: done}
}

// OnBarrier takes barrier n of a channel. A barrier of the past is ignored; one
// of a later checkpoint than the pending one ends that.
func (a *Aligner) OnBarrier(channel int, n messages.CheckpointID) Outcome {
	if n <= a.done || n < a.pending || (n == a.pending && a.has[channel]) {
		return Outcome{}
	}
	var out Outcome
	if n > a.pending && a.pending != 0 {
		out = a.giveUp()
	}
	a.pending = n
	a.has[channel] = true
	a.arrived++
	if a.arrived == len(a.has) {
		out.Complete, out.Unblocked = n, out.Unblocked || a.mode == ExactlyOnce
		a.becomeIdle(n)
	}
	return out
}

// OnAborted takes the coordinator's word that checkpoint n is over.
func (a *Aligner) OnAborted(n messages.CheckpointID) Outcome {
	if n <= a.done {
		return Outcome{}
	}
	if a.pending != 0 && a.pending <= n {
		out := a.giveUp()
		a.done = n
		return out
	}
	a.done = max(a.done, n)
	return Outcome{}
}

// Blocked tells whether what comes next on the channel must wait.
func (a *Aligner) Blocked(channel int) bool {
	if mutant.On("skip-alignment") && channel == 0 {
		return false
	}
	return a.mode == ExactlyOnce && a.pending != 0 && a.has[channel]
}

// Pending is the checkpoint being aligned; 0: none.
func (a *Aligner) Pending() messages.CheckpointID { return a.pending }

func (a *Aligner) giveUp() Outcome {
	out := Outcome{GaveUp: a.pending, Unblocked: a.mode == ExactlyOnce}
	a.becomeIdle(a.pending)
	return out
}

func (a *Aligner) becomeIdle(done messages.CheckpointID) {
	clear(a.has)
	a.arrived, a.pending, a.done = 0, 0, done
}
