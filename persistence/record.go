package persistence

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/cespare/xxhash/v2"
	"google.golang.org/protobuf/proto"

	"github.com/weirflow/weir/messages"
)

// A record of the log is framed as
//
//	magic "weir" | version u32 | length u32 | xxhash64 of version, length and payload | payload
//
// all little endian. The frame never changes its meaning; a new version may
// change the payload. So damage is told from a record of a newer build.
const (
	recordMagic   = "weir"
	recordVersion = 1
	recordHeader  = 4 + 4 + 4 + 8 // bytes before the payload
)

// FormatError says that something in the store was written by a newer build.
// It is not damage: an older checkpoint would be the wrong answer to it.
type FormatError struct {
	What       string // "manifest of checkpoint 12", "log record", "blob"
	Key        string
	Was, Known uint32 // format found, and newest one that this build reads
}

func (e *FormatError) Error() string {
	return fmt.Sprintf("%s: the %s was written in format %d, this build reads up to format %d; run the newer build again, or give the job another store",
		e.Key, e.What, e.Was, e.Known)
}

func encodeRecord(r *messages.LogRecord) ([]byte, error) {
	b, err := proto.MarshalOptions{Deterministic: true}.MarshalAppend(make([]byte, recordHeader), r)
	if err != nil {
		return nil, fmt.Errorf("encode log record: %w", err)
	}
	copy(b, recordMagic)
	binary.LittleEndian.PutUint32(b[4:], recordVersion)
	binary.LittleEndian.PutUint32(b[8:], uint32(len(b)-recordHeader))
	binary.LittleEndian.PutUint64(b[12:], recordSum(b))
	return b, nil
}

// decodeRecord gives a *FormatError for a newer record, any other error for damage.
func decodeRecord(key string, b []byte) (*messages.LogRecord, error) {
	if err := checkFrame(b); err != nil {
		return nil, err
	}
	if v := binary.LittleEndian.Uint32(b[4:]); v > recordVersion {
		return nil, &FormatError{What: "log record", Key: key, Was: v, Known: recordVersion}
	}
	r := &messages.LogRecord{}
	if err := proto.Unmarshal(b[recordHeader:], r); err != nil {
		return nil, fmt.Errorf("decode log record: %w", err)
	}
	if r.Record == nil {
		return nil, errors.New("the log record is neither a claim nor a manifest")
	}
	return r, nil
}

func checkFrame(b []byte) error {
	switch {
	case len(b) < recordHeader:
		return fmt.Errorf("torn: %d bytes, fewer than a record's header of %d", len(b), recordHeader)
	case !bytes.HasPrefix(b, []byte(recordMagic)):
		return fmt.Errorf("not a log record: begins with %q, not %q", b[:4], recordMagic)
	}
	if want, got := uint64(binary.LittleEndian.Uint32(b[8:])), uint64(len(b)-recordHeader); want != got {
		return fmt.Errorf("torn: %d bytes of payload, its header says %d", got, want)
	}
	if binary.LittleEndian.Uint64(b[12:]) != recordSum(b) {
		return errors.New("damaged: the checksum does not match")
	}
	return nil
}

func recordSum(b []byte) uint64 {
	d := xxhash.New()
	_, _ = d.Write(b[4:12]) // a digest never fails
	_, _ = d.Write(b[recordHeader:])
	return d.Sum64()
}
