package records

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// Batch is a record batch in the bytes of a fetch response.
type Batch struct {
	FirstOffset   int64
	LastOffset    int64 // also of a batch whose last records were compacted away
	ProducerID    int64
	Epoch         int16 // of the producer
	Transactional bool
	Control       bool // it holds a marker that ends a transaction, and no records
	Codec         int8 // of the records: 0 none, 1 gzip, 2 snappy, 3 lz4, 4 zstd
	Count         int32

	body       []byte // records, compressed or not
	firstTime  int64
	appendTime int64 // time of all records, if the broker set it
	appended   bool
}

// ErrPartial says that a response ends within a batch, as responses may: the rest
// comes with the next one.
var ErrPartial = errors.New("a batch is cut off")

// Next takes the first batch off p and checks it. Its records lie in p.
func Next(p []byte) (b Batch, rest []byte, err error) {
	if len(p) < HeaderSize {
		return b, p, ErrPartial
	}
	size := int64(int32(binary.BigEndian.Uint32(p[atLength:]))) + lengthBeforeMagic
	if p[atMagic] != magic {
		return b, p, fmt.Errorf("the batch at offset %d has message format %d, which is older than Kafka 0.11; only format 2 is read", offsetOf(p), p[atMagic])
	}
	if size < HeaderSize {
		return b, p, fmt.Errorf("the batch at offset %d says it has %d bytes; a header has %d", offsetOf(p), size, HeaderSize)
	}
	if size > int64(len(p)) {
		return b, p, ErrPartial
	}
	p, rest = p[:size], p[size:]
	if sum := binary.BigEndian.Uint32(p[atChecksum:]); sum != checksum(p) {
		return b, rest, fmt.Errorf("the batch at offset %d has checksum %08x and should have %08x: it was damaged on its way or on the broker's disk", offsetOf(p), checksum(p), sum)
	}
	return parse(p), rest, nil
}

// Peek gives the last offset of the first batch of p without reading or checking it, if
// it is there as a whole.
func Peek(p []byte) (last int64, rest []byte, ok bool) {
	if len(p) < HeaderSize {
		return 0, p, false
	}
	size := int64(int32(binary.BigEndian.Uint32(p[atLength:]))) + lengthBeforeMagic
	if size < HeaderSize || size > int64(len(p)) {
		return 0, p, false
	}
	return offsetOf(p) + int64(int32(binary.BigEndian.Uint32(p[atLastDelta:]))), p[size:], true
}

func offsetOf(p []byte) int64 { return int64(binary.BigEndian.Uint64(p[atFirstOffset:])) }

func parse(p []byte) Batch {
	attributes := binary.BigEndian.Uint16(p[atAttributes:])
	first := offsetOf(p)
	return Batch{
		FirstOffset: first, LastOffset: first + int64(int32(binary.BigEndian.Uint32(p[atLastDelta:]))),
		ProducerID:    int64(binary.BigEndian.Uint64(p[atProducer:])),
		Epoch:         int16(binary.BigEndian.Uint16(p[atEpoch:])),
		Transactional: attributes&transactionalBit != 0, Control: attributes&controlBit != 0, Codec: int8(attributes & codecBits),
		Count: Count(p), body: p[HeaderSize:],
		firstTime:  int64(binary.BigEndian.Uint64(p[atFirstTime:])),
		appendTime: int64(binary.BigEndian.Uint64(p[atMaxTime:])), appended: attributes&logAppendTimeBit != 0,
	}
}

// Body is the records as they are in the response.
func (b *Batch) Body() []byte { return b.body }

// Record is one record of a batch. Key, Value and headers lie in the bytes that it was
// read from; nil is null.
type Record struct {
	Offset     int64
	Time       int64 // ms
	Key, Value []byte

	headers []byte
	count   int64 // of headers
}

// Cursor goes through the records of a batch.
type Cursor struct {
	batch *Batch
	body  []byte
	left  int32
}

// Records gives a cursor before the first record. body is what Body gives, uncompressed.
func (b *Batch) Records(body []byte) Cursor { return Cursor{batch: b, body: body, left: b.Count} }

var errDamaged = errors.New("a record is damaged")

// Next reads the next record into r, and gives false behind the last one.
func (c *Cursor) Next(r *Record) (bool, error) {
	if c.left <= 0 {
		return false, nil
	}
	size, body, ok := varint(c.body)
	if !ok || size < 1 || size > int64(len(body)) {
		return false, c.damaged()
	}
	c.left--
	c.body = body[size:]
	if !c.parse(r, body[1:size]) {
		return false, c.damaged()
	}
	return true, nil
}

func (c *Cursor) damaged() error {
	return fmt.Errorf("offset %d or behind: %w", c.batch.FirstOffset+int64(c.batch.Count-c.left)-1, errDamaged)
}

func (c *Cursor) parse(r *Record, p []byte) (ok bool) {
	var time, offset int64
	if time, p, ok = varint(p); !ok {
		return false
	}
	if offset, p, ok = varint(p); !ok {
		return false
	}
	if r.Offset, r.Time = c.batch.FirstOffset+offset, c.batch.firstTime+time; c.batch.appended {
		r.Time = c.batch.appendTime
	}
	if r.Key, p, ok = sized(p); !ok {
		return false
	}
	if r.Value, p, ok = sized(p); !ok {
		return false
	}
	r.count, r.headers, ok = varint(p)
	return ok && r.count >= 0
}

// Headers appends the record's headers to dst. Their values lie where the record does.
func (r *Record) Headers(dst []Header) ([]Header, error) {
	p := r.headers
	for range r.count {
		key, rest, ok := sized(p)
		if !ok {
			return dst, fmt.Errorf("offset %d: %w", r.Offset, errDamaged)
		}
		value, rest, ok := sized(rest)
		if !ok {
			return dst, fmt.Errorf("offset %d: %w", r.Offset, errDamaged)
		}
		dst, p = append(dst, Header{string(key), value}), rest
	}
	return dst, nil
}

// sized takes a length, -1 for nil, and so many bytes off p.
func sized(p []byte) (v, rest []byte, ok bool) {
	n, p, ok := varint(p)
	if !ok || n > int64(len(p)) {
		return nil, p, false
	}
	if n < 0 {
		return nil, p, n == -1
	}
	return p[:n:n], p[n:], true
}

// varint takes a zigzag varint off p; those of a byte or two quickly.
func varint(p []byte) (v int64, rest []byte, ok bool) {
	if len(p) > 0 && p[0] < 0x80 {
		return int64(p[0]>>1) ^ -int64(p[0]&1), p[1:], true
	}
	if len(p) > 1 && p[1] < 0x80 {
		u := uint64(p[0]&0x7f) | uint64(p[1])<<7
		return int64(u>>1) ^ -int64(u&1), p[2:], true
	}
	u, n := binary.Uvarint(p)
	if n <= 0 {
		return 0, p, false
	}
	return int64(u>>1) ^ -int64(u&1), p[n:], true
}
