package operators

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"sync"
)

// The entries of a key group are written in blocks, so that neither side keeps
// more than one in memory:
//
//	fixed32  entries in the block
//	fixed32  bytes that follow
//	...      the namespace, then the entries, back to back
//
// A namespace is a few bytes that all entries of a block share (the window they
// are in), of a length known to the state. Integers are little endian. A group
// without entries has no block.

const (
	blockHead  = 8
	blockBytes = 64 << 10 // at which a block is closed; one entry may make it longer
)

var errShortBlock = errors.New("state is cut short")

// blockWriter packs the entries of one key group into blocks.
type blockWriter struct {
	out       io.Writer
	buf       []byte // the open block, its head first
	namespace int    // bytes of it
	entries   int    // in the open block
	total     int
}

var blockWriters = sync.Pool{New: func() any { return new(blockWriter) }}

// newBlockWriter begins a key group. release gives the buffer back.
func newBlockWriter(out io.Writer) *blockWriter {
	w := blockWriters.Get().(*blockWriter)
	*w = blockWriter{out: out, buf: append(w.buf[:0], make([]byte, blockHead)...)}
	return w
}

func (w *blockWriter) release() {
	w.out = nil
	blockWriters.Put(w)
}

// enter closes the open block; the following ones begin with the namespace.
func (w *blockWriter) enter(namespace []byte) error {
	if err := w.close(); err != nil {
		return err
	}
	w.buf = append(w.buf[:blockHead], namespace...)
	w.namespace = len(namespace)
	return nil
}

// entry counts what the caller has just appended to buf, or passes on why it could not.
func (w *blockWriter) entry(buf []byte, err error) error {
	w.buf = buf
	if err != nil {
		return err
	}
	w.entries++
	w.total++
	if len(w.buf) >= blockBytes {
		return w.close()
	}
	return nil
}

// close writes the open block unless it is empty.
func (w *blockWriter) close() error {
	if w.entries == 0 {
		return nil
	}
	binary.LittleEndian.PutUint32(w.buf, uint32(w.entries))
	binary.LittleEndian.PutUint32(w.buf[4:], uint32(len(w.buf)-blockHead))
	_, err := w.out.Write(w.buf)
	w.buf, w.entries = w.buf[:blockHead+w.namespace], 0
	return err
}

// readBlocks calls block for each block of a key group: namespace is what its
// entries share, and entry is called for each of them with what is left of the
// block, and gives what is left after it.
func readBlocks(in io.Reader, namespace int, enter func(namespace []byte) error, entry func(p []byte) (rest []byte, err error)) error {
	var buf bytes.Buffer
	for {
		entries, err := readBlock(in, &buf)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		p := buf.Bytes()
		if len(p) < namespace {
			return errShortBlock
		}
		if namespace > 0 {
			if err := enter(p[:namespace]); err != nil {
				return err
			}
		}
		if err := readEntries(p[namespace:], entries, entry); err != nil {
			return err
		}
	}
}

// readBlock reads one block into buf. It gives io.EOF where a block could begin
// but none does. What it allocates is bounded by what in really holds.
func readBlock(in io.Reader, buf *bytes.Buffer) (entries int, err error) {
	var head [blockHead]byte
	if _, err := io.ReadFull(in, head[:]); err != nil {
		if errors.Is(err, io.ErrUnexpectedEOF) {
			return 0, errShortBlock
		}
		return 0, err
	}
	size := int64(binary.LittleEndian.Uint32(head[4:]))
	buf.Reset()
	if n, err := io.CopyN(buf, in, size); err != nil {
		if errors.Is(err, io.EOF) {
			return 0, fmt.Errorf("%w: %d of %d bytes of a block", errShortBlock, n, size)
		}
		return 0, err
	}
	return int(binary.LittleEndian.Uint32(head[:])), nil
}

func readEntries(p []byte, entries int, entry func(p []byte) ([]byte, error)) (err error) {
	for i := range entries {
		if p, err = entry(p); err != nil {
			return fmt.Errorf("entry %d of %d in a block: %w", i, entries, err)
		}
	}
	if len(p) > 0 {
		return fmt.Errorf("block of %d entries: %d bytes too many", entries, len(p))
	}
	return nil
}
