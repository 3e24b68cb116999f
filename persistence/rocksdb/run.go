//go:build cgo && !norocksdb && unix

package rocksdb

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"

	"github.com/weirflow/weir/persistence"
)

// A run is a folder below the backend's, for the KVs that are open at the same
// time. Beside run-<pid>-<n> lies run-<pid>-<n>.lock, which the process holds
// locked: the kernel lets go of it when the process ends, however it ends, and
// whoever gets the lock may remove the folder.
type run struct {
	folder string
	lock   *os.File
	cache  *blockCache
	open   int // KVs
	next   int // number of the next one's folder
}

const (
	runFormat = "run-%d-%d"
	lockEnd   = ".lock"
)

// runs tells the runs of this process apart.
var runs atomic.Int64

// OpenKV opens a RocksDB in a new folder of the run.
func (b *backend) OpenKV(ctx context.Context, name string) (persistence.KV, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.err != nil {
		return nil, b.err
	}
	if b.run == nil {
		r, err := beginRun(ctx, b.dir, b.blockCache)
		if err != nil {
			return nil, fmt.Errorf("rocksdb.Backend(%q): make a folder to work in: %w", b.dir, err)
		}
		b.run = r
	}
	b.run.next++
	b.run.open++
	d, err := openDB(name, filepath.Join(b.run.folder, fmt.Sprintf("%d-%s", b.run.next, plain(name))), &b.settings, b.run.cache, b.onGone)
	if err != nil {
		b.countDown()
		return nil, err
	}
	return d, nil
}

// onGone hears that a KV has given everything back.
func (b *backend) onGone() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.countDown()
}

// countDown ends the run with its last KV. The lock is held.
func (b *backend) countDown() {
	if b.run.open--; b.run.open == 0 {
		b.run.end()
		b.run = nil
	}
}

// plain makes a name fit for a folder.
func plain(name string) string {
	name = strings.Map(func(r rune) rune {
		if strings.ContainsRune("-_.", r) || '0' <= r && r <= '9' || 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' {
			return r
		}
		return '_'
	}, name)
	return name[:min(len(name), 64)]
}

// beginRun makes a run, and removes what processes that ended left behind.
func beginRun(ctx context.Context, dir string, cacheBytes int) (*run, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	removeOldRuns(dir)
	for ctx.Err() == nil {
		folder := filepath.Join(dir, fmt.Sprintf(runFormat, os.Getpid(), runs.Add(1)))
		lock, err := takeLock(folder+lockEnd, os.O_CREATE|os.O_EXCL)
		if errors.Is(err, fs.ErrExist) || errors.Is(err, errTaken) {
			continue // of an earlier process with our pid, in a folder that others hold too
		}
		if err == nil {
			err = os.Mkdir(folder, 0o755)
		}
		if err != nil {
			return nil, errors.Join(err, discard(lock, folder+lockEnd))
		}
		return &run{folder: folder, lock: lock, cache: newBlockCache(cacheBytes)}, nil
	}
	return nil, ctx.Err()
}

// discard removes a lock file that is of no use.
func discard(lock *os.File, name string) error {
	err := os.Remove(name)
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	if lock != nil {
		err = errors.Join(err, lock.Close())
	}
	return err
}

func (r *run) end() {
	r.cache.destroy()
	removeRun(r.folder, r.lock)
}

// removeRun removes the folder first: a lock file without a folder is harmless,
// a folder without a lock file would stay. What fails is left to the next run.
func removeRun(folder string, lock *os.File) {
	if os.RemoveAll(folder) == nil {
		_ = os.Remove(lock.Name())
	}
	_ = lock.Close()
}

func removeOldRuns(dir string) {
	files, _ := os.ReadDir(dir) // what cannot be read now is left to the next run
	for _, f := range files {
		name, locked := strings.CutSuffix(f.Name(), lockEnd)
		if !locked || !isRun(name) {
			continue // somebody else's
		}
		if lock, err := takeLock(filepath.Join(dir, f.Name()), 0); err == nil {
			removeRun(filepath.Join(dir, name), lock)
		}
	}
}

// isRun tells whether a name is exactly one that beginRun makes.
func isRun(name string) bool {
	var pid, n int64
	_, err := fmt.Sscanf(name, runFormat, &pid, &n)
	return err == nil && name == fmt.Sprintf(runFormat, pid, n)
}

var errTaken = errors.New("another process holds the lock")

// takeLock opens and locks a file. A file that was removed in between is not
// the one of that name, so its lock protects nothing.
func takeLock(name string, flags int) (*os.File, error) {
	f, err := os.OpenFile(name, os.O_RDWR|flags, 0o644)
	if err != nil {
		return nil, err
	}
	if err := flock(f); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	held, err := f.Stat()
	named, err2 := os.Stat(name)
	if err != nil || err2 != nil || !os.SameFile(held, named) {
		return nil, errors.Join(errTaken, f.Close())
	}
	return f, nil
}

// flock locks a file, or gives errTaken.
func flock(f *os.File) error {
	for {
		switch err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); {
		case err == nil:
			return nil
		case errors.Is(err, syscall.EWOULDBLOCK):
			return errTaken
		case !errors.Is(err, syscall.EINTR):
			return fmt.Errorf("lock %s, which needs a file system with locks, such as a local one: %w", f.Name(), err)
		}
	}
}
