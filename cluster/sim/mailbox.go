package sim

import (
	"fmt"
	"runtime/debug"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/weirflow/weir/actors/env"
)

// mailbox is a mailbox that the world delivers from.
type mailbox struct {
	env.Mailbox
	life *life
	id   string // of the actor
	slot int    // in the world's runnable set, or one of the values below
	rank uint32 // see World.pick
}

const (
	slotIdle   = -1 // has no work, or had none when it was last looked at
	slotParked = -2 // has work, but its node is paused
)

func newMailbox(l *life) *mailbox {
	m := &mailbox{life: l, slot: slotIdle, rank: l.world.rand.Uint32()}
	m.OnPost = m.posted
	m.OnPanic = m.panicked
	return m
}

// RegisterHandlers learns the actor's name.
func (m *mailbox) RegisterHandlers(invoker actor.MessageInvoker, d actor.Dispatcher) {
	m.id = invoker.(actor.Context).Self().Id
	m.Mailbox.RegisterHandlers(invoker, d)
}

func (m *mailbox) posted() {
	if m.slot == slotIdle && m.Ready() {
		m.life.world.enqueue(m)
	}
}

// panicked keeps from protoactor what ended the node: a killed actor has no
// supervisor. It looks at the node, not at the reason, which the actor may have
// wrapped on its way.
func (m *mailbox) panicked(reason any) (handled bool) {
	if m.life.dead {
		return true
	}
	w := m.life.world
	w.trace.line(w.now, m.life, m.id, "panic", typeName(reason))
	w.lastPanic = fmt.Sprintf("%s/%s: %v\n%s", m.life.name(), m.id, reason, debug.Stack())
	return false
}

// enqueue makes a mailbox with work runnable, now or when its node goes on.
func (w *World) enqueue(m *mailbox) {
	switch {
	case m.life.dead:
	case m.life.paused():
		m.slot = slotParked
		m.life.parked = append(m.life.parked, m)
	default:
		m.slot = len(w.runnable)
		w.runnable = append(w.runnable, m)
	}
}

// settle takes a mailbox out of the runnable set if its work is done.
func (w *World) settle(m *mailbox) {
	if m.slot >= 0 && !m.Ready() {
		w.dequeue(m)
	}
}

func (w *World) dequeue(m *mailbox) {
	last := len(w.runnable) - 1
	w.runnable[m.slot] = w.runnable[last]
	w.runnable[m.slot].slot = m.slot
	w.runnable[last] = nil
	w.runnable = w.runnable[:last]
	m.slot = slotIdle
}

// dequeueAll takes a node's mailboxes out, in the order they are in.
func (w *World) dequeueAll(l *life) (taken []*mailbox) {
	kept := w.runnable[:0]
	for _, m := range w.runnable {
		if m.life == l {
			m.slot = slotIdle
			taken = append(taken, m)
			continue
		}
		m.slot = len(kept)
		kept = append(kept, m)
	}
	clear(w.runnable[len(kept):])
	w.runnable = kept
	return taken
}
