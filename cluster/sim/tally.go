package sim

import (
	"fmt"
	"sync"
	"time"
)

// tally sums up what the seeds of a simulation did, for people: a simulation in
// which nothing went wrong shows nothing.
type tally struct {
	mu                                   sync.Mutex
	seeds, faults, attempts, checkpoints int
	steps, committed, aborted            uint64
	virtual                              time.Duration
}

func (t *tally) add(j *job) {
	log := &checkLog{}
	for _, c := range j.things.checks.all {
		if l, ok := c.(*checkLog); ok {
			log = l
		}
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.seeds++
	t.faults += len(j.w.faultLog)
	t.attempts += int(log.attempt)
	t.checkpoints += log.manifests
	t.steps += j.w.steps
	t.virtual += j.w.now
	for _, l := range j.things.order {
		for _, x := range l.txns {
			if x.state == txnCommitted {
				t.committed++
			} else {
				t.aborted++
			}
		}
	}
}

func (t *tally) String() string {
	return fmt.Sprintf("%d seeds: %d steps, %v of virtual time, %d faults, %d attempts, %d checkpoints published, %d transactions committed and %d not",
		t.seeds, t.steps, t.virtual.Round(time.Second), t.faults, t.attempts, t.checkpoints, t.committed, t.aborted)
}
