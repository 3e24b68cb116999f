package actors

import (
	"fmt"
	"slices"

	"github.com/weirflow/weir/messages"
	"github.com/weirflow/weir/messages/mutant"
	"github.com/weirflow/weir/operators/plan"
)

// restoreAll fills the operators of a subtask from the manifest it was
// deployed with: keyed state by key group, everything else by index while the
// parallelism is what it was.
func (s *subtask) restoreAll() error {
	if s.restore == nil {
		return nil
	}
	for _, n := range s.ops.nodes {
		if err := n.guard(func() error { return s.restoreNode(n) }); err != nil {
			return err
		}
	}
	return nil
}

func (s *subtask) restoreNode(n *node) error {
	snaps := snapshotsOf(s.restore, n.op.Name)
	if len(snaps) == 0 {
		return nil // an operator that is new in the topology
	}
	n.clock, n.finished = clockOf(snaps, n, unmoved(s.restore, s.o.Plan, n.op))
	if mutant.On("forget-watermark") {
		n.clock = messages.NoWatermark
	}
	if n.sink != nil {
		n.sink.takeShare(snaps)
	} else if err := nothingPrepared(s.restore, snaps); err != nil {
		return err
	}
	if len(n.states) > 0 {
		blobs := blobsFor(s.restore, snaps, n.rt.Groups)
		if err := s.o.Backend.Restore(s.ctx, s.o.Store, blobs, n.rt.Groups, n.states); err != nil {
			return wrap("backend.Restore", err)
		}
	}
	return restoreCustom(n, snaps)
}

// nothingPrepared refuses a checkpoint with transactions that a sink prepared
// which could commit them then and cannot now: their records are read already.
func nothingPrepared(m *messages.Manifest, snaps []*messages.OperatorSnapshot) error {
	for _, snap := range snaps {
		if n := len(snap.GetPrepared()); n > 0 {
			return &plan.MismatchError{Reason: fmt.Sprintf("checkpoint %d holds %d prepared transactions of this sink, which was transactional then and is not now; "+
				"run the job once more with the sink of before, which commits them, or give the new sink a name of its own", m.GetCheckpoint(), n)}
		}
	}
	return nil
}

func restoreCustom(n *node, snaps []*messages.OperatorSnapshot) error {
	custom, ok := n.inst.(plan.Checkpointed)
	var parts [][]byte
	for _, snap := range snaps {
		if !ok && len(snap.GetCustom()) > 0 {
			return &plan.MismatchError{Reason: "the checkpoint holds state of its own making for this operator, which has no RestoreState now; give it one, or another name"}
		}
		parts = append(parts, snap.GetCustom())
	}
	if !ok {
		return nil
	}
	return wrap("RestoreState", custom.RestoreState(parts))
}

// snapshotsOf collects an operator's snapshots by index.
func snapshotsOf(m *messages.Manifest, name messages.OperatorID) []*messages.OperatorSnapshot {
	var snaps []*messages.OperatorSnapshot
	for _, st := range m.GetSubtasks() {
		for _, o := range st.GetOperators() {
			if o.GetOperator() == string(name) {
				snaps = append(snaps, o)
			}
		}
	}
	slices.SortFunc(snaps, func(a, b *messages.OperatorSnapshot) int { return int(a.GetIndex() - b.GetIndex()) })
	return snaps
}

// unmoved tells whether the subtasks of an operator get what those got that
// took m: neither it nor anything before it has another parallelism or another
// input. Only then is subtask i what subtask i was.
func unmoved(m *messages.Manifest, p *plan.Plan, op *plan.Operator) bool {
	if m.GetFingerprint() != p.Fingerprint() {
		return false
	}
	was := map[messages.OperatorID]int{}
	for _, meta := range m.GetOperators() {
		was[messages.OperatorID(meta.GetName())] = int(meta.GetParallelism())
	}
	return asWideAs(was, op)
}

// asWideAs: op and all that it gets records from have the parallelism they had.
func asWideAs(was map[messages.OperatorID]int, op *plan.Operator) bool {
	moved := func(e *plan.Edge) bool { return !asWideAs(was, e.From) }
	return was[op.Name] == op.Parallelism && !slices.ContainsFunc(op.Inputs, moved)
}

// clockOf gives an operator's event-time clock and whether its input had
// ended. Where subtasks are not what they were, the least clock is the one that
// makes no record late that was on time, and only an end that all had seen is one.
func clockOf(snaps []*messages.OperatorSnapshot, n *node, unmoved bool) (watermark int64, finished bool) {
	if unmoved && len(snaps) == n.rt.Parallelism {
		own := snaps[n.rt.Index]
		return own.GetWatermark(), own.GetFinished()
	}
	watermark, finished = messages.MaxWatermark, true
	for _, snap := range snaps {
		watermark, finished = min(watermark, snap.GetWatermark()), finished && snap.GetFinished()
	}
	return watermark, finished
}

// blobsFor names the blobs in which some of the groups may lie.
func blobsFor(m *messages.Manifest, snaps []*messages.OperatorSnapshot, groups messages.KeyGroupRange) []*messages.Blob {
	var blobs []*messages.Blob
	for _, snap := range snaps {
		had := messages.KeyGroupsOf(int(snap.GetIndex()), int(snap.GetParallelism()), int(m.GetMaxParallelism()))
		if had.From < groups.To && groups.From < had.To {
			blobs = append(blobs, snap.GetBlobs()...)
		}
	}
	return blobs
}

// takeShare deals the prepared transactions of all old subtasks to the new
// ones: that of index i goes to i modulo the parallelism.
func (k *sink) takeShare(snaps []*messages.OperatorSnapshot) {
	k.restored.Restored = true
	for _, snap := range snaps {
		for _, p := range snap.GetPrepared() {
			if !mutant.On("resume-aborted") {
				k.restored.Keep = append(k.restored.Keep, p.GetHandle())
			}
			if int(snap.GetIndex())%k.n.rt.Parallelism == k.n.rt.Index {
				k.commits = append(k.commits, p)
			}
		}
	}
}
