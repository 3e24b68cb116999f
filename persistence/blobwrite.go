package persistence

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"

	"github.com/cespare/xxhash/v2"
	"google.golang.org/protobuf/proto"

	"github.com/weirflow/weir/messages"
)

// newBlobFiller gives the function that writes a blob, and tells through blob
// what it wrote. It may be called again: a store may retry.
func newBlobFiller(ctx context.Context, key string, groups messages.KeyGroupRange, states []NamedFrozen, blob **messages.Blob) func(io.Writer) error {
	return func(dst io.Writer) error {
		w := &blobWriter{dst: dst, sum: xxhash.New(), buf: make([]byte, chunkHeader, 4<<10)}
		if err := w.writeAll(ctx, groups, states); err != nil {
			return err
		}
		*blob = &messages.Blob{Key: key, Size: w.size, Checksum: w.sum.Sum64()}
		return nil
	}
}

// blobWriter is the io.Writer of the section at hand. Its one buffer grows to a
// chunk; what a state writes goes into it and, when it is full, to dst.
type blobWriter struct {
	dst  io.Writer
	sum  *xxhash.Digest // of all bytes written to dst
	size uint64         // their number

	buf    []byte // room for a chunk's header, then its payload
	state  uint32 // of the section at hand
	group  uint32
	chunks uint64 // written so far
}

func (w *blobWriter) writeAll(ctx context.Context, groups messages.KeyGroupRange, states []NamedFrozen) error {
	if err := w.header(groups, states); err != nil {
		return err
	}
	for i, s := range states {
		for g := groups.From; g < groups.To; g++ {
			if err := ctx.Err(); err != nil {
				return err
			}
			if err := w.section(i, g, s); err != nil {
				return err
			}
		}
	}
	return w.end()
}

func (w *blobWriter) header(groups messages.KeyGroupRange, states []NamedFrozen) error {
	h := &messages.BlobHeader{From: int32(groups.From), To: int32(groups.To)}
	for _, s := range states {
		h.States = append(h.States, s.Schema)
	}
	b, err := proto.MarshalOptions{Deterministic: true}.MarshalAppend(make([]byte, blobHeader), h)
	if err != nil {
		return fmt.Errorf("encode blob header: %w", err)
	}
	copy(b, blobMagic)
	binary.LittleEndian.PutUint32(b[8:], blobVersion)
	binary.LittleEndian.PutUint32(b[12:], uint32(len(b)-blobHeader))
	binary.LittleEndian.PutUint64(b[16:], blobHeaderSum(b))
	return w.emit(b)
}

// blobHeaderSum is the checksum of version, length and header.
func blobHeaderSum(b []byte) uint64 {
	d := xxhash.New()
	_, _ = d.Write(b[8:16]) // a digest never fails
	_, _ = d.Write(b[blobHeader:])
	return d.Sum64()
}

func (w *blobWriter) section(state int, g messages.KeyGroup, s NamedFrozen) error {
	w.state, w.group = uint32(state), uint32(g)
	if _, err := s.Frozen.WriteGroup(g, w); err != nil {
		return fmt.Errorf("write key group %d of state %q: %w", g, s.Schema.GetName(), err)
	}
	if len(w.buf) == chunkHeader {
		return nil
	}
	return w.flush()
}

// Write takes a piece of the section at hand.
func (w *blobWriter) Write(p []byte) (int, error) {
	n := len(p)
	for len(p) > 0 {
		room := chunkHeader + chunkSize - len(w.buf)
		k := min(room, len(p))
		w.buf = append(w.buf, p[:k]...)
		p = p[k:]
		if k == room {
			if err := w.flush(); err != nil {
				return 0, err
			}
		}
	}
	return n, nil
}

// flush writes the chunk at hand.
func (w *blobWriter) flush() error {
	payload := w.buf[chunkHeader:]
	putChunkHeader(w.buf, w.state, w.group, uint32(len(payload)), xxhash.Sum64(payload))
	err := w.emit(w.buf)
	w.buf = w.buf[:chunkHeader]
	w.chunks++
	return err
}

func (w *blobWriter) end() error {
	putChunkHeader(w.buf, endState, 0, 0, w.chunks)
	return w.emit(w.buf)
}

func putChunkHeader(b []byte, state, group, length uint32, sum uint64) {
	binary.LittleEndian.PutUint32(b, state)
	binary.LittleEndian.PutUint32(b[4:], group)
	binary.LittleEndian.PutUint32(b[8:], length)
	binary.LittleEndian.PutUint64(b[12:], sum)
	binary.LittleEndian.PutUint32(b[20:], uint32(xxhash.Sum64(b[:20])))
}

func (w *blobWriter) emit(b []byte) error {
	_, _ = w.sum.Write(b) // a digest never fails
	w.size += uint64(len(b))
	_, err := w.dst.Write(b)
	return err
}
