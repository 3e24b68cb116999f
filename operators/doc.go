// Package operators is what a user writes: typed topologies of streams, keyed
// streams, windows, state, timers, sources and sinks.
//
// A Topology begins with From and ends with To. In between, operators that
// change the type are functions (Map, FlatMap, KeyBy, Reduce, Aggregate,
// Process) and those that do not are methods (Filter). Every operator has a
// name, which is its identity in checkpoints. Build turns the topology into a
// plan.Plan, which prints itself and says for every sink what is guaranteed end
// to end; the cluster package runs it.
//
// Functions that users pass in get one record at a time and run within typed
// loops over batches: nothing is boxed, and nothing allocated, per record.
// Records are passed by value, so that large ones are best passed as pointers,
// which are then never written to after they were emitted: several operators
// may read the same record.
//
// # Concurrency
//
// A Topology is built by one goroutine. Every subtask has operators of its own,
// but they share the functions, sources and sinks that were passed in: these
// must be safe for concurrent use, which a function without variables of its
// own always is. What belongs to one subtask comes from a constructor, as with
// Process.
//
// # Errors
//
// Mistakes in a topology are told by Build, all at once. An error or a panic of
// a user's function fails the attempt with operator, subtask and record, and
// the job restarts from its last checkpoint.
//
// # Testing
//
// Slice is a source for tests, and the operatortest package runs an operator or
// a whole topology by hand, without a cluster. Codecs, keys and the hash of keys are parts of
// the snapshot format, see keyhash.go and CodecOf.
package operators
