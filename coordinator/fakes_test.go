package coordinator

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/weirflow/weir/messages"
	"github.com/weirflow/weir/persistence"
)

// fakeWorker answers what it is told as a worker does, unless it is told not to.
type fakeWorker struct {
	w       *world
	node    string
	session string
	pid     *actor.PID
	silent  map[string]bool // what it does not do: "beat", "deploy", "stop", "ack", "commit", "status"
	tasks   map[uint64][]*messages.Subtask
	tallies map[uint64]map[messages.SubtaskID]*tally
	doubt   string // every sink's transaction is in doubt, for this reason
}

func (f *fakeWorker) register() {
	f.w.inbox = append(f.w.inbox, &messages.RegisterWorker{
		Node: f.node, Session: f.session, Worker: &messages.Address{Host: f.pid.Address, Id: f.pid.Id},
	})
}

func (f *fakeWorker) say(what string, msgs ...any) {
	if !f.silent[what] && !f.silent["all"] && !f.w.lost() {
		f.w.inbox = append(f.w.inbox, msgs...)
	}
}

func (f *fakeWorker) hear(msg any) {
	if _, start := msg.(*messages.Start); !start && f.w.lost() {
		return
	}
	switch m := msg.(type) {
	case *messages.Heartbeat:
		if m.GetSession() == f.session {
			f.say("beat", &messages.Heartbeat{Node: f.node, Session: f.session})
		}
	case *messages.Deploy:
		if f.tasks[m.GetAttempt()] != nil {
			return
		}
		f.restore(m)
		for _, task := range m.GetTasks() {
			if task.GetNode() == f.node {
				f.tasks[m.GetAttempt()] = append(f.tasks[m.GetAttempt()], task.GetSubtask())
			}
		}
		for _, a := range m.GetSplits() {
			id := messages.SubtaskID{Chain: messages.OperatorID(a.GetOperator()), Index: int(a.GetIndex())}
			f.w.assigned[id] = nil
			for _, s := range a.GetSplits() {
				f.w.assigned[id] = append(f.w.assigned[id], s.GetId())
			}
		}
		f.say("deploy", &messages.Deployed{Attempt: m.GetAttempt(), Node: f.node})
	case *messages.StopAttempt:
		f.drop(m.GetAttempt())
		f.say("stop", &messages.AttemptStopped{Attempt: m.GetAttempt(), Node: f.node})
	case *messages.TriggerCheckpoint:
		for _, s := range f.tasks[m.GetAttempt()] {
			f.say("ack", &messages.CheckpointAck{Attempt: m.GetAttempt(), Checkpoint: m.GetCheckpoint(), Snapshot: f.snapshot(m.GetAttempt(), m.GetCheckpoint(), s)})
		}
	case *messages.CheckpointComplete:
		if !slices.Contains(f.w.log.everPublished, m.GetCheckpoint()) {
			f.w.t.Fatalf("complete %d before it was published", m.GetCheckpoint())
		}
		for _, s := range f.tasks[m.GetAttempt()] {
			f.tallies[m.GetAttempt()][s.ID()].commit(f.w, m.GetCheckpoint())
			f.say("commit", &messages.CheckpointCommitted{Attempt: m.GetAttempt(), Checkpoint: m.GetCheckpoint(), Subtask: s, InDoubt: f.inDoubt(m, s)})
		}
	case *messages.StatusRequest:
		for _, s := range f.tasks[m.GetAttempt()] {
			f.say("status", f.status(m.GetAttempt(), s))
		}
	case *messages.AssignSplits:
		if f.silent["assign"] {
			return
		}
		a := m.GetAssignment()
		id := messages.SubtaskID{Chain: messages.OperatorID(a.GetOperator()), Index: int(a.GetIndex())}
		for _, s := range a.GetSplits() {
			f.w.assigned[id] = append(f.w.assigned[id], s.GetId())
		}
		f.say("assign", &messages.SplitsAssigned{Attempt: m.GetAttempt(), Seq: m.GetSeq()})
	}
}

func (f *fakeWorker) inDoubt(m *messages.CheckpointComplete, s *messages.Subtask) []*messages.InDoubt {
	if f.doubt == "" || !strings.HasPrefix(s.GetChain(), "sink") {
		return nil
	}
	return []*messages.InDoubt{{Operator: s.GetChain(), Index: s.GetIndex(), Checkpoint: m.GetCheckpoint(), Reason: f.doubt}}
}

// status reports as many records as the subtask's index plus one, and a
// watermark of a hundred times that.
func (f *fakeWorker) status(attempt uint64, s *messages.Subtask) *messages.SubtaskStatus {
	n := int64(s.GetIndex()) + 1
	return &messages.SubtaskStatus{
		Attempt: attempt, Subtask: s, Watermark: 100 * n, BackPressured: n == 1, Stale: 1,
		Operators: []*messages.OperatorStatus{{
			Operator: s.GetChain(), RecordsIn: uint64(n), RecordsOut: uint64(2 * n),
			Counters: []*messages.Counter{{Name: "late", Value: n}}, FurthestMs: furthestOf(s),
		}},
	}
}

// furthestOf is a thousand more than the watermark in a source, whose name begins
// with "tide", and unknown in others.
func furthestOf(s *messages.Subtask) *int64 {
	if !strings.HasPrefix(s.GetChain(), "tide") {
		return nil
	}
	furthest := 100*int64(s.GetIndex()+1) + 1000
	return &furthest
}

// snapshot acks a source with the splits it was deployed with last.
func (f *fakeWorker) snapshot(attempt, checkpoint uint64, s *messages.Subtask) *messages.SubtaskSnapshot {
	w := f.w
	o := &messages.OperatorSnapshot{Operator: s.GetChain(), Index: s.GetIndex(), Parallelism: 1, Blobs: []*messages.Blob{{Size: 10}}}
	for _, id := range w.assigned[s.ID()] {
		o.Splits = append(o.Splits, &messages.SplitState{Id: id, Position: []byte("p")})
	}
	f.tallies[attempt][s.ID()].prepare(checkpoint, o)
	return &messages.SubtaskSnapshot{Subtask: s, Operators: []*messages.OperatorSnapshot{o}, Finished: w.finished[s.ID()]}
}

// fakeLog is a log in memory that fails as it is told.
type fakeLog struct {
	w         *world
	attempt   messages.Attempt
	manifests []*messages.Manifest // newest first
	damaged   []persistence.Damaged
	newest    messages.CheckpointID
	fail      map[string][]error // by method: what the next calls return
	pending   *messages.Manifest

	everPublished []uint64
	halfway       bool // an uncertain publish has written the manifest
}

func (l *fakeLog) next(method string) error {
	if errs := l.fail[method]; len(errs) > 0 {
		l.fail[method] = errs[1:]
		if p := (panicking{}); errors.As(errs[0], &p) {
			panic("disk on fire")
		}
		return errs[0]
	}
	return nil
}

type panicking struct{ error }

func (l *fakeLog) open() (Log, error) {
	if err := l.next("open"); err != nil {
		return nil, err
	}
	return l, nil
}

func (l *fakeLog) Claim(_ context.Context, owner persistence.Owner, reason string, _ int64) (messages.Attempt, error) {
	if err := l.next("claim"); err != nil {
		return 0, err
	}
	l.attempt, l.pending = l.attempt+1, nil
	l.w.note("log claim %d: %s", l.attempt, reason)
	return l.attempt, nil
}

func (l *fakeLog) Publish(_ context.Context, m *messages.Manifest) error {
	if l.pending != nil && l.pending != m {
		l.w.t.Errorf("checkpoint %d published while the outcome of %d is open", m.Checkpoint, l.pending.Checkpoint)
	}
	l.pending = nil
	if err := l.next("publish"); err != nil {
		if isUncertain(err) {
			l.pending = m
			if l.halfway {
				l.write(m)
			}
		}
		return err
	}
	l.write(m)
	return nil
}

// write is harmless when the manifest is there already.
func (l *fakeLog) write(m *messages.Manifest) {
	if len(l.manifests) > 0 && l.manifests[0] == m {
		return
	}
	l.everPublished = append(l.everPublished, m.GetCheckpoint())
	var names []string
	for _, s := range m.GetSubtasks() {
		names = append(names, s.GetSubtask().ID().String())
	}
	l.w.note("log publish %d final=%v %s", m.GetCheckpoint(), m.GetFinal(), strings.Join(names, " "))
	l.manifests = append([]*messages.Manifest{m}, l.manifests...)
	l.newest = max(l.newest, messages.CheckpointID(m.GetCheckpoint()))
}

func (l *fakeLog) Manifests() ([]*messages.Manifest, []persistence.Damaged) {
	return slices.Clone(l.manifests), l.damaged
}

func (l *fakeLog) LastCheckpoint(context.Context) (messages.CheckpointID, error) {
	return l.newest, nil
}

func (l *fakeLog) Retain(_ context.Context, keep int) error {
	if err := l.next("retain"); err != nil {
		return err
	}
	l.manifests = l.manifests[:min(keep, len(l.manifests))]
	return nil
}

func (l *fakeLog) DeleteAll(context.Context, int64) error {
	if err := l.next("delete"); err != nil {
		return err
	}
	l.w.note("log delete all")
	l.manifests = nil
	return nil
}

// describe gives what a message says, or "" for what goes on all the time.
func describe(msg any) string {
	switch m := msg.(type) {
	case *messages.Heartbeat, *messages.StatusRequest:
		return ""
	case *messages.Deploy:
		var tasks, splits []string
		for _, t := range m.GetTasks() {
			tasks = append(tasks, t.GetSubtask().ID().String()+"@"+t.GetNode())
		}
		for _, s := range m.GetSplits() {
			splits = append(splits, fmt.Sprintf("%s[%d]=%s", s.GetOperator(), s.GetIndex(), splitNames(s)))
		}
		return strings.TrimSpace(fmt.Sprintf("deploy %d region=%d restore=%d %s %s", m.GetAttempt(), m.GetRegion(), m.GetRestore().GetCheckpoint(), strings.Join(tasks, " "), strings.Join(splits, " ")))
	case *messages.Start:
		return fmt.Sprintf("start %d", m.GetAttempt())
	case *messages.StopAttempt:
		return fmt.Sprintf("stop attempt %d", m.GetAttempt())
	case *messages.TriggerCheckpoint:
		return fmt.Sprintf("%d: trigger %d", m.GetAttempt(), m.GetCheckpoint())
	case *messages.CheckpointComplete:
		return fmt.Sprintf("%d: complete %d", m.GetAttempt(), m.GetCheckpoint())
	case *messages.CheckpointAborted:
		return fmt.Sprintf("%d: aborted %d", m.GetAttempt(), m.GetCheckpoint())
	case *messages.StopSources:
		return fmt.Sprintf("%d: stop sources drain=%v", m.GetAttempt(), m.GetDrain())
	case *messages.GroupWatermark:
		at := fmt.Sprint(m.GetWatermark())
		switch m.GetWatermark() {
		case messages.NoWatermark:
			at = "-"
		case messages.MaxWatermark:
			at = "max"
		}
		return fmt.Sprintf("%d: group %s #%d at %s", m.GetAttempt(), m.GetGroup(), m.GetSeq(), at)
	case *messages.AssignSplits:
		a := m.GetAssignment()
		return fmt.Sprintf("%d: assign %d %s[%d]=%s", m.GetAttempt(), m.GetSeq(), a.GetOperator(), a.GetIndex(), splitNames(a))
	}
	return fmt.Sprintf("%T", msg)
}

// splitNames marks splits that go on from a position.
func splitNames(a *messages.SplitAssignment) string {
	var names []string
	for _, s := range a.GetSplits() {
		name := s.GetId()
		if s.GetPosition() != nil {
			name += "+"
		}
		if s.GetFinished() {
			name += "."
		}
		names = append(names, name)
	}
	return strings.Join(names, ",")
}
