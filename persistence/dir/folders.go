package dir

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"syscall"
)

// folders remembers which folders this store knows to be durable: a folder that
// another process has just made may be visible and still be lost in a crash, so
// its parent is fsynced before it is first relied on.
type folders struct {
	mu    sync.Mutex
	known map[string]bool
}

// knownMax bounds the memory; forgetting costs one more fsync.
const knownMax = 4096

func (f *folders) has(path string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.known[path]
}

func (f *folders) add(path string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.known == nil || len(f.known) >= knownMax {
		f.known = map[string]bool{}
	}
	f.known[path] = true
}

func (f *folders) forget(path string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.known, path)
}

// makeFolder makes folder and its parents, up to the store's own, durably.
func (s *store) makeFolder(folder string) error {
	if !s.below(folder) || s.made.has(folder) {
		return nil
	}
	parent := filepath.Dir(folder)
	if err := s.makeFolder(parent); err != nil {
		return err
	}
	if err := os.Mkdir(folder, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	if err := s.syncFolder(parent); err != nil {
		return err
	}
	s.made.add(folder)
	return nil
}

// forgetFolder forgets folder and its parents, for another process removed one.
func (s *store) forgetFolder(folder string) {
	for ; s.below(folder); folder = filepath.Dir(folder) {
		s.made.forget(folder)
	}
}

// syncFolder makes the names in a folder durable.
func (s *store) syncFolder(folder string) error {
	if err := s.step("sync folder", folder); err != nil {
		return err
	}
	f, err := os.Open(folder)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// prepare makes the store's folder and removes what killed processes left, at
// the first use. A failure is not remembered: the folder may be mounted later.
func (s *store) prepare() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ready {
		return nil
	}
	if err := s.makeRoot(); err != nil {
		return err
	}
	s.removeOldTemps()
	s.ready = true
	return nil
}

func (s *store) makeRoot() error {
	if s.path == "" {
		return errors.New("the path is empty; name a folder: dir.Open(path)")
	}
	info, err := os.Stat(s.path)
	if err == nil && !info.IsDir() {
		return fmt.Errorf("%s is a file; name a folder", s.path)
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := os.Mkdir(s.path, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return s.syncFolder(filepath.Dir(s.path))
}

// Validate writes and removes a small file.
func (s *store) Validate() error {
	err := s.prepare()
	if err == nil {
		err = s.probe()
	}
	if err != nil {
		return fmt.Errorf("dir.Validate: %w", s.explain(err))
	}
	return nil
}

func (s *store) probe() error {
	f, err := s.createTemp(s.path)
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	_, err = f.Write(make([]byte, 4096))
	return errors.Join(err, f.Sync(), f.Close())
}

// remedies says what to do about what a file system says.
var remedies = []struct {
	err    error
	remedy string
}{
	{syscall.ENOSPC, "the file system is full: free space, retain fewer checkpoints, or use another folder"},
	{syscall.EDQUOT, "the disk quota is used up: free space, retain fewer checkpoints, or use another folder"},
	{syscall.EROFS, "the file system is read-only: mount it writable, or use another folder"},
	{errors.ErrUnsupported, "the file system lacks hard links or fsync: use a folder on one that has them"},
	{fs.ErrPermission, "this process may not write there: change the folder's owner or mode, or use another folder"},
	{fs.ErrNotExist, "the folder or its parent is not there: make it or mount it"},
	{syscall.ENOTDIR, "a part of the path is a file: name a folder"},
}

// explain adds the folder and the remedy to an error of the file system.
func (s *store) explain(err error) error {
	var system syscall.Errno
	if !errors.As(err, &system) {
		return err
	}
	for _, r := range remedies {
		if errors.Is(err, r.err) {
			return fmt.Errorf("%w; store %s: %s", err, s.path, r.remedy)
		}
	}
	return err
}
