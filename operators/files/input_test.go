package files

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/weirflow/weir/operators"
)

func TestSplitsAreTheFilesOfTheGlob(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	for _, name := range []string{"in/b.txt", "in/a.txt", "in/.hidden.txt", "in/c.txt/inner.txt", "in/other.csv"} {
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(name), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for glob, want := range map[string][]string{
		"./in/*.txt":   {"in/a.txt", "in/b.txt"},
		"in//a.txt":    {"in/a.txt"},
		"in/.h*":       {"in/.hidden.txt"},
		"in/*/*.txt":   {"in/c.txt/inner.txt"},
		"./././in/a.*": {"in/a.txt"},
	} {
		got, err := Lines(glob).Splits(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("%s: %s", glob, d)
		}
	}
	s := Lines("in/*.txt")
	if got := mustRead(t, s); len(got) != 2 || got[0] != "in/a.txt" {
		t.Error(got)
	}
	if i := s.Info(); !i.Bounded || !i.Replayable || i.DiscoverEvery != 0 {
		t.Errorf("%+v", i)
	}
	if _, err := s.Open(ctx, "in/z.txt", nil); err == nil || !strings.Contains(err.Error(), "in/z.txt") {
		t.Error(err)
	}
}

func TestCompressedFilesAreReadWhole(t *testing.T) {
	content := strings.Repeat("some line\n", 50_000) + "last"
	for name, packed := range map[string]string{
		"a.gz": gzipOf(t, content), "a.zst": zstdOf(t, content), "b.zstd": zstdOf(t, content),
		"members.gz": gzipOf(t, content[:100_003]) + gzipOf(t, content[100_003:]),
		"frames.zst": zstdOf(t, content[:100_003]) + zstdOf(t, content[100_003:]),
	} {
		path := put(t, name, packed)
		s := Lines(path)
		got := mustRead(t, s)
		if strings.Join(got, "\n") != content {
			t.Errorf("%s: %d lines", name, len(got))
		}
		r, err := s.Open(ctx, path, position{offset: 499_990, line: 50_000}.encode())
		if err != nil {
			t.Fatal(err)
		}
		var b operators.Batch[string]
		if err := r.Read(ctx, &b, 10); err != io.EOF || len(b.Values) != 2 {
			t.Errorf("%s: %v %v", name, b.Values, err)
		}
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	}
}

// Every cut of a compressed file is an error, and what came before it was right.
func TestTruncatedAndDamagedFilesAreErrors(t *testing.T) {
	var lines strings.Builder
	for i := range 100 {
		fmt.Fprintf(&lines, "line %d\n", i*i)
	}
	content := lines.String()
	for name, packed := range map[string]string{"a.gz": gzipOf(t, content), "a.zst": zstdOf(t, content)} {
		dir := t.TempDir()
		path := filepath.Join(dir, name)
		check := func(what string, damaged []byte) {
			t.Helper()
			if err := os.WriteFile(path, damaged, 0o644); err != nil {
				t.Fatal(err)
			}
			got, _, err := readAll(t, Lines(path))
			if err == nil {
				t.Fatalf("%s %s: read without an error", name, what)
			}
			wantError(t, err, path, "uncompressed bytes", "intact copy")
			if text := strings.Join(append(got, ""), "\n"); strings.HasPrefix(what, "cut") && !strings.HasPrefix(content, text) {
				t.Fatalf("%s %s: gave %q", name, what, text)
			}
		}
		for n := range len(packed) {
			check(fmt.Sprint("cut at ", n), []byte(packed[:n]))
		}
		if name == "a.gz" {
			damaged := []byte(packed)
			damaged[len(damaged)-8]++ // of the checksum
			check("checksum", damaged)
			check("garbage", []byte(packed+"garbage"))
		}
		check("no such format", []byte(content))
	}
	_, _, err := readAll(t, Lines(put(t, "cut.gz", gzipOf(t, content)[:100])))
	wantError(t, err, "damaged gzip data after", "truncated", "unexpected EOF")
	empty := put(t, "empty.zst", "")
	_, _, err = readAll(t, Lines(empty))
	wantError(t, err, empty, "damaged zstd data after 0 uncompressed bytes", "truncated")
}

func TestPositions(t *testing.T) {
	for _, p := range []position{start, {offset: 1, line: 1}, {offset: 1<<62 + 5, line: 1 << 40}} {
		got, err := decodePosition(p.encode())
		if err != nil || got != p {
			t.Errorf("%v: %v %v", p, got, err)
		}
	}
	path := put(t, "a.txt", "a\nb\n")
	for _, bad := range []string{"", "\x02\x00\x01", "\x01", "\x01\x80", "\x01\x00", "\x01\x00\x01x", "\x01\x00\x00"} {
		_, err := Lines(path).Open(ctx, path, []byte(bad))
		wantError(t, err, path, "position")
	}
}

func TestAFileThatShrankIsAnError(t *testing.T) {
	type row struct{ A string }
	at := position{offset: 5, line: 3}.encode()
	for name, content := range map[string]string{"a.txt": "a\nb", "a.gz": gzipOf(t, "a\nb"), "a.zst": zstdOf(t, "a\nb")} {
		path := put(t, name, content)
		_, err := Lines(path).Open(ctx, path, at)
		wantError(t, err, path, "shrank", "5 bytes", "has 3")
	}
	path := put(t, "a.csv", "a\nb")
	_, err := CSV[row](path).Open(ctx, path, at)
	wantError(t, err, path, "shrank")
	path = put(t, "b.csv", "a,longer,header\n1,2,3\n")
	_, err = CSV[row](path).Open(ctx, path, at)
	wantError(t, err, path, "changed", "inside its header")
	path = put(t, "c.csv", "a")
	_, err = CSV[row](path, Watch(time.Second)).Open(ctx, path, at)
	wantError(t, err, path, "shrank")
}

// tail follows a growing file step by step, in the virtual time of synctest.
type tail struct {
	t    *testing.T
	path string
	r    operators.Reader[string]
}

func (f *tail) append(text string) {
	f.t.Helper()
	w, err := os.OpenFile(f.path, os.O_APPEND|os.O_WRONLY|os.O_CREATE, 0o644)
	if err != nil {
		f.t.Fatal(err)
	}
	if _, err := w.WriteString(text); err != nil {
		f.t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		f.t.Fatal(err)
	}
}

func (f *tail) expect(end error, want ...string) {
	f.t.Helper()
	var b operators.Batch[string]
	if err := f.r.Read(ctx, &b, 100); err != end {
		f.t.Fatalf("Read: %v, want %v", err, end)
	}
	if d := cmp.Diff(want, b.Values); d != "" {
		f.t.Fatal(d)
	}
}

func TestWatchedFilesGrow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		path := put(t, "a.log", "one\ntw")
		s := Lines(filepath.Join(filepath.Dir(path), "*.log"), Watch(time.Second))
		if i := s.Info(); i.Bounded || i.DiscoverEvery != time.Second {
			t.Errorf("%+v", i)
		}
		r, err := s.Open(ctx, path, nil)
		if err != nil {
			t.Fatal(err)
		}
		f := &tail{t: t, path: path, r: r}
		f.expect(nil, "one")
		began := time.Now()
		f.expect(nil) // an unterminated line is not a record yet
		if waited := time.Since(began); waited != time.Second {
			t.Errorf("waited %v", waited)
		}
		f.append("o\nthree\n")
		f.expect(nil, "two", "three")

		// A file that appears later is found; a reopened one goes on where it was.
		(&tail{t: t, path: filepath.Join(filepath.Dir(path), "b.log")}).append("x\n")
		if splits, err := s.Splits(ctx); err != nil || len(splits) != 2 {
			t.Error(splits, err)
		}
		position := f.r.Position()
		f.append("fo")
		f.expect(nil)
		if err := f.r.Close(); err != nil {
			t.Fatal(err)
		}
		if f.r, err = s.Open(ctx, path, position); err != nil {
			t.Fatal(err)
		}
		f.append("ur\nlast")
		f.expect(nil, "four")

		// A deleted file has ended, and its last line with it.
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
		f.expect(io.EOF, "last")
		f.expect(io.EOF)
		if err := f.r.Close(); err != nil {
			t.Fatal(err)
		}
	})
}

func TestWatchedFilesMayDoNothingElse(t *testing.T) {
	for name, change := range map[string]func(path string) error{
		"shrank":       func(path string) error { return os.Truncate(path, 1) },
		"was replaced": func(path string) error { return os.Rename(put(t, "b.log", "other\nlines\n"), path) },
	} {
		path := put(t, "a.log", "one\n")
		r, err := Lines(path, Watch(time.Hour)).Open(ctx, path, nil)
		if err != nil {
			t.Fatal(err)
		}
		f := &tail{t: t, path: path, r: r}
		f.expect(nil, "one")
		if err := change(path); err != nil {
			t.Fatal(err)
		}
		err = r.Read(ctx, &operators.Batch[string]{}, 1)
		wantError(t, err, "files.Lines", path, name)
		if err := r.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestWatchWithoutFilesWaits(t *testing.T) {
	s := Lines(filepath.Join(t.TempDir(), "*.log"), Watch(time.Second))
	if err := validate(s); err != nil {
		t.Error(err)
	}
	if splits, err := s.Splits(ctx); err != nil || len(splits) != 0 {
		t.Error(splits, err)
	}
}

func TestWholeWatchedFilesEnd(t *testing.T) {
	type row struct{ A int }
	for name, content := range map[string]string{"a.csv": "a\n1\n2", "a.csv.gz": gzipOf(t, "a\n1\n2")} {
		if got := mustRead(t, CSV[row](put(t, name, content), Watch(time.Hour), Whole())); len(got) != 2 {
			t.Error(name, got)
		}
	}
	if got := mustRead(t, CSV[row](put(t, "a.csv.gz", gzipOf(t, "a\n1\n2")), Watch(time.Hour))); len(got) != 2 {
		t.Error("a compressed file is whole in any case:", got)
	}
}

// The header of a watched CSV file may be still on its way.
func TestWatchedCSVWaitsForItsHeader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		path := put(t, "a.csv", "a,")
		decode := func(r Row) (string, error) { return r.String("a") + r.String("b"), nil }
		r, err := CSVFunc(path, decode, Watch(time.Second)).Open(ctx, path, nil)
		if err != nil {
			t.Fatal(err)
		}
		f := &tail{t: t, path: path, r: r}
		f.expect(nil)
		if p, err := decodePosition(r.Position()); err != nil || p != start {
			t.Error(p, err)
		}
		f.append("b\n1,2\n\"3\n")
		f.expect(nil, "12")
		f.append("\",4\n")
		f.expect(nil, "3\n4")
		if err := r.Close(); err != nil {
			t.Fatal(err)
		}
	})
}

func TestReadEndsWithItsContext(t *testing.T) {
	path := put(t, "a.log", "")
	r, err := Lines(path, Watch(time.Hour)).Open(ctx, path, nil)
	if err != nil {
		t.Fatal(err)
	}
	ending, cancel := context.WithCancel(ctx)
	result := make(chan error)
	go func() { result <- r.Read(ending, &operators.Batch[string]{}, 1) }()
	cancel()
	if err := <-result; err != context.Canceled {
		t.Error(err)
	}
	if err := r.Close(); err != nil {
		t.Error(err)
	}
}
