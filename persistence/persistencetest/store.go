package persistencetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/weirflow/weir/persistence"
)

// Store holds a checkpoint store to its contract. open gives a new, empty one.
func Store(t *testing.T, open func(t testing.TB) persistence.CheckpointStore) {
	for _, c := range []struct {
		name string
		run  func(*storeSuite)
	}{
		{"put and open", (*storeSuite).putAndOpen},
		{"put replaces", (*storeSuite).putReplaces},
		{"a failed write leaves nothing", (*storeSuite).failedWrite},
		{"nothing is seen before it is whole", (*storeSuite).unseenBeforeWhole},
		{"put if absent", (*storeSuite).putIfAbsent},
		{"one of many goroutines wins", (*storeSuite).oneWinner},
		{"list is sorted and goes by segments", (*storeSuite).list},
		{"delete is idempotent", (*storeSuite).deleteTwice},
		{"bad keys are refused by name", (*storeSuite).badKeys},
		{"every allowed key works", (*storeSuite).goodKeys},
		{"a missing object is told by name", (*storeSuite).missing},
		{"a cancelled context stops a call before it starts", (*storeSuite).cancelled},
		{"large objects stream", (*storeSuite).large},
		{"folders may come and go under concurrent use", (*storeSuite).comeAndGo},
		{"it is usable", (*storeSuite).usable},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.run(&storeSuite{T: t, store: open(t), ctx: t.Context()})
		})
	}
}

type storeSuite struct {
	*testing.T
	store persistence.CheckpointStore
	ctx   context.Context
}

func (s *storeSuite) putAndOpen() {
	for _, data := range []string{"hello", "", strings.Repeat("x", 100_000)} {
		s.put("a/b", data)
		s.wantObject("a/b", data)
	}
	s.wantKeys("", "a/b")
}

func (s *storeSuite) putReplaces() {
	s.put("a/b", "a long first object")
	s.put("a/b", "second")
	s.wantObject("a/b", "second")
	s.wantKeys("", "a/b")
}

func (s *storeSuite) failedWrite() {
	broken := errors.New("the state broke")
	fail := func(w io.Writer) error { return errors.Join(s.write(w, "half"), broken) }
	for range 2 {
		if err := s.store.Put(s.ctx, "a/new", fail); !errors.Is(err, broken) || !strings.Contains(fmt.Sprint(err), "a/new") {
			s.Errorf("Put with a failing write = %v; want its error, and the key", err)
		}
	}
	s.put("a/old", "old")
	if err := s.store.Put(s.ctx, "a/old", fail); !errors.Is(err, broken) {
		s.Errorf("Put with a failing write = %v; want its error", err)
	}
	s.wantObject("a/old", "old")
	s.wantKeys("", "a/old")
}

func (s *storeSuite) unseenBeforeWhole() {
	s.put("a/old", "old")
	for _, key := range []string{"a/old", "a/new"} {
		s.must(s.store.Put(s.ctx, key, func(w io.Writer) error {
			err := s.write(w, strings.Repeat("new", 1<<17))
			s.wantKeys("", "a/old")
			s.wantObject("a/old", "old")
			return err
		}))
		s.put("a/old", "old")
	}
	s.wantKeys("", "a/new", "a/old")
}

func (s *storeSuite) putIfAbsent() {
	s.must(s.store.PutIfAbsent(s.ctx, "a/slot", []byte("first")))
	err := s.store.PutIfAbsent(s.ctx, "a/slot", []byte("second"))
	if !errors.Is(err, persistence.ErrExists) || !strings.Contains(fmt.Sprint(err), "a/slot") {
		s.Errorf("second PutIfAbsent = %v; want ErrExists and the key", err)
	}
	s.wantObject("a/slot", "first")
	s.put("a/put", "x")
	if err := s.store.PutIfAbsent(s.ctx, "a/put", nil); !errors.Is(err, persistence.ErrExists) {
		s.Errorf("PutIfAbsent behind Put = %v; want ErrExists", err)
	}
	s.must(s.store.Delete(s.ctx, "a/slot"))
	s.must(s.store.PutIfAbsent(s.ctx, "a/slot", []byte("third")))
	s.wantObject("a/slot", "third")
	s.wantKeys("a", "a/put", "a/slot")
}

func (s *storeSuite) oneWinner() {
	const goroutines, slots = 8, 10
	var wins [slots][goroutines]bool
	s.parallel(goroutines, func(g int) error {
		for slot := range slots {
			err := s.store.PutIfAbsent(s.ctx, fmt.Sprintf("job/log/%d", slot), fmt.Appendf(nil, "by %d", g))
			if err != nil && !errors.Is(err, persistence.ErrExists) {
				return err
			}
			wins[slot][g] = err == nil
		}
		return nil
	})
	for slot, w := range wins {
		winner := slices.Index(w[:], true)
		if winner < 0 || slices.Contains(w[winner+1:], true) {
			s.Fatalf("slot %d: winners %v; want exactly one", slot, w)
		}
		s.wantObject(fmt.Sprintf("job/log/%d", slot), fmt.Sprintf("by %d", winner))
	}
}

func (s *storeSuite) list() {
	s.wantKeys("")
	s.wantKeys("a")
	for _, key := range []string{"b/2", "a/x/2", "a/x/1", "a-b/1", "ab/1", "b/10", "a/y"} {
		s.put(key, key)
	}
	s.wantKeys("", "a-b/1", "a/x/1", "a/x/2", "a/y", "ab/1", "b/10", "b/2")
	s.wantKeys("a", "a/x/1", "a/x/2", "a/y")
	s.wantKeys("a/x", "a/x/1", "a/x/2")
	s.wantKeys("a/y")
	s.wantKeys("b/1")
	s.wantKeys("c/d/e")
}

func (s *storeSuite) deleteTwice() {
	s.must(s.store.Delete(s.ctx, "a/b/c"))
	s.put("a/b/c", "x")
	s.put("a/b/d", "y")
	s.must(s.store.Delete(s.ctx, "a/b/c"))
	s.must(s.store.Delete(s.ctx, "a/b/c"))
	s.wantKeys("", "a/b/d")
	s.must(s.store.Delete(s.ctx, "a/b/d"))
	s.must(s.store.Delete(s.ctx, "a/b"))
	s.wantKeys("")
	s.put("a/b/d", "again")
	s.wantObject("a/b/d", "again")
}

func (s *storeSuite) badKeys() {
	for _, key := range []string{"", "/a", "a/", "a//b", "..", "../a", "a/../b", "a/.", "a b", "~a", `a\b`, "a\x00b", "ä", strings.Repeat("a", 201)} {
		quoted := fmt.Sprintf("%q", key)
		for op, err := range s.eachOp(s.ctx, key) {
			if op == List && key == "" {
				continue
			}
			if err == nil || !strings.Contains(err.Error(), quoted) {
				s.Errorf("%s with key %s: %v; want an error that names the key", op, quoted, err)
			}
		}
	}
	s.wantKeys("")
}

func (s *storeSuite) goodKeys() {
	keys := []string{"A.b-c_d:e=f/0", "a.b-c_d:e=f/.hidden", "job/..x/-", strings.Repeat("k", 200) + "/" + strings.Repeat("l", 200)}
	for _, key := range keys {
		s.put(key, key)
	}
	for _, key := range keys {
		s.wantObject(key, key)
	}
	slices.Sort(keys)
	s.wantKeys("", keys...)
}

func (s *storeSuite) missing() {
	s.put("a/b", "x")
	for _, key := range []string{"a/c", "b", "a"} {
		_, err := s.store.Open(s.ctx, key)
		if !errors.Is(err, persistence.ErrNotFound) || !strings.Contains(fmt.Sprint(err), key) {
			s.Errorf("Open of %q = %v; want ErrNotFound and the key", key, err)
		}
	}
}

func (s *storeSuite) cancelled() {
	s.put("a/b", "x")
	ctx, cancel := context.WithCancel(s.ctx)
	cancel()
	for op, err := range s.eachOp(ctx, "a/new") {
		if !errors.Is(err, context.Canceled) {
			s.Errorf("%s with a cancelled context = %v; want context.Canceled", op, err)
		}
	}
	if err := s.store.Delete(ctx, "a/b"); !errors.Is(err, context.Canceled) {
		s.Errorf("Delete with a cancelled context = %v; want context.Canceled", err)
	}
	s.wantKeys("", "a/b")
}

// eachOp makes one call of each kind with key.
func (s *storeSuite) eachOp(ctx context.Context, key string) map[Op]error {
	r, oerr := s.store.Open(ctx, key)
	if oerr == nil {
		s.must(r.Close())
	}
	_, lerr := s.store.List(ctx, key)
	return map[Op]error{
		Put:         s.store.Put(ctx, key, func(w io.Writer) error { return s.write(w, "x") }),
		PutIfAbsent: s.store.PutIfAbsent(ctx, key, []byte("x")),
		Open:        oerr,
		List:        lerr,
		Delete:      s.store.Delete(ctx, key),
	}
}

func (s *storeSuite) large() {
	const pieces, piece = 100, 100_003
	want := fnv.New64a()
	s.must(s.store.Put(s.ctx, "a/large", func(w io.Writer) error {
		for i := range pieces {
			p := bytes.Repeat([]byte{byte(i)}, piece)
			want.Write(p)
			if err := s.write(w, string(p)); err != nil {
				return err
			}
		}
		return nil
	}))
	r, err := s.store.Open(s.ctx, "a/large")
	s.must(err)
	got := fnv.New64a()
	n, err := io.Copy(got, r)
	s.must(errors.Join(err, r.Close()))
	if n != pieces*piece || got.Sum64() != want.Sum64() {
		s.Errorf("read %d bytes with hash %x; want %d with %x", n, got.Sum64(), pieces*piece, want.Sum64())
	}
}

// comeAndGo puts and deletes the only object of a folder from several sides.
func (s *storeSuite) comeAndGo() {
	s.parallel(4, func(g int) error {
		key := fmt.Sprintf("a/b/%d", g)
		for range 10 {
			if err := s.store.Put(s.ctx, key, func(w io.Writer) error { return s.write(w, key) }); err != nil {
				return err
			}
			keys, err := s.store.List(s.ctx, "a")
			if err != nil || !slices.Contains(keys, key) {
				return fmt.Errorf("%s is not listed in %v after Put: %w", key, keys, err)
			}
			if err := s.store.Delete(s.ctx, key); err != nil {
				return err
			}
		}
		return nil
	})
	s.wantKeys("")
}

func (s *storeSuite) usable() {
	if s.store.String() == "" {
		s.Error("String is empty; want a name for people")
	}
	if v, ok := s.store.(persistence.Validator); ok {
		s.must(v.Validate())
		s.must(v.Validate())
	}
	s.wantKeys("")
}

// parallel runs n goroutines and waits for them.
func (s *storeSuite) parallel(n int, run func(g int) error) {
	s.Helper()
	var wg sync.WaitGroup
	errs := make([]error, n)
	for g := range n {
		wg.Go(func() { errs[g] = run(g) })
	}
	wg.Wait()
	s.must(errors.Join(errs...))
}

func (s *storeSuite) write(w io.Writer, data string) error {
	n, err := io.WriteString(w, data)
	if err == nil && n != len(data) {
		s.Errorf("wrote %d of %d bytes without an error", n, len(data))
	}
	return err
}

func (s *storeSuite) put(key, data string) {
	s.Helper()
	s.must(s.store.Put(s.ctx, key, func(w io.Writer) error { return s.write(w, data) }))
}

func (s *storeSuite) wantObject(key, want string) {
	s.Helper()
	r, err := s.store.Open(s.ctx, key)
	s.must(err)
	got, err := io.ReadAll(r)
	s.must(errors.Join(err, r.Close()))
	if string(got) != want {
		s.Errorf("%s holds %d bytes %.40q; want %d bytes %.40q", key, len(got), got, len(want), want)
	}
}

func (s *storeSuite) wantKeys(prefix string, want ...string) {
	s.Helper()
	got, err := s.store.List(s.ctx, prefix)
	s.must(err)
	if !slices.Equal(got, want) {
		s.Errorf("List(%q) = %q; want %q", prefix, got, want)
	}
}

func (s *storeSuite) must(err error) {
	s.Helper()
	if err != nil {
		s.Fatal(err)
	}
}
