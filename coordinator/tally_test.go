package coordinator

import (
	"fmt"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/weirflow/weir/messages"
)

// span is the records [from, to) of one subtask.
type span struct{ from, to int }

// tally is a subtask of a fake worker: it writes records 0, 1, 2 ... in
// transactions, one a checkpoint, as a transactional sink would.
type tally struct {
	id       messages.SubtaskID
	at       int // records written
	open     int // the open transaction begins here
	prepared []transaction
}

type transaction struct {
	span
	checkpoint uint64
}

func newWorker(w *world, node string) *fakeWorker {
	f := &fakeWorker{w: w, node: node, session: "a", pid: actor.NewPID("host-"+node, node), silent: map[string]bool{}}
	f.reset()
	w.nodes[node] = f
	return f
}

// reset is what the end of its process leaves of a worker.
func (f *fakeWorker) reset() {
	f.tasks, f.tallies = map[uint64][]*messages.Subtask{}, map[uint64]map[messages.SubtaskID]*tally{}
}

func (f *fakeWorker) drop(attempt uint64) {
	delete(f.tasks, attempt)
	delete(f.tallies, attempt)
}

// restore brings subtasks up as they were at the checkpoint: what is prepared
// in it is committed, everything else that lingers is dropped.
func (f *fakeWorker) restore(m *messages.Deploy) {
	f.tallies[m.GetAttempt()] = map[messages.SubtaskID]*tally{}
	for _, task := range m.GetTasks() {
		if task.GetNode() != f.node {
			continue
		}
		t := &tally{id: task.GetSubtask().ID()}
		f.tallies[m.GetAttempt()][t.id] = t
		for _, s := range m.GetRestore().GetSubtasks() {
			if s.GetSubtask().ID() == t.id {
				t.restore(f.w, s.GetOperators()[0])
			}
		}
	}
}

func (t *tally) restore(w *world, o *messages.OperatorSnapshot) {
	_, _ = fmt.Sscan(string(o.GetCustom()), &t.at)
	t.open = t.at
	for _, p := range o.GetPrepared() {
		tx := transaction{checkpoint: p.GetCheckpoint()}
		_, _ = fmt.Sscan(string(p.GetHandle()), &tx.from, &tx.to)
		t.prepared = append(t.prepared, tx)
	}
	t.commit(w, 1<<62)
}

// prepare closes the transaction; all that is not committed is in the snapshot.
func (t *tally) prepare(checkpoint uint64, o *messages.OperatorSnapshot) {
	t.prepared = append(t.prepared, transaction{span{t.open, t.at}, checkpoint})
	t.open = t.at
	o.Custom = fmt.Append(nil, t.at)
	for _, tx := range t.prepared {
		o.Prepared = append(o.Prepared, &messages.Prepared{Checkpoint: tx.checkpoint, Handle: fmt.Append(nil, tx.from, " ", tx.to)})
	}
}

// commit is idempotent: the same transaction shows once.
func (t *tally) commit(w *world, checkpoint uint64) {
	var left []transaction
	for _, tx := range t.prepared {
		if tx.checkpoint > checkpoint {
			left = append(left, tx)
			continue
		}
		w.show(t.id, tx.span)
	}
	t.prepared = left
}

func (w *world) show(id messages.SubtaskID, s span) {
	for _, shown := range w.output[id] {
		if shown == s {
			return
		}
	}
	if s.from != s.to {
		w.output[id] = append(w.output[id], s)
	}
}
