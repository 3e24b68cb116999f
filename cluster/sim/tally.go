package sim

import (
	"fmt"
	"sync"
	"time"
)

// Tally sums up what happened in the worlds of a simulation: one in which nothing
// went wrong shows nothing.
type Tally struct {
	Seeds       int
	Steps       uint64
	Virtual     time.Duration
	Faults      int // that happened
	Attempts    int // claimed
	Checkpoints int // published
	Committed   int // transactions
	Aborted     int // transactions
	Twice       int // records that were committed too often
	Lost        int // expected records that were not committed

	// Hashes are those of the traces, by seed: equal ones mean equal runs.
	Hashes map[uint64]uint64

	mu sync.Mutex
}

func (t *Tally) add(j *job) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.Seeds++
	t.Steps += j.w.steps
	t.Virtual += j.w.now
	t.Faults += len(j.w.faultLog)
	t.Attempts += int(j.checkLog.attempt)
	t.Checkpoints += j.checkLog.manifests
	for _, l := range j.things.order {
		t.addLedger(l)
	}
	t.Hashes[j.w.config.Seed] = j.w.TraceHash()
}

func (t *Tally) addLedger(l *ledger) {
	for _, x := range l.txns {
		if x.state == txnCommitted {
			t.Committed++
		} else {
			t.Aborted++
		}
	}
	for r, n := range l.count { // order: only added up
		t.Twice += max(n-l.want[r]-l.allow[r], 0)
	}
	for r, n := range l.want { // order: only added up
		t.Lost += max(n-l.count[r], 0)
	}
}

func (t *Tally) String() string {
	return fmt.Sprintf("%d seeds: %d steps, %v of virtual time, %d faults, %d attempts, %d checkpoints published, %d transactions committed and %d aborted, %d records twice and %d lost",
		t.Seeds, t.Steps, t.Virtual.Round(time.Second), t.Faults, t.Attempts, t.Checkpoints, t.Committed, t.Aborted, t.Twice, t.Lost)
}
