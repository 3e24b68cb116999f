package env

import "github.com/asynkron/protoactor-go/actor"

// Mailbox is an actor's mailbox that delivers nothing by itself: whoever owns
// it calls Deliver, one message a call, and so decides in which order actors
// run. It keeps the order of protoactor's own mailbox:
//
//   - system messages before user messages, each in the order of sending,
//   - no user message while suspended, which a panic in Receive causes until
//     the supervisor has decided.
//
// It is for one goroutine alone: sending to the actor and delivering must
// happen on it. It takes no part in protoactor's mailbox middleware.
type Mailbox struct {
	// OnPost is called after each message that was put in; it may be nil.
	OnPost func()
	// OnPanic is called with what a Receive panicked with, and says whether
	// the actor's supervisor must not hear of it; it may be nil.
	OnPanic func(reason any) (handled bool)

	invoker   actor.MessageInvoker
	system    fifo
	user      fifo
	suspended bool
}

var _ actor.Mailbox = (*Mailbox)(nil)

// PostUserMessage puts in a user message; of a batch first its parts and then,
// as protoactor does, the batch.
func (m *Mailbox) PostUserMessage(message any) {
	if batch, ok := actor.UnwrapEnvelopeMessage(message).(actor.MessageBatch); ok {
		for _, part := range batch.GetMessages() {
			m.PostUserMessage(part)
		}
	}
	m.user.push(message)
	m.posted()
}

// PostSystemMessage puts in a message that overtakes all user messages.
func (m *Mailbox) PostSystemMessage(message any) {
	m.system.push(message)
	m.posted()
}

func (m *Mailbox) posted() {
	if m.OnPost != nil {
		m.OnPost()
	}
}

// RegisterHandlers names the actor; the dispatcher is not used.
func (m *Mailbox) RegisterHandlers(invoker actor.MessageInvoker, _ actor.Dispatcher) {
	m.invoker = invoker
}

// Start does nothing: the first message is delivered when Deliver is called.
func (m *Mailbox) Start() {}

// UserMessageCount is the number of user messages that wait.
func (m *Mailbox) UserMessageCount() int { return m.user.len() }

// Ready reports whether Deliver would deliver something.
func (m *Mailbox) Ready() bool {
	return m.system.len() > 0 || !m.suspended && m.user.len() > 0
}

// Next is the message that Deliver would deliver, nil if there is none.
func (m *Mailbox) Next() any {
	switch {
	case m.system.len() > 0:
		return m.system.first()
	case !m.suspended && m.user.len() > 0:
		return m.user.first()
	}
	return nil
}

// Deliver delivers the next message; it does nothing if there is none.
func (m *Mailbox) Deliver() {
	switch {
	case m.system.len() > 0:
		message := m.system.pop()
		defer m.recover(message)
		m.onSystem(message)
	case !m.suspended && m.user.len() > 0:
		message := m.user.pop()
		defer m.recover(message)
		m.invoker.InvokeUserMessage(message)
	}
}

func (m *Mailbox) recover(message any) {
	if reason := recover(); reason != nil && (m.OnPanic == nil || !m.OnPanic(reason)) {
		m.invoker.EscalateFailure(reason, message)
	}
}

func (m *Mailbox) onSystem(message any) {
	switch message.(type) {
	case *actor.SuspendMailbox:
		m.suspended = true
	case *actor.ResumeMailbox:
		m.suspended = false
	default:
		m.invoker.InvokeSystemMessage(message)
	}
}

// fifo is a queue that reuses its space whenever it runs empty.
type fifo struct {
	items []any
	head  int // items[:head] are delivered and nil
}

func (q *fifo) len() int   { return len(q.items) - q.head }
func (q *fifo) first() any { return q.items[q.head] }

func (q *fifo) push(message any) {
	if len(q.items) == cap(q.items) && q.head > len(q.items)/2 {
		n := copy(q.items, q.items[q.head:])
		clear(q.items[n:])
		q.items, q.head = q.items[:n], 0
	}
	q.items = append(q.items, message)
}

func (q *fifo) pop() any {
	message := q.items[q.head]
	q.items[q.head] = nil
	q.head++
	if q.head == len(q.items) {
		q.items, q.head = q.items[:0], 0
	}
	return message
}
