package files

import (
	"bytes"
	"context"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"github.com/weirflow/weir/operators"
)

var ctx = context.Background()

// put writes a file into a fresh folder and gives its path.
func put(t testing.TB, name, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

// readAll reads every split of a source to its end.
func readAll[T any](t testing.TB, s operators.Source[T]) ([]T, []operators.Malformed, error) {
	t.Helper()
	splits, err := s.Splits(ctx)
	if err != nil {
		return nil, nil, err
	}
	var b operators.Batch[T]
	for _, split := range splits {
		r, err := s.Open(ctx, split, nil)
		if err != nil {
			return b.Values, b.Bad, err
		}
		for err == nil {
			err = r.Read(ctx, &b, 3)
		}
		if cerr := r.Close(); cerr != nil {
			t.Fatal(cerr)
		}
		if err != io.EOF {
			return b.Values, b.Bad, err
		}
	}
	return b.Values, b.Bad, nil
}

// mustRead is readAll for what must succeed.
func mustRead[T any](t testing.TB, s operators.Source[T]) []T {
	t.Helper()
	values, bad, err := readAll(t, s)
	if err != nil {
		t.Fatal(err)
	}
	if len(bad) > 0 {
		t.Fatalf("malformed: %+v", bad)
	}
	return values
}

// wantError checks that err says each of the words.
func wantError(t testing.TB, err error, words ...string) {
	t.Helper()
	if err == nil {
		t.Fatalf("no error; want one that says %q", words)
	}
	for _, w := range words {
		if !strings.Contains(err.Error(), w) {
			t.Errorf("error %q\ndoes not say %q", err, w)
		}
	}
}

func validate(s any) error { return s.(interface{ Validate() error }).Validate() }

func gzipOf(t testing.TB, content string) string {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	io.WriteString(w, content)
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func zstdOf(t testing.TB, content string) string {
	t.Helper()
	w, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	return string(w.EncodeAll([]byte(content), nil))
}
