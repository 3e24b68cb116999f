package files

import (
	"context"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/weirflow/weir/operators"
)

// Committed lists the committed files of a sink's folder, by operator, subtask,
// attempt and sequence. What else lies there, hidden files aside, comes last.
func Committed(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("files.Committed: %w", err)
	}
	var names []string
	for _, e := range entries {
		if !e.IsDir() && !strings.HasPrefix(e.Name(), ".") {
			names = append(names, e.Name())
		}
	}
	slices.SortFunc(names, compareFinal)
	for i := range names {
		names[i] = filepath.Join(dir, names[i])
	}
	return names, nil
}

// ReadAll gives the committed records of a sink's folder, in the order of
// Committed, as tests and small programs want them.
func ReadAll[T any](dir string, format Format) ([]T, error) {
	s := newSource[T]("", nil)
	switch format {
	case AsCSV:
		s.format = &csvStructs[T]{config: &s.config}
	case AsProtobuf:
		s.format = &protobufs[T]{config: &s.config}
	default:
		s.format = &jsonLines[T]{config: &s.config}
	}
	if err := s.format.validate(); err != nil {
		return nil, fmt.Errorf("files.ReadAll: %w", err)
	}
	paths, err := Committed(dir)
	if err != nil {
		return nil, err
	}
	var b operators.Batch[T]
	for _, path := range paths {
		if err := readWhole(s, path, &b); err != nil {
			return nil, fmt.Errorf("files.ReadAll: %w", err)
		}
	}
	return b.Values, nil
}

func readWhole[T any](s *source[T], path string, b *operators.Batch[T]) error {
	r, err := s.openReader(path, start)
	if err != nil {
		return err
	}
	for err == nil {
		err = r.Read(context.Background(), b, math.MaxInt)
	}
	if closing := r.Close(); err == io.EOF {
		return closing
	}
	return err
}
