package persistencetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"

	"github.com/cespare/xxhash/v2"

	"github.com/weirflow/weir/messages"
	"github.com/weirflow/weir/persistence"
)

// Backend holds a state backend to its contract. open gives a new backend,
// newStore an empty checkpoint store.
func Backend(t *testing.T, open func(t testing.TB) persistence.Backend, newStore func(t testing.TB) persistence.CheckpointStore) {
	for _, c := range []struct {
		name string
		run  func(*backendSuite)
	}{
		{"a restore gives what was frozen", (*backendSuite).roundTrip},
		{"key groups move whole to any parallelism", (*backendSuite).rescale},
		{"blobs lie below their prefix, with size and checksum", (*backendSuite).blobs},
		{"S106: a checkpoint moves to another store", (*backendSuite).movesToOtherStore},
		{"S105: a blob that is damaged is told before it is used", (*backendSuite).damaged},
		{"S105: a blob that is missing is told", (*backendSuite).missingBlob},
		{"a retyped state is told", (*backendSuite).retyped},
		{"a state that is gone is told", (*backendSuite).undeclared},
		{"a new state stays empty", (*backendSuite).newState},
		{"a state that cannot be written leaves no checkpoint", (*backendSuite).unwritable},
		{"the store's errors are not taken for damage", (*backendSuite).storeErrors},
		{"a cancelled context ends a snapshot and a restore", (*backendSuite).cancelled},
		{"it does not release what it is given", (*backendSuite).doesNotRelease},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.run(&backendSuite{T: t, backend: open(t), store: newStore(t), newStore: newStore, rng: rand.New(rand.NewPCG(1, 2))})
		})
	}
}

const groups = 16 // max parallelism of most parts of the suite

type backendSuite struct {
	*testing.T
	backend  persistence.Backend
	store    persistence.CheckpointStore
	newStore func(t testing.TB) persistence.CheckpointStore
	rng      *rand.Rand
}

// whole is the range of all key groups.
var whole = messages.KeyGroupRange{From: 0, To: groups}

func (s *backendSuite) random(name string, entries, maxParallelism int) *words {
	w := newWords(name)
	for range entries {
		w.set(maxParallelism, fmt.Sprint("key ", s.rng.IntN(10*entries)), strings.Repeat("v", s.rng.IntN(50)))
	}
	return w
}

func prefix(index int) string { return persistence.BlobPrefix("job", 1, 1, "operator", index) }

func freeze(states ...*words) []persistence.NamedFrozen {
	var frozen []persistence.NamedFrozen
	for _, w := range states {
		frozen = append(frozen, persistence.NamedFrozen{Schema: w.schema, Frozen: w.Freeze()})
	}
	return frozen
}

func (s *backendSuite) snapshot(index int, r messages.KeyGroupRange, states ...*words) []*messages.Blob {
	s.Helper()
	blobs, err := s.backend.Snapshot(s.Context(), s.store, prefix(index), r, freeze(states...))
	if err != nil {
		s.Fatal(err)
	}
	return blobs
}

func (s *backendSuite) restore(store persistence.CheckpointStore, blobs []*messages.Blob, r messages.KeyGroupRange, states ...*words) error {
	var erased []persistence.State
	for _, w := range states {
		erased = append(erased, w)
	}
	return s.backend.Restore(s.Context(), store, blobs, r, erased)
}

func (s *backendSuite) wantEqual(got, want *words) {
	s.Helper()
	if !reflect.DeepEqual(got.groups, want.groups) {
		s.Errorf("state %s has %d entries, %d were frozen, or they differ", want.schema.Name, got.Len(), want.Len())
	}
}

func (s *backendSuite) roundTrip() {
	sums, names, none := s.random("sums", 3000, groups), s.random("names", 100, groups), newWords("none")
	sums.setIn(3, "large", strings.Repeat("0123456789", 100_000))
	blobs := s.snapshot(0, whole, sums, names, none)
	gotNone, gotNames, gotSums := newWords("none"), newWords("names"), newWords("sums")
	if err := s.restore(s.store, blobs, whole, gotNone, gotNames, gotSums); err != nil {
		s.Fatal(err)
	}
	s.wantEqual(gotSums, sums)
	s.wantEqual(gotNames, names)
	s.wantEqual(gotNone, none)
	if blobs, err := s.backend.Snapshot(s.Context(), s.store, prefix(1), whole, nil); err != nil || len(blobs) > 0 {
		s.Errorf("a snapshot of no states = %v, %v; want no blobs", blobs, err)
	}
}

func (s *backendSuite) rescale() {
	for _, p := range [][3]int{{1, 1, 1}, {1, 3, 5}, {3, 2, 7}, {2, 4, 128}, {5, 1, 6}, {4, 4, 4}} {
		was, now, maxParallelism := p[0], p[1], p[2]
		all := [2]*words{s.random("a", 500, maxParallelism), s.random("b", 20, maxParallelism)}
		all[0].setIn(0, "large", strings.Repeat("x", 1<<20)) // worth seeking over
		var blobs []*messages.Blob
		for i := range was {
			r := messages.KeyGroupsOf(i, was, maxParallelism)
			blobs = append(blobs, s.snapshot(i, r, all[0].within(r), all[1].within(r))...)
		}
		for i := range now {
			r := messages.KeyGroupsOf(i, now, maxParallelism)
			a, b := newWords("a"), newWords("b")
			if err := s.restore(s.store, blobs, r, a, b); err != nil {
				s.Fatalf("%d -> %d of %d groups, subtask %d: %v", was, now, maxParallelism, i, err)
			}
			s.wantEqual(a, all[0].within(r))
			s.wantEqual(b, all[1].within(r))
		}
	}
}

func (s *backendSuite) blobs() {
	blobs := s.snapshot(7, whole, s.random("a", 500, groups))
	if len(blobs) == 0 {
		s.Fatal("no blobs")
	}
	for _, b := range blobs {
		data := s.read(s.store, b.Key)
		if !strings.HasPrefix(b.Key, prefix(7)) || b.Size != uint64(len(data)) || b.Checksum != xxhash.Sum64(data) {
			s.Errorf("blob %v is not below %s, or does not tell its %d bytes with checksum %x", b, prefix(7), len(data), xxhash.Sum64(data))
		}
	}
}

func (s *backendSuite) movesToOtherStore() {
	want := s.random("a", 500, groups)
	blobs := s.snapshot(0, whole, want)
	other := s.newStore(s.T)
	for _, b := range blobs {
		s.write(other, b.Key, s.read(s.store, b.Key))
		if err := s.store.Delete(s.Context(), b.Key); err != nil {
			s.Fatal(err)
		}
	}
	got := newWords("a")
	if err := s.restore(other, blobs, whole, got); err != nil {
		s.Fatal(err)
	}
	s.wantEqual(got, want)
}

// damaged flips, cuts and appends bytes all over a blob.
func (s *backendSuite) damaged() {
	blobs := s.snapshot(0, whole, s.random("a", 50, groups))
	for _, b := range blobs {
		good := s.read(s.store, b.Key)
		for i := range good {
			bad := bytes.Clone(good)
			bad[i] ^= 1 << (i % 8)
			s.wantCorrupt(blobs, b, bad, fmt.Sprintf("byte %d flipped", i))
		}
		for _, n := range []int{0, 1, len(good) / 2, len(good) - 1} {
			s.wantCorrupt(blobs, b, good[:n], fmt.Sprintf("cut to %d bytes", n))
		}
		s.wantCorrupt(blobs, b, append(bytes.Clone(good), 0), "a byte appended")
	}
}

func (s *backendSuite) wantCorrupt(blobs []*messages.Blob, b *messages.Blob, bad []byte, how string) {
	s.Helper()
	err := s.restore(damagedStore{s.store, b.Key, bad}, blobs, whole, newWords("a"))
	if corrupt := (*persistence.CorruptError)(nil); !errors.As(err, &corrupt) || corrupt.Key != b.Key {
		s.Fatalf("%s of %d: restore = %v; want a CorruptError of %s", how, b.Size, err, b.Key)
	}
}

// damagedStore has other bytes under one key.
type damagedStore struct {
	persistence.CheckpointStore
	key string
	bad []byte
}

func (d damagedStore) Open(ctx context.Context, key string) (io.ReadCloser, error) {
	if key == d.key {
		return io.NopCloser(bytes.NewReader(d.bad)), nil
	}
	return d.CheckpointStore.Open(ctx, key)
}

func (s *backendSuite) missingBlob() {
	blobs := s.snapshot(0, whole, s.random("a", 50, groups))
	if err := s.store.Delete(s.Context(), blobs[0].Key); err != nil {
		s.Fatal(err)
	}
	err := s.restore(s.store, blobs, whole, newWords("a"))
	if corrupt := (*persistence.CorruptError)(nil); !errors.As(err, &corrupt) || corrupt.Key != blobs[0].Key {
		s.Errorf("restore = %v; want a CorruptError of %s", err, blobs[0].Key)
	}
}

func (s *backendSuite) retyped() {
	blobs := s.snapshot(0, whole, s.random("b", 10, groups), s.random("a", 10, groups))
	now := newWords("a")
	now.schema = &messages.StateSchema{Name: "a", Kind: "value", Key: "string", Value: "int64"}
	b := newWords("b")
	s.wantSchemaError(s.restore(s.store, blobs, whole, b, now), "state a was written as value<string, string> but is declared as value<string, int64>")
	if b.Len() > 0 {
		s.Error("a state was filled although another has other types")
	}
}

func (s *backendSuite) undeclared() {
	blobs := s.snapshot(0, whole, s.random("a", 10, groups), s.random("b", 10, groups))
	s.wantSchemaError(s.restore(s.store, blobs, whole, newWords("a")), "state b is in the checkpoint but not in the topology")
}

func (s *backendSuite) wantSchemaError(err error, text string) {
	s.Helper()
	if schema := (*persistence.SchemaError)(nil); !errors.As(err, &schema) || !strings.Contains(err.Error(), text) {
		s.Errorf("restore = %v; want a SchemaError: %s", err, text)
	}
}

func (s *backendSuite) newState() {
	a := s.random("a", 10, groups)
	blobs := s.snapshot(0, whole, a)
	gotA, fresh := newWords("a"), newWords("fresh")
	if err := s.restore(s.store, blobs, whole, fresh, gotA); err != nil {
		s.Fatal(err)
	}
	s.wantEqual(gotA, a)
	s.wantEqual(fresh, newWords("fresh"))
}

func (s *backendSuite) unwritable() {
	broken := errors.New("the codec broke")
	frozen := freeze(s.random("a", 10, groups))
	frozen[0].Frozen.(*frozenWords).fail = broken
	_, err := s.backend.Snapshot(s.Context(), s.store, prefix(0), whole, frozen)
	if !errors.Is(err, broken) || !strings.Contains(err.Error(), `"a"`) {
		s.Errorf("Snapshot = %v; want the state's error, and its name", err)
	}
	if keys, err := s.store.List(s.Context(), ""); err != nil || len(keys) > 0 {
		s.Errorf("the store holds %v, %v; want nothing", keys, err)
	}
}

func (s *backendSuite) storeErrors() {
	faulty := Faulty(s.store, Script(Put, Before))
	if _, err := s.backend.Snapshot(s.Context(), faulty, prefix(0), whole, freeze(newWords("a"))); !errors.Is(err, ErrInjected) {
		s.Errorf("Snapshot = %v; want the store's error", err)
	}
	blobs := s.snapshot(0, whole, s.random("a", 100, groups))
	for _, f := range []Fault{Before, After} {
		err := s.restore(Faulty(s.store, Script(Open, f)), blobs, whole, newWords("a"))
		if corrupt := (*persistence.CorruptError)(nil); !errors.Is(err, ErrInjected) || errors.As(err, &corrupt) {
			s.Errorf("Restore with a fault %s = %v; want the store's error, not a CorruptError", f, err)
		}
	}
	rotten := Faulty(s.newStore(s.T), Script(Put, Rotten))
	blobs, err := s.backend.Snapshot(s.Context(), rotten, prefix(0), whole, freeze(s.random("a", 100, groups)))
	if err != nil {
		s.Fatal(err)
	}
	err = s.restore(rotten, blobs, whole, newWords("a"))
	if corrupt := (*persistence.CorruptError)(nil); !errors.As(err, &corrupt) {
		s.Errorf("Restore of rotten bytes = %v; want a CorruptError", err)
	}
}

func (s *backendSuite) cancelled() {
	blobs := s.snapshot(0, whole, s.random("a", 10, groups))
	ctx, cancel := context.WithCancel(s.Context())
	cancel()
	if _, err := s.backend.Snapshot(ctx, s.store, prefix(1), whole, freeze(newWords("a"))); !errors.Is(err, context.Canceled) {
		s.Errorf("Snapshot = %v; want context.Canceled", err)
	}
	if err := s.backend.Restore(ctx, s.store, blobs, whole, []persistence.State{newWords("a")}); !errors.Is(err, context.Canceled) {
		s.Errorf("Restore = %v; want context.Canceled", err)
	}
}

func (s *backendSuite) doesNotRelease() {
	frozen := freeze(s.random("a", 10, groups))
	if _, err := s.backend.Snapshot(s.Context(), s.store, prefix(0), whole, frozen); err != nil {
		s.Fatal(err)
	}
	if n := frozen[0].Frozen.(*frozenWords).released; n != 0 {
		s.Errorf("Snapshot released the frozen state %d times; that is its caller's to do", n)
	}
}

func (s *backendSuite) read(store persistence.CheckpointStore, key string) []byte {
	s.Helper()
	r, err := store.Open(s.Context(), key)
	if err != nil {
		s.Fatal(err)
	}
	data, err := io.ReadAll(r)
	if err := errors.Join(err, r.Close()); err != nil {
		s.Fatal(err)
	}
	return data
}

func (s *backendSuite) write(store persistence.CheckpointStore, key string, data []byte) {
	s.Helper()
	err := store.Put(s.Context(), key, func(w io.Writer) error {
		_, err := w.Write(data)
		return err
	})
	if err != nil {
		s.Fatal(err)
	}
}
