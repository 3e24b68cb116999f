package operators

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/weirflow/weir/messages"
	"github.com/weirflow/weir/operators/plan"
	"github.com/weirflow/weir/persistence"
	"github.com/weirflow/weir/persistence/memory"
	"github.com/weirflow/weir/persistence/persistencetest"
)

// where is each place that state can be in.
func where(t *testing.T, run func(t *testing.T, disk persistence.Disk)) {
	t.Run("heap", func(t *testing.T) { run(t, nil) })
	t.Run("disk", func(t *testing.T) { run(t, onHeap) })
}

var onHeap = persistencetest.OnHeap(memory.Backend())

// S82, S89, S90: any sequence of steps on value, list and map state, on the heap and on disk, with snapshots restored
// at any parallelism and in the other place in between, shows what Go's own variable, slice and map show.
func TestS82_StateEqualsDumbTwin(t *testing.T) { where(t, stateEqualsDumbTwin) }

func stateEqualsDumbTwin(t *testing.T, disk persistence.Disk) {
	rapid.Check(t, func(t *rapid.T) {
		r := newRigOn(t, disk, 1, scripted)
		twins := map[string]*stateTwin{}
		for range rapid.IntRange(0, 150).Draw(t, "steps") {
			key := rapid.SampledFrom([]string{"a", "b", "c"}).Draw(t, "key")
			if twins[key] == nil {
				twins[key] = &stateTwin{hours: map[int64]string{}}
			}
			k, v := rapid.Int64Range(-6, 6).Draw(t, "k"), rapid.StringMatching("[a-z]").Draw(t, "v")
			step := rapid.SampledFrom([]string{"set", "clear", "append", "append", "drop", "put", "put", "put", "put", "del", "del", "wipe", "show", "restore"}).Draw(t, "step")
			if step == "restore" {
				if r.disk = nil; rapid.Bool().Draw(t, "on disk") {
					r.disk = onHeap
				}
				r.rescale(rapid.IntRange(1, 4).Draw(t, "parallelism"))
				continue
			}
			if rapid.IntRange(0, 19).Draw(t, "wipes") > 0 && (step == "wipe" || step == "drop") {
				continue
			}
			r.record(twins[key].step(key, step, k, v), 0)
		}
		for _, key := range slices.Sorted(maps.Keys(twins)) {
			r.record(twins[key].step(key, "show", 0, ""), 0)
			if got, want := r.shown(), twins[key].shown(key); got != want {
				t.Fatalf("state %s\nwant  %s", got, want)
			}
		}
		entries := 0
		for _, w := range twins {
			entries += w.entries()
		}
		if n := r.entries(); n != entries {
			t.Fatalf("%d entries, want %d", n, entries)
		}
	})
}

// shown is the last thing emitted by the subtask that emitted last.
func (r *rig[T]) shown() string {
	last := ""
	for _, task := range r.tasks {
		if log := task.outputs[""].log; len(log) > 0 {
			last = log[len(log)-1]
		}
		task.outputs[""].log = nil
	}
	return last
}

type stateTwin struct {
	count *int64
	seen  []string
	hours map[int64]string
}

func (w *stateTwin) step(key, step string, k int64, v string) string {
	switch step {
	case "set":
		w.count = &k
		return fmt.Sprintf("%s set %d", key, k)
	case "clear":
		w.count = nil
	case "append":
		w.seen = append(w.seen, v)
		return fmt.Sprintf("%s append %s", key, v)
	case "drop":
		w.seen = nil
	case "put":
		w.hours[k] = v
		return fmt.Sprintf("%s put %d %s", key, k, v)
	case "del":
		delete(w.hours, k)
		return fmt.Sprintf("%s del %d", key, k)
	case "wipe":
		clear(w.hours)
	}
	return key + " " + step
}

func (w *stateTwin) shown(key string) string {
	s := key + ":"
	if w.count != nil {
		s += fmt.Sprintf(" count=%d", *w.count)
	}
	for _, e := range w.seen {
		s += " " + e
	}
	for _, k := range slices.Sorted(maps.Keys(w.hours)) {
		s += fmt.Sprintf(" %d=%s", k, w.hours[k])
	}
	return s + fmt.Sprintf(" (%d, %d) @0", len(w.seen), len(w.hours))
}

func (w *stateTwin) entries() int {
	n := len(w.hours)
	if w.count != nil {
		n++
	}
	if len(w.seen) > 0 {
		n++
	}
	return n
}

// deepState changes what Get gave in place, as users do.
type deepState struct {
	value ValueState[map[string]int64]
	list  ListState[[]int64]
	hours MapState[string, []int64]
}

func newDeepState(s *States[int64]) *deepState {
	return &deepState{NewValueState[map[string]int64](s, "value"), NewListState[[]int64](s, "list"), NewMapState[string, []int64](s, "map")}
}

func (f *deepState) ProcessElement(ctx *Context[int64, string], v int64) error {
	m, ok := f.value.Get()
	if !ok {
		m = map[string]int64{}
	}
	m["n"]++
	f.value.Set(m)
	f.list.Append([]int64{v})
	for k, tips := range f.hours.All() {
		tips[0] += v
		f.hours.Put(k, tips)
	}
	f.hours.Put(fmt.Sprint(v%5), []int64{v})
	ctx.RegisterEventTimer(v)
	ctx.Emit(f.show())
	return nil
}

func (f *deepState) OnTimer(ctx *Context[int64, string], at int64, _ Domain) error {
	ctx.Emit(fmt.Sprint("timer ", at))
	return nil
}

func (f *deepState) show() string {
	m, _ := f.value.Get()
	var s strings.Builder
	fmt.Fprint(&s, m)
	for e := range f.list.All() {
		fmt.Fprint(&s, e)
	}
	for k, v := range f.hours.All() {
		fmt.Fprint(&s, " ", k, "=", v)
	}
	return s.String()
}

func deep(in *Stream[int64]) {
	Process(KeyBy(in, func(v int64) int64 { return v % 7 }), "deep", newDeepState)
}

// S93, S91: a snapshot that is written while the function goes on holds the state as it was at the barrier, also
// where values are changed in place. The race detector sees any sharing.
func TestS93_SnapshotWhileStateChanges(t *testing.T) { where(t, snapshotWhileStateChanges) }

func snapshotWhileStateChanges(t *testing.T, disk persistence.Disk) {
	input := func(r *rig[int64], from, to int64) {
		for v := from; v < to; v++ {
			r.record(v, v)
		}
	}
	r, undisturbed := newRigOn(t, disk, 2, deep), newRig(t, 2, deep)
	input(r, 0, 300)
	input(undisturbed, 0, 300)
	frozen, done := r.freeze(), make(chan *rigSnapshot)
	go func() { done <- r.write(frozen) }()
	input(r, 300, 600)
	r.mark(500)
	restored := newRigOn(t, disk, 3, deep)
	restored.start(3, <-done)
	for _, task := range undisturbed.tasks {
		task.outputs[""].records = nil
	}
	for _, x := range []*rig[int64]{restored, undisturbed} {
		input(x, 600, 700)
		x.finish()
	}
	if got, want := restored.sorted(""), undisturbed.sorted(""); !slices.Equal(got, want) {
		t.Fatalf("restored:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// Every byte that is missing, and a key in the wrong group, is an error at restore: never state half read.
func TestReadGroupRefusesDamage(t *testing.T) { where(t, readGroupRefusesDamage) }

func readGroupRefusesDamage(t *testing.T, disk persistence.Disk) {
	for _, c := range []struct {
		name  string
		write func(*rig[string])
	}{
		{"_timers", func(r *rig[string]) { r.record("a timer 5", 1); r.record("a ptimer 6", 1) }},
		{"count", func(r *rig[string]) { r.record("a set 5", 1) }},
		{"seen", func(r *rig[string]) { r.record("a append xyz", 1) }},
		{"hours", func(r *rig[string]) { r.record("a put 5 p", 1); r.record("a put 6 p", 1) }},
	} {
		r := newRigOn(t, disk, 1, scripted)
		c.write(r)
		groups := r.snapshot().groups[c.name]
		damage(t, c.name, groupOfDriver("a"), groups[groupOfDriver("a")], func() func(messages.KeyGroup, []byte) error {
			r.start(1, nil)
			return readState(r.tasks[0], c.name)
		})
	}
	r := newRig(t, 1, tips(0, false))
	r.feed([]fare{{"a", 1}}, []int64{1}, at(1, 3))
	g := groupOfDriver("a")
	damage(t, "window", g, r.snapshot().groups["window"][g], func() func(messages.KeyGroup, []byte) error {
		r.start(1, nil)
		return readState(r.tasks[0], "window")
	})
}

func readState(task *rigTask, name string) func(messages.KeyGroup, []byte) error {
	return func(g messages.KeyGroup, p []byte) error {
		for _, s := range task.states {
			if s.Schema().Name == name {
				return s.ReadGroup(g, strings.NewReader(string(p)))
			}
		}
		return fmt.Errorf("no state %s", name)
	}
}

func damage(t *testing.T, name string, g messages.KeyGroup, p []byte, open func() func(messages.KeyGroup, []byte) error) {
	t.Helper()
	if err := open()(g, p); err != nil || len(p) == 0 {
		t.Fatalf("%s: %d bytes: %v", name, len(p), err)
	}
	boundaries := 0 // prefixes that end with a block are whole
	for n := 1; n < len(p); n++ {
		if err := open()(g, p[:n]); err == nil {
			boundaries++
		} else if !strings.Contains(err.Error(), fmt.Sprintf("%q", name)) {
			t.Fatalf("%s: %v does not name the state", name, err)
		}
	}
	if boundaries > 1 {
		t.Fatalf("%s: %d prefixes of %d bytes were taken for whole", name, boundaries, len(p))
	}
	if err := open()(g+1, p); err == nil || !strings.Contains(err.Error(), "hash otherwise") {
		t.Fatalf("%s in another group: %v", name, err)
	}
}

// Entries of one key (timers, map entries) keep its key group and spread over all of it.
func TestSubkeysStayInTheirGroup(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		groups := rapid.IntRange(1, plan.MaxMaxParallelism).Draw(t, "groups")
		s := newSubkeys(groups)
		hash := rapid.Uint64().Draw(t, "hash")
		for range 20 {
			placed := s.place(hash, rapid.Uint64().Draw(t, "sub"))
			if a, b := messages.KeyGroupOf(placed, groups), messages.KeyGroupOf(hash, groups); a != b {
				t.Fatalf("%x of group %d placed at %x of group %d", hash, b, placed, a)
			}
		}
	})
}
