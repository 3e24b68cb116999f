package dir

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/weirflow/weir/persistence"
	"github.com/weirflow/weir/persistence/persistencetest"
)

func TestStore(t *testing.T) {
	persistencetest.Store(t, func(t testing.TB) persistence.CheckpointStore { return Open(t.TempDir()) })
}

// S11: bytes are durable before they have a name, the name before it is
// acknowledged, and a new folder's name before it is relied on.
func TestS11_DurabilityOrder(t *testing.T) {
	folder := t.TempDir()
	s := Open(folder).(*store)
	var steps []string
	record := func(name, path string) error {
		rel, err := filepath.Rel(folder, path)
		if strings.HasPrefix(filepath.Base(path), "~") {
			rel = filepath.Join(filepath.Dir(rel), "~")
		}
		steps = append(steps, name+" "+rel)
		return err
	}
	want := func(call string, err error, want ...string) {
		t.Helper()
		if err != nil || fmt.Sprint(steps) != fmt.Sprint(want) {
			t.Errorf("%s: %v, with the steps\n%s\nwant\n%s", call, err, strings.Join(steps, "\n"), strings.Join(want, "\n"))
		}
		steps = nil
	}
	if err := s.Validate(); err != nil {
		t.Fatal(err)
	}
	s.step = record
	write := func(w io.Writer) error {
		_, err := w.Write([]byte("x"))
		return err
	}
	want("first Put", s.Put(t.Context(), "job/data/x", write),
		"sync folder .", "sync folder job", "write job/data/~", "sync job/data/~", "rename job/data/x", "sync folder job/data")
	want("second Put", s.Put(t.Context(), "job/data/y", write),
		"write job/data/~", "sync job/data/~", "rename job/data/y", "sync folder job/data")
	want("PutIfAbsent", s.PutIfAbsent(t.Context(), "job/log/1", []byte("x")),
		"sync folder job", "write job/log/~", "sync job/log/~", "link job/log/1", "sync folder job/log")
	want("Delete", s.Delete(t.Context(), "job/data/x"), "remove job/data/x", "sync folder job/data")
	want("Delete of the last", s.Delete(t.Context(), "job/data/y"), "remove job/data/y", "sync folder job")
	want("Delete of nothing", s.Delete(t.Context(), "job/data/y"), "remove job/data/y")

	other := Open(folder).(*store)
	if err := other.Validate(); err != nil {
		t.Fatal(err)
	}
	other.step = record
	want("Put in a folder that another process made", other.PutIfAbsent(t.Context(), "job/log/2", []byte("x")),
		"sync folder .", "sync folder job", "write job/log/~", "sync job/log/~", "link job/log/2", "sync folder job/log")
}

// Every failing step fails the call, and leaves no temporary file.
func TestFailingSteps(t *testing.T) {
	broken := errors.New("broken disk")
	for _, step := range []string{"write", "sync", "rename", "link", "sync folder", "remove"} {
		folder := t.TempDir()
		s := Open(folder).(*store)
		put(t, s, "job/x", "old")
		s.step = func(name, _ string) error {
			if name == step {
				return broken
			}
			return nil
		}
		calls := map[string]error{
			"rename": s.Put(t.Context(), "job/x", func(w io.Writer) error { return nil }),
			"link":   s.PutIfAbsent(t.Context(), "job/y", nil),
			"remove": s.Delete(t.Context(), "job/x"),
		}
		for own, err := range calls {
			common := step == "sync folder" || own != "remove" && (step == "write" || step == "sync")
			if fails := step == own || common; errors.Is(err, broken) != fails {
				t.Errorf("with %q failing, the call with %q gives %v", step, own, err)
			}
		}
		wantNoTemps(t, folder)
	}
}

// What is wrong with the folder is told with its path and a remedy.
func TestBadFolders(t *testing.T) {
	base := t.TempDir()
	file := filepath.Join(base, "file")
	if err := os.WriteFile(file, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		"":                                 "dir.Validate: the path is empty; name a folder: dir.Open(path)",
		file:                               "dir.Validate: " + file + " is a file; name a folder",
		filepath.Join(base, "none", "sub"): "store " + filepath.Join(base, "none", "sub") + ": the folder or its parent is not there: make it or mount it",
		filepath.Join(file, "sub"):         "store " + filepath.Join(file, "sub") + ": a part of the path is a file: name a folder",
	} {
		s := Open(path)
		if err := s.(persistence.Validator).Validate(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Validate of %q = %v; want %s", path, err, want)
		}
		if _, err := s.List(t.Context(), ""); err == nil {
			t.Errorf("List of %q succeeds", path)
		}
	}
}

// A folder that was not there is used once it is: it may be mounted late.
func TestFolderMayComeLater(t *testing.T) {
	parent := filepath.Join(t.TempDir(), "mount")
	s := Open(filepath.Join(parent, "state"))
	if err := s.PutIfAbsent(t.Context(), "a", nil); err == nil {
		t.Error("PutIfAbsent succeeds without a parent of the folder")
	}
	if err := os.Mkdir(parent, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := s.PutIfAbsent(t.Context(), "a", nil); err != nil {
		t.Error(err)
	}
}

func TestFullAndUnwritableFolders(t *testing.T) {
	for _, c := range []struct {
		errno syscall.Errno
		want  string
	}{
		{syscall.ENOSPC, "no space left on device; store %s: the file system is full: free space, retain fewer checkpoints, or use another folder"},
		{syscall.EDQUOT, "disk quota exceeded; store %s: the disk quota is used up: free space, retain fewer checkpoints, or use another folder"},
		{syscall.EACCES, "permission denied; store %s: this process may not write there: change the folder's owner or mode, or use another folder"},
		{syscall.EROFS, "read-only file system; store %s: the file system is read-only: mount it writable, or use another folder"},
		{syscall.ENOTSUP, "operation not supported; store %s: the file system lacks hard links or fsync: use a folder on one that has them"},
	} {
		s := Open(t.TempDir()).(*store)
		s.step = func(name, path string) error { return &os.PathError{Op: name, Path: path, Err: c.errno} }
		want := fmt.Sprintf(c.want, s.path)
		if err := s.PutIfAbsent(t.Context(), "job/log/1", nil); !errors.Is(err, c.errno) || !strings.HasSuffix(err.Error(), want) || !strings.HasPrefix(err.Error(), "dir.PutIfAbsent job/log/1: ") {
			t.Errorf("PutIfAbsent = %v; want ... %s", err, want)
		}
	}
}

// Temporary files of which no process can be asked go by age; what only looks
// like one is a user's.
func TestOldTemporaryFiles(t *testing.T) {
	folder := t.TempDir()
	s := Open(folder).(*store)
	own := func(pid, n int) string { return fmt.Sprintf(tempFormat, s.place, pid, n) }
	dead := start(t, folder, "die:Put:write")
	if _, err := dead.end(t); err == nil {
		t.Fatal("the child lives on")
	}
	elsewhere := fmt.Sprintf(tempFormat, "0123456789abcdef", os.Getpid(), 1)
	for _, c := range []struct {
		name string
		age  time.Duration
		kept bool
	}{
		{own(os.Getpid(), 1), 0, true},
		{own(os.Getpid(), 2), 2 * time.Hour, false},
		{own(os.Getppid(), 3), 2 * time.Hour, true},
		{own(dead.Process.Pid, 4), 0, false},
		{elsewhere, 59 * time.Minute, true},
		{elsewhere + "1", 61 * time.Minute, false},
		{"~$report.docx", 1000 * time.Hour, true},
		{"~0123456789abcdef.7.x", 1000 * time.Hour, true},
	} {
		path := filepath.Join(folder, c.name)
		then := time.Now().Add(-c.age)
		if err := errors.Join(os.WriteFile(path, nil, 0o644), os.Chtimes(path, then, then)); err != nil {
			t.Fatal(err)
		}
		if err := Open(folder).(*store).Validate(); err != nil {
			t.Fatal(err)
		}
		if _, err := os.Stat(path); (err == nil) != c.kept {
			t.Errorf("%s, %v old: %v; want kept: %v", c.name, c.age, err, c.kept)
		}
		_ = os.Remove(path)
	}
}

// Files that weir did not write are not seen where they cannot be keys, and
// folders go when they are empty, but never the store's own.
func TestForeignFilesAndEmptyFolders(t *testing.T) {
	folder := t.TempDir()
	s := Open(folder)
	put(t, s, "job/data/1/x", "x")
	if err := os.WriteFile(filepath.Join(folder, "job", "my notes.txt"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	keys, err := s.List(t.Context(), "")
	if err != nil || fmt.Sprint(keys) != "[job/data/1/x]" {
		t.Errorf("List = %v, %v", keys, err)
	}
	if err := s.Delete(t.Context(), "job/data/1/x"); err != nil {
		t.Fatal(err)
	}
	left, err := filepath.Glob(filepath.Join(folder, "job", "*"))
	if err != nil || len(left) != 1 {
		t.Errorf("left in the folder: %v, %v; want the notes", left, err)
	}
	put(t, s, "other/x", "x")
	if err := errors.Join(s.Delete(t.Context(), "other/x"), os.RemoveAll(filepath.Join(folder, "job"))); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(folder); err != nil {
		t.Error(err)
	}
}

func ExampleOpen() {
	folder, err := os.MkdirTemp("", "weir")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(folder)

	store := Open(filepath.Join(folder, "state"))
	ctx := context.Background()
	fmt.Println(store.PutIfAbsent(ctx, "job/log/1", []byte("mine")))
	fmt.Println(errors.Is(store.PutIfAbsent(ctx, "job/log/1", []byte("yours")), persistence.ErrExists))
	fmt.Println(store.List(ctx, "job"))
	// Output:
	// <nil>
	// true
	// [job/log/1] <nil>
}
