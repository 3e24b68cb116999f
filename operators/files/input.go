package files

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// compression of a file, by the end of its name.
type compression string

const (
	plain     compression = ""
	gzipped   compression = "gzip"
	zstandard compression = "zstd"
)

func compressionOf(path string) compression {
	switch {
	case strings.HasSuffix(path, ".gz"):
		return gzipped
	case strings.HasSuffix(path, ".zst"), strings.HasSuffix(path, ".zstd"):
		return zstandard
	}
	return plain
}

// input is a file seen as uncompressed bytes, a window of which is in memory.
type input struct {
	path   string
	file   *os.File
	kind   compression
	bytes  io.Reader // uncompressed
	free   func()    // of the decompressor
	buf    []byte
	r, w   int   // buf[r:w] was read from the file and not consumed
	offset int64 // of buf[r], uncompressed
	ended  bool  // the last read met the end of the file
}

func openInput(path string) (*input, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("%w: the file must stay readable while the job may still read it", err)
	}
	in := &input{path: path, file: file, kind: compressionOf(path), free: func() {}}
	if err := in.decompress(); err != nil {
		return nil, errors.Join(in.damaged(err), file.Close())
	}
	return in, nil
}

func (in *input) decompress() error {
	in.bytes = in.file
	switch in.kind {
	case gzipped:
		z, err := gzip.NewReader(in.file)
		if err != nil {
			return err
		}
		in.bytes = z
	case zstandard:
		// Concurrency 1 decodes in place, without goroutines.
		z, err := zstd.NewReader(in.file, zstd.WithDecoderConcurrency(1))
		if err != nil {
			return err
		}
		in.bytes, in.free = z, z.Close
	}
	return nil
}

// window is what is in memory and not consumed yet.
func (in *input) window() []byte { return in.buf[in.r:in.w] }

// consume moves the front of the window over n bytes.
func (in *input) consume(n int) {
	in.r += n
	in.offset += int64(n)
}

// fill makes the window longer. It gives io.EOF at the end of the file, where
// the window stays as it is; a file that grew since can be filled again.
func (in *input) fill() error {
	in.makeRoom()
	for range 100 {
		n, err := in.bytes.Read(in.buf[in.w:])
		in.w += n
		in.ended = err == io.EOF
		switch {
		case n > 0 && (err == nil || err == io.EOF):
			return nil
		case err == io.EOF:
			return in.checkEnd()
		case err != nil:
			return in.damaged(err)
		}
	}
	return in.damaged(io.ErrNoProgress)
}

// makeRoom has at least half of the buffer free behind the window.
func (in *input) makeRoom() {
	switch {
	case in.buf == nil:
		in.buf = make([]byte, readBuffer)
	case in.w-in.r > len(in.buf)/2:
		in.buf = append(make([]byte, 0, 2*len(in.buf)), in.window()...)[:2*len(in.buf)]
		in.w -= in.r
		in.r = 0
	default:
		in.w = copy(in.buf, in.window())
		in.r = 0
	}
}

// checkEnd refuses an empty compressed file: there is no such thing, but many a
// broken upload looks like it.
func (in *input) checkEnd() error {
	if in.kind != plain && in.offset == 0 && in.w == in.r {
		if info, err := in.file.Stat(); err == nil && info.Size() == 0 {
			return in.damaged(io.ErrUnexpectedEOF)
		}
	}
	return io.EOF
}

// damaged names the place of what could not be read.
func (in *input) damaged(err error) error {
	if in.kind == plain {
		return fmt.Errorf("%s at byte %d: %w", in.path, in.offset+int64(in.w-in.r), err)
	}
	if err == io.EOF || errors.Is(err, io.ErrUnexpectedEOF) {
		err = fmt.Errorf("the file is truncated: %w", io.ErrUnexpectedEOF)
	}
	return fmt.Errorf("%s: damaged %s data after %d uncompressed bytes: %w; replace the file by an intact copy",
		in.path, in.kind, in.offset+int64(in.w-in.r), err)
}

// skipTo moves forward to an offset; the window is empty or begins there.
func (in *input) skipTo(offset int64) error {
	ahead := offset - in.offset
	if ahead < 0 {
		return fmt.Errorf("%s changed: reading is to go on at byte %d, which now lies inside its header", in.path, offset)
	}
	if ahead <= int64(in.w-in.r) {
		in.consume(int(ahead))
		return nil
	}
	if in.kind == plain {
		return in.seek(offset)
	}
	for in.offset < offset {
		in.consume(int(min(offset-in.offset, int64(in.w-in.r))))
		if in.offset == offset {
			return nil
		}
		if err := in.fill(); err == io.EOF {
			return in.shrank(offset, in.offset)
		} else if err != nil {
			return err
		}
	}
	return nil
}

func (in *input) seek(offset int64) error {
	info, err := in.file.Stat()
	if err != nil {
		return err
	}
	if info.Size() < offset {
		return in.shrank(offset, info.Size())
	}
	if _, err := in.file.Seek(offset, io.SeekStart); err != nil {
		return err
	}
	in.r, in.w, in.offset = 0, 0, offset
	return nil
}

func (in *input) shrank(offset, size int64) error {
	return fmt.Errorf("%s shrank: %d bytes of it were read before, now it has %d; restore the file, for its records cannot be found again",
		in.path, offset, size)
}

// unchanged checks at the end of a growing file that it did nothing but grow.
// It gives io.EOF when the file was deleted.
func (in *input) unchanged() error {
	ours, err := in.file.Stat()
	if err != nil {
		return err
	}
	if end := in.offset + int64(in.w-in.r); ours.Size() < end {
		return in.shrank(end, ours.Size())
	}
	now, err := os.Stat(in.path)
	switch {
	case os.IsNotExist(err):
		return io.EOF
	case err != nil:
		return err
	case !os.SameFile(ours, now):
		return fmt.Errorf("%s was replaced while it was read: watched files may grow or be deleted, new content needs a new name", in.path)
	}
	return nil
}

func (in *input) close() error {
	in.free()
	return in.file.Close()
}
