// Package kafka reads Kafka's topics and writes to them, exactly once from end to end.
//
// # Reading
//
// A split is a partition, a position the offset of the next record, so that a restart
// neither repeats nor skips one; what a consumer group has committed plays no part in it.
// Only committed records are read, with the place of markers, aborted transactions and
// compacted records known: a source that ends (EndingAt) ends exactly there.
//
// Where partitions begin that no checkpoint knows is settled once, when the job starts,
// and goes into its checkpoints: StartingAt. Partitions that appear later begin at their
// earliest record.
//
// A source has one request at a time under way to each broker, for all partitions that it
// leads and that have room, and keeps at most three times PartitionBytes of each. What is
// paused, for alignment or because nobody takes its records, is left out. Leaders that
// move and brokers that are away for less than Patience are waited for. These fail the
// job: an offset that is no longer there, unless OnOutOfRange says how to go on; a topic
// that was deleted, or created again; missing rights; a damaged batch.
//
// # Writing
//
// Sink keeps the two-phase commit by transactions of Kafka's:
//
//	Write    begins a transaction with the first record, on the side, and sends batches
//	Prepare  has all acknowledged, within a transaction that is still alive
//	Commit   ends it, from any process, by transactional id, producer id and epoch
//	Recover  aborts what older attempts left open and no checkpoint knows
//
// Each transaction begins with InitProducerID, so that a commit which is repeated can
// never meet a later transaction of the same id. In it goes a marker: an offset that the
// transaction commits for a consumer group with the name of its id. When the broker
// knows the id under a later epoch, the marker tells whether the transaction had been
// committed or was aborted; before an id serves again, its last marker is read back. Ids
// are of one attempt, so that an attempt that has not heard of its successor does no harm
// to it; what it leaves open is aborted by the next attempt or the broker's time-out.
//
// A broker aborts a transaction that nobody has ended in time. TransactionTimeout must
// therefore be longer than what may pass between a checkpoint and its commit: the time
// that a job is down. A transaction that was aborted although its checkpoint is complete
// is written again, exactly once, if KeepOutput has had the checkpoint hold its output. Else
// it is reported as in doubt (operators.ErrInDoubt) with its partitions and offsets, and
// its records are not in the topic. InDoubt looks at such a one, and writes it again.
//
// A job whose checkpoints take longer than a transaction lasts is refused, and one is
// taken early when a transaction has half its life behind it. README.md says how to
// choose, and what to do about a transaction in doubt.
//
// AtLeastOnce and Idempotent write without transactions.
//
// Readers see the records of Sink only with isolation.level=read_committed. The offsets of a
// topic that transactions write have gaps, for their markers.
//
// # Brokers
//
// Sources need Kafka 2.8 to notice that a topic was created again, and work from 0.11 on.
// Records in a format from before 0.11 are refused. Sinks need 3.0, to list transactions.
// Users need the rights Read and Describe on topics that are read; Write, Describe and, for
// the markers, Read on topics that are written; Write and Describe on transactional ids
// with the sink's prefix, and Read on groups with it.
//
// # Concurrency
//
// A source may be used by all subtasks at once; a Reader belongs to one goroutine at a
// time.
//
// # Testing
//
// The package's tests run against a stand-in for a broker, github.com/twmb/franz-go's
// kfake, in the test's own process; so can yours. Package kafkatest runs real brokers, and
// make test-kafka these tests on them, with others that kill them.
package kafka
