package persistence

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/cespare/xxhash/v2"
	"google.golang.org/protobuf/proto"

	"github.com/weirflow/weir/messages"
)

// blobReader reads a blob from front to end, one verified chunk at a time.
//
// Invariant: what it hands out has matched the chunk's checksum; the whole has
// matched the manifest's size, number of chunks and, unless something was skipped
// unread, checksum when next returns nil.
type blobReader struct {
	blob *messages.Blob
	src  io.Reader
	seek io.Seeker // src, when it can
	in   *bufio.Reader
	sum  *xxhash.Digest // of the bytes read, until something is skipped
	read uint64         // bytes consumed, skipped ones included

	head    chunk  // the chunk ahead, when ahead is set
	ahead   bool   // head is read, its payload is not
	payload []byte // what is left of the chunk at hand
	buf     []byte // owner of payload
	chunks  uint64 // headers read
	skipped bool   // unread
	failed  error  // the first error of reading, so that a state's own error does not hide it
}

// chunk is the header of one.
type chunk struct {
	state, group, length uint32
	sum                  uint64
}

// section is a run of chunks; it is the reader of their payload.
type section struct {
	r     *blobReader
	state int
	group messages.KeyGroup
}

const (
	readAhead = 16 << 10 // bytes; a payload that is longer is read without a copy
	skipFrom  = 64 << 10 // bytes of payload from which on seeking beats reading
)

func newBlobReader(src io.Reader, blob *messages.Blob) *blobReader {
	r := &blobReader{blob: blob, src: src, in: bufio.NewReaderSize(src, readAhead), sum: xxhash.New()}
	r.seek, _ = src.(io.Seeker)
	return r
}

// header reads the beginning and tells a newer format from damage.
func (r *blobReader) header() (*messages.BlobHeader, error) {
	b := make([]byte, blobHeader)
	if err := r.full(b); err != nil {
		return nil, err
	}
	n := binary.LittleEndian.Uint32(b[12:])
	if string(b[:8]) != blobMagic || n > blobHeaderMax || uint64(n) > r.blob.GetSize() {
		return nil, r.corrupt("it does not begin as a blob does")
	}
	b = append(b, make([]byte, n)...)
	if err := r.full(b[blobHeader:]); err != nil {
		return nil, err
	}
	if binary.LittleEndian.Uint64(b[16:]) != blobHeaderSum(b) {
		return nil, r.corrupt("the checksum of its header does not match")
	}
	if v := binary.LittleEndian.Uint32(b[8:]); v > blobVersion {
		return nil, &FormatError{What: "blob", Key: r.blob.GetKey(), Was: v, Known: blobVersion}
	}
	h := &messages.BlobHeader{}
	if err := proto.Unmarshal(b[blobHeader:], h); err != nil {
		return nil, r.corrupt("decode its header: %w", err)
	}
	return h, nil
}

// next gives the section ahead, or nil at the end of a blob that is whole. The
// caller must take it by deliver or pass over it by pass.
func (r *blobReader) next() (*section, error) {
	if err := r.peek(); err != nil {
		return nil, err
	}
	if r.head.state == endState {
		return nil, r.end()
	}
	return &section{r: r, state: int(r.head.state), group: messages.KeyGroup(r.head.group)}, nil
}

// deliver feeds s to the state it belongs to.
func (r *blobReader) deliver(s *section, to State) error {
	name := to.Schema().GetName()
	err := to.ReadGroup(s.group, s)
	if r.failed != nil {
		return r.failed
	}
	if err != nil {
		return fmt.Errorf("read key group %d of state %q: %w", s.group, name, err)
	}
	if n, err := s.Read(make([]byte, 1)); n > 0 || err != io.EOF {
		return errors.Join(fmt.Errorf("read key group %d of state %q: the state left bytes unread", s.group, name), r.failed)
	}
	return nil
}

// Read gives the section's payload, verified.
func (s *section) Read(p []byte) (int, error) {
	r := s.r
	if r.failed != nil {
		return 0, r.failed
	}
	if len(r.payload) == 0 {
		if err := r.peek(); err != nil {
			return 0, err
		}
		if r.head.state != uint32(s.state) || r.head.group != uint32(s.group) {
			return 0, io.EOF
		}
		if err := r.load(); err != nil {
			return 0, err
		}
	}
	n := copy(p, r.payload)
	r.payload = r.payload[n:]
	return n, nil
}

// load reads and verifies the payload of the chunk ahead.
func (r *blobReader) load() error {
	n := int(r.head.length)
	r.buf = slices.Grow(r.buf[:0], n)[:n]
	if err := r.full(r.buf); err != nil {
		return err
	}
	if xxhash.Sum64(r.buf) != r.head.sum {
		return r.corrupt("the checksum of a chunk does not match, before byte %d", r.read)
	}
	r.payload, r.ahead = r.buf, false
	return nil
}

// pass leaves the chunk ahead out.
func (r *blobReader) pass() error {
	n := int64(r.head.length)
	if r.seek == nil || n < skipFrom || n <= int64(r.in.Buffered()) {
		err := r.load()
		r.payload = nil
		return err
	}
	r.ahead, r.skipped = false, true
	r.read += uint64(n)
	if _, err := r.seek.Seek(n-int64(r.in.Buffered()), io.SeekCurrent); err != nil {
		return r.fail(fmt.Errorf("seek in %s: %w", r.blob.GetKey(), err))
	}
	r.in.Reset(r.src)
	return nil
}

// peek makes sure that head is the header of the chunk ahead.
func (r *blobReader) peek() error {
	if r.ahead {
		return nil
	}
	return r.readHead()
}

func (r *blobReader) readHead() error {
	var b [chunkHeader]byte
	if err := r.full(b[:]); err != nil {
		return err
	}
	r.head = chunk{
		state:  binary.LittleEndian.Uint32(b[:]),
		group:  binary.LittleEndian.Uint32(b[4:]),
		length: binary.LittleEndian.Uint32(b[8:]),
		sum:    binary.LittleEndian.Uint64(b[12:]),
	}
	if binary.LittleEndian.Uint32(b[20:]) != uint32(xxhash.Sum64(b[:20])) || r.head.length > chunkSize {
		return r.corrupt("the checksum of a chunk's header does not match, near byte %d", r.read)
	}
	r.ahead = true
	r.chunks++
	return nil
}

// end verifies the whole.
func (r *blobReader) end() error {
	switch _, err := r.in.ReadByte(); {
	case err == nil:
		return r.corrupt("bytes follow its end")
	case err != io.EOF:
		return r.fail(fmt.Errorf("read %s: %w", r.blob.GetKey(), err))
	case r.head.sum != r.chunks-1:
		return r.corrupt("%d chunks, its end says %d", r.chunks-1, r.head.sum)
	case r.read != r.blob.GetSize():
		return r.corrupt("%d bytes, the manifest says %d", r.read, r.blob.GetSize())
	case !r.skipped && r.sum.Sum64() != r.blob.GetChecksum():
		return r.corrupt("the checksum of the whole does not match the manifest's")
	}
	return nil
}

// full reads exactly len(b) bytes. That there are fewer is damage; any other
// error is the store's, and another try may get them.
func (r *blobReader) full(b []byte) error {
	n, err := io.ReadFull(r.in, b)
	_, _ = r.sum.Write(b[:n]) // a digest never fails
	r.read += uint64(n)
	switch {
	case err == nil:
		return nil
	case err == io.EOF || err == io.ErrUnexpectedEOF:
		return r.corrupt("it ends after %d bytes, the manifest says %d", r.read, r.blob.GetSize())
	default:
		return r.fail(fmt.Errorf("read %s: %w", r.blob.GetKey(), err))
	}
}

func (r *blobReader) corrupt(format string, args ...any) error {
	return r.fail(&CorruptError{Key: r.blob.GetKey(), Err: fmt.Errorf(format, args...)})
}

func (r *blobReader) fail(err error) error {
	r.failed = err
	return err
}
