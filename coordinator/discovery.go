package coordinator

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/weirflow/weir/actors/env"
	"github.com/weirflow/weir/messages"
)

// noTime is no deadline.
var noTime time.Time

// pendingSplits is an AssignSplits that was not answered yet.
type pendingSplits struct {
	msg    *messages.AssignSplits
	to     *actor.PID
	resend time.Time
}

// listResult is what a source listed for a life of a region.
type listResult struct {
	work     string
	region   int
	life     int
	operator messages.OperatorID
	ids      []string
	starts   map[string][]byte // where those of the ids begin that are new
	err      error
}

// becomeListing asks the region's sources what there is to read, unless that
// is settled: a bounded source is asked once.
func (j *job) becomeListing(r *region) {
	r.enter(listing, noTime)
	for _, s := range r.sources {
		if !j.isListed(r, s) {
			r.unlisted++
			j.list(r, s)
		}
	}
	if r.unlisted == 0 {
		j.becomeDeploying(r)
	}
}

func (j *job) isListed(r *region, s Source) bool {
	_, restored := restoredSplits(r.restored, s.Operator)
	return s.Bounded && (restored || j.known[s.Operator] != nil)
}

func (j *job) list(r *region, s Source) {
	res := listResult{work: fmt.Sprintf("list %s life %d", s.Operator, r.life), region: r.index, life: r.life, operator: s.Operator}
	j.lists[res.work] = res
	q := j.question(r, s)
	j.env.Work(j.self, res.work, func(ctx context.Context) any {
		res := res
		res.ids, res.starts, res.err = q.ask(ctx)
		return &res
	})
}

// question is what a source is asked: for its splits, and where those begin that are
// not seen yet.
type question struct {
	source Source
	seen   map[string]bool
	again  bool // it has listed splits before, in this run or one that is restored
}

func (j *job) question(r *region, s Source) question {
	restored, listed := restoredSplits(r.restored, s.Operator)
	q := question{source: s, seen: map[string]bool{}, again: listed || j.known[s.Operator] != nil}
	for _, st := range restored {
		q.seen[st.GetId()] = true
	}
	for id := range j.known[s.Operator] { // order: into a set
		q.seen[id] = true
	}
	return q
}

func (q question) ask(ctx context.Context) (ids []string, starts map[string][]byte, err error) {
	if ids, err = q.source.List(ctx); err == nil {
		err = checkListing(ids)
	}
	if err != nil || q.source.Start == nil {
		return ids, nil, err
	}
	fresh := slices.DeleteFunc(slices.Clone(ids), func(id string) bool { return q.seen[id] })
	if len(fresh) == 0 {
		return ids, nil, nil
	}
	positions, err := q.source.Start(ctx, fresh, q.again)
	if err == nil && len(positions) != len(fresh) {
		err = fmt.Errorf("it gave %d positions at which %d splits begin; give one for each", len(positions), len(fresh))
	}
	if err != nil {
		return ids, nil, err
	}
	starts = make(map[string][]byte, len(fresh))
	for i, id := range fresh {
		starts[id] = positions[i]
	}
	return ids, starts, nil
}

func (j *job) onWorkPanic(p *env.WorkPanic) {
	if p.Name == storeWork {
		j.onStoreResult(p)
		return
	}
	if res, ok := j.lists[p.Name]; ok {
		res.err = fmt.Errorf("panic: %v", p.Value)
		j.onListed(&res)
	}
}

func (j *job) onListed(m *listResult) {
	delete(j.lists, m.work)
	r := j.regions[m.region]
	if r.life != m.life {
		return
	}
	switch err := m.err; {
	case r.state == listing && err != nil:
		j.fail([]*region{r}, because(fmt.Errorf("source %q: list splits: %w", m.operator, err)))
	case r.state == listing:
		j.learn(m)
		if r.unlisted--; r.unlisted == 0 {
			j.becomeDeploying(r)
		}
	case r.state == running && err != nil:
		j.emitRegion(r, slog.LevelWarn, SplitEvent, "source %q could not be asked for new splits, will ask again: %v", m.operator, err)
	case r.state == running:
		j.learn(m)
		j.assignNew(r, m.operator, m.ids)
	}
}

// learn remembers splits: one once seen stays, also when it is listed no more
// and no checkpoint has it yet, and so does the place where it begins.
func (j *job) learn(m *listResult) {
	known := j.known[m.operator]
	if known == nil {
		known = map[string][]byte{}
		j.known[m.operator] = known
	}
	for _, id := range m.ids {
		if _, seen := known[id]; !seen {
			known[id] = m.starts[id]
		}
	}
}

// assignSplits gives the shares of all source subtasks of a region, for Deploy.
func (j *job) assignSplits(r *region) []*messages.SplitAssignment {
	r.splits = map[messages.OperatorID]*assignment{}
	var all []*messages.SplitAssignment
	for _, s := range r.sources {
		restored, _ := restoredSplits(r.restored, s.Operator)
		a, shares := assign(s.Parallelism, unite(restored, j.known[s.Operator]), homesOf(r.restored, s.Operator, s.Parallelism))
		r.splits[s.Operator] = &a
		for i, share := range shares {
			all = append(all, &messages.SplitAssignment{Operator: string(s.Operator), Index: int32(i), Splits: share})
		}
	}
	return all
}

func (j *job) startDiscovery(r *region) {
	r.discover, r.unanswered = map[messages.OperatorID]time.Time{}, map[uint64]*pendingSplits{}
	for _, s := range r.sources {
		if !s.Bounded && s.DiscoverEvery > 0 {
			r.discover[s.Operator] = j.now().Add(s.DiscoverEvery)
		}
	}
}

// discoverSplits asks unbounded sources again. One question at a time a
// source: the next is due an interval after this one, or after its answer.
func (j *job) discoverSplits(r *region, now time.Time) {
	for _, s := range r.sources {
		at, on := r.discover[s.Operator]
		if !on || now.Before(at) {
			continue
		}
		r.discover[s.Operator] = now.Add(s.DiscoverEvery)
		if _, asked := j.lists[fmt.Sprintf("list %s life %d", s.Operator, r.life)]; !asked && j.stop == nil {
			j.list(r, s)
		}
	}
}

// assignNew hands out what was not known before.
func (j *job) assignNew(r *region, operator messages.OperatorID, ids []string) {
	for i, share := range r.splits[operator].add(ids) {
		if len(share) == 0 {
			continue
		}
		j.emitRegion(r, slog.LevelInfo, SplitEvent, "source %q has new splits %q for subtask %d", operator, share, i)
		a := &messages.SplitAssignment{Operator: string(operator), Index: int32(i)}
		for _, id := range share {
			a.Splits = append(a.Splits, newSplit(id, j.known[operator][id]))
		}
		j.seq++
		p := &pendingSplits{
			msg: &messages.AssignSplits{Job: string(j.cfg.Job), Attempt: uint64(r.attempt), Assignment: a, Seq: j.seq},
			to:  r.nodes[r.placed[messages.SubtaskID{Chain: operator, Index: i}]],
		}
		r.unanswered[j.seq] = p
		j.sendSplits(p)
	}
}

func (j *job) sendSplits(p *pendingSplits) {
	p.resend = j.now().Add(j.cfg.Checkpoints.CommitRetry)
	j.send(p.to, p.msg)
}

func (j *job) remindSplits(r *region, now time.Time) {
	for _, seq := range sorted(r.unanswered) {
		if p := r.unanswered[seq]; !now.Before(p.resend) {
			j.sendSplits(p)
		}
	}
}

func (j *job) onSplitsAssigned(m *messages.SplitsAssigned) {
	if r := j.maybeRegion(m.GetAttempt()); r != nil {
		delete(r.unanswered, m.GetSeq())
	}
}
