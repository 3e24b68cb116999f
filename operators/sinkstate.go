package operators

import (
	"slices"

	"github.com/weirflow/weir/operators/plan"
)

// Checkpointed is an optional ability of a Writer: it keeps records back, and
// what it kept at a barrier goes into the checkpoint. SnapshotState then says
// what has been written but is not out, and Flush or Prepare need not push it.
type Checkpointed interface {
	// SnapshotState gives the writer's state at the barrier, after Flush or
	// Prepare. The caller keeps the slice.
	SnapshotState() ([]byte, error)
	// RestoreState runs once, right after Open and before anything else, when
	// the job was restored. It gets what the writers of all subtasks gave, by
	// index, and takes its share: every part must be taken by exactly one, for
	// example by those whose index is the part's modulo SinkContext.Parallelism.
	RestoreState(parts [][]byte) error
	// Finish runs at the end of input, before the last barrier: what was kept
	// back must go out by the Flush or Prepare that follows, for no later run
	// restores it.
	Finish() error
}

// Finish is plan.Instance's.
func (s *sinkBase[T]) Finish() error {
	if c, ok := s.writer.(Checkpointed); ok {
		return named("writer.Finish", c.Finish())
	}
	return nil
}

// SnapshotState is plan.Checkpointed, for writers that can do it.
func (s *sinkBase[T]) SnapshotState() ([]byte, error) {
	if c, ok := s.writer.(Checkpointed); ok {
		return c.SnapshotState()
	}
	return nil, nil
}

// RestoreState keeps what the writer gets once it is open.
func (s *sinkBase[T]) RestoreState(parts [][]byte) error {
	s.parts = parts
	return nil
}

// restoreWriter hands a writer what it gave.
func (s *sinkBase[T]) restoreWriter() error {
	c, ok := s.writer.(Checkpointed)
	switch {
	case !ok && slices.ContainsFunc(s.parts, func(p []byte) bool { return len(p) > 0 }):
		return &plan.MismatchError{Reason: "the checkpoint holds records that this sink kept back, and its writer has no RestoreState now; " +
			"run the job once more with the sink of before, or give the new sink a name of its own"}
	case !ok || s.parts == nil:
		return nil
	}
	return named("writer.RestoreState", c.RestoreState(s.parts))
}
