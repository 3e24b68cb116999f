package files

import (
	"encoding/binary"
	"fmt"
)

// positionFormat is the first byte of every encoded position.
const positionFormat = 1

// position is the place of the next record in a file. Encoded it is
//
//	byte 1 (the format), uvarint offset, uvarint line
//
// and so may grow fields at its end under a next format number.
type position struct {
	offset int64 // bytes before the record, uncompressed; 0 is before the header, too
	line   int64 // 1-based; counts messages in a protobuf file
}

var start = position{line: 1}

func (p position) encode() []byte {
	buf := make([]byte, 1, 1+2*binary.MaxVarintLen64)
	buf[0] = positionFormat
	buf = binary.AppendUvarint(buf, uint64(p.offset))
	return binary.AppendUvarint(buf, uint64(p.line))
}

func decodePosition(buf []byte) (position, error) {
	if buf == nil {
		return start, nil
	}
	if len(buf) == 0 || buf[0] != positionFormat {
		return start, fmt.Errorf("position %x: not of format %d, which is the one this program knows", buf, positionFormat)
	}
	offset, n := binary.Uvarint(buf[1:])
	if n <= 0 {
		return start, fmt.Errorf("position %x: damaged offset", buf)
	}
	line, m := binary.Uvarint(buf[1+n:])
	if m <= 0 || 1+n+m != len(buf) || int64(offset) < 0 || int64(line) < 1 {
		return start, fmt.Errorf("position %x: damaged", buf)
	}
	return position{offset: int64(offset), line: int64(line)}, nil
}
