package operators

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/weirflow/weir/operators/plan"
)

// rule sets what a number is called; without a name it is called nothing any
// more, and "*" forgets them all.
type rule struct {
	N    int64
	Name string
}

// naming counts the records of a key and tells what their numbers are called.
type naming struct {
	count ValueState[int64]
	names *BroadcastState[int64, string]
	by    *BroadcastState[string, []int64] // the other way round
}

func newNaming(s *States[int64], b *BroadcastStates) *naming {
	return &naming{
		count: NewValueState[int64](s, "count"),
		names: NewBroadcastState[int64, string](b, "names"),
		by:    NewBroadcastState[string, []int64](b, "by"),
	}
}

func (f *naming) ProcessElement(ctx *Context[int64, string], v leftRow) error {
	n, _ := f.count.Get()
	f.count.Set(n + 1)
	name, ok := f.names.Get(v.N)
	var all []string
	for k, v := range f.names.All() {
		all = append(all, fmt.Sprintf("%d=%s", k, v))
	}
	ctx.Emit(fmt.Sprintf("%d: %d is %q %v of %d %v", ctx.Key(), n, name, ok, f.names.Len(), all))
	return nil
}

func (f *naming) ProcessBroadcast(ctx *BroadcastContext[string], r rule) error {
	switch r.Name {
	case "*":
		f.names.Clear(ctx)
		f.by.Clear(ctx)
	case "":
		f.names.Delete(ctx, r.N)
	default:
		f.names.Put(ctx, r.N, r.Name)
		old, _ := f.by.Get(r.Name)
		f.by.Put(ctx, r.Name, append(slices.Clone(old), r.N))
	}
	return nil
}

func nameAll(a *Stream[leftRow], b *Stream[rule]) {
	BroadcastProcess(KeyBy(a, leftKey), b, "naming", newNaming)
}

func namingTwin(steps []step[leftRow, rule]) (out []string) {
	count, names := map[int64]int{}, map[int64]string{}
	for _, s := range steps {
		switch {
		case s.port == 0:
			var all []string
			for _, k := range slices.Sorted(maps.Keys(names)) {
				all = append(all, fmt.Sprintf("%d=%s", k, names[k]))
			}
			n, ok := names[s.a.N]
			out = append(out, fmt.Sprintf("%d: %d is %q %v of %d %v @%d", s.a.Key, count[s.a.Key], n, ok, len(names), all, s.time))
			count[s.a.Key]++
		case s.b.Name == "*":
			clear(names)
		case s.b.Name == "":
			delete(names, s.b.N)
		default:
			names[s.b.N] = s.b.Name
		}
	}
	return out
}

// S75: every subtask gets every broadcast record and the keyed side reads what it made of them, at any batches and
// parallelism; after a restore at any parallelism the broadcast state is the same in all subtasks, byte for byte
// what it was before, however it came together.
func TestS75_BroadcastStateIsTheSameEverywhere(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var steps []step[leftRow, rule]
		for i := range rapid.IntRange(0, 60).Draw(t, "steps") {
			s := step[leftRow, rule]{port: rapid.IntRange(0, 1).Draw(t, "port"), time: int64(i)}
			if n := rapid.Int64Range(-3, 6).Draw(t, "n"); s.port == 0 {
				s.a = leftRow{rapid.Int64Range(0, 9).Draw(t, "key"), n}
			} else {
				s.b = rule{n, rapid.SampledFrom([]string{"", "one", "two", "three", "four", "*"}).Draw(t, "name")}
			}
			steps = append(steps, s)
		}
		cut := rapid.IntRange(0, len(steps)).Draw(t, "cut")
		for _, size := range []int{1, 7, 512} {
			r := newRig2(t, rapid.IntRange(1, 3).Draw(t, "p"), nameAll)
			r.play(steps[:cut], size)
			before := r.custom()
			r.rescale(rapid.IntRange(1, 3).Draw(t, "p"))
			for _, part := range append(before, r.custom()...) {
				if !bytes.Equal(part, before[0]) {
					t.Fatalf("subtasks differ:\n%q\n%q", before[0], part)
				}
			}
			r.play(steps[cut:], size)
			equalSorted(t, "named", r.sorted(""), namingTwin(steps))
		}
	})
}

// S75: where barriers were not aligned the parts of a checkpoint may differ; all subtasks take the same one.
func TestS75_PartsThatDiffer(t *testing.T) {
	r := newRig2(t, 2, nameAll)
	r.must(r.tasks[0].process2(&plan.Batch{Values: &[]rule{{1, "one"}}, Times: []int64{1}}))
	customs := r.custom()
	r.start(3, r.snapshot(), customs)
	for i, part := range r.custom() {
		if !bytes.Equal(part, customs[0]) || bytes.Equal(part, customs[1]) {
			t.Errorf("subtask %d has %q, want %q", i, part, customs[0])
		}
	}
}

// misnaming does something that it must not in ProcessBroadcast or ProcessElement.
type misnaming struct {
	*naming
	keyed func(*naming)
	kept  *BroadcastContext[string]
	other *misnaming
}

func (f *misnaming) ProcessElement(ctx *Context[int64, string], v leftRow) error {
	f.names.Put(f.kept, 1, "kept")
	return nil
}

func (f *misnaming) ProcessBroadcast(ctx *BroadcastContext[string], r rule) error {
	if f.kept = ctx; f.other != nil {
		f.other.names.Put(ctx, 1, "another's")
	}
	if f.keyed != nil {
		f.keyed(f.naming)
	}
	return nil
}

// S75: the keyed side reads broadcast state only: its context cannot write, and one that was kept fails the attempt,
// as does writing keyed state where there is no key, also that of the zero key. Reading it finds nothing.
func TestS75_KeyedSideIsReadOnly(t *testing.T) {
	var last *misnaming
	build := func(keyed func(*naming), other *misnaming) *rig2[leftRow, rule] {
		return newRig2(t, 1, func(a *Stream[leftRow], b *Stream[rule]) {
			BroadcastProcess(KeyBy(a, leftKey), b, "naming", func(s *States[int64], b *BroadcastStates) *misnaming {
				last = &misnaming{naming: newNaming(s, b), keyed: keyed, other: other}
				return last
			})
		})
	}
	one := func() *plan.Batch { return &plan.Batch{Values: &[]rule{{1, "x"}}, Times: []int64{5}} }
	check := func(what string, err error, want string) {
		t.Helper()
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", what, err, want)
		}
	}

	r := build(nil, nil)
	r.must(r.tasks[0].process2(one()))
	err := r.tasks[0].process(&plan.Batch{Values: &[]leftRow{{1, 1}}, Times: []int64{6}})
	check("a kept context", err, `broadcast state "names" was written outside of its ProcessBroadcast`)
	if last.names.Len() != 0 {
		t.Error("it was written all the same")
	}
	other := last
	check("another's state", build(nil, other).tasks[0].process2(one()), `broadcast state "names" was written outside`)

	r = build(func(f *naming) { f.count.Set(1) }, nil)
	check("keyed state", r.tasks[0].process2(one()), "a broadcast record has no key")
	if ts, _, keyed, ok := r.tasks[0].instance.(plan.RecordCursor).Cursor(); !ok || keyed || ts != 5 {
		t.Errorf("cursor at %d, keyed %v, %v", ts, keyed, ok)
	}
	r = build(func(f *naming) {
		if n, ok := f.count.Get(); ok {
			t.Errorf("%d of no key", n)
		}
	}, nil)
	last.count.Set(7) // the key is the zero one before the first record
	r.must(r.tasks[0].process2(one()))
}

// A checkpoint with broadcast state that the function no longer declares, or that is damaged, is refused.
func TestBroadcastStateRefused(t *testing.T) {
	var b BroadcastStates
	NewBroadcastState[int64, string](&b, "gone").put(1, "one")
	part, err := b.encode()
	if err != nil {
		t.Fatal(err)
	}
	var now BroadcastStates
	NewBroadcastState[int64, string](&now, "names")
	var mismatch *plan.MismatchError
	if err := now.decode(part); !errors.As(err, &mismatch) || !strings.Contains(err.Error(), `broadcast state "gone"`) {
		t.Errorf("undeclared: %v", err)
	}
	for n := 1; n < len(part); n++ {
		var again BroadcastStates
		NewBroadcastState[int64, string](&again, "gone")
		if err := again.decode(part[:n]); err == nil {
			t.Errorf("cut to %d of %d bytes: no error", n, len(part))
		}
	}
}

// A broadcast state may be changed while it is iterated over: the iteration sees what there was, less the deleted.
func TestBroadcastStateIteration(t *testing.T) {
	var b BroadcastStates
	s := NewBroadcastState[int64, string](&b, "n")
	ctx := &BroadcastContext[string]{states: &b, out: &Out[string]{}}
	for _, k := range []int64{4, -2, 8, 6} {
		s.Put(ctx, k, "x")
	}
	var seen []int64
	for k := range s.All() {
		seen = append(seen, k)
		s.Delete(ctx, k)
		s.Delete(ctx, 6)
		s.Put(ctx, k+1, "new")
	}
	var left []int64
	for k := range s.All() {
		left = append(left, k)
	}
	if !slices.Equal(seen, []int64{-2, 4, 8}) || !slices.Equal(left, []int64{-1, 5, 9}) || s.Len() != 3 {
		t.Errorf("saw %v, left %v", seen, left)
	}
}

func TestBroadcastBuildErrors(t *testing.T) {
	top := NewTopology("t")
	a := From(top, "first", Slice[leftRow](), NoWatermarks[leftRow]())
	b := From(top, "second", Slice[rule](), NoWatermarks[rule]())
	declare := func(op string, declare func(s *States[int64], b *BroadcastStates)) {
		BroadcastProcess(KeyBy(a, leftKey), b, op, func(s *States[int64], b *BroadcastStates) *naming {
			declare(s, b)
			return newNaming(s, b)
		}).To(op+"-out", discardSink[string]{})
	}
	declare("twice", func(s *States[int64], b *BroadcastStates) { NewBroadcastState[int64, int64](b, "count") })
	declare("nameless", func(s *States[int64], b *BroadcastStates) { NewBroadcastState[int64, int64](b, "") })
	declare("ours", func(s *States[int64], b *BroadcastStates) { NewBroadcastState[int64, int64](b, "_x") })
	declare("key", func(s *States[int64], b *BroadcastStates) { NewBroadcastState[float64, int64](b, "n") })
	declare("value", func(s *States[int64], b *BroadcastStates) { NewBroadcastState[int64, chan int](b, "n") })
	BroadcastProcess[int64, leftRow, rule, string, *naming](KeyBy(a, leftKey), b, "nil", nil)
	_, err := top.Build()
	for _, want := range []string{
		`operator "twice": state "count" is declared twice`,
		`operator "nameless": a broadcast state has no name`,
		`operator "ours": state "_x": names that begin with '_'`,
		`operator "key": state "n": its map key: float64`,
		`operator "value": state "n": chan int cannot be encoded`,
		`operator "nil": its function is nil`,
	} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v\nwant %s", err, want)
		}
	}
}

// The second input goes whole to every subtask, and its states are declared in the plan.
func TestBroadcastInThePlan(t *testing.T) {
	op := rigOperator2(t, nameAll)
	if a, b := op.Inputs[0], op.Inputs[1]; a.Partition != plan.Hash || b.Partition != plan.Broadcast || b.Port != 1 || b.Keyer != nil {
		t.Errorf("partitions %v and %v, port %d", a.Partition, b.Partition, b.Port)
	}
	var got []string
	for _, s := range op.States {
		got = append(got, strings.Join([]string{s.Name, s.Kind, s.Key, s.Value}, " "))
	}
	if want := lines("count value int64 int64", "_clocks clocks int64 ", "names broadcast  int64 -> string", "by broadcast  string -> cbor:[]int64"); lines(got...) != want {
		t.Errorf("states\n%s\nwant\n%s", lines(got...), want)
	}
}
