package doubt

import (
	"bytes"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/weirflow/weir/messages"
	"github.com/weirflow/weir/operators"
	"github.com/weirflow/weir/operators/plan"
	"github.com/weirflow/weir/persistence"
)

// S110: a checkpoint is of two subtasks, of which the one stood at watermark 25 and
// had fired the windows of its key, and the other stood at 2. One subtask goes on
// from it, at 2. For the key of the first a late record fires its window again, one
// behind the lateness is dropped, and the watermark that the window fired at fires
// only that of the second.
func TestSkew(t *testing.T) {
	for _, test := range []struct {
		windowCase
		fired, again, other string // what comes out before, of the late record, and at 25
	}{
		{windowCase{windows: "tumbling", size: 10, trigger: "default"}, "0 [0,10) 1", "0 [0,10) 2", "1 [0,10) 1"},
		{windowCase{windows: "tumbling", size: 10, trigger: "watermark"}, "0 [0,10) 1", "0 [0,10) 2", "1 [0,10) 1"},
		{windowCase{windows: "sliding", size: 10, slide: 5, trigger: "default"}, "0 [-5,5) 1, 0 [0,10) 1", "0 [0,10) 2", "1 [-5,5) 1, 1 [0,10) 1"},
		{windowCase{windows: "sliding", size: 10, slide: 5, trigger: "default", evict: "last", keep: 9}, "0 [-5,5) 1, 0 [0,10) 1", "0 [0,10) 2", "1 [-5,5) 1, 1 [0,10) 1"},
		{windowCase{windows: "sliding", size: 10, slide: 5, trigger: "watermark", evict: "last", keep: 9}, "0 [-5,5) 1, 0 [0,10) 1", "0 [0,10) 2", "1 [-5,5) 1, 1 [0,10) 1"},
		{windowCase{windows: "session", size: 10, trigger: "default"}, "0 [1,11) 1", "0 [1,11) 2", "1 [1,11) 1"},
	} {
		c := test.windowCase
		c.form, c.lateness = "aggregate", 20
		s := newSkew(t, &c)
		expect := func(when string, task *skewTask, want string) {
			t.Helper()
			slices.Sort(task.outs)
			if got := strings.Join(task.outs, ", "); got != want {
				t.Errorf("%s windows, trigger %s, %s: %q, want %q", c.windows, c.trigger, when, got, want)
			}
			task.outs = nil
		}
		ahead, behind := s.start(0, 2), s.start(1, 2)
		s.bring(ahead, 0, 1)
		s.mark(ahead, 25)
		expect("before the checkpoint", ahead, test.fired)
		s.bring(behind, 1, 1)
		s.mark(behind, 2)
		one := s.start(0, 1, ahead, behind)
		s.bring(one, 0, 1)
		expect("late", one, test.again)
		s.bring(one, 0, -10)
		if expect("too late", one, ""); *one.counters[lateDropped] != 1 {
			t.Errorf("%s windows, trigger %s: %d dropped, want 1", c.windows, c.trigger, *one.counters[lateDropped])
		}
		s.mark(one, 25)
		expect("at 25", one, test.other)
		s.mark(one, messages.MaxWatermark)
		expect("at the end", one, "")
	}
}

// skew drives subtasks of an operator, each with a watermark of its own.
type skew struct {
	t    *testing.T
	op   *plan.Operator
	max  int
	keys [2]string // of the first and the second of two subtasks
	many int       // results that make a step; 0: no steps
}

// skewTask is a subtask, and its main output.
type skewTask struct {
	instance  plan.Instance
	groups    messages.KeyGroupRange
	states    []persistence.State
	counters  map[string]*plan.Counter
	watermark int64
	outs      []string
	log       []string // results by key, and watermarks
	left      int64    // the last watermark that left
	behind    []string // results that a watermark covered which had left
	keys      [2]string
}

func newSkew(t *testing.T, c *windowCase) *skew {
	top := operators.NewTopology("skew")
	watermarks := operators.BoundedOutOfOrderness(0, func(r Rec) int64 { return r.V })
	c.build(operators.From(top, "source", operators.Slice[Rec](), watermarks)).To("sink", nowhere[result]{})
	p, err := top.Build()
	if err != nil {
		t.Fatal(err)
	}
	s := &skew{t: t, op: p.Operator("window"), max: p.MaxParallelism}
	for k := range 100 {
		s.keys[messages.SubtaskOf(s.groupOf(fmt.Sprint(k)), 2, s.max)] = fmt.Sprint(k)
	}
	return s
}

// groupOf gives the key group of a key.
func (s *skew) groupOf(key string) messages.KeyGroup {
	b := &plan.Batch{Values: &[]Rec{{Key: key}}, Times: []int64{0}}
	s.op.Inputs[0].Keyer.Hash(b)
	return messages.KeyGroupOf(b.Hashes[0], s.max)
}

func (s *skew) must(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

// start makes a subtask, which goes on from what others have.
func (s *skew) start(index, parallelism int, from ...*skewTask) *skewTask {
	s.t.Helper()
	task := &skewTask{
		instance: s.op.New(), groups: messages.KeyGroupsOf(index, parallelism, s.max), keys: s.keys,
		counters: map[string]*plan.Counter{}, watermark: messages.NoWatermark,
	}
	for i, f := range from {
		if i == 0 || f.watermark < task.watermark {
			task.watermark = f.watermark
		}
	}
	s.must(task.instance.Init(&plan.Runtime{
		Operator: s.op.Name, StepResults: s.many, Index: index, Parallelism: parallelism, MaxParallelism: s.max, Groups: task.groups, Attempt: 1, Restored: len(from) > 0,
		Context: s.t.Context(), Now: func() int64 { return 0 }, SetTimer: func(int64) {}, Step: func(string) {},
		Watermark: func() int64 { return task.watermark },
		Output:    func(string) plan.Output { return task },
		Register:  func(st persistence.State) error { task.states = append(task.states, st); return nil },
		Counter:   task.counter,
	}))
	for _, f := range from {
		s.move(f, task)
	}
	s.must(task.instance.Open())
	if task.left = task.watermark; s.many > 0 {
		task.left = task.instance.(plan.Stepper).OutputWatermark(task.watermark)
	}
	return task
}

// move writes the states of a subtask and reads what another one has of them.
func (s *skew) move(from, to *skewTask) {
	s.t.Helper()
	for i, st := range from.states {
		frozen := st.Freeze()
		for g := max(from.groups.From, to.groups.From); g < min(from.groups.To, to.groups.To); g++ {
			var buf bytes.Buffer
			_, err := frozen.WriteGroup(g, &buf)
			s.must(err)
			s.must(to.states[i].ReadGroup(g, &buf))
		}
		frozen.Release()
	}
}

func (task *skewTask) counter(name string) *plan.Counter {
	if task.counters[name] == nil {
		task.counters[name] = new(plan.Counter)
	}
	return task.counters[name]
}

// Push is plan.Output's. It names keys by the subtask that they were of.
func (task *skewTask) Push(b *plan.Batch) error {
	marks := b.Marks
	for i, r := range *b.Values.(*[]result) {
		marks = task.pass(marks, i)
		task.outs = append(task.outs, fmt.Sprintf("%d [%d,%d) %d", slices.Index(task.keys[:], r.Key), r.Start, r.End, r.Value.V))
		task.log = append(task.log, fmt.Sprintf("%s=%d@%d", r.Key, r.Value.V, b.Times[i]))
		if b.Times[i] <= task.left {
			task.behind = append(task.behind, fmt.Sprintf("%s behind %d", task.log[len(task.log)-1], task.left))
		}
	}
	task.pass(marks, math.MaxInt)
	return nil
}

// pass notes the watermarks before a place in a batch, and gives the others.
func (task *skewTask) pass(marks []plan.Mark, place int) []plan.Mark {
	for ; len(marks) > 0 && marks[0].Index <= place; marks = marks[1:] {
		task.left = marks[0].Watermark
		task.log = append(task.log, fmt.Sprintf("-- %d", task.left))
	}
	return marks
}

// bring brings a record of a subtask's key, of value 1.
func (s *skew) bring(task *skewTask, key int, ms int64) {
	s.t.Helper()
	s.must(task.instance.Process(0, &plan.Batch{Values: &[]Rec{{Key: s.keys[key], V: 1}}, Times: []int64{ms}}))
}

func (s *skew) mark(task *skewTask, watermark int64) {
	s.t.Helper()
	task.watermark = watermark
	s.must(task.instance.Process(0, (&plan.Batch{Values: &[]Rec{}}).WithMark(watermark)))
}
