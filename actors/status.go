package actors

import "github.com/weirflow/weir/messages"

// status tells what the subtask did so far. It runs on the mailbox, so the
// counters need neither lock nor atomic.
func (s *subtask) status() *messages.SubtaskStatus {
	watermark, idle := s.clock()
	if s.source != nil {
		s.source.countPaused()
	}
	st := &messages.SubtaskStatus{
		Job: string(s.o.Job), Attempt: uint64(s.attempt), Subtask: s.id.Proto(),
		Watermark: watermark, Idle: idle, Finished: s.finished, BackPressured: !s.out.open(), Stale: s.stale,
	}
	for i, n := range s.ops.nodes {
		op := &messages.OperatorStatus{Operator: string(n.op.Name), RecordsIn: n.in, RecordsOut: n.out}
		for _, c := range n.counters {
			op.Counters = append(op.Counters, &messages.Counter{Name: c.name, Value: int64(*c.value)})
		}
		if i == 0 && s.source != nil {
			op.FurthestMs = s.source.furthest()
		}
		st.Operators = append(st.Operators, op)
	}
	return st
}
