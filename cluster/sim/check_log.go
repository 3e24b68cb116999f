package sim

import (
	"fmt"
	"path"
	"strconv"

	"github.com/weirflow/weir/messages"
)

// checkLog holds what fencing promises: the slots of the log are taken in order;
// every claim has a greater attempt than all before it; only the newest claim's
// attempt publishes, so at most one does at any time; checkpoints grow; and a
// manifest has the acknowledgement of every subtask, each once.
type checkLog struct {
	unconcerned
	subtasks   []messages.SubtaskID
	slot       uint64
	attempt    uint64 // of the newest claim
	checkpoint uint64 // the newest published
	manifests  int
}

func (c *checkLog) onSlot(key string, r *messages.LogRecord) error {
	slot, err := strconv.ParseUint(path.Base(key), 10, 64)
	if err != nil || r == nil {
		return fmt.Errorf("%s is no slot, or holds no record: %v", key, err)
	}
	if slot != c.slot+1 {
		return fmt.Errorf("slot %d was taken after slot %d", slot, c.slot)
	}
	c.slot = slot
	if claim := r.GetClaim(); claim != nil {
		return c.onClaim(claim)
	}
	return c.onManifest(r.GetManifest())
}

func (c *checkLog) onClaim(claim *messages.Claim) error {
	if claim.GetAttempt() <= c.attempt {
		return fmt.Errorf("attempt %d was claimed after attempt %d", claim.GetAttempt(), c.attempt)
	}
	c.attempt = claim.GetAttempt()
	return nil
}

func (c *checkLog) onManifest(m *messages.Manifest) error {
	switch {
	case m.GetAttempt() != c.attempt:
		return fmt.Errorf("attempt %d published checkpoint %d when attempt %d was claimed", m.GetAttempt(), m.GetCheckpoint(), c.attempt)
	case m.GetCheckpoint() <= c.checkpoint:
		return fmt.Errorf("checkpoint %d was published after checkpoint %d", m.GetCheckpoint(), c.checkpoint)
	}
	c.checkpoint = m.GetCheckpoint()
	c.manifests++
	acks := map[messages.SubtaskID]int{}
	for _, s := range m.GetSubtasks() {
		acks[s.GetSubtask().ID()]++
	}
	for _, id := range c.subtasks {
		if acks[id] != 1 {
			return fmt.Errorf("checkpoint %d was published with %d acks of %v", m.GetCheckpoint(), acks[id], id)
		}
	}
	return nil
}
