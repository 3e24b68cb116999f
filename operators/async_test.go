package operators_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/weirflow/weir/messages"
	"github.com/weirflow/weir/operators"
	"github.com/weirflow/weir/operators/plan"
)

// S94, S99, S103, S110: whatever the order of the answers, whichever fail or time
// out, and wherever a snapshot is restored at any parallelism, each record gives
// its results once, in the main output or aside, with its event time and no
// watermark between it and where it was; and the last watermark gets through.
func TestAsyncAgainstTwin(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := newAsyncTwin(t)
		for range rapid.IntRange(1, 80).Draw(t, "steps") {
			w.step()
			w.checkCalls()
		}
		w.drain()
		w.check()
	})
}

// asyncTwin is a rig and a straight-line account of what must leave it.
type asyncTwin struct {
	t       *rapid.T
	rig     *asyncRig
	records []twinRecord // by value
	life    int          // grows with every restore
	tries   map[int64]int
	cut     asyncCut
}

// twinRecord is a record that came in.
type twinRecord struct {
	time, epoch int64 // epoch: the watermark of its subtask before it
	task, life  int
}

// asyncCut is where a crash throws the job back to.
type asyncCut struct {
	snapshot      *asyncSnapshot
	records, left int
}

func newAsyncTwin(t *rapid.T) *asyncTwin {
	r := &asyncRig{t: t, ordered: rapid.Bool().Draw(t, "ordered")}
	r.options.Capacity = rapid.IntRange(1, 5).Draw(t, "capacity")
	if rapid.Bool().Draw(t, "timeouts") {
		r.options.Timeout, r.options.OnTimeout = 10*time.Millisecond, operators.TimeoutToSide(asyncAside)
	}
	r.options.Retry = operators.AsyncRetry{Attempts: 3, Backoff: 4 * time.Millisecond}
	r.start(rapid.IntRange(1, 3).Draw(t, "parallelism"), nil)
	w := &asyncTwin{t: t, rig: r, tries: map[int64]int{}}
	w.cut.snapshot = r.snapshot()
	return w
}

func (w *asyncTwin) step() {
	switch rapid.IntRange(0, 9).Draw(w.t, "step") {
	case 0, 1, 2:
		w.feed()
	case 3, 4, 5, 6:
		w.answer(true)
	case 7:
		w.must(w.rig.pass(w.rig.now + rapid.Int64Range(0, 12).Draw(w.t, "pass")))
	case 8:
		w.cut = asyncCut{w.rig.snapshot(), len(w.records), len(w.rig.left)}
	case 9:
		w.crash()
	}
}

func (w *asyncTwin) must(err error) {
	if err != nil {
		w.t.Fatalf("%v", err)
	}
}

// feed brings a batch to a subtask, now and then one whose gate is closed.
func (w *asyncTwin) feed() {
	task := rapid.SampledFrom(w.rig.tasks).Draw(w.t, "task")
	if !task.instance.(plan.Gate).Ready() && rapid.IntRange(0, 3).Draw(w.t, "wait") > 0 {
		return
	}
	var values, times []int64
	for range rapid.IntRange(0, 4).Draw(w.t, "records") {
		r := twinRecord{time: int64(len(w.records)), epoch: task.clock, task: task.index, life: w.life}
		values, times = append(values, int64(len(w.records))), append(times, r.time)
		w.records = append(w.records, r)
	}
	w.must(task.batch(values, times, rapid.Int64Range(0, 40).Draw(w.t, "watermark")))
}

// answer has some call come back. A record has an error askTwice at most.
func (w *asyncTwin) answer(errors bool) {
	task := rapid.SampledFrom(w.rig.tasks).Draw(w.t, "task")
	if len(task.calls) == 0 {
		return
	}
	v := rapid.SampledFrom(task.calls).Draw(w.t, "call").value
	if errors && w.tries[v] < 2 && rapid.IntRange(0, 2).Draw(w.t, "error") == 0 {
		w.tries[v]++
		w.must(task.answer(v, asyncAnswers["busy"]))
		return
	}
	w.must(task.answer(v, twinResults))
}

// twinResults gives 0, 1 or 2 results, by record.
func twinResults(v int64) (results []int64, _ error) {
	for i := range v % 3 {
		results = append(results, v*10+i)
	}
	return results, nil
}

// crash throws everything back to the last snapshot: what left after it was never
// committed, and what came in after it comes no more.
func (w *asyncTwin) crash() {
	w.records, w.rig.left = w.records[:w.cut.records], w.rig.left[:w.cut.left]
	w.rig.start(rapid.IntRange(1, 3).Draw(w.t, "parallelism"), w.cut.snapshot)
	w.life++
	w.tries = map[int64]int{}
	for _, task := range w.rig.tasks {
		if task.begun > task.clock || !task.instance.(plan.Deferrer).Pending() && task.begun != task.clock {
			w.t.Fatalf("subtask %d begins at %d, but its inputs are at %d", task.index, task.begun, task.clock)
		}
	}
}

// checkCalls: never more calls than the capacity, and none for nothing.
func (w *asyncTwin) checkCalls() {
	for _, task := range w.rig.tasks {
		if len(task.calls) > w.rig.options.Capacity {
			w.t.Fatalf("%d calls at once, capacity %d", len(task.calls), w.rig.options.Capacity)
		}
		if task.instance.(plan.Deferrer).Pending() && len(task.calls) == 0 && !task.timerSet {
			w.t.Fatalf("subtask %d has records pending, but no call and no timer", task.index)
		}
	}
}

// drain ends the input and lets all calls come back.
func (w *asyncTwin) drain() {
	pending := func(task *asyncTask) bool { return task.instance.(plan.Deferrer).Pending() }
	for _, task := range w.rig.tasks {
		w.must(task.batch(nil, nil, messages.MaxWatermark))
	}
	for range 100_000 {
		if !slices.ContainsFunc(w.rig.tasks, pending) {
			return
		}
		w.answer(false)
		if !slices.ContainsFunc(w.rig.tasks, func(task *asyncTask) bool { return len(task.calls) > 0 }) {
			w.must(w.rig.pass(w.rig.now + 1))
		}
	}
	w.t.Fatalf("it never ends")
}

func (w *asyncTwin) check() {
	count := map[int64]int{}
	for _, l := range w.rig.left {
		v := l.value
		if l.tag == "" {
			v /= 10
		}
		r := w.records[v]
		if l.time != r.time {
			w.t.Fatalf("a result of record %d left with time %d, not %d", v, l.time, r.time)
		}
		if l.epoch > r.epoch {
			w.t.Fatalf("a result of record %d, which came at watermark %d, left behind watermark %d", v, r.epoch, l.epoch)
		}
		if w.life == 0 && l.epoch < r.epoch {
			w.t.Fatalf("a result of record %d, which came at watermark %d, overtook it, and left at %d", v, r.epoch, l.epoch)
		}
		count[v] += map[string]int{"": 1, "aside": 100}[l.tag]
	}
	for v := range int64(len(w.records)) {
		if n := count[v]; n != int(v%3) && (n != 100 || w.rig.options.Timeout == 0) {
			w.t.Fatalf("record %d left %d times, want %d (or, once, aside, which counts as 100)", v, n, v%3)
		}
	}
	for _, task := range w.rig.tasks {
		if task.marks[""] != messages.MaxWatermark {
			w.t.Fatalf("the last watermark of subtask %d that left is %d", task.index, task.marks[""])
		}
	}
	w.checkOrder()
}

// checkOrder: results of records that came to one subtask leave in their order,
// if that is wanted.
func (w *asyncTwin) checkOrder() {
	last := map[string]int64{}
	for _, l := range w.rig.left {
		if !w.rig.ordered {
			return
		}
		v := l.value
		if l.tag == "" {
			v /= 10
		}
		lane := fmt.Sprint(l.tag, w.records[v].task, w.records[v].life)
		if l.value < last[lane] {
			w.t.Fatalf("%d left behind %d", l.value, last[lane])
		}
		last[lane] = l.value
	}
}

// Any number of watermarks may come behind a slow record; a bounded number of them
// is kept, the last one always, and those between records always.
func TestAsyncWatermarksAreBounded(t *testing.T) {
	r := &asyncRig{t: t, ordered: true}
	r.start(1, nil)
	task := r.tasks[0]
	r.must(task.batch([]int64{1}, []int64{5}, 1))
	for w := range int64(10_000) {
		r.must(task.batch(nil, nil, 10+w))
	}
	if n := len(r.snapshot().parts[0]); n > 2000 {
		t.Errorf("a snapshot with 10001 watermarks has %d bytes", n)
	}
	r.must(task.batch([]int64{2}, []int64{20_001}, 20_000))
	r.must(task.answer(2, asyncAnswers["none"]))
	r.must(task.answer(1, asyncAnswers["none"]))
	last := strings.Join(r.log[len(r.log)-2:], ", ")
	if last != "-- 10009, -- 20000" || r.log[0] != "-- 1" || len(r.log) > 300 {
		t.Errorf("%d watermarks left, the first is %s, the last are %s", len(r.log), r.log[0], last)
	}
}

// S110: a subtask that is what it was goes on with its watermarks between the
// records, to the letter.
func TestAsyncRestoredUnmoved(t *testing.T) {
	r := &asyncRig{t: t}
	r.start(2, nil)
	r.must(r.tasks[1].batch([]int64{1}, []int64{5}, 4))
	r.must(r.tasks[1].batch([]int64{2}, []int64{5}, 6))
	r.start(2, r.snapshot())
	r.must(r.tasks[1].answer(2, asyncAnswers["ok"]))
	r.must(r.tasks[1].answer(1, asyncAnswers["none"]))
	want := "1: -- 4, 1: 21@5, 1: 22@5, 1: -- 6"
	if got := strings.Join(r.log, ", "); got != want {
		t.Errorf("left: %s; want %s", got, want)
	}
}

// A subtask whose inputs were moved, though it has the parallelism it had, begins
// with the least of all clocks: there may come records behind its own.
func TestAsyncRestoredWithMovedInputs(t *testing.T) {
	r := &asyncRig{t: t}
	r.start(2, nil)
	r.must(r.tasks[0].batch([]int64{1}, []int64{5}, 4))
	r.must(r.tasks[1].batch(nil, nil, 8))
	r.must(r.tasks[1].batch([]int64{2}, []int64{9}, 9))
	s := r.snapshot()
	s.clocks = []int64{4, 4}
	r.log = nil
	r.start(2, s)
	if got := r.tasks[1].begun; got != messages.NoWatermark {
		t.Errorf("subtask 1 begins at %d, but subtask 0 had sent no watermark", got)
	}
	r.must(r.tasks[1].answer(2, asyncAnswers["ok"]))
	if got, want := strings.Join(r.log, ", "), "1: 21@9, 1: 22@9, 1: -- 4"; got != want {
		t.Errorf("left: %s; want %s", got, want)
	}
}

// What the inputs reached meanwhile does not count while something is pending, and
// counts at once otherwise.
func TestAsyncOutputWatermark(t *testing.T) {
	r := &asyncRig{t: t}
	r.start(1, nil)
	r.must(r.tasks[0].batch(nil, nil, 3))
	r.must(r.tasks[0].batch([]int64{1}, []int64{5}, 4))
	r.start(1, r.snapshot())
	out := r.tasks[0].instance.(plan.Deferrer)
	if got := out.OutputWatermark(50); got != 3 {
		t.Errorf("with a record pending it begins at %d, want 3", got)
	}
	r.must(r.tasks[0].answer(1, asyncAnswers["none"]))
	r.start(1, r.snapshot())
	if got := r.tasks[0].instance.(plan.Deferrer).OutputWatermark(50); got != 50 {
		t.Errorf("with nothing pending it begins at %d, want 50", got)
	}
	r.must(r.tasks[0].batch(nil, nil, 50)) // and is not sent again
}

// A panic of the user's function keeps its stack, a snapshot that is cut short is
// refused, and neither is taken for the other.
func TestAsyncErrors(t *testing.T) {
	r := &asyncRig{t: t}
	r.start(1, nil)
	r.must(r.tasks[0].batch([]int64{7}, []int64{5}, 4))
	s := r.snapshot()
	err := r.tasks[0].answer(7, asyncAnswers["panic"])
	var p *plan.PanicError
	if !errors.As(err, &p) || p.Value != "no service" || !strings.Contains(string(p.Stack), "async_script_test.go") {
		t.Errorf("a panic became %v; want a PanicError with the stack of the function", err)
	}
	for n := range s.parts[0] {
		fresh := r.operator().New()
		r.must(fresh.Init(r.tasks[0].runtime(1, true)))
		if err := fresh.(plan.Checkpointed).RestoreState([][]byte{s.parts[0][:n]}); err == nil {
			t.Errorf("%d of %d bytes were restored without an error", n, len(s.parts[0]))
		}
	}
}

// Everything that is wrong is said at Build, with the operator, the option, its
// value and the remedy.
func TestAsyncBuildErrors(t *testing.T) {
	same := func(v int64) ([]int64, error) { return nil, nil }
	for _, c := range []struct {
		o    operators.AsyncOptions
		want string
	}{
		{operators.AsyncOptions{Capacity: -1}, `Capacity -1: give a number in 1..65536, or 0 for 100`},
		{operators.AsyncOptions{Capacity: 65537}, `Capacity 65537: give a number in 1..65536, or 0 for 100`},
		{operators.AsyncOptions{Timeout: -time.Second}, `Timeout -1s: give whole milliseconds, or 0 for none`},
		{operators.AsyncOptions{Timeout: 1500 * time.Microsecond}, `Timeout 1.5ms: give whole milliseconds, or 0 for none`},
		{operators.AsyncOptions{OnTimeout: operators.TimeoutResult(same)},
			`OnTimeout is set, but Timeout is 0, so no record ever takes too long; give a Timeout, or leave OnTimeout out`},
		{operators.AsyncOptions{Timeout: time.Second, OnTimeout: &operators.TimeoutPolicy{}},
			`OnTimeout: it says nothing; make it with TimeoutToSide or TimeoutResult`},
		{operators.AsyncOptions{Timeout: time.Second, OnTimeout: operators.TimeoutToSide(operators.NewTag[string]("aside"))},
			`OnTimeout takes records of type string, but those here are of type int64; give it one for these`},
		{operators.AsyncOptions{Timeout: time.Second, OnTimeout: operators.TimeoutResult(func(int64) ([]string, error) { return nil, nil })},
			`OnTimeout gives results of type string, but call gives int64; give it a function that does the same`},
		{operators.AsyncOptions{Timeout: time.Second, OnTimeout: operators.TimeoutResult[int64, int64](nil)},
			`OnTimeout: the function of its TimeoutResult is nil; give it one`},
		{operators.AsyncOptions{Retry: operators.AsyncRetry{Attempts: -2}},
			`Retry.Attempts -2: give the number of calls a record may take, at least 1, or 0 for 1`},
		{operators.AsyncOptions{Retry: operators.AsyncRetry{Attempts: 2, Backoff: -time.Second}}, `Retry.Backoff -1s: give whole milliseconds, at least 0`},
		{operators.AsyncOptions{Retry: operators.AsyncRetry{Attempts: 2, MaxBackoff: time.Microsecond}}, `Retry.MaxBackoff 1µs: give whole milliseconds, at least 0`},
		{operators.AsyncOptions{Retry: operators.AsyncRetry{Attempts: 2, Backoff: 2 * time.Second, MaxBackoff: time.Second}},
			`Retry.MaxBackoff 1s is below Retry.Backoff 2s; raise it, or leave it out`},
		{operators.AsyncOptions{Retry: operators.AsyncRetry{Backoff: time.Second}},
			`Retry says how to retry, but Retry.Attempts 0 allows no second attempt; give at least 2, or leave Retry out`},
	} {
		want := "topology \"ask\" cannot run:\noperator \"ask\": " + c.want
		if err := buildAsync(c.o, askTwice); err == nil || err.Error() != want {
			t.Errorf("%+v:\n got %v\nwant %s", c.o, err, want)
		}
	}
	if err := buildAsync(operators.AsyncOptions{}, nil); err == nil || !strings.Contains(err.Error(), `operator "ask": its function is nil; give it one`) {
		t.Errorf("a nil function: %v", err)
	}
	most := operators.AsyncOptions{Capacity: 65536, Timeout: time.Hour, OnTimeout: operators.TimeoutResult(same),
		Retry: operators.AsyncRetry{Attempts: 1 << 30, Backoff: time.Millisecond, MaxBackoff: time.Hour, If: func(error) bool { return true }}}
	if err := buildAsync(most, askTwice); err != nil {
		t.Error(err)
	}
}

func askTwice(_ context.Context, v int64) ([]int64, error) { return []int64{v, v}, nil }

func buildAsync(o operators.AsyncOptions, call func(context.Context, int64) ([]int64, error)) error {
	top := operators.NewTopology("ask")
	in := operators.From(top, "in", operators.Slice[int64](1), operators.Monotonous(func(v int64) int64 { return v }))
	operators.AsyncOrdered(in, "ask", call, o).To("out", asyncNowhere{})
	_, err := top.Build()
	return err
}

// The operator is fused neither with its input nor with its outputs, and the plan
// says what its options are.
func TestAsyncPlan(t *testing.T) {
	top := operators.NewTopology("ask")
	in := operators.From(top, "in", operators.Slice[int64](1), operators.Monotonous(func(v int64) int64 { return v }))
	o := operators.AsyncOptions{Timeout: 2 * time.Second, Retry: operators.AsyncRetry{Attempts: 3}}
	asked := operators.AsyncUnordered(in.Filter("all", func(int64) bool { return true }), "ask", askTwice, o)
	asked.Filter("some", func(int64) bool { return true }).To("out", asyncNowhere{})
	p, err := top.Build()
	if err != nil {
		t.Fatal(err)
	}
	if p.Operator("ask").Chain == p.Operator("all").Chain || p.Operator("ask").Chain == p.Operator("some").Chain {
		t.Errorf("the operator is fused:\n%v", p)
	}
	if p.Operator("some").Chain != p.Operator("out").Chain {
		t.Errorf("what is behind the operator is not fused:\n%v", p)
	}
	if want := "unordered between watermarks, 100 at once, timeout 2s, 3 attempts; state"; !strings.Contains(p.String(), want) {
		t.Errorf("%q is not in the plan:\n%v", want, p)
	}
}
