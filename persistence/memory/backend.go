package memory

import "github.com/weirflow/weir/persistence"

// Backend keeps all working state on the heap, where the operators' tables
// have it anyway, and writes all of it at every checkpoint: one blob for each
// operator in each subtask.
func Backend() persistence.Backend { return backend{} }

type backend struct{ persistence.FullSnapshots }

func (backend) Name() string { return "memory" }
