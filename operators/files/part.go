package files

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
)

// partBuffer is how much a part collects before it writes.
const partBuffer = 256 << 10

// part is one file in progress.
//
// Invariant: the file's bytes are the first `written` of the part's, buf the
// rest; once file is nil they are durable and never change.
type part struct {
	disk    *disk
	dir     string // the sink's folder
	name    artefact
	file    *os.File
	buf     []byte
	written int64
	records int64
	opened  int64 // processing time, ms
	broken  error // of an fsync or close; it is not tried again
}

// createPart makes a file that does not exist yet. A folder that another
// subtask tidied away in this moment is made again.
func createPart(d *disk, dir string, name artefact, now int64) (*part, error) {
	path := filepath.Join(dir, name.temp())
	for tries := 1; ; tries++ {
		if err := d.makeDir(filepath.Dir(path)); err != nil {
			return nil, err
		}
		f, err := d.create(path)
		if err == nil {
			return &part{disk: d, dir: dir, name: name, file: f, opened: now}, nil
		}
		if !errors.Is(err, fs.ErrNotExist) || tries == 3 {
			return nil, explain(err)
		}
	}
}

func (p *part) size() int64 { return p.written + int64(len(p.buf)) }

// flush hands the buffer to the file. After an error it goes on where the
// write stopped.
func (p *part) flush() error {
	for len(p.buf) > 0 {
		n, err := p.disk.write(p.file, p.buf)
		p.written += int64(n)
		p.buf = p.buf[:copy(p.buf, p.buf[n:])]
		if err != nil {
			return explain(err)
		}
	}
	return nil
}

// seal makes a flushed part durable and closes it.
func (p *part) seal() error {
	if p.file == nil || p.broken != nil {
		return p.broken
	}
	if err := p.disk.sync(p.file); err != nil {
		p.broken = broken(explain(err))
		return p.broken
	}
	if err := p.file.Close(); err != nil {
		p.broken = broken(explain(err))
		return p.broken
	}
	p.file = nil
	return nil
}

// discard closes and deletes the part.
func (p *part) discard() error {
	var closing error
	if p.file != nil {
		closing = p.file.Close()
		p.file = nil
	}
	err := p.disk.remove(filepath.Join(p.dir, p.name.temp()))
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	return errors.Join(closing, err)
}

// ready is the part as a handle lists it.
func (p *part) ready() preparedFile {
	return preparedFile{Temp: p.name.temp(), Final: p.name.final(), Bytes: p.size()}
}
