package coordinator

import (
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/weirflow/weir/messages"
)

// regionState is where a region is in its attempt.
type regionState int

const (
	waiting   regionState = iota // for workers
	claiming                     // the next attempt, from the log
	listing                      // splits, from the sources
	deploying                    // until every node has restored its subtasks
	running
	stopping // until every node has ended the attempt
	backoff  // until the restart strategy's delay is over
	ended    // for good
)

var stateNames = [...]string{"waiting", "claiming", "listing", "deploying", "running", "stopping", "backoff", "ended"}

func (s regionState) String() string { return stateNames[s] }

// region is one region of the job, going through its attempts.
type region struct {
	index    int
	subtasks []messages.SubtaskID
	sources  []Source

	state    regionState
	life     int              // grows with each attempt; results of older lives are ignored
	attempt  messages.Attempt // 0: none claimed, or its end is complete
	deadline time.Time        // of the state; zero: none

	restored   *messages.Manifest // nil: from nothing
	placed     map[messages.SubtaskID]string
	nodes      map[string]*actor.PID // with tasks of the attempt, as they were at its deploy
	awaited    map[string]bool       // nodes that have not answered Deploy or StopAttempt
	splits     map[messages.OperatorID]*assignment
	unlisted   int                               // sources whose listing is awaited
	discover   map[messages.OperatorID]time.Time // next look for new splits
	unanswered map[uint64]*pendingSplits         // by seq

	delay time.Duration // before the restart
}

// base is the checkpoint that the region was restored from; 0: none.
func (r *region) base() messages.CheckpointID {
	return messages.CheckpointID(r.restored.GetCheckpoint())
}

// live tells whether subtasks of the region may exist on workers.
func (r *region) live() bool { return r.state == deploying || r.state == running }

// enter changes the state; deadline is its limit, zero for none.
func (r *region) enter(s regionState, deadline time.Time) { r.state, r.deadline = s, deadline }

// due gives the next time at which something is to be done for the region.
func (r *region) due(workersBy time.Time) time.Time {
	due := r.deadline
	if r.state == waiting {
		due = workersBy
	}
	if r.state != running {
		return due
	}
	for _, at := range r.discover { // order: a minimum
		due = earliest(due, at)
	}
	for _, p := range r.unanswered { // order: a minimum
		due = earliest(due, p.resend)
	}
	return due
}

// sortedNodes gives the nodes with tasks, sorted.
func (r *region) sortedNodes() []string { return sorted(r.nodes) }

// sendAll sends a message to every worker with tasks of the attempt.
func (j *job) sendAll(r *region, msg any) {
	for _, node := range r.sortedNodes() {
		j.send(r.nodes[node], msg)
	}
}

// owns tells whether a subtask belongs to the region.
func (r *region) owns(s messages.SubtaskID) bool {
	_, ok := r.placed[s]
	return ok
}

// onRegionTime does what a region's time has come for.
func (j *job) onRegionTime(r *region, now time.Time) {
	switch r.state {
	case waiting:
		j.maybeClaim(r)
	case backoff:
		if !now.Before(r.deadline) {
			j.becomeWaiting(r)
		}
	case deploying:
		if !now.Before(r.deadline) {
			j.onDeployTimeout(r)
		}
	case stopping:
		if !now.Before(r.deadline) {
			j.onStopTimeout(r)
		}
	case running:
		j.discoverSplits(r, now)
		j.remindSplits(r, now)
	}
}
