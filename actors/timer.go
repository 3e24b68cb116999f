package actors

import (
	"time"

	"github.com/weirflow/weir/operators/plan"
)

type wakeNode struct { // a processing-time timer is due
	node *node
	at   int64
}

// wake sets a processing-time timer of a node; an earlier one that is set wins.
func (s *subtask) wake(n *node, at int64) {
	if n.cancel != nil {
		if n.wakeAt <= at {
			return
		}
		n.cancel()
	}
	n.wakeAt = at
	delay := time.Duration(max(at-s.now(), 0)) * time.Millisecond
	n.cancel = s.o.Env.After(delay, s.self, &wakeNode{node: n, at: at})
}

func (s *subtask) onWake(m *wakeNode) error {
	n := m.node
	if n.cancel == nil || n.wakeAt != m.at {
		return nil // an earlier one replaced it
	}
	n.cancel = nil
	if !s.running || !s.ready() { // what a timer emits needs credit and an open transaction, too
		s.wake(n, s.now()+s.o.Linger.Milliseconds()+1)
		return nil
	}
	s.busy()
	t, ok := n.inst.(plan.ProcessingTimer)
	if !ok {
		return nil
	}
	if err := n.guard(func() error { return t.OnProcessingTime(s.now()) }); err != nil {
		return err
	}
	return s.afterTimer()
}

// after sends a message to the subtask later. One that outlives the attempt
// finds nobody.
func (s *subtask) after(d time.Duration, m any) { s.o.Env.After(d, s.self, m) }
