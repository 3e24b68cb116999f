package files

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/weirflow/weir/operators"
)

// errNotYet says that a growing file has no whole record now.
var errNotYet = errors.New("no whole record yet")

// reader reads one file. Its place is before the first record that Read has
// not given, neither as a value nor as malformed. It does not claim to be
// operators.NonBlocking: most reads find their bytes in memory, but a disk may
// stall, and a mailbox must not.
type reader[T any] struct {
	config  *sourceConfig
	format  format[T]
	decoder decoder[T]
	in      *input
	line    int64 // of the next record
	began   bool  // the header, if any, is behind
	growing bool
}

func (s *source[T]) openReader(path string, at position) (*reader[T], error) {
	in, err := openInput(path)
	if err != nil {
		return nil, err
	}
	r := &reader[T]{config: &s.config, format: s.format, decoder: s.format.newDecoder(),
		in: in, line: 1, growing: s.config.growing(path)}
	if err := r.begin(at); err != nil {
		return nil, errors.Join(err, in.close())
	}
	return r, nil
}

// begin reads the header and moves to the position. The header of a growing
// file may come later.
func (r *reader[T]) begin(at position) error {
	err := r.header()
	switch {
	case at == start && (err == nil || err == errNotYet):
		return nil
	case err == errNotYet:
		err = r.in.shrank(at.offset, r.in.offset)
	case err == nil:
		r.line = at.line
		err = r.in.skipTo(at.offset)
	}
	return err
}

func (r *reader[T]) header() error {
	h, ok := r.decoder.(headed)
	if r.began = r.began || !ok || !h.hasHeader(); r.began {
		return nil
	}
	f, err := r.next()
	switch {
	case err == io.EOF:
		return fmt.Errorf("%s: %s is empty, not even a header row: add one, or name its columns with files.Columns", r.format.name(), r.in.path)
	case err != nil:
		return err
	case f.bad != "":
		return fmt.Errorf("%s: header row of %s: %s", r.format.name(), r.in.path, f.bad)
	}
	if err := h.header(r.in.window()[:f.size]); err != nil {
		return fmt.Errorf("%s: header row of %s: %w", r.format.name(), r.in.path, err)
	}
	r.advance(f)
	r.began = true
	return nil
}

// next frames the next record, which then stands at the front of the window.
func (r *reader[T]) next() (frame, error) {
	for until := ofBuffer; ; {
		p := r.in.window()
		if len(p) >= r.config.maxRecord { // so that the result does not depend on what is in memory
			p, until = p[:r.config.maxRecord], ofLimit
		}
		f := r.decoder.frame(p, until)
		if f.fatal != nil {
			return f, r.fail(f.fatal)
		}
		if f.size > 0 {
			return f, nil
		}
		switch until {
		case ofLimit:
			return f, r.fail(fmt.Errorf("record is longer than %d bytes, which files.MaxRecord can raise", r.config.maxRecord))
		case ofFile:
			return f, io.EOF
		}
		var err error
		if until, err = r.more(); err != nil {
			return f, err
		}
	}
}

// more makes the window longer and says where it then ends.
func (r *reader[T]) more() (end, error) {
	switch err := r.in.fill(); {
	case err == io.EOF && r.growing:
		return ofBuffer, errNotYet
	case err == io.EOF:
		return ofFile, nil
	case err != nil:
		return ofBuffer, fmt.Errorf("%s: %w", r.format.name(), err)
	}
	return ofBuffer, nil
}

func (r *reader[T]) advance(f frame) {
	r.in.consume(f.size)
	r.line += f.lines
}

// Read implements operators.Reader.
func (r *reader[T]) Read(ctx context.Context, b *operators.Batch[T], max int) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	before := len(b.Values) + len(b.Bad)
	err := r.read(b, max)
	if err != errNotYet {
		return err
	}
	if len(b.Values)+len(b.Bad) > before {
		return nil
	}
	if err := r.await(ctx); err != nil {
		return err
	}
	if err := r.read(b, max); err != errNotYet {
		return err
	}
	return nil
}

// read takes what is there.
func (r *reader[T]) read(b *operators.Batch[T], max int) error {
	if err := r.header(); err != nil {
		return err
	}
	stop := r.in.offset + readBytes
	for taken := 0; taken < max && r.in.offset < stop; taken++ {
		f, err := r.next()
		if err != nil {
			return err
		}
		if err := r.take(b, f); err != nil {
			return err
		}
		r.advance(f)
	}
	return nil
}

// take decodes the record at the front of the window into b.
func (r *reader[T]) take(b *operators.Batch[T], f frame) error {
	record := r.in.window()[:f.size]
	if f.bad != "" {
		return r.malformed(b, record, &fieldError{reason: f.bad})
	}
	v, skip, err := r.decoder.decode(record)
	if err != nil {
		return r.malformed(b, record, err)
	}
	if !skip {
		b.Append(v, operators.NoTime)
	}
	return nil
}

// malformed sends a record where the user said, or fails with its place.
func (r *reader[T]) malformed(b *operators.Batch[T], record []byte, err error) error {
	var fatal *fatalError
	if r.config.malformed == "" || errors.As(err, &fatal) {
		return r.fail(err)
	}
	m := operators.Malformed{Split: r.in.path, Line: r.line, Offset: r.in.offset, Raw: append([]byte(nil), record...), Reason: err.Error()}
	var field *fieldError
	if errors.As(err, &field) {
		m.Field = field.field
	}
	b.Bad = append(b.Bad, m)
	return nil
}

// fail names the place of the next record.
func (r *reader[T]) fail(err error) error {
	place := fmt.Sprintf("%s: %s line %d (byte %d)", r.format.name(), r.in.path, r.line, r.in.offset)
	var fatal *fatalError
	if errors.As(err, &fatal) {
		return fmt.Errorf("%s: %w", place, err)
	}
	var field *fieldError
	if errors.As(err, &field) && field.field != "" {
		place += fmt.Sprintf(", field %q", field.field)
	}
	if r.config.malformed != "" { // it was asked for, and yet is no help here
		return fmt.Errorf("%s: %w", place, err)
	}
	return fmt.Errorf("%s: %w; correct the file, or let files.SideOutputMalformed collect such records", place, err)
}

// await waits until a growing file may have grown. A deleted one has ended;
// what then stands behind its last newline is its last record.
func (r *reader[T]) await(ctx context.Context) error {
	if err := r.in.unchanged(); err == io.EOF {
		r.growing = false
		return nil
	} else if err != nil {
		return fmt.Errorf("%s: %w", r.format.name(), err)
	}
	timer := time.NewTimer(r.config.watch)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}

// Position implements operators.Reader.
func (r *reader[T]) Position() []byte {
	return position{offset: r.in.offset, line: r.line}.encode()
}

// Close implements operators.Reader.
func (r *reader[T]) Close() error { return r.in.close() }
