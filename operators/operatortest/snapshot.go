package operatortest

import (
	"bytes"

	"github.com/weirflow/weir/messages"
	"github.com/weirflow/weir/operators/plan"
	"github.com/weirflow/weir/persistence"
)

// Snapshot is what a checkpoint holds of the operators under test: keyed state
// by key group, what operators keep otherwise, and their watermarks. It does not
// change any more and may be restored any number of times, also by another
// harness: that is how to try whether a new version of a function reads the
// state of the old one.
type Snapshot struct {
	manifest *messages.Manifest // without blobs
	groups   map[place][]byte   // those with entries
}

type place struct {
	operator messages.OperatorID
	state    string
	group    messages.KeyGroup
}

// snapshot freezes and writes the state of all subtasks.
func (e *engine) snapshot() *Snapshot {
	e.t.Helper()
	s := &Snapshot{groups: map[place][]byte{}, manifest: &messages.Manifest{
		Job: e.plan.Name, MaxParallelism: int32(e.plan.MaxParallelism), Operators: metas(e.plan)}}
	e.forwards(func(n *node) {
		for _, st := range n.states {
			s.write(n, st.Schema().GetName(), st.Freeze())
		}
		s.manifest.Subtasks = append(s.manifest.Subtasks, &messages.SubtaskSnapshot{
			Subtask: messages.SubtaskID{Chain: n.op.Name, Index: n.index}.Proto(), Finished: n.ended,
			Operators: []*messages.OperatorSnapshot{n.kept()},
		})
	})
	return s
}

// write takes a frozen state into the snapshot, key group by key group.
func (s *Snapshot) write(n *node, state string, frozen persistence.Frozen) {
	n.engine.t.Helper()
	defer frozen.Release()
	var buf bytes.Buffer
	for g := n.rt.Groups.From; g < n.rt.Groups.To; g++ {
		_, err := frozen.WriteGroup(g, &buf)
		n.check("writing state "+state, err)
		if buf.Len() > 0 {
			s.groups[place{n.op.Name, state, g}] = bytes.Clone(buf.Bytes())
			buf.Reset()
		}
	}
}

// kept is what an operator keeps besides keyed state.
func (n *node) kept() *messages.OperatorSnapshot {
	n.engine.t.Helper()
	k := &messages.OperatorSnapshot{
		Operator: string(n.op.Name), Index: int32(n.index), Parallelism: int32(n.op.Parallelism),
		Watermark: n.clock.current, Finished: n.ended,
	}
	if c, ok := n.inst.(plan.Checkpointed); ok {
		var err error
		k.Custom, err = c.SnapshotState()
		n.check("SnapshotState", err)
	}
	return k
}

func metas(p *plan.Plan) []*messages.OperatorMeta {
	var all []*messages.OperatorMeta
	for _, op := range p.Operators {
		all = append(all, &messages.OperatorMeta{
			Name: string(op.Name), Kind: string(op.Kind), Parallelism: int32(op.Parallelism), States: op.States})
	}
	return all
}

// restore fills the subtasks between Init and Open, and sets all clocks.
func (e *engine) restore(s *Snapshot) {
	e.t.Helper()
	if err := persistence.CheckOperators(s.manifest, e.plan.MaxParallelism, metas(e.plan)); err != nil {
		e.t.Fatalf("restoring a snapshot: %v", err)
	}
	e.forwards(func(n *node) {
		if snaps := s.of(n.op.Name); len(snaps) > 0 {
			n.restoreClock(snaps)
			n.restoreStates(s)
			n.restoreCustom(snaps)
		}
	})
	e.forwards(func(n *node) {
		for i, sender := range n.senders {
			n.clock.channels[i] = sender.watermark(sender.tag)
		}
		for tag, f := range n.outputs {
			f.mark = n.watermark(tag)
		}
	})
}

// of is what the subtasks of an operator kept, in the order of their index.
func (s *Snapshot) of(op messages.OperatorID) (snaps []*messages.OperatorSnapshot) {
	for _, st := range s.manifest.GetSubtasks() {
		for _, k := range st.GetOperators() {
			if k.GetOperator() == string(op) {
				snaps = append(snaps, k)
			}
		}
	}
	return snaps
}

// restoreClock sets the watermark to the least of the subtasks that there were:
// one that is too late makes no record late that was on time.
func (n *node) restoreClock(snaps []*messages.OperatorSnapshot) {
	n.clock.current, n.ended = messages.MaxWatermark, true
	for _, k := range snaps {
		n.clock.current = min(n.clock.current, k.GetWatermark())
		n.ended = n.ended && k.GetFinished()
	}
	if n.op.Source != nil {
		n.clock.channels[0] = n.clock.current
	}
}

func (n *node) restoreStates(s *Snapshot) {
	n.engine.t.Helper()
	for _, st := range n.states {
		name := st.Schema().GetName()
		for g := n.rt.Groups.From; g < n.rt.Groups.To; g++ {
			if p := s.groups[place{n.op.Name, name, g}]; p != nil {
				n.check("reading state "+name, st.ReadGroup(g, bytes.NewReader(p)))
			}
		}
	}
}

func (n *node) restoreCustom(snaps []*messages.OperatorSnapshot) {
	n.engine.t.Helper()
	c, ok := n.inst.(plan.Checkpointed)
	if !ok {
		return
	}
	var parts [][]byte
	for _, k := range snaps {
		parts = append(parts, k.GetCustom())
	}
	n.check("RestoreState", c.RestoreState(parts))
}
