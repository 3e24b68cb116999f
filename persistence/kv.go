package persistence

import "context"

// Disk is a Backend that keeps the state which users declare outside the heap,
// so that it may grow beyond memory. What it writes at a checkpoint is what
// every other backend writes: a job may change its backend between two runs.
type Disk interface {
	Backend
	// OpenKV gives an empty KV for the states of one operator in one subtask. It
	// may be called concurrently; ctx is for the opening. The name is for people:
	// it appears in errors, and may appear in the name of a folder.
	OpenKV(ctx context.Context, name string) (KV, error)
}

// KV is a sorted map of bytes. It belongs to one goroutine at a time, and so do
// the slices it is called with and calls with: neither side keeps them. Keys are
// not empty. It need not survive its process: checkpoints are what does. Behind
// Close every method gives an error that says so and names the KV.
type KV interface {
	// Get appends the value of key to buf, and tells whether there is one.
	Get(buf, key []byte) (value []byte, ok bool, err error)
	// Put sets the value of key.
	Put(key, value []byte) error
	// Append adds tail to the end of the value of key, which is empty if there
	// was none. It reads nothing.
	Append(key, tail []byte) error
	// Delete removes key, if it is there.
	Delete(key []byte) error
	// DeletePrefix removes all keys that begin with prefix, which is not empty.
	DeletePrefix(prefix []byte) error
	// Scan calls yield for the keys that begin with prefix, all if it is empty, in
	// ascending order, as they were when it began, until it returns false. yield
	// may use the KV.
	Scan(prefix []byte, yield func(key, value []byte) bool) error
	// Freeze gives the map as it is now, in time that does not depend on its
	// size. It may be read from another goroutine while the KV goes on, or is closed.
	Freeze() (FrozenKV, error)
	// Close ends the use of the KV; calling it again does nothing. What was
	// frozen can be read until it is released, and only then all is given back.
	Close() error
}

// FrozenKV is a KV as it was. It belongs to one goroutine at a time, another one
// than the KV's if need be. Behind Release Scan gives an error.
type FrozenKV interface {
	// Scan is KV.Scan of what was frozen.
	Scan(prefix []byte, yield func(key, value []byte) bool) error
	// Release ends the use of it; calling it twice is harmless.
	Release()
}
