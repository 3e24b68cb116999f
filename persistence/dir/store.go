// Package dir is a checkpoint store in a folder of a local or mounted POSIX
// file system. A key is the path of a file below the folder.
//
// # Durability
//
// An object is written to a temporary file in its own folder, fsynced, and
// renamed (Put) or linked (PutIfAbsent) to its name; then the folder is fsynced,
// and so is the parent of every folder that was made for it. So a name stands
// for whole, durable bytes or for nothing, and link decides among any number of
// processes, on any number of hosts, who takes a slot of a job's log. A mounted
// file system must have hard links, and must not answer from stale caches.
//
// # Concurrency
//
// Any number of goroutines and processes may use one folder. Temporary files of
// processes that were killed are removed when a store is first used: temp.go.
//
// # Testing
//
// persistencetest.Store runs here too, with processes that are really killed.
package dir

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"

	"github.com/weirflow/weir/persistence"
)

// Open gives the store in folder path, which is made if its parent is there.
// Nothing is touched before the first use; Validate (persistence.Validator) is
// a first use that reports early what is wrong with the folder.
func Open(path string) persistence.CheckpointStore {
	return &store{path: path, place: place(), step: func(string, string) error { return nil }}
}

type store struct {
	path  string
	place string        // see place
	temps atomic.Uint64 // numbers temporary files
	made  folders

	mu    sync.Mutex // guards ready
	ready bool       // the folder is there and was cleaned up

	// step is called before every effect on the file system that a crash may
	// follow, with its name and the file; an error stands for the effect's.
	step func(name, path string) error
}

func (s *store) String() string { return "folder " + s.path }

// Put writes through a buffer straight into the temporary file.
func (s *store) Put(ctx context.Context, key string, write func(io.Writer) error) error {
	if err := s.put(ctx, key, write, s.rename); err != nil {
		return fmt.Errorf("dir.Put %s: %w", key, s.explain(err))
	}
	return nil
}

func (s *store) PutIfAbsent(ctx context.Context, key string, data []byte) error {
	write := func(w io.Writer) error {
		_, err := w.Write(data)
		return err
	}
	if err := s.put(ctx, key, write, s.link); err != nil {
		return fmt.Errorf("dir.PutIfAbsent %s: %w", key, s.explain(err))
	}
	return nil
}

// put writes a temporary file, gives it its name by publish, and makes both
// durable.
func (s *store) put(ctx context.Context, key string, write func(io.Writer) error, publish func(temp, name string) error) error {
	if err := s.check(ctx, key, persistence.CheckKey); err != nil {
		return err
	}
	name := s.file(key)
	f, err := s.createTemp(filepath.Dir(name))
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) // gone already after a rename
	if err := errors.Join(s.fill(f, write), f.Close()); err != nil {
		return err
	}
	if err := publish(f.Name(), name); err != nil {
		return err
	}
	return s.syncFolder(filepath.Dir(name))
}

func (s *store) fill(f *os.File, write func(io.Writer) error) error {
	w := bufio.NewWriterSize(f, 64<<10)
	if err := s.step("write", f.Name()); err != nil {
		return err
	}
	if err := write(w); err != nil {
		return err
	}
	if err := w.Flush(); err != nil {
		return err
	}
	if err := s.step("sync", f.Name()); err != nil {
		return err
	}
	return f.Sync()
}

func (s *store) rename(temp, name string) error {
	if err := s.step("rename", name); err != nil {
		return err
	}
	return os.Rename(temp, name)
}

// link gives the file a second name, which fails when that name is taken. A
// network file system may do it and lose the answer, and find its own doing on
// the second try; that the name is our file tells.
func (s *store) link(temp, name string) error {
	if err := s.step("link", name); err != nil {
		return err
	}
	err := os.Link(temp, name)
	if errors.Is(err, fs.ErrExist) {
		if sameFile(temp, name) {
			return nil
		}
		return persistence.ErrExists
	}
	if errors.Is(err, syscall.EPERM) { // what Linux says for "no hard links here"
		return fmt.Errorf("%w: %w", err, errors.ErrUnsupported)
	}
	return err
}

func sameFile(a, b string) bool {
	ai, aerr := os.Lstat(a)
	bi, berr := os.Lstat(b)
	return aerr == nil && berr == nil && os.SameFile(ai, bi)
}

func (s *store) Open(ctx context.Context, key string) (io.ReadCloser, error) {
	f, err := s.open(ctx, key)
	if err != nil {
		return nil, fmt.Errorf("dir.Open %s: %w", key, s.explain(err))
	}
	return f, nil
}

func (s *store) open(ctx context.Context, key string) (*os.File, error) {
	if err := s.check(ctx, key, persistence.CheckKey); err != nil {
		return nil, err
	}
	f, err := os.Open(s.file(key))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, persistence.ErrNotFound
	}
	if err != nil {
		return nil, err
	}
	if info, err := f.Stat(); err != nil || info.IsDir() {
		return nil, errors.Join(persistence.ErrNotFound, err, f.Close())
	}
	return f, nil
}

func (s *store) List(ctx context.Context, prefix string) ([]string, error) {
	if err := s.check(ctx, prefix, persistence.CheckPrefix); err != nil {
		return nil, fmt.Errorf("dir.List %s: %w", prefix, s.explain(err))
	}
	keys := []string{}
	err := s.walk(s.file(prefix), func(path string) {
		if key, ok := s.key(path); ok {
			keys = append(keys, key)
		}
	})
	if err != nil {
		return nil, fmt.Errorf("dir.List %s: %w", prefix, s.explain(err))
	}
	slices.Sort(keys)
	return keys, nil
}

// walk visits every file below folder. Files and folders that go away meanwhile
// are left out.
func (s *store) walk(folder string, visit func(path string)) error {
	return filepath.WalkDir(folder, func(path string, e fs.DirEntry, err error) error {
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return nil
		case err != nil:
			return err
		case !e.IsDir() && path != folder:
			visit(path)
		}
		return nil
	})
}

// key gives the key of a file; temporary files and those with names that no key
// has are none of ours.
func (s *store) key(path string) (string, bool) {
	rel, err := filepath.Rel(s.path, path)
	key := filepath.ToSlash(rel)
	return key, err == nil && persistence.CheckKey(key) == nil
}

func (s *store) file(key string) string { return filepath.Join(s.path, filepath.FromSlash(key)) }

func (s *store) Delete(ctx context.Context, key string) error {
	if err := s.delete(ctx, key); err != nil {
		return fmt.Errorf("dir.Delete %s: %w", key, s.explain(err))
	}
	return nil
}

func (s *store) delete(ctx context.Context, key string) error {
	if err := s.check(ctx, key, persistence.CheckKey); err != nil {
		return err
	}
	name := s.file(key)
	if info, err := os.Lstat(name); err == nil && info.IsDir() {
		return nil // a folder is no object
	}
	if err := s.step("remove", name); err != nil {
		return err
	}
	err := os.Remove(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return s.removeEmpty(filepath.Dir(name))
}

// removeEmpty makes a removal in folder durable, and removes the folder and its
// parents as long as they are empty.
func (s *store) removeEmpty(folder string) error {
	for s.below(folder) && os.Remove(folder) == nil {
		s.made.forget(folder)
		folder = filepath.Dir(folder)
	}
	err := s.syncFolder(folder)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // someone else removed it, and made that durable
	}
	return err
}

func (s *store) below(folder string) bool {
	rel, err := filepath.Rel(s.path, folder)
	return err == nil && rel != "." && !strings.HasPrefix(rel, "..")
}

func (s *store) check(ctx context.Context, key string, isValid func(string) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := isValid(key); err != nil {
		return err
	}
	return s.prepare()
}
