package records

import (
	"encoding/binary"
	"math/bits"
	"slices"
)

// Header is a header of a record. Value nil is null.
type Header struct {
	Key   string
	Value []byte
}

// Builder puts records together to a batch. The zero Builder is ready. It is not for
// concurrent use.
type Builder struct {
	buf   []byte // header and records
	count int32
	first int64 // time of the first record, ms
	last  int64 // greatest time, ms
}

// Append adds a record of a time in ms. Key and value nil are null, which is not the
// same as empty. It copies what it gets.
func (b *Builder) Append(time int64, key, value []byte, headers []Header) {
	if b.count == 0 {
		b.buf = append(b.buf[:0], make([]byte, HeaderSize)...)
		b.first, b.last = time, time
	}
	b.last = max(b.last, time)
	size := b.size(time, key, value, headers)
	at := len(b.buf)
	end := at + varintSize(int64(size)) + size
	b.buf = slices.Grow(b.buf, end-at)[:end]
	p := putVarint(b.buf[at:], int64(size))
	p[0] = 0 // attributes, of which there are none yet
	p = putVarint(p[1:], time-b.first)
	p = putVarint(p, int64(b.count))
	p = putBytes(p, key)
	p = putBytes(p, value)
	p = putVarint(p, int64(len(headers)))
	for i := range headers {
		p = putVarint(p, int64(len(headers[i].Key)))
		p = putBytes(p[copy(p, headers[i].Key):], headers[i].Value)
	}
	b.count++
}

// size is that of the next record without its length.
func (b *Builder) size(time int64, key, value []byte, headers []Header) int {
	n := 1 + varintSize(time-b.first) + varintSize(int64(b.count)) + bytesSize(key) + bytesSize(value) + varintSize(int64(len(headers)))
	for i := range headers {
		n += varintSize(int64(len(headers[i].Key))) + len(headers[i].Key) + bytesSize(headers[i].Value)
	}
	return n
}

// Len is the size of the batch so far, in bytes, and uncompressed; 0 without records.
func (b *Builder) Len() int {
	if b.count == 0 {
		return 0
	}
	return len(b.buf)
}

// Count is the number of records so far.
func (b *Builder) Count() int32 { return b.count }

// Reset forgets the records.
func (b *Builder) Reset() { b.count = 0 }

// Compressor appends src, compressed, to dst and says by which codec: 0 none, 1 gzip,
// 2 snappy, 3 lz4, 4 zstd.
type Compressor func(dst, src []byte) (out []byte, codec int8)

// Finish gives the batch, to be stamped before it is sent, and forgets its records. There
// must be some. compress may be nil. The caller owns the batch, and gives spare, whose
// memory becomes the Builder's or the batch's.
func (b *Builder) Finish(spare []byte, compress Compressor) (batch []byte) {
	if compress == nil {
		batch, b.buf = b.buf, spare
		b.describe(batch, 0)
	} else {
		out, codec := compress(append(spare[:0], b.buf[:HeaderSize]...), b.buf[HeaderSize:])
		batch = out
		b.describe(batch, codec)
	}
	b.count = 0
	return batch
}

func (b *Builder) describe(batch []byte, codec int8) {
	binary.BigEndian.PutUint64(batch[atFirstOffset:], 0)
	binary.BigEndian.PutUint32(batch[atLength:], uint32(len(batch)-lengthBeforeMagic))
	binary.BigEndian.PutUint32(batch[atLeaderEpoch:], 1<<32-1) // the broker sets it
	batch[atMagic] = magic
	binary.BigEndian.PutUint16(batch[atAttributes:], uint16(codec))
	binary.BigEndian.PutUint32(batch[atLastDelta:], uint32(b.count-1))
	binary.BigEndian.PutUint64(batch[atFirstTime:], uint64(b.first))
	binary.BigEndian.PutUint64(batch[atMaxTime:], uint64(b.last))
	binary.BigEndian.PutUint32(batch[atCount:], uint32(b.count))
}

// putBytes writes a length, -1 for nil, and the bytes, and gives what is behind them.
func putBytes(p, v []byte) []byte {
	if v == nil {
		return putVarint(p, -1)
	}
	p = putVarint(p, int64(len(v)))
	return p[copy(p, v):]
}

func bytesSize(p []byte) int {
	if p == nil {
		return 1
	}
	return varintSize(int64(len(p))) + len(p)
}

// putVarint writes a zigzag varint, one of a byte or two quickly.
func putVarint(p []byte, v int64) []byte {
	switch u := zigzag(v); {
	case u < 1<<7:
		p[0] = byte(u)
		return p[1:]
	case u < 1<<14:
		p[1], p[0] = byte(u>>7), byte(u)|0x80
		return p[2:]
	default:
		return p[binary.PutUvarint(p, u):]
	}
}

func varintSize(v int64) int { return (bits.Len64(zigzag(v)|1) + 6) / 7 }

func zigzag(v int64) uint64 { return uint64(v<<1) ^ uint64(v>>63) }
