package operators

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/weirflow/weir/messages"
	"github.com/weirflow/weir/operators/plan"
)

// diary writes down what is called when.
type diary struct {
	lines *[]string
	count ValueState[int64]
	fail  error
}

func (f *diary) Open(info OpenContext) error {
	*f.lines = append(*f.lines, fmt.Sprintf("open %s %d/%d restored=%v", info.Operator, info.Index, info.Parallelism, info.Restored))
	info.Counter("opens").Add(1)
	return f.fail
}

func (f *diary) ProcessElement(ctx *Context[string, string], v fare) error {
	n, _ := f.count.Get()
	f.count.Set(n + 1)
	*f.lines = append(*f.lines, fmt.Sprintf("element %s, %d before", v.Driver, n))
	return f.fail
}

func (f *diary) Close() error {
	*f.lines = append(*f.lines, "close")
	return nil
}

func keepDiary(lines *[]string, fail error) func(*Stream[fare]) {
	return func(in *Stream[fare]) {
		Process(fares(in), "diary", func(s *States[string]) *diary {
			return &diary{lines: lines, count: NewValueState[int64](s, "count"), fail: fail}
		})
	}
}

// S76: Open runs once per subtask and incarnation, before the first element and after the restore; Close on stop.
func TestS76_OpenAndClose(t *testing.T) {
	var got []string
	r := newRig(t, 1, keepDiary(&got, nil))
	r.record(fare{"a", 1}, 1)
	r.record(fare{"a", 1}, 2)
	r.rescale(2)
	r.record(fare{"a", 1}, 3)
	r.finish()
	want := []string{
		"open diary 0/1 restored=false", "element a, 0 before", "element a, 1 before", "close",
		"open diary 0/2 restored=true", "open diary 1/2 restored=true", "element a, 2 before", "close", "close",
	}
	if !slices.Equal(got, want) {
		t.Fatalf("%v\nwant %v", got, want)
	}
	r.close()
	if len(got) != len(want) {
		t.Fatalf("closed twice: %v", got)
	}
}

// A function whose Open failed is not closed; its error comes out wrapped.
func TestOpenFails(t *testing.T) {
	var got []string
	failed := errors.New("no luck")
	r := &rig[fare]{t: t, op: rigOperator(t, keepDiary(&got, failed)), groups: plan.DefaultMaxParallelism}
	task := &rigTask{t: t, instance: r.op.New(), outputs: map[string]*capture{}, counters: map[string]*plan.Counter{}}
	r.must(task.instance.Init(r.runtime(task, 1, false)))
	if err := task.instance.Open(); !errors.Is(err, failed) || !strings.HasPrefix(err.Error(), "Open: ") {
		t.Fatalf("Open: %v", err)
	}
	r.must(task.instance.Close())
	if !slices.Equal(got, []string{"open diary 0/1 restored=false"}) {
		t.Fatalf("%v", got)
	}
}

// An error of the function comes out as it is, and the cursor is at its record.
func TestProcessElementFails(t *testing.T) {
	var got []string
	failed := errors.New("no luck")
	r := newRig(t, 1, keepDiary(&got, nil))
	task := r.tasks[0]
	task.instance.(*processor[string, fare, string]).function.(*diary).fail = failed
	values := []fare{{"a", 1}}
	b := &plan.Batch{Values: &values, Times: []int64{7}} // no hashes: they are made on the way
	if err := task.instance.Process(0, b); err != failed {
		t.Fatalf("Process: %v", err)
	}
	ts, hash, keyed, ok := task.instance.(plan.RecordCursor).Cursor()
	if !ok || !keyed || ts != 7 || groupOfHash(hash) != groupOfDriver("a") {
		t.Fatalf("cursor: time %d, hash %x, %v, %v", ts, hash, keyed, ok)
	}
	if len(b.Hashes) != 0 {
		t.Fatalf("the batch went back with %d hashes", len(b.Hashes))
	}
}

// Misuse of the context fails the attempt at its record, with what to do instead.
func TestContextMisuse(t *testing.T) {
	for _, c := range []struct {
		name string
		do   func(*Context[string, string])
		want string
	}{
		{"undeclared tag", func(ctx *Context[string, string]) { NewTag[int]("nowhere").Emit(ctx, 1) }, `side output "nowhere" was not declared`},
		{"tag of another type", func(ctx *Context[string, string]) { NewTag[int]("alert").Emit(ctx, 1) }, `side output "alert" was not declared for Tag[int]`},
		{"timer without OnTimer", func(ctx *Context[string, string]) { ctx.RegisterEventTimer(5) }, "the function has no method OnTimer"},
		{"EmitAt without a time", func(ctx *Context[string, string]) { ctx.EmitAt("x", NoTime) }, "EmitAt with time -9223372036854775808"},
	} {
		r := newRig(t, 1, func(in *Stream[fare]) {
			Process(fares(in), "misuse", func(*States[string]) does { return c.do }, alert)
		})
		b := &plan.Batch{Values: &[]fare{{"a", 1}, {"b", 2}}, Times: []int64{7, 8}, Hashes: []uint64{1, 2}}
		err := r.tasks[0].instance.Process(0, b)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", c.name, err, c.want)
		}
		if ts, _, _, ok := r.tasks[0].instance.(plan.RecordCursor).Cursor(); !ok || ts != 7 {
			t.Errorf("%s: cursor at %d, %v", c.name, ts, ok)
		}
	}
}

type does func(*Context[string, string])

func (f does) ProcessElement(ctx *Context[string, string], _ fare) error {
	f(ctx)
	return nil
}

func groupOfHash(hash uint64) messages.KeyGroup {
	return messages.KeyGroupOf(hash, plan.DefaultMaxParallelism)
}
