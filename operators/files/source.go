package files

import (
	"context"
	"fmt"
	"path/filepath"

	"google.golang.org/protobuf/proto"

	"github.com/weirflow/weir/operators"
)

// CSV reads the rows of CSV files (RFC 4180) into structs.
//
// The header row names the columns. A field asks for the column of its `csv`
// tag, or else of its own name in any case; `csv:"-"` asks for none, and the
// fields of a nested struct ask for "outer.inner". Fields are strings, numbers,
// booleans, time.Duration, time.Time, []byte, what implements
// encoding.TextUnmarshaler, or pointers to these: an empty column leaves a
// pointer nil (a quoted empty one makes it point to ""). Times are RFC 3339
// unless the tag gives a layout of package time, or unix or unixms:
//
//	PickedUp time.Time `csv:"pickup,layout=2006-01-02 15:04:05,zone=America/New_York"`
//
// A layout without a zone means UTC, or the zone= of the tag. Local times that
// occur twice or never at a change of clocks are read as time.Date does.
//
// Line breaks within quotes belong to the value. Empty lines are no records.
func CSV[T any](glob string, options ...SourceOption) operators.Source[T] {
	s := newSource[T](glob, options)
	s.format = &csvStructs[T]{config: &s.config}
	return s
}

// CSVFunc reads CSV files row by row with a function, as into a protobuf
// message. It gives an error to call a row malformed; columns that Row could
// not convert do so without its help.
func CSVFunc[T any](glob string, decode func(Row) (T, error), options ...SourceOption) operators.Source[T] {
	s := newSource[T](glob, options)
	s.format = &csvFunc[T]{config: &s.config, decode: decode}
	return s
}

// JSONLines reads files with one JSON value a line, by encoding/json, or by
// protojson when T is a protobuf message. Empty lines are no records.
func JSONLines[T any](glob string, options ...SourceOption) operators.Source[T] {
	s := newSource[T](glob, options)
	s.format = &jsonLines[T]{config: &s.config}
	return s
}

// Protobuf reads files of protobuf messages, each behind its length as a
// varint (as protodelim writes them). T is a pointer to a generated message. A
// damaged length is always an error: nothing behind it can be found.
func Protobuf[T proto.Message](glob string, options ...SourceOption) operators.Source[T] {
	s := newSource[T](glob, options)
	s.format = &protobufs[T]{config: &s.config}
	return s
}

// Lines reads the lines of files, without their ends (\n or \r\n). An empty
// line is a record like any other.
func Lines(glob string, options ...SourceOption) operators.Source[string] {
	s := newSource[string](glob, options)
	s.format = textLines{}
	return s
}

// source is an operators.Source over files.
type source[T any] struct {
	glob   string
	config sourceConfig
	format format[T]
}

func newSource[T any](glob string, options []SourceOption) *source[T] {
	return &source[T]{glob: glob, config: newSourceConfig(options)}
}

// String says for people what is read.
func (s *source[T]) String() string { return fmt.Sprintf("%s(%s)", s.format.name(), s.glob) }

// Validate finds mistakes before the job runs: in the options, in T, and, in
// the files that exist now, missing or doubled columns.
func (s *source[T]) Validate() error {
	if err := s.validateOptions(); err != nil {
		return err
	}
	paths, err := s.Splits(context.Background())
	if err != nil {
		return err
	}
	for _, path := range paths {
		r, err := s.openReader(path, start)
		if err != nil {
			return err
		}
		if err := r.Close(); err != nil {
			return fmt.Errorf("%s: %w", s.format.name(), err)
		}
	}
	return nil
}

func (s *source[T]) validateOptions() error {
	if err := checkGlob(s.glob); err != nil {
		return fmt.Errorf("%s: %w", s.format.name(), err)
	}
	if err := s.config.validate(); err != nil {
		return fmt.Errorf("%s(%q): %w", s.format.name(), s.glob, err)
	}
	if err := s.format.validate(); err != nil {
		return fmt.Errorf("%s(%q): %w", s.format.name(), s.glob, err)
	}
	return nil
}

// Splits implements operators.Source.
func (s *source[T]) Splits(ctx context.Context) ([]string, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if err := s.validateOptions(); err != nil {
		return nil, err
	}
	paths, err := matches(s.glob)
	if err == nil && len(paths) == 0 && !s.config.watched {
		err = nothingMatches(s.glob)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", s.format.name(), err)
	}
	return paths, nil
}

// Open implements operators.Source.
func (s *source[T]) Open(ctx context.Context, split string, encoded []byte) (operators.Reader[T], error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if err := s.validateOptions(); err != nil {
		return nil, err
	}
	at, err := decodePosition(encoded)
	if err != nil {
		return nil, fmt.Errorf("%s: %s: %w", s.format.name(), split, err)
	}
	r, err := s.openReader(filepath.Clean(split), at)
	if err != nil {
		return nil, err
	}
	return r, nil
}

// Info implements operators.Source.
func (s *source[T]) Info() operators.SourceInfo {
	return operators.SourceInfo{
		Bounded:       !s.config.watched,
		Replayable:    true,
		DiscoverEvery: s.config.watch,
		Malformed:     s.config.malformed,
	}
}
