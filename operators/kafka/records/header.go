package records

import (
	"encoding/binary"
	"hash/crc32"
)

// Places of the fields of a batch's header, in bytes.
const (
	atFirstOffset = 0
	atLength      = 8 // of what follows it
	atLeaderEpoch = 12
	atMagic       = 16
	atChecksum    = 17
	atAttributes  = 21
	atLastDelta   = 23
	atFirstTime   = 27
	atMaxTime     = 35
	atProducer    = 43
	atEpoch       = 51
	atSequence    = 53
	atCount       = 57

	// HeaderSize is the size of a batch before its records, in bytes.
	HeaderSize = 61
)

// Bits of the attributes.
const (
	codecBits         = 0x07
	logAppendTimeBit  = 0x08
	transactionalBit  = 0x10
	controlBit        = 0x20
	magic             = 2
	lengthBeforeMagic = 12 // bytes before what atLength counts
)

// Producer says who writes a batch, for the broker to know repeats and transactions.
type Producer struct {
	ID            int64 // -1: nobody, repeats show twice
	Epoch         int16
	Sequence      int32 // of the first record, by partition
	Transactional bool
}

// NoProducer is that of batches which are neither idempotent nor of a transaction.
func NoProducer() Producer { return Producer{ID: -1, Epoch: -1, Sequence: -1} }

// Stamp writes who produces a finished batch, and its checksum. A batch that is to be
// written once more in another transaction is stamped anew.
func Stamp(batch []byte, p Producer) {
	binary.BigEndian.PutUint64(batch[atProducer:], uint64(p.ID))
	binary.BigEndian.PutUint16(batch[atEpoch:], uint16(p.Epoch))
	binary.BigEndian.PutUint32(batch[atSequence:], uint32(p.Sequence))
	attributes := binary.BigEndian.Uint16(batch[atAttributes:]) &^ transactionalBit
	if p.Transactional {
		attributes |= transactionalBit
	}
	binary.BigEndian.PutUint16(batch[atAttributes:], attributes)
	binary.BigEndian.PutUint32(batch[atChecksum:], checksum(batch))
}

// Renew makes of a batch as a log has it one as its producer made it, to be stamped: the
// broker's own part goes, offsets, leader epoch and whose the time is.
func Renew(batch []byte) {
	binary.BigEndian.PutUint64(batch[atFirstOffset:], 0)
	binary.BigEndian.PutUint32(batch[atLeaderEpoch:], 1<<32-1)
	binary.BigEndian.PutUint16(batch[atAttributes:], binary.BigEndian.Uint16(batch[atAttributes:])&codecBits)
}

// Count is the number of records of a finished batch.
func Count(batch []byte) int32 { return int32(binary.BigEndian.Uint32(batch[atCount:])) }

func checksum(batch []byte) uint32 {
	return crc32.Checksum(batch[atAttributes:], crc32.MakeTable(crc32.Castagnoli))
}
