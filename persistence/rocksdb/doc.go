// Package rocksdb keeps the state that users declare (values, lists, maps,
// reducing and aggregating state) in RocksDB, on local disk, so that it may
// grow beyond memory:
//
//	cluster.Config{Backend: rocksdb.Backend("/var/lib/weir/work"), …}
//
// Use it when state does not fit on the heap, or when the garbage collector
// suffers from it. The heap is much faster: on disk, each access encodes or
// decodes a value and goes through RocksDB.
//
// # What lies where
//
// Each operator of each subtask has a RocksDB of its own. A value is one record.
// A list is one record, to which Append adds with a merge operand: it neither
// reads nor decodes what there is. Each entry of a map is a record of its own.
// Keys begin with the state's number and the key group, so that a group is a
// range. Windows' panes, joins' rows, timers, clocks, broadcast state and what
// triggers remember stay on the heap.
//
// # Snapshots
//
// The folder is working space: it is emptied when a run ends, or when the next
// one finds that it ended, and a restart always restores from a checkpoint. At
// a barrier a RocksDB snapshot is taken, in microseconds; off the mailbox it is
// written to the checkpoint store in full, as every backend writes it, so that
// a job may change its backend. There are no incremental checkpoints.
//
// # Building
//
// The package is for Unix. It needs cgo, a C compiler and RocksDB 7.8 or later with its headers
// (Debian: apt-get install librocksdb-dev). With the build tag norocksdb, or
// CGO_ENABLED=0, it builds without them, and OpenKV then says why it cannot.
// No other package of weir needs cgo.
//
// # Concurrency
//
// A backend may be used by any number of subtasks. Each KV belongs to one
// goroutine, what it froze to one at a time.
package rocksdb
