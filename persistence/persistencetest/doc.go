// Package persistencetest tells whether a checkpoint store or a state backend
// keeps what persistence asks of it, and injects the faults that they must be
// used in spite of:
//
//	func TestStore(t *testing.T) {
//		persistencetest.Store(t, func(t testing.TB) persistence.CheckpointStore { return mystore.Open(t.TempDir()) })
//	}
//
// KV does the same for the KVs of a Disk, and OnHeap makes a Disk without a disk.
//
// # Concurrency
//
// A suite runs its parts one after another; some of them start goroutines and
// wait for them. A FaultyStore may be used by any number of goroutines, starts
// none, never waits, and is deterministic when the calls come in a fixed order.
package persistencetest
