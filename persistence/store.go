// Package persistence is what outlives a process: the checkpoint store, where
// snapshots become durable; the job's log of claims and manifests, whose next
// slot is the fence between two lives of a job; and the state backend, which
// moves working state into blobs of the store and back.
//
// # Concurrency
//
// A CheckpointStore may be used by any number of goroutines and processes at
// once. A Log belongs to one coordinator, which makes one call at a time; that
// several coordinators have logs of one job is what the log is for. A State
// belongs to one subtask.
//
// # What lies where
//
//	<job>/log/<slot>                                  claims and manifests: log.go
//	<job>/data/<checkpoint>.<attempt>/<operator>.<i>  blobs: keys.go, blob.go
//
// # Testing
//
// persistencetest holds one acceptance suite for stores and one for backends,
// and a wrapper that injects faults. memory is a store for tests and small jobs.
package persistence

import (
	"context"
	"errors"
	"io"
)

// ErrExists is wrapped by PutIfAbsent when the key is taken.
var ErrExists = errors.New("key exists")

// ErrNotFound is wrapped by Open when there is no such key.
var ErrNotFound = errors.New("no such key")

// CheckpointStore keeps durable snapshots: a flat map from keys to bytes, with
// the keys that CheckKey accepts. No key may be the parent of another: with
// "a/b" there is no "a". All methods are safe for concurrent use, honour ctx
// before they start, and name the key in their errors.
type CheckpointStore interface {
	// Put writes a new object durably: when it returns nil the bytes survive a
	// crash, and a reader sees all of them or none. An object under the same
	// key is replaced. An error from write aborts, is returned wrapped, and
	// leaves no object.
	Put(ctx context.Context, key string, write func(io.Writer) error) error
	// PutIfAbsent is Put for small objects, and wraps ErrExists when the key is
	// taken: of several callers in any number of processes exactly one succeeds.
	// After an error that is not ErrExists the object may or may not exist.
	PutIfAbsent(ctx context.Context, key string, data []byte) error
	// Open reads an object; it wraps ErrNotFound when there is none.
	Open(ctx context.Context, key string) (io.ReadCloser, error)
	// List gives the keys below prefix (a whole number of segments, or ""),
	// sorted: all whose Put returned before, none that is still being written.
	// Only one that is put or deleted meanwhile may be listed or not.
	List(ctx context.Context, prefix string) ([]string, error)
	// Delete removes an object durably; deleting what is not there is success.
	Delete(ctx context.Context, key string) error
	// String names the store for people, without secrets.
	String() string
}

// Validator is a CheckpointStore that can say before it is used why it could
// not be: a folder that cannot be written, a bucket that is not there.
type Validator interface {
	Validate() error
}
