package sim

import (
	"fmt"

	"github.com/weirflow/weir/messages"
)

// decided knows every prepared transaction that a published manifest holds. It
// finds nothing wrong itself.
type decided struct {
	unconcerned
	handles map[string]uint64 // the checkpoint that first held it
}

func newDecided() *decided { return &decided{handles: map[string]uint64{}} }

func (d *decided) onSlot(_ string, r *messages.LogRecord) error {
	m := r.GetManifest()
	for _, s := range m.GetSubtasks() {
		for _, o := range s.GetOperators() {
			for _, p := range o.GetPrepared() {
				if h := string(p.GetHandle()); d.handles[h] == 0 {
					d.handles[h] = m.GetCheckpoint()
				}
			}
		}
	}
	return nil
}

// checkCommits holds that nothing is committed before the manifest that holds
// it is published, nor what was aborted.
type checkCommits struct {
	unconcerned
	decided *decided
}

func (c *checkCommits) onCommit(x *transaction) error {
	if c.decided.handles[string(x.handle())] == 0 {
		return fmt.Errorf("%v is committed, but no published manifest holds it", x)
	}
	return nil
}

// checkAborts holds that what a published manifest holds is never aborted.
type checkAborts struct {
	unconcerned
	decided *decided
}

func (c *checkAborts) onAbort(x *transaction) error {
	if n := c.decided.handles[string(x.handle())]; n != 0 {
		return fmt.Errorf("%v is aborted, but checkpoint %d, which was published, holds it", x, n)
	}
	return nil
}

func (c *checkAborts) onLostCommit(x *transaction) error {
	return fmt.Errorf("%v was to be committed", x)
}
