// Package records reads and writes Kafka's record batches, format version 2, in the
// bytes of produce and fetch messages: without a structure or an allocation for each
// record. It does no I/O and knows no broker.
//
// The format is that of the Kafka protocol guide ("Record Batch"): a header of 61
// bytes, covered by a CRC-32C from the attributes on, and then records whose lengths,
// time and offset deltas are zigzag varints, perhaps compressed as a whole.
package records
