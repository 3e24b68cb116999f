// Package memory keeps things in the process's own memory: a checkpoint store
// with a size cap, and the heap state backend. They are separate: the backend
// writes to any store, and the store takes the blobs of any backend.
//
// # Concurrency
//
// A store may be used by any number of goroutines. A backend is a value without
// state of its own.
//
// # What it does not guarantee
//
// The store ends with its process: a job survives failures of its subtasks with
// it, but no kill. Use dir for that.
package memory

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/weirflow/weir/persistence"
)

// DefaultMaxBytes is the cap of Store(0).
const DefaultMaxBytes = 256 << 20

// FullError says that an object did not fit under the store's cap.
type FullError struct {
	Key  string
	Max  int64 // the cap, in bytes
	Used int64 // bytes of the other objects, those being written included
	Need int64 // bytes of this object so far
}

func (e *FullError) Error() string {
	return fmt.Sprintf("memory store is full: %s needs %d bytes or more, %d of at most %d are used; retain fewer checkpoints, raise the cap (memory.Store), or use dir.Open",
		e.Key, e.Need, e.Used, e.Max)
}

// Store makes an empty checkpoint store that holds at most maxBytes of objects,
// those being written included; 0 means DefaultMaxBytes. What does not fit fails
// with a *FullError and leaves nothing.
func Store(maxBytes int64) persistence.CheckpointStore {
	if maxBytes == 0 {
		maxBytes = DefaultMaxBytes
	}
	return &store{max: maxBytes, objects: map[string][]byte{}}
}

type store struct {
	max int64

	mu      sync.Mutex
	objects map[string][]byte // a value is never changed, so readers need no lock
	used    int64             // bytes of objects and of writers at work
}

// Validate tells whether the cap makes sense.
func (s *store) Validate() error {
	if s.max < 0 {
		return fmt.Errorf("memory.Store: the cap is %d bytes; give a positive one, or 0 for %d", s.max, int64(DefaultMaxBytes))
	}
	return nil
}

func (s *store) String() string { return fmt.Sprintf("memory (at most %d bytes)", s.max) }

func (s *store) Put(ctx context.Context, key string, write func(io.Writer) error) error {
	if err := check(ctx, key, persistence.CheckKey); err != nil {
		return fmt.Errorf("memory.Put %s: %w", key, err)
	}
	w := &writer{store: s, key: key}
	if err := write(w); err != nil {
		s.release(w.buf.Len())
		return fmt.Errorf("memory.Put %s: %w", key, err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.used -= int64(len(s.objects[key]))
	s.objects[key] = w.buf.Bytes()
	return nil
}

func (s *store) PutIfAbsent(ctx context.Context, key string, data []byte) error {
	if err := check(ctx, key, persistence.CheckKey); err != nil {
		return fmt.Errorf("memory.PutIfAbsent %s: %w", key, err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := s.objects[key]; ok {
		return fmt.Errorf("memory.PutIfAbsent %s: %w", key, persistence.ErrExists)
	}
	if n := int64(len(data)); n > s.max-s.used {
		return &FullError{Key: key, Max: s.max, Used: s.used, Need: n}
	}
	s.used += int64(len(data))
	s.objects[key] = bytes.Clone(data)
	return nil
}

func (s *store) Open(ctx context.Context, key string) (io.ReadCloser, error) {
	if err := check(ctx, key, persistence.CheckKey); err != nil {
		return nil, fmt.Errorf("memory.Open %s: %w", key, err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	data, ok := s.objects[key]
	if !ok {
		return nil, fmt.Errorf("memory.Open %s: %w", key, persistence.ErrNotFound)
	}
	return reader{bytes.NewReader(data)}, nil
}

func (s *store) List(ctx context.Context, prefix string) ([]string, error) {
	if err := check(ctx, prefix, persistence.CheckPrefix); err != nil {
		return nil, fmt.Errorf("memory.List %s: %w", prefix, err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	keys := slices.Sorted(maps.Keys(s.objects))
	return slices.DeleteFunc(keys, func(key string) bool {
		return prefix != "" && !strings.HasPrefix(key, prefix+"/")
	}), nil
}

func (s *store) Delete(ctx context.Context, key string) error {
	if err := check(ctx, key, persistence.CheckKey); err != nil {
		return fmt.Errorf("memory.Delete %s: %w", key, err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.used -= int64(len(s.objects[key]))
	delete(s.objects, key)
	return nil
}

func check(ctx context.Context, key string, isValid func(string) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return isValid(key)
}

// reserve takes n bytes of the cap for a writer that holds `has` already.
func (s *store) reserve(key string, has, n int) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if int64(n) > s.max-s.used {
		return &FullError{Key: key, Max: s.max, Used: s.used - int64(has), Need: int64(has + n)}
	}
	s.used += int64(n)
	return nil
}

func (s *store) release(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.used -= int64(n)
}

// writer collects one object; its length is reserved in the store.
type writer struct {
	store *store
	key   string
	buf   bytes.Buffer
}

func (w *writer) Write(p []byte) (int, error) {
	if err := w.store.reserve(w.key, w.buf.Len(), len(p)); err != nil {
		return 0, err
	}
	return w.buf.Write(p)
}

// reader can seek, so that a restore skips the key groups of others.
type reader struct{ *bytes.Reader }

func (reader) Close() error { return nil }
