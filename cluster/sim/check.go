package sim

import (
	"fmt"

	"google.golang.org/protobuf/proto"

	"github.com/weirflow/weir/cluster"
	"github.com/weirflow/weir/messages"
)

// checker watches one property of a job, under whatever faults. A method returns
// what is wrong, which ends the run. Embedding unconcerned leaves out what does
// not matter to it.
type checker interface {
	// onSlot sees a record as it enters the job's log; nil if it cannot be read.
	onSlot(key string, r *messages.LogRecord) error
	// onMessage sees what an actor gets, before it does.
	onMessage(m *mailbox, message any) error
	// onCommit sees a prepared transaction that is about to be committed, and
	// onCommitted the same one afterwards.
	onCommit(x *transaction) error
	onCommitted(x *transaction) error
	// onLostCommit sees a commit of what was aborted, or never prepared.
	onLostCommit(x *transaction) error
	// onAbort sees a transaction that is about to be aborted.
	onAbort(x *transaction) error
	// atEnd is asked when the job has finished.
	atEnd() error
}

// unconcerned finds nothing wrong.
type unconcerned struct{}

func (unconcerned) onSlot(string, *messages.LogRecord) error { return nil }
func (unconcerned) onMessage(*mailbox, any) error            { return nil }
func (unconcerned) onCommit(*transaction) error              { return nil }
func (unconcerned) onCommitted(*transaction) error           { return nil }
func (unconcerned) onLostCommit(*transaction) error          { return nil }
func (unconcerned) onAbort(*transaction) error               { return nil }
func (unconcerned) atEnd() error                             { return nil }

// checks are all checkers of a job. They are never switched off under faults;
// the mode of a job decides which ones apply to it.
type checks struct {
	w     *World
	all   []checker
	slots map[string]*messages.LogRecord // all that were ever taken
}

func newChecks(j *job) *checks {
	c := &checks{w: j.w, slots: map[string]*messages.LogRecord{}}
	decided := newDecided()
	c.all = []checker{
		decided,
		&j.checkLog,
		&checkDurable{store: j.inner},
		&checkCommits{decided: decided},
		&checkSequence{seen: map[string]uint64{}, broken: map[*mailbox]error{}, ended: map[*mailbox]bool{}},
		&checkOutput{mode: j.mode, ledgers: j.things},
		&checkLeftover{things: j.things},
	}
	if j.mode != cluster.AtMostOnce {
		c.all = append(c.all, &checkAborts{decided: decided})
	}
	for _, f := range j.sim.checks {
		c.all = append(c.all, &checkUser{job: j, check: f})
	}
	return c
}

func (c *checks) each(ask func(checker) error) {
	for _, k := range c.all {
		if err := ask(k); err != nil {
			c.w.fail(fmt.Errorf("%T: %w", k, err))
		}
	}
}

// onSlot shows a record once: a writer that does not know whether its record came
// in may put it again, even after it was seen by others and deleted as too old.
func (c *checks) onSlot(key string, r *messages.LogRecord) {
	if before := c.slots[key]; before != nil && proto.Equal(before, r) {
		return
	}
	c.slots[key] = r
	c.each(func(k checker) error { return k.onSlot(key, r) })
}

func (c *checks) onMessage(m *mailbox, message any) {
	for _, k := range c.all { // once a step: without a closure
		if err := k.onMessage(m, message); err != nil {
			c.w.fail(fmt.Errorf("%T: %w", k, err))
		}
	}
}

func (c *checks) onCommit(x *transaction) { c.each(func(k checker) error { return k.onCommit(x) }) }
func (c *checks) onCommitted(x *transaction) {
	c.each(func(k checker) error { return k.onCommitted(x) })
}
func (c *checks) onLostCommit(x *transaction) {
	c.each(func(k checker) error { return k.onLostCommit(x) })
}
func (c *checks) onAbort(x *transaction) { c.each(func(k checker) error { return k.onAbort(x) }) }
func (c *checks) atEnd()                 { c.each(func(k checker) error { return k.atEnd() }) }
