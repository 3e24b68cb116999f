package sim

import (
	"fmt"
	"strings"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/weirflow/weir/messages"
)

// checkSequence holds that a subtask works with nothing behind a gap or a repeat
// in a channel: when one has come in from another node, the next thing it gets
// must be its end.
type checkSequence struct {
	unconcerned
	seen   map[string]uint64  // by process, actor and channel: the last one
	broken map[*mailbox]error // subtasks that have met a gap
	ended  map[*mailbox]bool
}

func (c *checkSequence) onMessage(m *mailbox, message any) error {
	if _, stopped := message.(*actor.Stop); stopped {
		delete(c.broken, m)
		c.ended[m] = true
	}
	if c.ended[m] {
		return nil // what is still in the mailbox of an ended actor reaches nobody
	}
	if len(c.broken) > 0 && c.broken[m] != nil && !isSystem(message) {
		return fmt.Errorf("%s/%s goes on after %w", m.life.name(), m.id, c.broken[m])
	}
	f, ok := message.(*messages.Frame)
	if !ok || !strings.Contains(m.id, fmt.Sprintf("/a%d-", f.GetAttempt())) {
		return nil
	}
	key := fmt.Sprintf("%s/%s %v", m.life.name(), m.id, f.GetChannel().ID())
	if last := c.seen[key]; f.GetSeq() != last+1 {
		c.broken[m] = fmt.Errorf("element %d of channel %v came after element %d", f.GetSeq(), f.GetChannel().ID(), last)
	}
	c.seen[key] = f.GetSeq()
	return nil
}

// isSystem tells what overtakes an actor's messages and reaches one that failed.
func isSystem(message any) bool {
	switch message.(type) {
	case actor.SystemMessage, actor.MailboxMessage:
		return true
	}
	return false
}
