package operators

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"reflect"
	"slices"
	"sort"
	"strings"

	"github.com/weirflow/weir/messages"
	"github.com/weirflow/weir/operators/plan"
	"github.com/weirflow/weir/persistence"
)

// rig drives the instances of one keyed operator by hand: batches in, what they
// push out, snapshots through WriteGroup and back through ReadGroup at any
// parallelism. It keeps the grammar of plan.Instance.
type rig[T any] struct {
	t      fataler
	op     *plan.Operator
	groups int
	now    int64
	disk   persistence.Disk // where user's state is; nil: on the heap
	tasks  []*rigTask
}

// fataler is what rig needs of a *testing.T or *rapid.T.
type fataler interface {
	Helper()
	Fatalf(format string, args ...any)
}

// rigTask is one subtask.
type rigTask struct {
	t         fataler
	index     int
	groups    messages.KeyGroupRange
	instance  plan.Instance
	states    []persistence.State
	outputs   map[string]*capture
	counters  map[string]*plan.Counter
	timer     int64
	timerSet  bool
	watermark int64 // greatest delivered, or restored
}

// rigSnapshot is what a checkpoint holds of the operator.
type rigSnapshot struct {
	schemas   map[string]*messages.StateSchema
	groups    map[string]map[messages.KeyGroup][]byte // by state
	entries   int
	watermark int64
}

// record is one record as it left an output.
type rigRecord struct {
	Value any
	Time  int64
}

// capture is an Output that keeps what it gets, as text and as values.
type capture struct {
	t       fataler
	records []rigRecord
	log     []string // "value @time" and "-- watermark"
	mark    int64
}

func (c *capture) Push(b *plan.Batch) error {
	values := reflect.ValueOf(b.Values).Elem()
	if values.Len() != b.Len() || len(b.Hashes) != 0 {
		c.t.Fatalf("pushed %d values with %d times and %d hashes", values.Len(), b.Len(), len(b.Hashes))
	}
	marks := b.Marks
	for i := range b.Len() + 1 {
		for len(marks) > 0 && marks[0].Index == i {
			if marks[0].Watermark <= c.mark {
				c.t.Fatalf("watermark %d pushed behind %d", marks[0].Watermark, c.mark)
			}
			c.mark = marks[0].Watermark
			c.log = append(c.log, fmt.Sprintf("-- %s", showTime(c.mark)))
			marks = marks[1:]
		}
		if i < b.Len() {
			v := values.Index(i).Interface()
			c.records = append(c.records, rigRecord{v, b.Times[i]})
			c.log = append(c.log, fmt.Sprintf("%v @%s", v, showTime(b.Times[i])))
		}
	}
	if len(marks) > 0 {
		c.t.Fatalf("mark out of place: %v in a batch of %d", marks[0], b.Len())
	}
	return nil
}

func showTime(ts int64) string {
	switch ts {
	case messages.NoWatermark:
		return "none"
	case messages.MaxWatermark:
		return "end"
	}
	return fmt.Sprint(ts)
}

// newRig builds an operator by build, which gets a stream of T, and starts it
// at a parallelism.
func newRig[T any](t fataler, parallelism int, build func(*Stream[T])) *rig[T] {
	t.Helper()
	return newRigOn(t, nil, parallelism, build)
}

// newRigOn is newRig with state on a disk.
func newRigOn[T any](t fataler, disk persistence.Disk, parallelism int, build func(*Stream[T])) *rig[T] {
	t.Helper()
	r := &rig[T]{t: t, op: rigOperator(t, build), groups: plan.DefaultMaxParallelism, disk: disk}
	r.start(parallelism, nil)
	return r
}

// rigOperator is the operator that build adds behind a stream of T.
func rigOperator[T any](t fataler, build func(*Stream[T])) *plan.Operator {
	t.Helper()
	top := NewTopology("rig")
	build(output[T](top, top.add("source", "in", nil)))
	if len(top.errs) > 0 {
		t.Fatalf("%v", top.errs)
	}
	return top.operators[1]
}

// start makes new instances, empty or from a snapshot.
func (r *rig[T]) start(parallelism int, s *rigSnapshot) {
	r.t.Helper()
	r.tasks = nil
	for i := range parallelism {
		task := &rigTask{
			t: r.t, index: i, groups: messages.KeyGroupsOf(i, parallelism, r.groups), instance: r.op.New(),
			outputs: map[string]*capture{}, counters: map[string]*plan.Counter{}, watermark: messages.NoWatermark,
		}
		if s != nil {
			task.watermark = s.watermark
		}
		r.must(task.instance.Init(r.runtime(task, parallelism, s != nil)))
		r.checkSchemas(task)
		if s != nil {
			task.restore(s)
		}
		r.must(task.instance.Open())
		r.tasks = append(r.tasks, task)
	}
}

func (r *rig[T]) runtime(task *rigTask, parallelism int, restored bool) *plan.Runtime {
	rt := r.heapRuntime(task, parallelism, restored)
	if r.disk != nil {
		rt.OpenKV = func() (persistence.KV, error) { return r.disk.OpenKV(context.Background(), "rig") }
	}
	return rt
}

func (r *rig[T]) heapRuntime(task *rigTask, parallelism int, restored bool) *plan.Runtime {
	return &plan.Runtime{
		Operator: r.op.Name, Index: task.index, Parallelism: parallelism, MaxParallelism: r.groups,
		Groups: task.groups, Attempt: 1, Restored: restored, Context: context.Background(), Logger: slog.Default(),
		Now: func() int64 { return r.now },
		SetTimer: func(at int64) {
			if !task.timerSet || at < task.timer {
				task.timer, task.timerSet = at, true
			}
		},
		Watermark: func() int64 { return task.watermark },
		Output: func(tag string) plan.Output {
			if task.outputs[tag] == nil {
				task.outputs[tag] = &capture{t: r.t, mark: messages.NoWatermark}
			}
			return task.outputs[tag]
		},
		Register: func(s persistence.State) error { task.states = append(task.states, s); return nil },
		Counter: func(name string) *plan.Counter {
			if task.counters[name] == nil {
				task.counters[name] = new(plan.Counter)
			}
			return task.counters[name]
		},
		Step: func(string) {},
	}
}

// checkSchemas compares what is registered with what the plan declares.
func (r *rig[T]) checkSchemas(task *rigTask) {
	var got []string
	for _, s := range task.states {
		got = append(got, s.Schema().String())
	}
	var want []string
	for _, s := range r.op.States {
		want = append(want, s.String())
	}
	if !slices.Equal(got, want) {
		r.t.Fatalf("registered %v, declared %v", got, want)
	}
}

func (r *rig[T]) must(err error) {
	r.t.Helper()
	if err != nil {
		r.t.Fatalf("%v", err)
	}
}

// feed hands a batch to the subtasks: records by key, marks to all.
func (r *rig[T]) feed(values []T, times []int64, marks ...plan.Mark) {
	r.t.Helper()
	values = slices.Clone(values)
	all := &plan.Batch{Values: &values, Times: slices.Clone(times)}
	r.op.Inputs[0].Keyer.Hash(all)
	for _, task := range r.tasks {
		r.must(task.process(rigShare[T](all, task, len(r.tasks), r.groups, marks)))
	}
}

// rigShare is a subtask's part of a batch, with the marks at their places in it.
func rigShare[T any](all *plan.Batch, task *rigTask, parallelism, groups int, marks []plan.Mark) *plan.Batch {
	var values []T
	b := &plan.Batch{Values: &values}
	for i := range all.Len() + 1 {
		for _, m := range marks {
			if m.Index == i {
				b.Marks = append(b.Marks, plan.Mark{Index: len(values), Watermark: m.Watermark})
			}
		}
		if i < all.Len() && task.groups.Contains(messages.KeyGroupOf(all.Hashes[i], groups)) {
			values = append(values, (*valuesOf[T](all))[i])
			b.Times = append(b.Times, all.Times[i])
			b.Hashes = append(b.Hashes, all.Hashes[i])
		}
	}
	return b
}

func (task *rigTask) process(b *plan.Batch) error {
	for _, m := range b.Marks {
		task.watermark = max(task.watermark, m.Watermark)
	}
	return task.instance.Process(0, b)
}

// record feeds one record without a mark.
func (r *rig[T]) record(v T, ts int64) {
	r.t.Helper()
	r.feed([]T{v}, []int64{ts})
}

// mark feeds a watermark without records.
func (r *rig[T]) mark(watermark int64) {
	r.t.Helper()
	r.feed(nil, nil, plan.Mark{Watermark: watermark})
}

// finish ends the input and the life of the instances.
func (r *rig[T]) finish() {
	r.t.Helper()
	r.mark(messages.MaxWatermark)
	for _, task := range r.tasks {
		r.must(task.instance.Finish())
	}
	r.close()
}

func (r *rig[T]) close() {
	r.t.Helper()
	for _, task := range r.tasks {
		r.must(task.instance.Close())
	}
}

// tick moves processing time and wakes whoever asked for it.
func (r *rig[T]) tick(now int64) {
	r.t.Helper()
	r.now = now
	for _, task := range r.tasks {
		for task.timerSet && task.timer <= now {
			task.timerSet = false
			r.must(task.instance.(plan.ProcessingTimer).OnProcessingTime(now))
		}
	}
}

// frozenRig is a barrier: frozen states, not written yet.
type frozenRig struct {
	groups    messages.KeyGroupRange
	state     string
	schema    *messages.StateSchema
	frozen    persistence.Frozen
	watermark int64
}

// freeze is the part of a snapshot that runs on the mailbox.
func (r *rig[T]) freeze() (all []frozenRig) {
	for _, task := range r.tasks {
		for _, s := range task.states {
			all = append(all, frozenRig{task.groups, s.Schema().Name, s.Schema(), s.Freeze(), task.watermark})
		}
	}
	return all
}

// write is the part that runs off it.
func (r *rig[T]) write(all []frozenRig) *rigSnapshot {
	r.t.Helper()
	s := &rigSnapshot{schemas: map[string]*messages.StateSchema{}, groups: map[string]map[messages.KeyGroup][]byte{}, watermark: messages.NoWatermark}
	for _, f := range all {
		s.watermark = max(s.watermark, f.watermark) // the least favourable: state must know better
		s.schemas[f.state] = f.schema
		if s.groups[f.state] == nil {
			s.groups[f.state] = map[messages.KeyGroup][]byte{}
		}
		for g := f.groups.From; g < f.groups.To; g++ {
			var buf bytes.Buffer
			n, err := f.frozen.WriteGroup(g, &buf)
			r.must(err)
			if (n == 0) != (buf.Len() == 0) {
				r.t.Fatalf("state %s, group %d: %d entries in %d bytes", f.state, g, n, buf.Len())
			}
			s.groups[f.state][g] = buf.Bytes()
			s.entries += n
		}
		f.frozen.Release()
		f.frozen.Release()
	}
	return s
}

func (r *rig[T]) snapshot() *rigSnapshot {
	r.t.Helper()
	return r.write(r.freeze())
}

func (task *rigTask) restore(s *rigSnapshot) {
	task.t.Helper()
	for _, st := range task.states {
		for g := task.groups.From; g < task.groups.To; g++ {
			if err := st.ReadGroup(g, bytes.NewReader(s.groups[st.Schema().Name][g])); err != nil {
				task.t.Fatalf("%v", err)
			}
		}
	}
}

// rescale takes a snapshot, ends the instances, and goes on from it with new
// ones. What they emit is added to what was emitted before.
func (r *rig[T]) rescale(parallelism int) *rigSnapshot {
	r.t.Helper()
	s := r.snapshot()
	r.close()
	old := r.tasks
	r.start(parallelism, s)
	r.tasks[0].inherit(old)
	return s
}

// inherit takes over what earlier instances emitted and counted.
func (task *rigTask) inherit(old []*rigTask) {
	for tag := range task.outputs {
		c := task.outputs[tag]
		for _, o := range old {
			c.records = append(c.records, o.outputs[tag].records...)
			c.log = append(c.log, o.outputs[tag].log...)
		}
	}
	for name := range task.counters {
		for _, o := range old {
			task.counters[name].Add(int64(*o.counters[name]))
		}
	}
}

// entries is the number of entries in all states.
func (r *rig[T]) entries() (n int) {
	for _, task := range r.tasks {
		for _, s := range task.states {
			n += s.Len()
		}
	}
	return n
}

func (r *rig[T]) counter(name string) (n int64) {
	for _, task := range r.tasks {
		n += int64(*task.counters[name])
	}
	return n
}

// log is what left an output, one line a record or mark; subtask after subtask.
func (r *rig[T]) log(tag string) string {
	var all []string
	for _, task := range r.tasks {
		all = append(all, task.outputs[tag].log...)
	}
	return strings.Join(all, "\n")
}

// take gives the log of the main output and forgets it.
func (r *rig[T]) take(tag string) string {
	s := r.log(tag)
	for _, task := range r.tasks {
		task.outputs[tag].log = nil
	}
	return s
}

// sorted is the records that left an output, marks left out, in a fixed order.
func (r *rig[T]) sorted(tag string) []string {
	var all []string
	for _, task := range r.tasks {
		for _, rec := range task.outputs[tag].records {
			all = append(all, fmt.Sprintf("%v @%d", rec.Value, rec.Time))
		}
	}
	sort.Strings(all)
	return all
}
