package operators

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/weirflow/weir/messages"
	"github.com/weirflow/weir/operators/plan"
	"github.com/weirflow/weir/persistence"
)

// countedKV counts what a state does.
type countedKV struct {
	persistence.KV
	log  []string // "append 5": bytes in or out, of entries for a scan
	fail error
}

func (c *countedKV) note(format string, args ...any) error {
	c.log = append(c.log, fmt.Sprintf(format, args...))
	return c.fail
}

func (c *countedKV) Get(buf, key []byte) ([]byte, bool, error) {
	v, ok, err := c.KV.Get(buf, key)
	return v, ok, errors.Join(err, c.note("get %d", len(v)-len(buf)))
}

func (c *countedKV) Put(key, value []byte) error {
	return errors.Join(c.KV.Put(key, value), c.note("put %d", len(value)))
}

func (c *countedKV) Append(key, tail []byte) error {
	return errors.Join(c.KV.Append(key, tail), c.note("append %d", len(tail)))
}

func (c *countedKV) Delete(key []byte) error {
	return errors.Join(c.KV.Delete(key), c.note("delete"))
}

func (c *countedKV) Scan(prefix []byte, yield func(key, value []byte) bool) error {
	n := 0
	err := c.KV.Scan(prefix, func(key, value []byte) bool { n++; return yield(key, value) })
	return errors.Join(err, c.note("scan %d", n))
}

// took gives what was done since the last call.
func (c *countedKV) took() string {
	s := strings.Join(c.log, ", ")
	c.log = nil
	return s
}

// statesOn begins states at key "a" on a counted disk.
func statesOn(t *testing.T) (*States[string], *countedKV) {
	kv, err := onHeap.OpenKV(context.Background(), "states")
	if err != nil {
		t.Fatal(err)
	}
	counted := &countedKV{KV: kv}
	s := newStates(keyKindOf(mustCodec[string]()), plan.DefaultMaxParallelism, &operatorKV{open: func() (persistence.KV, error) { return counted, nil }})
	s.scope.key, s.scope.hash = "a", s.keys.hash("a")
	return s, counted
}

// S83: on disk, Append to a list of any length writes the one element and reads nothing; Get, Put and Delete of one
// of many map entries touch that record alone.
func TestS83_WhatTouchesTheDisk(t *testing.T) {
	s, kv := statesOn(t)
	list, entries := NewListState[string](s, "list"), NewMapState[int64, string](s, "map")
	for i := range int64(1000) {
		list.Append("0123456789")
		if got := kv.took(); got != "append 12" { // 10 letters behind two lengths
			t.Fatalf("Append number %d: %s", i, got)
		}
		entries.Put(i, "0123456789")
		if got := kv.took(); got != "put 11" {
			t.Fatalf("Put number %d: %s", i, got)
		}
	}
	for _, c := range []struct {
		do   func() any
		want string
	}{
		{func() any { v, ok := entries.Get(500); return fmt.Sprint(v, ok) }, "0123456789true: get 11"},
		{func() any { _, ok := entries.Get(5000); return ok }, "false: get 0"},
		{func() any { entries.Delete(500); return "deleted" }, "deleted: delete"},
		{func() any { return list.Len() }, "1000: get 12000"},
		{func() any { return entries.Len() }, "999: scan 999"},
	} {
		if got := fmt.Sprint(c.do(), ": ", kv.took()); got != c.want {
			t.Errorf("%s, want %s", got, c.want)
		}
	}
}

// S91: a value that is changed in place without Set, Put or Append changes nothing on disk.
func TestS91_DiskKeepsWhatWasSet(t *testing.T) {
	s, _ := statesOn(t)
	value, list, entries := NewValueState[[]int64](s, "value"), NewListState[[]int64](s, "list"), NewMapState[string, []int64](s, "map")
	mine := []int64{1}
	value.Set(mine)
	list.Append(mine)
	entries.Put("k", mine)
	mine[0] = 2
	v, _ := value.Get()
	v[0] = 3
	for e := range list.All() {
		e[0] = 4
	}
	for _, e := range entries.All() {
		e[0] = 5
	}
	v, _ = value.Get()
	e, _ := entries.Get("k")
	if got := fmt.Sprint(v, slices.Collect(list.All()), e); got != "[1] [[1]] [1]" {
		t.Error(got)
	}
}

// Keys of any length and content keep their entries apart, and so do the states of one operator.
func TestDiskKeysAreApart(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		s, _ := statesOn(t)
		values, entries := NewValueState[string](s, "value"), NewMapState[string, string](s, "map")
		text := rapid.OneOf(rapid.StringMatching("[ab\x00]{0,3}"), rapid.StringOfN(rapid.RuneFrom([]rune("ab")), 120, 140, -1))
		twin := map[string]map[string]string{}
		for range rapid.IntRange(0, 20).Draw(rt, "steps") {
			key, k, v := text.Draw(rt, "key"), text.Draw(rt, "map key"), text.Draw(rt, "value")
			s.scope.key, s.scope.hash = key, s.keys.hash(key)
			if twin[key] == nil || rapid.IntRange(0, 4).Draw(rt, "clear") == 0 {
				entries.Clear()
				twin[key] = map[string]string{}
			}
			entries.Put(k, v)
			values.Set(key)
			twin[key][k] = v
		}
		for key, want := range twin {
			s.scope.key, s.scope.hash = key, s.keys.hash(key)
			got := map[string]string{}
			for k, v := range entries.All() {
				got[k] = v
			}
			if v, _ := values.Get(); fmt.Sprint(got) != fmt.Sprint(want) || v != key {
				rt.Fatalf("key %q: %q, %q\nwant %q", key, v, got, want)
			}
		}
	})
}

// Integers sort by value on disk, and come back as they were.
func TestOrderedForm(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		sortsLike(t, rapid.OneOf(rapid.Int64(), rapid.SampledFrom([]int64{math.MinInt64, -1, 0, 1, math.MaxInt64})))
		sortsLike(t, rapid.Int8())
		sortsLike(t, rapid.Uint32())
		sortsLike(t, rapid.String())
		sortsLike(t, rapid.Bool())
	})
}

func sortsLike[T comparable](t *rapid.T, values *rapid.Generator[T]) {
	codec := mustCodec[T]()
	form, order := orderedFormOf[T](), orderOf(codec)
	a, b := values.Draw(t, "a"), values.Draw(t, "b")
	onDiskA, onDiskB := form.encode(nil, mustEncode(codec, a)), form.encode(nil, mustEncode(codec, b))
	if got, want := slices.Compare(onDiskA, onDiskB), order(a, b); got != want {
		t.Fatalf("%v and %v: %d on disk, want %d", a, b, got, want)
	}
	if back, _, err := codec.Decode(form.decode(nil, onDiskA)); back != a || err != nil {
		t.Fatalf("%v came back as %v, %v", a, back, err)
	}
}

// A disk that fails fails the subtask, and says with what state and what it did.
func TestDiskFails(t *testing.T) {
	type states struct {
		value   ValueState[int64]
		list    ListState[int64]
		entries MapState[int64, int64]
	}
	for want, do := range map[string]func(states){
		`state "the count": writing: no space left on device`:  func(s states) { s.value.Set(1) },
		`state "the count": reading: no space left on device`:  func(s states) { s.value.Get() },
		`state "the count": deleting: no space left on device`: func(s states) { s.value.Clear() },
		`state "the list": appending: no space left on device`: func(s states) { s.list.Append(1) },
		`state "the map": writing: no space left on device`:    func(s states) { s.entries.Put(1, 1) },
		`state "the map": reading: no space left on device`:    func(s states) { s.entries.Len() },
	} {
		s, kv := statesOn(t)
		all := states{NewValueState[int64](s, "the count"), NewListState[int64](s, "the list"), NewMapState[int64, int64](s, "the map")}
		kv.fail = errors.New("no space left on device")
		if got := panicOf(func() { do(all) }); got != want {
			t.Errorf("%s\nwant %s", got, want)
		}
		kv.fail = nil // somebody recovers and goes on: nothing goes on
		if got := panicOf(func() { all.list.Len() }); got != want {
			t.Errorf("later: %s\nwant %s", got, want)
		}
		if _, err := s.all[2].Freeze().WriteGroup(0, io.Discard); err == nil || err.Error() != want {
			t.Errorf("at a barrier: %v\nwant %s", err, want)
		}
	}
}

// Where there is no key, nothing is there, nothing is written, and it shows that somebody tried.
func TestDiskWithoutKey(t *testing.T) {
	s, kv := statesOn(t)
	value, list, entries := NewValueState[int64](s, "value"), NewListState[int64](s, "list"), NewMapState[int64, int64](s, "map")
	s.scope.key = "" // the zero key has something
	value.Set(1)
	list.Append(1)
	entries.Put(1, 1)
	kv.took()
	s.scope.leave(s.scope.hash)
	_, ok := value.Get()
	_, found := entries.Get(1)
	for range list.All() {
		t.Error("an element")
	}
	for range entries.All() {
		t.Error("an entry")
	}
	if n := list.Len() + entries.Len(); n > 0 || ok || found || kv.took() != "" {
		t.Errorf("%d things are there, %v, %v", n, ok, found)
	}
	written := func() (n int) {
		for _, st := range s.all {
			n += st.(interface{ written() int }).written()
		}
		return n
	}
	before := written()
	value.Clear()
	list.Clear()
	entries.Clear()
	entries.Delete(1)
	if written() != before {
		t.Error("deleting nothing counts as writing")
	}
	value.Set(2)
	list.Append(2)
	entries.Put(2, 2)
	if n := written() - before; n != 3 || kv.took() != "" {
		t.Errorf("%d writes are known of, want 3 and none done", n)
	}
}

// versioned is a map key whose encoding has changed; the new version reads the old.
type versioned struct{ N byte }

var version byte

func (v versioned) MarshalBinary() ([]byte, error) { return []byte{version, v.N}, nil }
func (v *versioned) UnmarshalBinary(p []byte) error {
	if len(p) != 2 || p[0] > version {
		return errors.New("of a later version")
	}
	v.N = p[1]
	return nil
}

// Map keys that an older version has written are found by a newer one.
func TestDiskMapKeyOfAnOlderVersion(t *testing.T) {
	old, _ := statesOn(t)
	NewMapState[versioned, int64](old, "map").Put(versioned{7}, 70)
	g := messages.KeyGroupOf(old.scope.hash, old.groups)
	var snapshot bytes.Buffer
	frozen := old.all[0].Freeze()
	if _, err := frozen.WriteGroup(g, &snapshot); err != nil {
		t.Fatal(err)
	}
	version++
	defer func() { version-- }()
	s, _ := statesOn(t)
	entries := NewMapState[versioned, int64](s, "map")
	if err := s.all[0].ReadGroup(g, &snapshot); err != nil {
		t.Fatal(err)
	}
	if v, ok := entries.Get(versioned{7}); v != 70 || !ok || entries.Len() != 1 {
		t.Errorf("%d, %v, of %d entries", v, ok, entries.Len())
	}
}

func panicOf(do func()) (text string) {
	defer func() {
		if err, ok := recover().(*plan.StateError); ok {
			text = err.Error()
		}
	}()
	do()
	return "no *plan.StateError"
}

// A disk that does not open, and more states than it has numbers for, are errors of Init.
func TestDiskDoesNotOpen(t *testing.T) {
	s := newStates(keyKindOf(mustCodec[string]()), plan.DefaultMaxParallelism, &operatorKV{open: func() (persistence.KV, error) { return nil, errors.New("read-only") }})
	NewValueState[int64](s, "count")
	if got := fmt.Sprint(s.errs); got != `[state "count": read-only]` {
		t.Error(got)
	}
	s, _ = statesOn(t)
	for i := range maxStates + 1 {
		NewValueState[int64](s, fmt.Sprint(i))
	}
	if got := fmt.Sprint(s.errs); got != `[state "255": an operator has at most 255 states on disk; use fewer, a map state for instance]` {
		t.Error(got)
	}
}
