package plan

import "fmt"

// Mark is a watermark at its place inside a batch: it takes effect before the
// record at Index, and after the last one when Index equals the batch's length.
type Mark struct {
	Index     int
	Watermark int64 // ms
}

// Batch is how records travel: columns of values, event times and key hashes,
// with watermarks at their places. Its types are erased: Values holds a *[]T.
//
// Invariants: Times, *Values and (when not empty) Hashes have the same length;
// Marks are ordered by Index and their watermarks grow strictly; a mark is
// never messages.NoWatermark. A batch without records may carry one mark.
type Batch struct {
	Values any      // *[]T
	Times  []int64  // event times, ms
	Hashes []uint64 // of the key, once the stream is keyed; else empty
	Marks  []Mark
}

// Len is the number of records.
func (b *Batch) Len() int { return len(b.Times) }

// WithMark puts a watermark behind the last record and returns b.
func (b *Batch) WithMark(watermark int64) *Batch {
	b.Marks = append(b.Marks, Mark{Index: b.Len(), Watermark: watermark})
	return b
}

// RowType does what must be done to the records of a stream without knowing
// their type: one call a batch, a typed loop inside. Implementations are
// stateless values, made by operators.RowTypeOf.
type RowType interface {
	// Name of the codec and the Go type, e.g. "cbor:main.Trip{At int64}".
	Name() string
	// New makes an empty batch with room for capacity records.
	New(capacity int) *Batch
	// Reset empties b and lets go of what its records refer to.
	Reset(b *Batch)
	// Append copies records [from, to) of src behind those of dst: values,
	// times and, when src has them, hashes. Marks are the caller's business.
	Append(dst, src *Batch, from, to int)
	// Scatter appends record i of [from, to) of src to dst[target[i-from]].
	Scatter(dst []*Batch, src *Batch, from, to int, target []int32)
	// Encode appends the wire form of b, marks and hashes included, to buf.
	// It fails with the codec's error when T has no wire form, also for an
	// empty b: that is how Build finds out.
	Encode(buf []byte, b *Batch) ([]byte, error)
	// Decode fills the empty batch b from what Encode wrote. It does not keep p.
	Decode(b *Batch, p []byte) error
}

// Keyer computes the hash column of a batch: Hashes[i] from value i. The hash
// is stable over processes and versions, for state is sharded by it.
type Keyer interface {
	// Hash makes b.Hashes as long as b and fills it.
	Hash(b *Batch)
	// Name of the key's type and codec.
	Name() string
}

// Partitioner chooses the receiver's subtask of each record, by a function of the
// user's.
type Partitioner interface {
	// Partition makes target, which is as long as the batch, the subtasks of its
	// records, each of 0..n-1. Its error is a *RecordError, also for a panic.
	Partition(b *Batch, n int, target []int32) error
}

// RecordError is a failure on account of a record, told by something that is no
// Instance and has no cursor.
type RecordError struct {
	Time   int64 // of the record, ms
	Reason string
	Stack  string // of a panic; else ""
}

// Error gives the reason and the record's event time.
func (e *RecordError) Error() string {
	return fmt.Sprintf("%s (record of event time %d)", e.Reason, e.Time)
}

// Output takes batches from an operator. Push borrows b: the callee may change
// what is in its columns and must not keep them, the caller may use it again
// afterwards. A batch without records and marks is ignored. An error ends the
// attempt; the caller returns it at once and unchanged.
//
// Every watermark goes to every output of an operator, side outputs included,
// at its place among that output's records.
type Output interface {
	Push(b *Batch) error
}
