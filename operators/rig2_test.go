package operators

import (
	"slices"

	"github.com/weirflow/weir/messages"
	"github.com/weirflow/weir/operators/plan"
)

// rig2 is a rig for an operator with two inputs. The marks that it is fed are
// those of the merged clock, as the runtime delivers them: on either port.
type rig2[A, B any] struct {
	*rig[A]
	customs [][]byte // what the instances were restored with, when Checkpointed
}

// newRig2 builds an operator by build, which gets two streams, and starts it.
func newRig2[A, B any](t fataler, parallelism int, build func(*Stream[A], *Stream[B])) *rig2[A, B] {
	t.Helper()
	r := &rig2[A, B]{rig: &rig[A]{t: t, op: rigOperator2(t, build), groups: plan.DefaultMaxParallelism}}
	r.start(parallelism, nil, nil)
	return r
}

func rigOperator2[A, B any](t fataler, build func(*Stream[A], *Stream[B])) *plan.Operator {
	t.Helper()
	top := NewTopology("rig")
	build(output[A](top, top.add("source", "first", nil)), output[B](top, top.add("source", "second", nil)))
	if len(top.errs) > 0 {
		t.Fatalf("%v", top.errs)
	}
	return top.operators[2]
}

// start makes new instances, empty or from a snapshot.
func (r *rig2[A, B]) start(parallelism int, s *rigSnapshot, customs [][]byte) {
	r.t.Helper()
	r.tasks, r.customs = nil, customs
	for i := range parallelism {
		r.tasks = append(r.tasks, r.begin(i, parallelism, s))
	}
}

func (r *rig2[A, B]) begin(index, parallelism int, s *rigSnapshot) *rigTask {
	r.t.Helper()
	task := &rigTask{
		t: r.t, index: index, groups: messages.KeyGroupsOf(index, parallelism, r.groups), instance: r.op.New(),
		outputs: map[string]*capture{}, counters: map[string]*plan.Counter{}, watermark: messages.NoWatermark,
	}
	if s != nil {
		task.watermark = s.watermark
	}
	r.must(task.instance.Init(r.runtime(task, parallelism, s != nil)))
	r.checkKeyed(task)
	if s != nil {
		task.restore(s)
		if c, ok := task.instance.(plan.Checkpointed); ok {
			r.must(c.RestoreState(r.customs))
		}
	}
	r.must(task.instance.Open())
	return task
}

// checkKeyed is checkSchemas for the states that are registered: the keyed ones.
func (r *rig2[A, B]) checkKeyed(task *rigTask) {
	all := r.op.States
	defer func() { r.op.States = all }()
	r.op.States = slices.DeleteFunc(slices.Clone(all), func(s *messages.StateSchema) bool { return s.Kind == "broadcast" })
	r.checkSchemas(task)
}

// feed2 hands a batch of the second input to the subtasks: records by key, or
// all to all where the input is broadcast; marks to all.
func (r *rig2[A, B]) feed2(values []B, times []int64, marks ...plan.Mark) {
	r.t.Helper()
	values = slices.Clone(values)
	all := &plan.Batch{Values: &values, Times: slices.Clone(times)}
	if keyer := r.op.Inputs[1].Keyer; keyer != nil {
		keyer.Hash(all)
	}
	for _, task := range r.tasks {
		b := &plan.Batch{Values: all.Values, Times: all.Times, Marks: slices.Clone(marks)}
		if r.op.Inputs[1].Partition == plan.Hash {
			b = rigShare[B](all, task, len(r.tasks), r.groups, marks)
		}
		r.must(task.process2(b))
	}
}

func (task *rigTask) process2(b *plan.Batch) error {
	for _, m := range b.Marks {
		task.watermark = max(task.watermark, m.Watermark)
	}
	return task.instance.Process(1, b)
}

// record2 feeds one record of the second input.
func (r *rig2[A, B]) record2(v B, ts int64) {
	r.t.Helper()
	r.feed2([]B{v}, []int64{ts})
}

// custom is what the instances give a checkpoint beside keyed state.
func (r *rig2[A, B]) custom() (parts [][]byte) {
	r.t.Helper()
	for _, task := range r.tasks {
		if c, ok := task.instance.(plan.Checkpointed); ok {
			p, err := c.SnapshotState()
			r.must(err)
			parts = append(parts, p)
		}
	}
	return parts
}

// rescale takes a snapshot, ends the instances, and goes on from it with new
// ones. What they emit is added to what was emitted before.
func (r *rig2[A, B]) rescale(parallelism int) {
	r.t.Helper()
	s, customs := r.snapshot(), r.custom()
	r.close()
	old := r.tasks
	r.start(parallelism, s, customs)
	r.tasks[0].inherit(old)
}

// step is one element on the way to an operator with two inputs.
type step[A, B any] struct {
	port int // 0 and 1: a record; 2: a watermark
	a    A
	b    B
	time int64
}

// play feeds steps in their order: in batches of up to size records of one port,
// a watermark in the batch of the record before it.
func (r *rig2[A, B]) play(steps []step[A, B], size int) {
	r.t.Helper()
	for len(steps) > 0 {
		port, records, n := steps[0].port%2, 0, 0
		for n < len(steps) && (steps[n].port == 2 || steps[n].port == port && records < size) {
			if steps[n].port != 2 {
				records++
			}
			n++
		}
		r.batch(port, steps[:n])
		steps = steps[n:]
	}
}

func (r *rig2[A, B]) batch(port int, steps []step[A, B]) {
	r.t.Helper()
	var as []A
	var bs []B
	var times []int64
	var marks []plan.Mark
	for _, s := range steps {
		if s.port == 2 {
			if n := len(marks); n == 0 || s.time > marks[n-1].Watermark {
				marks = append(marks, plan.Mark{Index: len(times), Watermark: s.time})
			}
			continue
		}
		as, bs, times = append(as, s.a), append(bs, s.b), append(times, s.time)
	}
	if port == 0 {
		r.feed(as, times, marks...)
	} else {
		r.feed2(bs, times, marks...)
	}
}
