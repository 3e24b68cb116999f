package kafka

import (
	"encoding/binary"
	"fmt"
)

// position is the place of the next record in a partition. Encoded it is
//
//	byte 1 (the format), 16 bytes topic id, uvarint next, varint end
//
// and so may grow fields at its end under a next format number.
type position struct {
	topic topicID // zero: not known
	next  int64   // offset
	end   int64   // offset at which reading ends, exclusive; noEnd
}

// noEnd is the end of what is read for ever.
const noEnd = -1

const positionFormat = 1

func (p position) encode() []byte {
	buf := append([]byte{positionFormat}, p.topic[:]...)
	return binary.AppendVarint(binary.AppendUvarint(buf, uint64(p.next)), p.end)
}

func decodePosition(buf []byte) (p position, err error) {
	if len(buf) < 1+len(p.topic) || buf[0] != positionFormat {
		return p, fmt.Errorf("position %x: not of format %d, which is the one this program knows", buf, positionFormat)
	}
	rest := buf[1+copy(p.topic[:], buf[1:]):]
	next, n := binary.Uvarint(rest)
	if n <= 0 || int64(next) < 0 {
		return p, fmt.Errorf("position %x: damaged offset", buf)
	}
	end, m := binary.Varint(rest[n:])
	if m <= 0 || n+m != len(rest) || end < noEnd {
		return p, fmt.Errorf("position %x: damaged end", buf)
	}
	p.next, p.end = int64(next), end
	return p, nil
}
