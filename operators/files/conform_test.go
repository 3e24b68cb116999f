package files

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/weirflow/weir/operators/operatortest"
)

// S12, S18, S28: whatever befalls the processes that write a folder, it has what is
// decided, once, and no file in progress stays.
func TestSinkConforms(t *testing.T) {
	for name, options := range map[string][]SinkOption{"a file each": nil, "many files": {RollSize(1)}} {
		t.Run(name, func(t *testing.T) {
			root, n := t.TempDir(), 0
			operatortest.Conform(t, operatortest.ConformSink[int]{
				Value: func(n int) int { return n },
				Outside: func() operatortest.ConformOutside[int] {
					n++
					return conformFolder(filepath.Join(root, fmt.Sprint(n)), options)
				},
			})
			t.Logf("%d scenarios", n)
		})
	}
}

// conformFolder is a sink into a folder, on a disk on which any operation may fail once.
func conformFolder(dir string, options []SinkOption) operatortest.ConformOutside[int] {
	failing := map[string]bool{}
	s := Sink[int](dir, options...).(*sink[int])
	s.disk = failingDisk(failing)
	o := operatortest.ConformOutside[int]{
		Sink:      s,
		Committed: func(context.Context) ([]int, error) { return ReadAll[int](dir, AsJSONLines) },
		Lingering: func(context.Context) ([]string, error) { return below(filepath.Join(dir, hiddenFolder)) },
		Close:     func() { _ = os.RemoveAll(dir) },
	}
	for _, op := range []string{"create", "write", "sync", "rename", "remove", "syncdir"} {
		o.Faults = append(o.Faults, operatortest.ConformFault{Name: op + " fails", Arm: func() func() {
			failing[op] = true
			return func() { failing[op] = false }
		}})
	}
	return o
}

// failingDisk is the real disk, without the wait for it, on which the next operations of
// some names fail. Names of files are durable or not with the machine alone.
func failingDisk(failing map[string]bool) *disk {
	real := realDisk()
	do := func(op, path string) error {
		if !failing[op] {
			return nil
		}
		failing[op] = false
		return &fs.PathError{Op: op, Path: path, Err: syscall.EIO}
	}
	return &disk{
		create: func(path string) (*os.File, error) {
			if err := do("create", path); err != nil {
				return nil, err
			}
			return real.create(path)
		},
		write: func(f *os.File, p []byte) (int, error) {
			if err := do("write", f.Name()); err != nil {
				n, _ := real.write(f, p[:len(p)/2]) // torn
				return n, err
			}
			return real.write(f, p)
		},
		sync: func(f *os.File) error { return do("sync", f.Name()) },
		rename: func(from, to string) error {
			if err := do("rename", to); err != nil {
				return err
			}
			return real.rename(from, to)
		},
		remove: func(path string) error {
			if err := do("remove", path); err != nil {
				return err
			}
			return real.remove(path)
		},
		syncDir: func(path string) error { return do("syncdir", path) },
	}
}

// below lists the files below a folder, which need not be there.
func below(dir string) (paths []string, err error) {
	err = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			paths = append(paths, strings.TrimPrefix(path, dir))
		}
		return err
	})
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	return paths, err
}
