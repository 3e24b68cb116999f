package files

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/weirflow/weir/operators"
)

// sinkWriter writes one subtask's transactions. Of the open one, full holds
// the files that rolled, which are durable, and last the one that takes records.
type sinkWriter[T any] struct {
	folder
	config  *sinkConfig
	encoder encoder[T]
	began   bool
	full    []*part
	last    *part  // may outlive a transaction that left it empty
	spare   []byte // the last part's buffer, for the next
	seq     int    // of the newest part of this attempt
	failed  error  // of Write: some of its records may be missing, so nothing is prepared
}

// Begin opens a transaction with a file of its own. A file that the last one
// left without a record is used again.
func (w *sinkWriter[T]) Begin(ctx context.Context) error {
	if w.began {
		return w.wrap("Begin", fmt.Errorf("a transaction is open: Prepare or AbortOpen ends it"))
	}
	if w.last == nil {
		if err := w.nextPart(); err != nil {
			return w.wrap("Begin", err)
		}
	}
	w.last.opened = w.who.Now()
	w.began = true
	return nil
}

// nextPart makes the next file. It passes over numbers that are taken: a
// savepoint may continue a job under attempts that begin anew.
func (w *sinkWriter[T]) nextPart() error {
	for {
		w.seq++
		name := artefact{
			job: escape(string(w.who.Job)), operator: escape(string(w.who.Operator)),
			attempt: uint64(w.who.Attempt), subtask: w.who.Index, seq: w.seq, extension: w.encoder.extension(),
		}
		if taken(filepath.Join(w.dir, name.final())) {
			continue
		}
		p, err := createPart(w.disk, w.dir, name, w.who.Now())
		if errors.Is(err, os.ErrExist) {
			continue
		}
		if err != nil {
			return err
		}
		p.buf = w.encoder.header(w.spare)
		w.spare = nil
		w.last = p
		return nil
	}
}

func taken(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

// Write implements operators.Writer.
func (w *sinkWriter[T]) Write(ctx context.Context, b *operators.Batch[T]) error {
	if !w.began {
		return w.wrap("Write", fmt.Errorf("no transaction is open: Begin comes first"))
	}
	if w.failed == nil {
		w.failed = w.write(b.Values)
	}
	return w.wrap("Write", w.failed)
}

func (w *sinkWriter[T]) write(values []T) error {
	if err := w.rollByTime(); err != nil {
		return err
	}
	for i := range values {
		p := w.last
		buf, err := w.encoder.encode(p.buf, values[i])
		if err != nil {
			return fmt.Errorf("record %s: %w", clip(fmt.Append(nil, values[i])), err)
		}
		p.buf = buf
		p.records++
		if len(p.buf) >= partBuffer {
			if err := p.flush(); err != nil {
				return err
			}
		}
		if w.config.rollSize != nil && p.size() >= *w.config.rollSize {
			if err := w.roll(); err != nil {
				return err
			}
		}
	}
	return nil
}

func (w *sinkWriter[T]) rollByTime() error {
	if w.config.rollEvery == nil || w.last.records == 0 ||
		w.who.Now()-w.last.opened < w.config.rollEvery.Milliseconds() {
		return nil
	}
	return w.roll()
}

// roll ends the file and begins the next of the same transaction.
func (w *sinkWriter[T]) roll() error {
	if err := w.last.flush(); err != nil {
		return err
	}
	if err := w.last.seal(); err != nil {
		return err
	}
	w.full = append(w.full, w.retire())
	return w.nextPart()
}

// retire takes its buffer from a part that is complete.
func (w *sinkWriter[T]) retire() *part {
	p := w.last
	w.last, w.spare, p.buf = nil, p.buf[:0], nil
	return p
}

// Flush implements operators.Writer; the runtime calls Prepare instead.
func (w *sinkWriter[T]) Flush(ctx context.Context) error { return nil }

// Prepare makes the open transaction's files durable: bytes, then names.
func (w *sinkWriter[T]) Prepare(ctx context.Context) ([]byte, error) {
	if !w.began {
		return nil, w.wrap("Prepare", fmt.Errorf("no transaction is open: Begin comes first"))
	}
	if w.failed != nil {
		return nil, w.wrap("Prepare", broken(fmt.Errorf("records are missing since a Write failed: %w", w.failed)))
	}
	parts := w.full
	if w.last != nil && w.last.records > 0 {
		parts = append(parts, w.last)
	}
	if len(parts) == 0 {
		w.began = false
		return nil, nil
	}
	handle, err := w.makeDurable(parts)
	if err != nil {
		return nil, w.wrap("Prepare", err)
	}
	w.began, w.full = false, nil
	if w.last != nil && w.last.records > 0 {
		w.retire()
	}
	return handle, nil
}

func (w *sinkWriter[T]) makeDurable(parts []*part) ([]byte, error) {
	for _, p := range parts {
		if err := p.flush(); err != nil {
			return nil, err
		}
	}
	w.who.Step("files.flushed")
	for _, p := range parts {
		if err := p.seal(); err != nil {
			return nil, err
		}
	}
	if err := w.disk.syncDir(filepath.Join(w.dir, filepath.Dir(parts[0].name.temp()))); err != nil {
		return nil, broken(explain(err))
	}
	w.who.Step("files.synced")
	files := make([]preparedFile, len(parts))
	for i, p := range parts {
		files[i] = p.ready()
	}
	return encodeHandle(files)
}

// AbortOpen deletes the open transaction's files.
func (w *sinkWriter[T]) AbortOpen(ctx context.Context) error {
	parts := w.full
	if w.last != nil {
		parts = append(parts, w.last)
	}
	var err error
	for _, p := range parts {
		err = errors.Join(err, p.discard())
	}
	w.began, w.full, w.last, w.failed = false, nil, nil, nil
	if err != nil {
		return w.wrap("AbortOpen", err)
	}
	return nil
}

// Close drops what is open, and hidden folders that are empty by now. What was
// prepared stays.
func (w *sinkWriter[T]) Close() error {
	err := w.AbortOpen(context.Background())
	w.tidy()
	return err
}
