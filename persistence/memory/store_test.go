package memory

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/weirflow/weir/messages"
	"github.com/weirflow/weir/persistence"
	"github.com/weirflow/weir/persistence/persistencetest"
)

func TestStore(t *testing.T) {
	persistencetest.Store(t, func(testing.TB) persistence.CheckpointStore { return Store(0) })
}

func put(t *testing.T, s persistence.CheckpointStore, key string, pieces ...int) error {
	return s.Put(t.Context(), key, func(w io.Writer) error {
		for _, n := range pieces {
			if _, err := w.Write(make([]byte, n)); err != nil {
				return err
			}
		}
		return nil
	})
}

// S90: the cap is enforced, with an error that names cap, size and remedy, and
// what does not fit leaves nothing and takes no room.
func TestS90_CapIsEnforced(t *testing.T) {
	s := Store(1000)
	mustNot := func(err error, want string) {
		t.Helper()
		if full := (*FullError)(nil); !errors.As(err, &full) || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v; want a FullError: %s", err, want)
		}
	}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Error(err)
		}
	}
	must(put(t, s, "a/1", 300, 300))
	mustNot(put(t, s, "a/2", 300, 101),
		"memory store is full: a/2 needs 401 bytes or more, 600 of at most 1000 are used; retain fewer checkpoints, raise the cap (memory.Store), or use dir.Open")
	mustNot(s.PutIfAbsent(t.Context(), "a/slot", make([]byte, 401)), "a/slot needs 401 bytes or more, 600 of at most 1000 are used")
	must(put(t, s, "a/2", 300, 100))
	mustNot(s.PutIfAbsent(t.Context(), "a/slot", []byte{1}), "a/slot needs 1 bytes or more, 1000 of at most 1000 are used")
	mustNot(put(t, s, "a/2", 1), "a/2 needs 1 bytes or more") // the old one is kept until the new one is whole
	must(s.Delete(t.Context(), "a/1"))
	must(s.Delete(t.Context(), "a/1"))
	must(put(t, s, "a/2", 500)) // 400 are replaced
	must(put(t, s, "a/3", 500))
	mustNot(put(t, s, "a/4", 1), "1000 of at most 1000 are used")
	keys, err := s.List(t.Context(), "")
	if want := "[a/2 a/3]"; err != nil || fmt.Sprint(keys) != want {
		t.Errorf("the store holds %v, %v; want %s", keys, err, want)
	}
}

// S90: a snapshot that does not fit fails with that error and leaves nothing.
func TestS90_SnapshotBeyondCap(t *testing.T) {
	s := Store(64 << 10)
	states := []persistence.NamedFrozen{{Schema: &messages.StateSchema{Name: "sum"}, Frozen: large{}}}
	_, err := Backend().Snapshot(t.Context(), s, "job/data/1.1/sum.0.", messages.KeyGroupRange{From: 0, To: 4}, states)
	if full := (*FullError)(nil); !errors.As(err, &full) || full.Max != 64<<10 || full.Used != 0 || !strings.Contains(err.Error(), "job/data/1.1/sum.0.state") {
		t.Errorf("Snapshot = %v; want a FullError that names the blob", err)
	}
	if keys, err := s.List(t.Context(), ""); err != nil || len(keys) > 0 {
		t.Errorf("the store holds %v, %v; want nothing", keys, err)
	}
	if err := put(t, s, "all", 64<<10); err != nil {
		t.Errorf("the failed snapshot still takes room: %v", err)
	}
}

// large is 100 kB in every key group.
type large struct{ persistence.Frozen }

func (large) WriteGroup(_ messages.KeyGroup, w io.Writer) (int, error) {
	_, err := w.Write(make([]byte, 100_000))
	return 1, err
}

func TestValidate(t *testing.T) {
	err := Store(-1).(persistence.Validator).Validate()
	if want := "memory.Store: the cap is -1 bytes; give a positive one, or 0 for 268435456"; err == nil || err.Error() != want {
		t.Errorf("Validate = %v; want %s", err, want)
	}
}

func ExampleStore() {
	s := Store(1 << 20)
	fmt.Println(s)
	// Output: memory (at most 1048576 bytes)
}

func ExampleBackend() {
	fmt.Println(Backend().Name())
	// Output: memory
}
