package actors

import (
	"context"
	"log/slog"
	"slices"

	"github.com/weirflow/weir/messages"
)

// What a source tells the outside: where its splits stand in checkpoints that are
// complete.
//
// Invariants: one call is under way at a time, for the newest checkpoint that is
// complete; that a checkpoint is committed is answered when its call has come back, so
// that a job does not end before; of positions that wait for their checkpoint there are at
// most maxStood, the oldest of which are dropped.

// maxStood bounds the checkpoints that are neither complete nor known to be aborted.
const maxStood = 16

// stood is where the splits stood at a barrier.
type stood struct {
	checkpoint messages.CheckpointID
	splits     []string
	positions  [][]byte
}

// told comes back from the call.
type told struct {
	checkpoint messages.CheckpointID
	err        error
}

// stand notes where the splits are at the barrier of a checkpoint.
func (src *source) stand(n messages.CheckpointID, states []*messages.SplitState) {
	if src.spec.OnCheckpoint == nil {
		return
	}
	at := stood{checkpoint: n}
	for _, st := range states {
		if len(st.GetPosition()) > 0 {
			at.splits, at.positions = append(at.splits, st.GetId()), append(at.positions, st.GetPosition())
		}
	}
	if len(at.splits) == 0 {
		return
	}
	src.stood = append(src.stood, at)
	src.stood = src.stood[max(len(src.stood)-maxStood, 0):]
}

// onComplete has the outside hear of checkpoint n, and tells whether the answer to the
// coordinator waits for that.
func (src *source) onComplete(n messages.CheckpointID) (waits bool) {
	if src.telling != 0 {
		src.due = max(src.due, n)
		return true
	}
	i := slices.IndexFunc(src.stood, func(at stood) bool { return at.checkpoint == n })
	if i >= 0 {
		src.tell(src.stood[i])
	}
	src.stood = slices.DeleteFunc(src.stood, func(at stood) bool { return at.checkpoint <= n })
	return i >= 0
}

func (src *source) tell(at stood) {
	src.telling = at.checkpoint
	hear := src.spec.OnCheckpoint
	src.s.work("tell of checkpoint", func(ctx context.Context) any {
		return &told{at.checkpoint, hear(ctx, at.splits, at.positions)}
	})
}

// onTold answers what waited for the call, and goes on with what came meanwhile.
func (src *source) onTold(m *told) error {
	src.telling = 0
	if m.err != nil {
		src.n.rt.Logger.Log(src.s.ctx, slog.LevelWarn, "the source could not tell of a checkpoint", "checkpoint", uint64(m.checkpoint), "error", m.err)
	}
	src.s.tellCommitted(m.checkpoint)
	if n := src.due; n > 0 {
		src.due = 0
		if !src.onComplete(n) {
			src.s.tellCommitted(n)
		}
	}
	return nil
}

// onAborted forgets a checkpoint that will not be.
func (src *source) onAborted(n messages.CheckpointID) {
	src.stood = slices.DeleteFunc(src.stood, func(at stood) bool { return at.checkpoint == n })
}
