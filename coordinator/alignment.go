package coordinator

import (
	"cmp"
	"slices"
	"time"

	"github.com/weirflow/weir/messages"
)

// Sources of one group are aligned: the coordinator takes the least watermark of
// all their subtasks and tells it to each of them, which then leaves alone what is
// further ahead than its drift.
//
// Every subtask says where it is again and again, and so does the coordinator, so
// that nothing is waited for when a message is lost, and numbers tell the newest.
// What moved the minimum by much is told at once, but for a moment in which more
// of the kind may come.
//
//   - A subtask that was never heard has no watermark: at the start of an attempt
//     nobody goes ahead before all have said where they are.
//   - While its region is down a subtask stays where it was heard last. The other
//     regions go on by as much as the drift, and wait for it there.
//   - The minimum may fall: with a restart, and when a split comes behind the
//     others. Those that are ahead then wait.

const (
	alignEvery  = 200 * time.Millisecond // repeats what was lost
	alignLinger = 5 * time.Millisecond   // for the words of other subtasks, which come together
)

// groupClock is the clock of one group: pure arithmetic.
type groupClock struct {
	name    string
	step    int64 // ms; a greater move is told at once
	members map[messages.SubtaskID]*member
	seq     uint64    // of what was told
	told    int64     // ms
	at      time.Time // when it is told again; zero: no member began yet
}

// member is one subtask as it was heard last.
type member struct {
	attempt   messages.Attempt // 0: never
	seq       uint64
	watermark int64 // ms; the maximum when none of its splits counts
}

// newGroupClocks gives the groups of a topology, sorted by name.
func newGroupClocks(sources []Source) []*groupClock {
	var groups []*groupClock
	for _, s := range sources {
		if s.AlignGroup == "" {
			continue
		}
		i := slices.IndexFunc(groups, func(g *groupClock) bool { return g.name == s.AlignGroup })
		if i < 0 {
			i = len(groups)
			groups = append(groups, &groupClock{name: s.AlignGroup, step: messages.MaxWatermark, members: map[messages.SubtaskID]*member{}, told: messages.NoWatermark})
		}
		groups[i].add(s)
	}
	slices.SortFunc(groups, func(a, b *groupClock) int { return cmp.Compare(a.name, b.name) })
	return groups
}

func (g *groupClock) add(s Source) {
	g.step = min(g.step, messages.AlignmentStep(s.AlignDrift.Milliseconds()))
	for i := range s.Parallelism {
		g.members[messages.SubtaskID{Chain: s.Operator, Index: i}] = &member{watermark: messages.NoWatermark}
	}
}

// begin says that a subtask begins a new attempt: it will say where it is.
func (g *groupClock) begin(id messages.SubtaskID, attempt messages.Attempt) {
	if m := g.members[id]; m != nil {
		*m = member{attempt: attempt, watermark: messages.NoWatermark}
	}
}

// hear takes in where a subtask is. What is older than what was heard, or of
// another attempt, is nothing.
func (g *groupClock) hear(id messages.SubtaskID, attempt messages.Attempt, seq uint64, watermark int64) {
	if m := g.members[id]; m != nil && m.attempt == attempt && m.seq < seq {
		m.seq, m.watermark = seq, watermark
	}
}

// least is the least watermark of the group; the maximum when there is nothing to
// be waited for.
func (g *groupClock) least() int64 {
	least := messages.MaxWatermark
	for _, m := range g.members { // order: a minimum
		least = min(least, m.watermark)
	}
	return least
}

// moved tells whether the members should hear of the minimum before their time.
func (g *groupClock) moved() bool {
	return messages.AlignmentNews(g.told, g.least(), g.step)
}

// tell gives what the members are to hear.
func (g *groupClock) tell() (seq uint64, watermark int64) {
	g.seq, g.told = g.seq+1, g.least()
	return g.seq, g.told
}

// beginAlignment is for the subtasks of a region that is about to run.
func (j *job) beginAlignment(r *region) {
	for _, g := range j.groups {
		for _, id := range r.subtasks {
			g.begin(id, r.attempt)
		}
	}
	j.maybeAlign()
}

func (j *job) onSourceWatermark(m *messages.SourceWatermark) {
	r := j.maybeRegion(m.GetAttempt())
	if r == nil {
		return
	}
	for _, g := range j.groups {
		g.hear(m.GetSubtask().ID(), r.attempt, m.GetSeq(), m.GetWatermark())
	}
	j.maybeAlign()
}

// maybeAlign sees to it that what moved is told soon, and the rest in time.
func (j *job) maybeAlign() {
	for _, g := range j.groups {
		wait := alignEvery
		if g.moved() {
			wait = alignLinger
		}
		g.at = earliest(g.at, j.now().Add(wait))
	}
}

// align tells the subtasks of every group how far it is, if it is time.
func (j *job) align(now time.Time) {
	for _, g := range j.groups {
		if g.at.IsZero() || now.Before(g.at) {
			continue
		}
		g.at = now.Add(alignEvery)
		seq, watermark := g.tell()
		for _, r := range j.regions {
			if r.state == running {
				j.tellGroup(r, g, &messages.GroupWatermark{
					Job: string(j.cfg.Job), Attempt: uint64(r.attempt), Group: g.name, Seq: seq, Watermark: watermark,
				})
			}
		}
	}
}

// tellGroup sends to the nodes on which the group has subtasks.
func (j *job) tellGroup(r *region, g *groupClock, msg *messages.GroupWatermark) {
	var nodes []string
	for _, id := range r.subtasks {
		if g.members[id] != nil {
			nodes = append(nodes, r.placed[id])
		}
	}
	slices.Sort(nodes)
	for _, node := range slices.Compact(nodes) {
		j.send(r.nodes[node], msg)
	}
}
