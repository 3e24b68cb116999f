package files

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"github.com/weirflow/weir/operators"
)

// disk is what the sink asks of a file system where the order of calls, or
// their failure, matters. Tests give another one.
type disk struct {
	create  func(path string) (*os.File, error) // fails when it exists
	write   func(f *os.File, p []byte) (int, error)
	sync    func(f *os.File) error
	rename  func(from, to string) error
	remove  func(path string) error
	syncDir func(path string) error
}

func realDisk() *disk {
	return &disk{
		create: func(path string) (*os.File, error) {
			return os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
		},
		write:   func(f *os.File, p []byte) (int, error) { return f.Write(p) },
		sync:    func(f *os.File) error { return f.Sync() },
		rename:  os.Rename,
		remove:  os.Remove,
		syncDir: syncDir,
	}
}

// syncDir makes the names in a folder durable.
func syncDir(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// makeDirs makes the sink's folders. It makes them durable also when they are
// there, for who made them may have been killed before he could.
func (f *folder) makeDirs() error {
	hidden := filepath.Join(f.dir, hiddenFolder)
	if err := f.disk.makeDir(filepath.Join(hidden, escape(string(f.who.Operator)))); err != nil {
		return err
	}
	for _, path := range []string{filepath.Dir(f.dir), f.dir, hidden} {
		if err := f.disk.syncDir(path); err != nil && !errors.Is(err, fs.ErrPermission) {
			return explain(err)
		}
	}
	return nil
}

// makeDir makes a folder and those above it, durably.
func (d *disk) makeDir(path string) error {
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		return nil
	}
	parent := filepath.Dir(path)
	if parent != path {
		if err := d.makeDir(parent); err != nil {
			return err
		}
	}
	if err := os.Mkdir(path, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
		return explain(err)
	}
	if info, err := os.Stat(path); err != nil || !info.IsDir() {
		return fmt.Errorf("%s is not a folder: choose another one", path)
	}
	return explain(d.syncDir(parent))
}

// explain adds what a user can do. The error names the path already.
func explain(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return fmt.Errorf("%w: free space there, or choose another folder", err)
	case errors.Is(err, fs.ErrPermission), errors.Is(err, syscall.EROFS):
		return fmt.Errorf("%w: make the folder writable for this process, or choose another one", err)
	case errors.Is(err, syscall.ENOTDIR):
		return fmt.Errorf("%w: a part of the path is a file; choose another folder", err)
	case errors.Is(err, syscall.EMFILE), errors.Is(err, syscall.ENFILE):
		return fmt.Errorf("%w: raise the limit of open files", err)
	}
	return err
}

// broken marks an error after which the same bytes cannot be trusted again: a
// kernel may forget what it failed to write, and a second fsync succeed.
func broken(err error) error { return fmt.Errorf("%w: %w", operators.ErrBroken, err) }
