package persistence

import (
	"context"
	"io"

	"github.com/weirflow/weir/messages"
)

// State is one named state of one operator in one subtask, with its types
// erased. It is made by the operators package over persistence/table, or over a
// KV, belongs to the subtask's mailbox, and is never touched from elsewhere while
// that runs.
type State interface {
	// Schema names the state and its types; it is stored with the snapshot and
	// compared at restore before any record flows.
	Schema() *messages.StateSchema
	// Freeze gives the state as it is now, in time that does not depend on its
	// size. Later writes do not change it.
	Freeze() Frozen
	// ReadGroup adds the entries of one key group, as WriteGroup wrote them, to
	// the state. It must consume r to its end. It may be called again for the
	// same group, with other entries.
	ReadGroup(g messages.KeyGroup, r io.Reader) error
	// Len is the number of entries. Where they are on disk, it reads all keys.
	Len() int
}

// Frozen is a state as it was at a barrier. It may be read from another
// goroutine while the state goes on; Release gives its memory back.
type Frozen interface {
	// WriteGroup writes the entries of one key group and returns their number.
	// A group without entries writes nothing. It may write in small pieces.
	WriteGroup(g messages.KeyGroup, w io.Writer) (entries int, err error)
	// Release ends the use of the frozen state; calling it twice is harmless.
	Release()
}

// NamedFrozen is a frozen state with the schema it had.
type NamedFrozen struct {
	Schema *messages.StateSchema
	Frozen Frozen
}

// Backend keeps the working state of operators and moves it to a checkpoint
// store and back. Implementations are values that any number of subtasks share.
type Backend interface {
	// Name for people and plans: "memory", "rocksdb".
	Name() string
	// Snapshot writes the frozen states of one operator in one subtask durably
	// under keys that begin with prefix, and names what it wrote. It runs off
	// the mailbox. It does not release the frozen states.
	Snapshot(ctx context.Context, store CheckpointStore, prefix string, groups messages.KeyGroupRange, states []NamedFrozen) ([]*messages.Blob, error)
	// Restore reads from blobs what belongs to groups into states. A blob that
	// is damaged or missing gives a *CorruptError, a state with other types
	// than it was written with, or one that is no longer declared, a
	// *SchemaError. States without a counterpart in the blobs stay empty.
	Restore(ctx context.Context, store CheckpointStore, blobs []*messages.Blob, groups messages.KeyGroupRange, states []State) error
}

// CorruptError says that a blob of a checkpoint is damaged or gone.
type CorruptError struct {
	Key string // of the blob
	Err error
}

func (e *CorruptError) Error() string { return "checkpoint blob " + e.Key + ": " + e.Err.Error() }

// Unwrap gives the cause.
func (e *CorruptError) Unwrap() error { return e.Err }

// SchemaError says that a state was written with other types than it is read with.
type SchemaError struct {
	State    string
	Was, Now *messages.StateSchema // Now nil: the topology has no such state
}

func (e *SchemaError) Error() string {
	if e.Now == nil {
		return "state " + e.State + " is in the checkpoint but not in the topology; declare it again, under its old name"
	}
	return "state " + e.State + " was written as " + describe(e.Was) + " but is declared as " + describe(e.Now) + "; keep the types, or give the state another name"
}

func describe(s *messages.StateSchema) string {
	return s.GetKind() + "<" + s.GetKey() + ", " + s.GetValue() + ">"
}
