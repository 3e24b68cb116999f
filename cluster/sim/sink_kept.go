package sim

import (
	"encoding/binary"
	"errors"
)

// kept are the newest records of a sink that keeps some back: they go into the
// checkpoint as its state, and out with a later transaction. How many it keeps is
// drawn; often it is none.
type kept struct {
	most    int
	records []string
}

// keep takes a record in and gives the one that must go out for it, if any.
func (k *kept) keep(record string) (out string, ok bool) {
	k.records = append(k.records, record)
	if len(k.records) <= k.most {
		return "", false
	}
	out, k.records = k.records[0], k.records[1:]
	return out, true
}

func (k *kept) takeAll() []string {
	all := k.records
	k.records = nil
	return all
}

// encode gives nil for nothing.
func (k *kept) encode() []byte {
	var p []byte
	for _, r := range k.records {
		p = append(binary.AppendUvarint(p, uint64(len(r))), r...)
	}
	return p
}

func (k *kept) decode(p []byte) error {
	for len(p) > 0 {
		n, size := binary.Uvarint(p)
		if size <= 0 || n > uint64(len(p)-size) {
			return errors.New("the state of a simulated sink is cut short")
		}
		k.records = append(k.records, string(p[size:size+int(n)]))
		p = p[size+int(n):]
	}
	return nil
}
