package persistencetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"sync"

	"github.com/weirflow/weir/persistence"
)

// Op is a method of a store.
type Op string

// The methods that can fail.
const (
	Put         Op = "Put"
	PutIfAbsent Op = "PutIfAbsent"
	Open        Op = "Open"
	List        Op = "List"
	Delete      Op = "Delete"
)

// Fault is what goes wrong in one call.
type Fault int

// The faults. Torn and Rotten break what a store promises; they stand for a
// broken disk, or for one that lied about fsync and lost its power.
const (
	None   Fault = iota
	Before       // an error, and nothing happened
	After        // an error, though it happened; a reader fails half way
	Torn         // an error, and the first half of the bytes is there
	Rotten       // no error, but one byte is another
)

// String names the fault.
func (f Fault) String() string {
	return [...]string{"none", "before", "after", "torn", "rotten"}[f]
}

// ErrInjected is wrapped by every error that a FaultyStore made up.
var ErrInjected = errors.New("injected fault")

// FaultyStore passes calls on to a store and spoils some of them.
type FaultyStore struct {
	persistence.CheckpointStore

	mu     sync.Mutex
	decide func(Op, string) Fault
	slow   func(Op, string)
	calls  map[Op]int
	faults map[Fault]int
}

// Faulty wraps store. For each call decide tells what goes wrong; see Script and
// Chance. A nil decide injects nothing.
func Faulty(store persistence.CheckpointStore, decide func(op Op, key string) Fault) *FaultyStore {
	return &FaultyStore{CheckpointStore: store, decide: decide, calls: map[Op]int{}, faults: map[Fault]int{}}
}

// Script spoils the first calls of op, one after the other as listed; the
// others go well.
func Script(op Op, faults ...Fault) func(Op, string) Fault {
	return func(o Op, _ string) Fault {
		if o != op || len(faults) == 0 {
			return None
		}
		f := faults[0]
		faults = faults[1:]
		return f
	}
}

// Rates are probabilities of faults, for each call, in 0..1.
type Rates struct {
	Before, After, Torn, Rotten float64
}

// Chance draws the fault of each call from rng. Torn and Rotten happen to
// writes only.
func Chance(rng *rand.Rand, r Rates) func(Op, string) Fault {
	return func(op Op, _ string) Fault {
		x := rng.Float64()
		for _, c := range []struct {
			rate  float64
			fault Fault
		}{{r.Before, Before}, {r.After, After}, {r.Torn, Torn}, {r.Rotten, Rotten}} {
			if x < c.rate {
				return c.fault.ifPossible(op)
			}
			x -= c.rate
		}
		return None
	}
}

func (f Fault) ifPossible(op Op) Fault {
	if writes := op == Put || op == PutIfAbsent; !writes && (f == Torn || f == Rotten) {
		return None
	}
	return f
}

// SetDecide replaces what tells the faults; nil injects nothing from now on.
func (s *FaultyStore) SetDecide(decide func(op Op, key string) Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.decide = decide
}

// SetSlow makes every call run slow first: it may wait in the way of its world,
// and let others go on.
func (s *FaultyStore) SetSlow(slow func(op Op, key string)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.slow = slow
}

// Calls counts the calls of op, spoilt ones included.
func (s *FaultyStore) Calls(op Op) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.calls[op]
}

// Faults counts how often f was injected.
func (s *FaultyStore) Faults(f Fault) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.faults[f]
}

// begin counts a call and decides about it. slow runs without the lock, and
// before the decision, so that whoever goes on meanwhile can change it.
func (s *FaultyStore) begin(op Op, key string) Fault {
	s.mu.Lock()
	slow := s.slow
	s.mu.Unlock()
	if slow != nil {
		slow(op, key)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls[op]++
	f := None
	if s.decide != nil {
		f = s.decide(op, key).ifPossible(op)
	}
	s.faults[f]++
	return f
}

func injected(f Fault, op Op, key string) error {
	return fmt.Errorf("%s %s: %w (%s)", op, key, ErrInjected, f)
}

// Put implements persistence.CheckpointStore.
func (s *FaultyStore) Put(ctx context.Context, key string, write func(io.Writer) error) error {
	f := s.begin(Put, key)
	if f == Before {
		return injected(f, Put, key)
	}
	if f == Torn || f == Rotten {
		write = spoilt(f, write)
	}
	return s.end(f, Put, key, s.CheckpointStore.Put(ctx, key, write))
}

// spoilt collects what write writes and spoils it.
func spoilt(f Fault, write func(io.Writer) error) func(io.Writer) error {
	return func(w io.Writer) error {
		var b bytes.Buffer
		if err := write(&b); err != nil {
			return err
		}
		_, err := w.Write(f.spoil(b.Bytes()))
		return err
	}
}

func (f Fault) spoil(data []byte) []byte {
	switch {
	case f == Torn:
		return data[:len(data)/2]
	case f == Rotten && len(data) > 0:
		data = bytes.Clone(data)
		data[len(data)/2] ^= 0x20
	}
	return data
}

// PutIfAbsent implements persistence.CheckpointStore.
func (s *FaultyStore) PutIfAbsent(ctx context.Context, key string, data []byte) error {
	f := s.begin(PutIfAbsent, key)
	if f == Before {
		return injected(f, PutIfAbsent, key)
	}
	return s.end(f, PutIfAbsent, key, s.CheckpointStore.PutIfAbsent(ctx, key, f.spoil(data)))
}

// end gives the error of a call that took place.
func (s *FaultyStore) end(f Fault, op Op, key string, err error) error {
	if err == nil && (f == After || f == Torn) {
		return injected(f, op, key)
	}
	return err
}

// Open implements persistence.CheckpointStore.
func (s *FaultyStore) Open(ctx context.Context, key string) (io.ReadCloser, error) {
	f := s.begin(Open, key)
	if f == Before {
		return nil, injected(f, Open, key)
	}
	r, err := s.CheckpointStore.Open(ctx, key)
	if err != nil || f != After {
		return r, err
	}
	data, err := io.ReadAll(r)
	if err := errors.Join(err, r.Close()); err != nil {
		return nil, err
	}
	return io.NopCloser(io.MultiReader(bytes.NewReader(data[:len(data)/2]), failing{injected(f, Open, key)})), nil
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

// List implements persistence.CheckpointStore.
func (s *FaultyStore) List(ctx context.Context, prefix string) ([]string, error) {
	if f := s.begin(List, prefix); f != None {
		return nil, injected(f, List, prefix)
	}
	return s.CheckpointStore.List(ctx, prefix)
}

// Delete implements persistence.CheckpointStore.
func (s *FaultyStore) Delete(ctx context.Context, key string) error {
	f := s.begin(Delete, key)
	if f == Before {
		return injected(f, Delete, key)
	}
	return s.end(f, Delete, key, s.CheckpointStore.Delete(ctx, key))
}
