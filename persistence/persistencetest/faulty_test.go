package persistencetest_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/weirflow/weir/persistence"
	"github.com/weirflow/weir/persistence/memory"
	"github.com/weirflow/weir/persistence/persistencetest"
)

var ctx = context.Background()

func write(data string) func(io.Writer) error {
	return func(w io.Writer) error {
		_, err := io.WriteString(w, data)
		return err
	}
}

// content is what a store holds under a key, or "-".
func content(t *testing.T, s persistence.CheckpointStore, key string) string {
	t.Helper()
	r, err := s.Open(ctx, key)
	if errors.Is(err, persistence.ErrNotFound) {
		return "-"
	}
	if err != nil {
		t.Fatal(err)
	}
	data, err := io.ReadAll(r)
	if err := errors.Join(err, r.Close()); err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func TestFaultyWithoutFaultsIsAStore(t *testing.T) {
	persistencetest.Store(t, func(testing.TB) persistence.CheckpointStore {
		return persistencetest.Faulty(memory.Store(0), nil)
	})
}

// Each fault has its effect on the store, and its error.
func TestFaults(t *testing.T) {
	none, before, after, torn, rotten := persistencetest.None, persistencetest.Before, persistencetest.After, persistencetest.Torn, persistencetest.Rotten
	for _, c := range []struct {
		op    persistencetest.Op
		fault persistencetest.Fault
		fails bool
		want  string // of "job/x", which was "old" unless PutIfAbsent is called
	}{
		{persistencetest.Put, none, false, "newnew"},
		{persistencetest.Put, before, true, "old"},
		{persistencetest.Put, after, true, "newnew"},
		{persistencetest.Put, torn, true, "new"},
		{persistencetest.Put, rotten, false, "newNew"},
		{persistencetest.PutIfAbsent, before, true, "-"},
		{persistencetest.PutIfAbsent, after, true, "newnew"},
		{persistencetest.PutIfAbsent, torn, true, "new"},
		{persistencetest.PutIfAbsent, rotten, false, "newNew"},
		{persistencetest.Delete, before, true, "old"},
		{persistencetest.Delete, after, true, "-"},
		{persistencetest.Delete, torn, false, "-"}, // a delete cannot tear
		{persistencetest.Open, before, true, "old"},
		{persistencetest.Open, after, true, "old"},
		{persistencetest.List, before, true, "old"},
		{persistencetest.List, after, true, "old"},
	} {
		plain := memory.Store(0)
		if c.op != persistencetest.PutIfAbsent {
			if err := plain.Put(ctx, "job/x", write("old")); err != nil {
				t.Fatal(err)
			}
		}
		s := persistencetest.Faulty(plain, persistencetest.Script(c.op, c.fault))
		err := call(s, c.op)
		if errors.Is(err, persistencetest.ErrInjected) != c.fails || (err != nil) != c.fails {
			t.Errorf("%s with a fault %s = %v; want an error: %v", c.op, c.fault, err, c.fails)
		}
		if got := content(t, plain, "job/x"); got != c.want {
			t.Errorf("%s with a fault %s leaves %q; want %q", c.op, c.fault, got, c.want)
		}
		if s.Calls(c.op) != 1 || c.fails && s.Faults(c.fault) != 1 {
			t.Errorf("%s with a fault %s: counted %d calls, %d faults", c.op, c.fault, s.Calls(c.op), s.Faults(c.fault))
		}
		if err := call(s, c.op); errors.Is(err, persistencetest.ErrInjected) {
			t.Errorf("%s fails again behind the end of the script: %v", c.op, err)
		}
	}
}

func call(s persistence.CheckpointStore, op persistencetest.Op) error {
	switch op {
	case persistencetest.Put:
		return s.Put(ctx, "job/x", write("newnew"))
	case persistencetest.PutIfAbsent:
		return s.PutIfAbsent(ctx, "job/x", []byte("newnew"))
	case persistencetest.Delete:
		return s.Delete(ctx, "job/x")
	case persistencetest.List:
		_, err := s.List(ctx, "job")
		return err
	default:
		r, err := s.Open(ctx, "job/x")
		if err != nil {
			return err
		}
		_, err = io.ReadAll(r)
		return errors.Join(err, r.Close())
	}
}

// An error of the store itself is passed on as it is.
func TestFaultyPassesErrorsOn(t *testing.T) {
	for _, f := range []persistencetest.Fault{persistencetest.None, persistencetest.After, persistencetest.Torn} {
		s := persistencetest.Faulty(memory.Store(0), persistencetest.Script(persistencetest.PutIfAbsent, persistencetest.None, f))
		if err := s.PutIfAbsent(ctx, "a", []byte("x")); err != nil {
			t.Fatal(err)
		}
		if err := s.PutIfAbsent(ctx, "a", []byte("y")); !errors.Is(err, persistence.ErrExists) || errors.Is(err, persistencetest.ErrInjected) {
			t.Errorf("with a fault %s: %v; want ErrExists", f, err)
		}
	}
}

// One seed is one sequence of faults, each as often as its rate says.
func TestChanceIsDeterministic(t *testing.T) {
	run := func(seed uint64) (faults []persistencetest.Fault) {
		rates := persistencetest.Rates{Before: 0.1, After: 0.2, Torn: 0.1, Rotten: 0.1}
		decide := persistencetest.Chance(rand.New(rand.NewPCG(seed, 0)), rates)
		for i := range 1000 {
			op := []persistencetest.Op{persistencetest.Put, persistencetest.List}[i%2]
			f := decide(op, "key")
			if op == persistencetest.List && (f == persistencetest.Torn || f == persistencetest.Rotten) {
				t.Fatalf("List cannot be %s", f)
			}
			faults = append(faults, f)
		}
		return faults
	}
	first := run(1)
	if !slices.Equal(first, run(1)) || slices.Equal(first, run(2)) {
		t.Error("the faults are not a function of the seed")
	}
	counts := map[persistencetest.Fault]int{}
	for _, f := range first {
		counts[f]++
	}
	for f, want := range map[persistencetest.Fault]int{persistencetest.Before: 100, persistencetest.After: 200, persistencetest.Torn: 50, persistencetest.Rotten: 50} {
		if n := counts[f]; n < want/2 || n > want*2 {
			t.Errorf("%s happened %d times in 1000; want about %d", f, n, want)
		}
	}
}

// A slow call lets others go on before it happens.
func TestSlow(t *testing.T) {
	s := persistencetest.Faulty(memory.Store(0), nil)
	nested := false
	s.SetSlow(func(op persistencetest.Op, key string) {
		if op == persistencetest.PutIfAbsent && !nested {
			nested = true
			if err := s.PutIfAbsent(ctx, key, []byte("quicker")); err != nil {
				t.Error(err)
			}
		}
	})
	if err := s.PutIfAbsent(ctx, "slot", []byte("slow")); !errors.Is(err, persistence.ErrExists) {
		t.Errorf("the slow call = %v; want ErrExists", err)
	}
}

func ExampleFaulty() {
	store := persistencetest.Faulty(memory.Store(0), persistencetest.Script(persistencetest.PutIfAbsent, persistencetest.After))
	err := store.PutIfAbsent(context.Background(), "job/log/1", []byte("claim"))
	fmt.Println(err)
	fmt.Println(store.List(context.Background(), "job"))
	// Output:
	// PutIfAbsent job/log/1: injected fault (after)
	// [job/log/1] <nil>
}
