package messages

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
)

// Key tells a doubt from others in 64 bits: its handle may be megabytes.
func (d *InDoubt) Key() uint64 {
	h := sha256.New()
	fmt.Fprintf(h, "%q %d %d ", d.GetOperator(), d.GetIndex(), d.GetCheckpoint())
	h.Write(d.GetHandle())
	return binary.BigEndian.Uint64(h.Sum(nil))
}
