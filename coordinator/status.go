package coordinator

import (
	"slices"
	"time"

	"github.com/weirflow/weir/messages"
)

// Status is a job as it was at one moment. Counts come from the subtasks' last
// reports, so they may be Config.StatusEvery old; in FINISHED they are complete.
type Status struct {
	Job        messages.JobID
	State      State
	Err        error // of a job that has ended
	Restarts   int
	Failures   []FailureRecord // the first and the newest
	InDoubt    []*messages.InDoubt
	Checkpoint LastCheckpoint
	Regions    []RegionStatus
	Operators  []OperatorStatus // in the topology's order
	Workers    []string         // that live, sorted
	Stale      uint64           // messages of other attempts that were dropped, on all sides
}

// LastCheckpoint describes the newest checkpoint that this coordinator published.
type LastCheckpoint struct {
	ID       messages.CheckpointID // 0: none
	Time     time.Time             // of its publishing
	Duration time.Duration         // from trigger to publishing
	Bytes    uint64                // in the store; what it shares with older ones included
}

// RegionStatus is one region.
type RegionStatus struct {
	Region   int
	State    string
	Attempt  messages.Attempt // 0: none at the moment
	Restored messages.CheckpointID
	Nodes    []string
}

// OperatorStatus sums up one operator over its subtasks.
type OperatorStatus struct {
	Operator      messages.OperatorID
	Parallelism   int
	RecordsIn     uint64
	RecordsOut    uint64
	Counters      map[string]int64
	Watermark     int64 // ms; the least of the subtasks that are not idle
	Furthest      int64 // ms; sources: the greatest watermark of a split that has not ended; NoWatermark: there is none
	Finished      int   // subtasks
	BackPressured int   // subtasks
}

func (j *job) onGetStatus(m GetStatus) { reply(m.Reply, j.status()) }

func (j *job) status() Status {
	s := Status{
		Job: j.cfg.Job, State: j.state, Restarts: j.restarts, Checkpoint: j.current.last,
		Failures: slices.Clone(j.history.records), InDoubt: slices.Clone(j.doubts),
		Operators: j.operatorStatuses(), Workers: j.workers.alive(), Stale: j.stale,
	}
	if j.state.Final() {
		s.Err = j.ending.err
	}
	for _, r := range j.regions {
		s.Regions = append(s.Regions, RegionStatus{
			Region: r.index, State: r.state.String(), Attempt: r.attempt,
			Restored: r.base(), Nodes: r.sortedNodes(),
		})
		for _, id := range r.subtasks {
			s.Stale += j.statuses[id].GetStale()
		}
	}
	return s
}

func (j *job) operatorStatuses() []OperatorStatus {
	index := map[string]int{}
	var all []OperatorStatus
	for i, o := range j.cfg.Topology.Operators {
		index[o.GetName()] = i
		all = append(all, OperatorStatus{
			Operator: messages.OperatorID(o.GetName()), Parallelism: int(o.GetParallelism()),
			Counters: map[string]int64{}, Watermark: messages.MaxWatermark, Furthest: messages.NoWatermark,
		})
	}
	active := make([]bool, len(all))
	for _, r := range j.regions {
		for _, id := range r.subtasks {
			st := j.statuses[id]
			for _, o := range st.GetOperators() {
				if i, ok := index[o.GetOperator()]; ok {
					all[i].add(st, o, &active[i])
				}
			}
		}
	}
	for i := range all {
		if !active[i] {
			all[i].Watermark = messages.NoWatermark
		}
	}
	return all
}

// add counts one subtask in. Idle subtasks hold no watermark back, here as in
// the stream.
func (s *OperatorStatus) add(st *messages.SubtaskStatus, o *messages.OperatorStatus, active *bool) {
	s.RecordsIn += o.GetRecordsIn()
	s.RecordsOut += o.GetRecordsOut()
	for _, c := range o.GetCounters() {
		s.Counters[c.GetName()] += c.GetValue()
	}
	if o.FurthestMs != nil {
		s.Furthest = max(s.Furthest, o.GetFurthestMs())
	}
	if st.GetFinished() {
		s.Finished++
	}
	if st.GetBackPressured() {
		s.BackPressured++
	}
	if !st.GetIdle() {
		s.Watermark, *active = min(s.Watermark, st.GetWatermark()), true
	}
}

func (j *job) onSubtaskStatus(m *messages.SubtaskStatus) {
	if r := j.maybeRegion(m.GetAttempt()); r != nil && r.owns(m.GetSubtask().ID()) {
		j.statuses[m.GetSubtask().ID()] = m
		if m.GetFinished() { // its own word may have been lost
			j.do(j.protocol.Finished(j.now(), m.GetSubtask().ID()))
		}
	}
}

func (j *job) pollStatus(now time.Time) {
	if now.Before(j.statusAt) {
		return
	}
	j.statusAt = now.Add(j.cfg.StatusEvery)
	j.requestStatus()
	if j.stop != nil {
		j.remindSources()
	}
}

func (j *job) requestStatus() {
	for _, r := range j.regions {
		if r.state == running {
			j.sendAll(r, &messages.StatusRequest{Job: string(j.cfg.Job), Attempt: uint64(r.attempt)})
		}
	}
}

// lastCheckpoint measures a published manifest.
func lastCheckpoint(m *messages.Manifest, began, now time.Time) LastCheckpoint {
	c := LastCheckpoint{ID: messages.CheckpointID(m.GetCheckpoint()), Time: now, Duration: now.Sub(began)}
	for _, s := range m.GetSubtasks() {
		for _, o := range s.GetOperators() {
			for _, b := range o.GetBlobs() {
				c.Bytes += b.GetSize()
			}
		}
	}
	return c
}
