package records

import (
	"cmp"
	"encoding/binary"
	"slices"
)

// AbortedTransaction is what a fetch response says of one: batches of the producer from
// the offset on are not to be read, up to the next marker of that producer.
type AbortedTransaction struct {
	ProducerID  int64
	FirstOffset int64
}

// Aborted tells which batches of a response are of aborted transactions, for reading
// what is committed. The broker gives those that overlap with the response.
type Aborted struct {
	coming []AbortedTransaction // by their first offset
	now    map[int64]bool       // producers inside one
}

// NewAborted takes what a response says of one partition; it sorts the slice.
func NewAborted(all []AbortedTransaction) Aborted {
	slices.SortFunc(all, func(a, b AbortedTransaction) int { return cmp.Compare(a.FirstOffset, b.FirstOffset) })
	return Aborted{coming: all}
}

// Skip tells whether the batch holds nothing to read: it is a marker, or of an aborted
// transaction. It must be asked for all batches of the response, in their order.
func (a *Aborted) Skip(b *Batch) bool {
	for len(a.coming) > 0 && a.coming[0].FirstOffset <= b.LastOffset {
		if a.now == nil {
			a.now = map[int64]bool{}
		}
		a.now[a.coming[0].ProducerID] = true
		a.coming = a.coming[1:]
	}
	if b.Control {
		if isAbort(b) {
			delete(a.now, b.ProducerID)
		}
		return true
	}
	return b.Transactional && a.now[b.ProducerID]
}

// isAbort tells whether a control batch is the marker of an abort: its key is a
// version and a type, 2 bytes each.
func isAbort(b *Batch) bool {
	c := b.Records(b.body)
	var r Record
	ok, err := c.Next(&r)
	return ok && err == nil && len(r.Key) >= 4 && binary.BigEndian.Uint16(r.Key[2:]) == 0
}
