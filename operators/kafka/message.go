package kafka

import (
	"encoding/binary"
	"fmt"

	"github.com/weirflow/weir/messages/mutant"
)

// Message is what an Encoder fills in for a record. It is valid during the call only.
type Message struct {
	// Key and Value; nil, as they are before the call, is null. They are copied when the
	// call returns. KeyBuffer and ValueBuffer are memory to make them in, kept from call
	// to call: m.ValueBuffer = append(m.ValueBuffer, ...); m.Value = m.ValueBuffer.
	Key, Value             []byte
	KeyBuffer, ValueBuffer []byte
	Headers                []Header // empty before the call
	Time                   int64    // ms; the record's event time before the call, or that of the node's clock if it has none
	Partition              int32    // -1 before the call: the partitioner chooses one
}

// size is at most what the message takes in a batch, in bytes.
func (m *Message) size() int {
	n := maxRecordOverhead + len(m.Key) + len(m.Value)
	for i := range m.Headers {
		n += 2*binary.MaxVarintLen32 + len(m.Headers[i].Key) + len(m.Headers[i].Value)
	}
	return n
}

// maxRecordOverhead is what a record has besides key, value and headers: length,
// attributes, time, offset and three more lengths.
const maxRecordOverhead = binary.MaxVarintLen64 + 1 + 5*binary.MaxVarintLen32

// Encoder makes a message of a value. It is called by one goroutine at a time for each
// subtask. An error fails the subtask.
type Encoder[T any] func(m *Message, v T) error

// Partitioner chooses a partition, from 0 up to partitions, exclusive. It is a function of
// its arguments alone, or of a subtask's own state: newPartitioner makes one a subtask.
type Partitioner func(m *Message, partitions int32) int32

// ByKey is Kafka's own choice: by the murmur2 hash of the key, and one after the other for
// records whose key is null.
func ByKey() Partitioner {
	next := RoundRobin()
	return func(m *Message, partitions int32) int32 {
		if m.Key == nil {
			return next(m, partitions)
		}
		if mutant.On("key-by-length") {
			return int32(len(m.Key)) % partitions
		}
		return int32(murmur2(m.Key)&0x7fffffff) % partitions
	}
}

// RoundRobin takes partitions one after the other, each for a row of records, so that
// batches are large.
func RoundRobin() Partitioner {
	const row = 1024
	count := 0
	return func(_ *Message, partitions int32) int32 {
		count++
		return int32(count / row % int(partitions))
	}
}

// murmur2 is the hash of Kafka's default partitioner: 32 bits of MurmurHash2 by Austin
// Appleby with the seed that org.apache.kafka.common.utils.Utils has.
func murmur2(p []byte) uint32 {
	const m = 0x5bd1e995
	h := 0x9747b28c ^ uint32(len(p))
	for ; len(p) >= 4; p = p[4:] {
		k := binary.LittleEndian.Uint32(p) * m
		h = h*m ^ (k^k>>24)*m
	}
	for i := len(p) - 1; i >= 0; i-- {
		h ^= uint32(p[i]) << (8 * i)
	}
	if len(p) > 0 {
		h *= m
	}
	h = (h ^ h>>13) * m
	return h ^ h>>15
}

// choose gives the partition of a message.
func choose(by Partitioner, m *Message, partitions int32) (int32, error) {
	at := m.Partition
	if at < 0 {
		at = by(m, partitions)
	}
	if at < 0 || at >= partitions {
		return 0, fmt.Errorf("a record is for partition %d, and the topic has %d", at, partitions)
	}
	return at, nil
}
