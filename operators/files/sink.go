package files

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/weirflow/weir/operators"
)

// Sink writes records into files of a folder, exactly once: a file appears in
// dir when its checkpoint is complete, with all its records, and never changes.
// See the package's comment for the protocol and the names.
//
// Files hold JSON lines unless an option says AsCSV, AsProtobuf or AsFunc. A
// file ends with its checkpoint; RollSize and RollEvery end it sooner.
//
// A run that starts from nothing refuses a folder that has committed files of
// the same operator, for it would write their records again.
func Sink[T any](dir string, options ...SinkOption) operators.TransactionalSink[T] {
	s := &sink[T]{dir: dir, disk: realDisk()}
	for _, o := range options {
		if o != nil {
			o.apply(&s.config)
		}
	}
	return s
}

// SinkOption changes how a sink writes.
type SinkOption interface{ apply(*sinkConfig) }

type sinkConfig struct {
	format    Format
	custom    any // funcEncoder[T], instead of format
	rollSize  *int64
	rollEvery *time.Duration
}

type sinkOption func(*sinkConfig)

func (o sinkOption) apply(c *sinkConfig) { o(c) }

// RollSize ends a file once it has at least so many bytes. A transaction then
// has several files, which appear together.
func RollSize(bytes int64) SinkOption {
	return sinkOption(func(c *sinkConfig) { c.rollSize = &bytes })
}

// RollEvery ends a file with the first batch that comes so long, in processing
// time, after its beginning. Every checkpoint ends it anyway, so that a time
// beyond the checkpoint interval has no effect.
func RollEvery(d time.Duration) SinkOption {
	return sinkOption(func(c *sinkConfig) { c.rollEvery = &d })
}

func (c *sinkConfig) validate() error {
	switch {
	case c.rollSize != nil && *c.rollSize <= 0:
		return fmt.Errorf("option files.RollSize(%d): must be positive", *c.rollSize)
	case c.rollEvery != nil && *c.rollEvery < time.Millisecond:
		return fmt.Errorf("option files.RollEvery(%v): must be at least 1ms", *c.rollEvery)
	}
	return nil
}

type sink[T any] struct {
	dir    string
	config sinkConfig
	disk   *disk
}

// Kind implements operators.Sink.
func (s *sink[T]) Kind() operators.SinkKind { return operators.Transactional }

// String says for people where records go.
func (s *sink[T]) String() string { return fmt.Sprintf("files.Sink(%s)", s.dir) }

// Validate finds mistakes before the job runs, and changes nothing on disk.
func (s *sink[T]) Validate() error {
	if err := s.validate(); err != nil {
		return fmt.Errorf("files.Sink(%q): %w", s.dir, err)
	}
	return nil
}

func (s *sink[T]) validate() error {
	if s.dir == "" {
		return fmt.Errorf("the folder's path is empty: give one such as out/tips")
	}
	if err := s.config.validate(); err != nil {
		return err
	}
	if _, err := newEncoder[T](&s.config); err != nil {
		return err
	}
	return canBeFolder(s.dir)
}

// canBeFolder finds the nearest thing that exists at or above path.
func canBeFolder(path string) error {
	for {
		info, err := os.Stat(path)
		switch {
		case err == nil && !info.IsDir():
			return fmt.Errorf("%s is not a folder: choose another one", path)
		case err == nil:
			return nil
		case !errors.Is(err, fs.ErrNotExist):
			return explain(err)
		}
		path = filepath.Dir(filepath.Clean(path))
	}
}

// Open implements operators.Sink.
func (s *sink[T]) Open(ctx context.Context, c operators.SinkContext) (operators.Writer[T], error) {
	return s.OpenTransactional(ctx, c)
}

// OpenTransactional implements operators.TransactionalSink.
func (s *sink[T]) OpenTransactional(ctx context.Context, c operators.SinkContext) (operators.TransactionalWriter[T], error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if err := s.Validate(); err != nil {
		return nil, err
	}
	encoder, err := newEncoder[T](&s.config)
	if err != nil {
		return nil, err
	}
	w := &sinkWriter[T]{folder: folder{disk: s.disk, dir: s.dir, who: c}, config: &s.config, encoder: encoder}
	if err := w.makeDirs(); err != nil {
		return nil, w.wrap("Open", err)
	}
	return w, nil
}
