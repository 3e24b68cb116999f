package operators_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"

	"github.com/weirflow/weir/messages"
	"github.com/weirflow/weir/operators"
	"github.com/weirflow/weir/operators/plan"
	"github.com/weirflow/weir/persistence"
)

// asyncRig drives the subtasks of one async operator by hand: batches in, calls
// answered one by one, what leaves as text. Its world has no time but its own,
// and it plays the runtime's part: timers, works, snapshots, restores.
type asyncRig struct {
	t       interface{ Fatalf(string, ...any) }
	ordered bool
	options operators.AsyncOptions
	now     int64
	tasks   []*asyncTask
	next    func(v int64) ([]int64, error) // what the call that runs now gives
	log     []string                       // for people
	left    []asyncLeft                    // the same, for programs
}

// asyncLeft is a record as it left.
type asyncLeft struct {
	task        int
	tag         string
	value, time int64
	epoch       int64 // the watermark that had left before it
}

// asyncTask is one subtask.
type asyncTask struct {
	rig      *asyncRig
	index    int
	instance plan.Instance
	calls    []*asyncCall     // under way, the oldest first
	clock    int64            // of the inputs
	begun    int64            // the watermark with which its outputs began
	marks    map[string]int64 // the last watermark that left, by output
	timer    int64
	timerSet bool
	counters map[string]*plan.Counter
}

// asyncCall is a call that has not come back.
type asyncCall struct {
	value int64
	ctx   context.Context
	run   func(ctx context.Context) any
}

// asyncSnapshot is what a checkpoint holds of the operator.
type asyncSnapshot struct {
	parts  [][]byte
	clocks []int64
}

var asyncAside = operators.NewTag[int64]("aside")

func (r *asyncRig) operator() *plan.Operator {
	top := operators.NewTopology("async")
	in := operators.From(top, "in", operators.Slice[int64](), operators.Monotonous(func(v int64) int64 { return v }))
	call := func(_ context.Context, v int64) ([]int64, error) { return r.next(v) }
	add := operators.AsyncUnordered[int64, int64]
	if r.ordered {
		add = operators.AsyncOrdered[int64, int64]
	}
	add(in, "ask", call, r.options).To("out", asyncNowhere{})
	p, err := top.Build()
	if err != nil {
		r.t.Fatalf("%v", err)
	}
	return p.Operator("ask")
}

// start makes the subtasks, restores them unless s is nil, and opens them.
func (r *asyncRig) start(parallelism int, s *asyncSnapshot) {
	r.tasks = nil
	op := r.operator()
	for i := range parallelism {
		t := &asyncTask{rig: r, index: i, instance: op.New(), counters: map[string]*plan.Counter{}, clock: messages.NoWatermark}
		r.tasks = append(r.tasks, t)
		if s != nil {
			t.clock = s.clock(i, parallelism)
		}
		r.must(t.instance.Init(t.runtime(parallelism, s != nil)))
		if s != nil {
			r.must(t.instance.(plan.Checkpointed).RestoreState(s.parts))
		}
		t.begun = t.instance.(plan.Deferrer).OutputWatermark(t.clock)
		t.marks = map[string]int64{"": t.begun, asyncAside.Name(): t.begun}
		r.must(t.instance.Open())
	}
}

// clock is the clock of a subtask as the runtime restores it: its own, or, at
// another parallelism, the least.
func (s *asyncSnapshot) clock(index, parallelism int) int64 {
	if len(s.clocks) == parallelism {
		return s.clocks[index]
	}
	return slices.Min(s.clocks)
}

func (t *asyncTask) runtime(parallelism int, restored bool) *plan.Runtime {
	return &plan.Runtime{
		Operator: "ask", Index: t.index, Parallelism: parallelism, MaxParallelism: plan.DefaultMaxParallelism, Restored: restored,
		Context: context.Background(), Logger: slog.New(slog.DiscardHandler),
		Now:       func() int64 { return t.rig.now },
		SetTimer:  t.setTimer,
		Watermark: func() int64 { return t.clock },
		Output:    func(tag string) plan.Output { return &asyncCapture{t, tag} },
		Register:  func(persistence.State) error { return nil },
		Counter:   t.counter,
		Step:      func(string) {},
		Work:      t.work,
	}
}

func (t *asyncTask) setTimer(at int64) {
	if !t.timerSet || at < t.timer {
		t.timer, t.timerSet = at, true
	}
}

func (t *asyncTask) counter(name string) *plan.Counter {
	if t.counters[name] == nil {
		t.counters[name] = new(plan.Counter)
	}
	return t.counters[name]
}

// work notes a call. It runs it once beforehand, to learn which record it is for.
func (t *asyncTask) work(_ string, f func(context.Context) any) (cancel func()) {
	ctx, cancel := context.WithCancel(context.Background())
	c := &asyncCall{ctx: ctx, run: f, value: -1}
	before := t.rig.next
	t.rig.next = func(v int64) ([]int64, error) { c.value = v; return nil, nil }
	f(ctx)
	t.rig.next = before
	t.calls = append(t.calls, c)
	return cancel
}

// asyncCapture is an output: what is pushed becomes text.
type asyncCapture struct {
	t   *asyncTask
	tag string
}

func (c *asyncCapture) Push(b *plan.Batch) error {
	values, marks := *b.Values.(*[]int64), b.Marks
	for i := range len(values) + 1 {
		for len(marks) > 0 && marks[0].Index == i {
			c.marked(marks[0].Watermark)
			marks = marks[1:]
		}
		if i < len(values) {
			c.t.rig.say(c.t, "%s%d@%s", c.tag, values[i], asyncTime(b.Times[i]))
			c.t.rig.left = append(c.t.rig.left, asyncLeft{c.t.index, c.tag, values[i], b.Times[i], c.t.marks[c.tag]})
		}
	}
	if len(marks) > 0 {
		c.t.rig.t.Fatalf("mark out of place: %v", marks[0])
	}
	return nil
}

func (c *asyncCapture) marked(watermark int64) {
	if watermark <= c.t.marks[c.tag] {
		c.t.rig.t.Fatalf("watermark %d left behind %d", watermark, c.t.marks[c.tag])
	}
	c.t.marks[c.tag] = watermark
	c.t.rig.say(c.t, "%s-- %s", c.tag, asyncTime(watermark))
}

func asyncTime(ms int64) string {
	switch ms {
	case messages.NoWatermark:
		return "none"
	case messages.MaxWatermark:
		return "end"
	}
	return fmt.Sprint(ms)
}

// say notes what left a subtask; its index stands before it when there are several.
func (r *asyncRig) say(t *asyncTask, format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	if len(r.tasks) > 1 {
		text = fmt.Sprintf("%d: %s", t.index, text)
	}
	r.log = append(r.log, text)
}

func (r *asyncRig) must(err error) {
	if err != nil {
		r.t.Fatalf("%v", err)
	}
}

// batch brings records with their times, and a watermark behind them unless it
// is NoWatermark.
func (t *asyncTask) batch(values, times []int64, watermark int64) error {
	b := &plan.Batch{Values: &values, Times: times}
	if watermark > t.clock {
		t.clock = watermark
		b.WithMark(watermark)
	}
	return t.instance.Process(0, b)
}

// answer has the oldest call for a record come back with what give gives.
func (t *asyncTask) answer(value int64, give func(v int64) ([]int64, error)) error {
	i := slices.IndexFunc(t.calls, func(c *asyncCall) bool { return c.value == value })
	if i < 0 {
		return fmt.Errorf("there is no call for %d", value)
	}
	c := t.calls[i]
	t.calls = slices.Delete(t.calls, i, i+1)
	t.rig.next = give
	return t.instance.(plan.Worker).OnResult(c.run(c.ctx))
}

// pass lets time go by and fires the timers on the way.
func (r *asyncRig) pass(until int64) error {
	for {
		var first *asyncTask
		for _, t := range r.tasks {
			if t.timerSet && t.timer <= until && (first == nil || t.timer < first.timer) {
				first = t
			}
		}
		if first == nil {
			r.now = until
			return nil
		}
		r.now = max(r.now, first.timer)
		first.timerSet = false
		if err := first.instance.(plan.ProcessingTimer).OnProcessingTime(r.now); err != nil {
			return err
		}
	}
}

func (r *asyncRig) snapshot() *asyncSnapshot {
	s := &asyncSnapshot{}
	for _, t := range r.tasks {
		p, err := t.instance.(plan.Checkpointed).SnapshotState()
		r.must(err)
		s.parts, s.clocks = append(s.parts, p), append(s.clocks, t.clock)
	}
	return s
}

// state shows what is under way.
func (t *asyncTask) state() string {
	var calls []string
	for _, c := range t.calls {
		text := fmt.Sprint(c.value)
		if c.ctx.Err() != nil {
			text += " (cancelled)"
		}
		calls = append(calls, text)
	}
	gate := "open"
	if !t.instance.(plan.Gate).Ready() {
		gate = "closed"
	}
	text := fmt.Sprintf("calls [%s], gate %s", strings.Join(calls, " "), gate)
	if !t.instance.(plan.Deferrer).Pending() {
		text += ", nothing pending"
	}
	for _, name := range []string{"retries", "timeouts"} {
		if n := *t.counter(name); n > 0 {
			text += fmt.Sprintf(", %d %s", n, name)
		}
	}
	return text
}

var (
	errAsyncBusy = errors.New("the service is busy")
	errAsyncGone = errors.New("there is no such thing")
)
