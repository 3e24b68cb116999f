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
// There are no feedback loops: a stream never feeds what it comes from, and Build
// refuses cycles. The records under way within a loop belong to no operator, so
// a checkpoint by barriers would have to keep them, and neither a watermark nor
// the end of input could get through it. What must be repeated is repeated within
// a function, or leaves by a sink and comes back by a source.
//
// # Event time
//
// Take the trips of examples/tips: tips by zone and hour, of taxis whose trips
// become known when they end. A trip that began at 9:50 and ended at 10:25 comes in
// behind one that began at 10:05 and ended at 10:10. Three times could say to which
// hour it belongs:
//
//   - Event time is in the record: 9:50, the hour of nine. Results are a function
//     of the input, however fast it comes and however often it is read.
//   - Ingestion time is when the source brought it in (IngestionTime): 10:25.
//     Every operator behind the source sees that one; a second reading gives another.
//   - Processing time is the clock of the node on which an operator works on it:
//     Tumbling(time.Hour).ProcessingTime(), Context.CurrentProcessingTime. Each
//     operator has its own. After an hour without the job all trips of that hour
//     fall into the next.
//
// When is the hour of nine complete? A watermark says it: after watermark w no
// record with a time ≤ w is on time any more. BoundedOutOfOrderness(20*time.Minute,
// ...) takes the greatest pick-up so far, less 20 minutes, less 1 ms. Behind the trip
// of 10:05 it stands just before 9:45, and the trip of 9:50 is counted; behind one
// of 10:20 it stands at 9:59:59.999, the last millisecond of the hour, which fires.
// The trip of 9:50 is late from then on, since no window takes it: it goes to
// SideOutputLate, or is dropped and counted by records_late_dropped. A later trip
// never makes one late that came before it, for a watermark stands behind the
// record that caused it. Where an operator has several inputs, its clock is the
// least of theirs: the slowest split, subtask or stream says how far it is.
//
// # Completeness and latency
//
// A result that waits longer misses less. What to choose:
//
//   - The bound: how far a record may be behind. With 20 minutes every hour is
//     shown when a pick-up 20 minutes past it has been seen, and trips that take
//     longer may be lost to it. With an hour fewer are, and all hours come 40
//     minutes later. The side output of late records tells what the bound costs.
//     Monotonous is a bound of 0, for splits in order; each split has its own clock,
//     so two sorted files need no bound between them.
//   - The granularity (WatermarkStrategy.Granularity, 100 ms): how often the
//     watermark moves. Coarser is less work, and up to as much later. One that
//     divides the size of the windows does not delay them.
//   - Idleness (WatermarkStrategy.Idle): whether a split from which nothing comes
//     stops the clock. Without it, for ever: complete. With it results go on, and what
//     the split brings later may be late. Which is late then depends on processing
//     time.
//   - Alignment (WatermarkStrategy.Align): how far a split may be ahead of the
//     slowest one. Without it a source that is read faster than another fills the
//     state of windows and joins with what waits for the other. With it the fast one
//     is paused, results are the same, and state is bounded by the drift; one that is
//     too short makes all of them wait for word of each other.
//   - Allowed lateness (AllowedLateness): the window fires on time and stays for so
//     long; each late record fires it again with all its contents. State lives longer,
//     and readers must take a result that replaces an earlier one.
//   - The late output (SideOutputLate): what is later than all that. Nothing is lost,
//     and somebody else puts it right.
//   - Early firings (AfterWatermark with EarlyEvery, EarlyEveryProcessing or
//     EarlyCount): what is there so far, before the window is complete. Together with a
//     wide bound and allowed lateness, a reader sees a fast first result, a final
//     one, and corrections.
//
// # How windows are run
//
// What is folded (Aggregate, ReduceWindow, AggregateProcess, ReduceProcess) keeps one
// accumulator, not the records. An evictor, ProcessWindow, CoGroup and the window
// joins keep every record until its last window is gone. The plan's operators are the
// same to a user; what they cost differs:
//
//   - Tumbling windows of event time in Aggregate and ReduceWindow, with the default
//     trigger and no evictor, take the quick path: a table for each window, an
//     accumulator for each key in it, and a comparison in place of an assigner for
//     records in the window of the one before.
//   - Sliding windows of event time that are folded are kept by slices, the pieces
//     between two edges of windows: a record is added to one accumulator, not to
//     size/slide of them. A window merges its slices when it fires. A window function
//     of one's own together with allowed lateness goes by panes.
//   - Session windows of event time that are folded have an operator of their own,
//     in which the sessions of a key lie together. A session costs a timer that is
//     moved when it is due, not with every record.
//   - Sliding windows of either time that keep their records share them: a record
//     lies in one slice of its key. With the default trigger, and no evictor
//     together with allowed lateness, nothing is kept of a window itself; a key has
//     one timer, or two with allowed lateness. Another trigger is asked for each record of each window. A window that
//     fires copies its records together. What all windows have purged or evicted from
//     the front goes at once, what was evicted in between with the slice.
//   - All others go by panes: an accumulator or list for each key and window, a
//     timer for each pane, and a trigger asked for each record of each window. That
//     is AggregateProcess over tumbling windows, all others that keep their records, a
//     trigger other than the default, processing time, Global, count windows, and
//     assigners of one's own that do not merge.
//   - WindowAll sends all of it through one subtask. WindowedStream.PreAggregate folds
//     before the exchange, which helps there and with keys that many records have.
//
// A window that no record is in costs nothing and gives nothing.
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
// a whole topology by hand, without a cluster. Codecs, keys and the hash of keys are
// parts of the snapshot format, see keyhash.go and CodecOf.
package operators
