package coordinator

import (
	"errors"
	"fmt"
	"log/slog"

	"github.com/weirflow/weir/messages"
	"github.com/weirflow/weir/persistence"
)

// choose gives the newest checkpoint that can be used, or nil when the job has
// none. To begin anew although there are checkpoints, all of them damaged,
// would write everything twice, so that is an error.
func (j *job) choose(manifests []*messages.Manifest, damaged []persistence.Damaged) (*messages.Manifest, error) {
	if j.cfg.AtMostOnce {
		return nil, nil
	}
	j.reportDamaged(damaged)
	for _, m := range manifests {
		if j.corrupt[messages.CheckpointID(m.GetCheckpoint())] == "" {
			return m, j.checkRestored(m)
		}
	}
	if len(manifests)+len(damaged) > 0 {
		return nil, errors.New("none of the checkpoints can be read; repair the checkpoint store, or give the job another name or another store to begin from nothing")
	}
	return nil, nil
}

func (j *job) reportDamaged(damaged []persistence.Damaged) {
	for _, d := range damaged {
		if !j.damaged[d.Slot] {
			j.damaged[d.Slot] = true
			j.emitJob(slog.LevelError, DamageEvent, "a record of the log cannot be read and is passed over; if it was a checkpoint, an older one counts: %v", d)
		}
	}
}

// checkRestored compares the checkpoint with the topology that is to run.
func (j *job) checkRestored(m *messages.Manifest) error {
	t := &j.cfg.Topology
	return persistence.CheckOperators(m, t.MaxParallelism, t.Operators)
}

// onCorrupt remembers that the checkpoint an attempt restored from is damaged,
// so that the next attempt uses the one before. It is false when the attempt
// restored none.
func (j *job) onCorrupt(r *region, blob string) bool {
	id := r.base()
	if id == 0 || j.corrupt[id] != "" {
		return id != 0
	}
	j.corrupt[id] = blob
	j.emit(Event{Level: slog.LevelError, Kind: DamageEvent, Region: r.index, Attempt: r.attempt, Checkpoint: id,
		Text: fmt.Sprintf("blob %s of the checkpoint is damaged or gone; falling back to the checkpoint before, so output that was committed since may be written again", blob)})
	return true
}
