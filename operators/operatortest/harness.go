package operatortest

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/weirflow/weir/messages"
	"github.com/weirflow/weir/operators"
	"github.com/weirflow/weir/operators/plan"
)

// Harness drives one operator, or a few in a row, behind one input. Records and
// watermarks go in one at a time, and what follows from one has happened when
// the method returns.
type Harness[T, R any] struct {
	t      TB
	build  func(in *operators.Stream[T]) *operators.Stream[R]
	engine *engine
	out    *collector
	deep   bool // what comes out is copied by its codec, see collector
}

// Names of what stands before and behind the operator under test.
const (
	inputName  = "operatortest.input"
	outputName = "operatortest.output"
)

// Keyed starts what build makes of the stream in, at parallelism 1, and fails
// the test if the topology is wrong. build is called again for every Restore. It
// usually begins with operators.KeyBy, but an operator without key works as well.
//
// Operators get the harness' parallelism unless build sets another; the input
// has parallelism 1 always, so that its order is that of the calls.
func Keyed[T, R any](t TB, build func(in *operators.Stream[T]) *operators.Stream[R]) *Harness[T, R] {
	t.Helper()
	return newHarness(t, build, 1, false)
}

func newHarness[T, R any](t TB, build func(in *operators.Stream[T]) *operators.Stream[R], parallelism int, deep bool) *Harness[T, R] {
	t.Helper()
	h := &Harness[T, R]{t: t, build: build, deep: deep}
	h.start(parallelism, nil)
	return h
}

// start makes new subtasks, empty or from a snapshot. Output, side outputs and
// processing time go on.
func (h *Harness[T, R]) start(parallelism int, s *Snapshot) {
	h.t.Helper()
	p := h.plan(parallelism)
	w := world{attempt: 1, sides: map[string]*side{}}
	if h.engine != nil {
		w = world{attempt: h.engine.attempt + 1, sides: h.engine.sides, now: h.engine.now}
	} else {
		h.out = newCollector(p.Operator(outputName).Inputs[0].Type, h.deep)
	}
	for _, op := range p.Operators {
		for _, tag := range op.Sides {
			if w.sides[tag] == nil {
				w.sides[tag] = &side{}
			}
		}
	}
	w.collectors = map[messages.OperatorID]*collector{outputName: h.out}
	h.engine = newEngine(h.t, p, w, s)
}

func (h *Harness[T, R]) plan(parallelism int) *plan.Plan {
	h.t.Helper()
	top := operators.NewTopology("operatortest").Parallelism(parallelism)
	in := operators.From(top, inputName, byHand[T]{}, operators.Monotonous[T](nil)).Parallelism(1)
	out := h.build(in)
	if out == nil {
		h.t.Fatalf("the function that builds the operator gave no stream; let it return what the operator emits")
	}
	out.To(outputName, intoHand[R]{})
	p, err := top.Build()
	if err != nil {
		h.t.Fatalf("%v", err)
	}
	return p
}

// Process brings a record with an event time in ms, or operators.NoTime.
func (h *Harness[T, R]) Process(value T, time int64) {
	h.t.Helper()
	h.feed(batchOf(h.t, h.input().op.Source.Type, []T{value}, []int64{time}))
}

// Watermark brings a watermark, in ms. One that does not grow is ignored, as it
// is in a job.
func (h *Harness[T, R]) Watermark(watermark int64) {
	h.t.Helper()
	h.feed(batchOf(h.t, h.input().op.Source.Type, []T(nil), nil).WithMark(checkWatermark(h.t, watermark)))
}

// AdvanceProcessingTime moves the clock of the node on, which begins at 0 and
// stands still otherwise. Timers on the way fire in their order, each at its
// time. One that is due at once, or overdue after a Restore, fires at the next
// call, also with 0.
func (h *Harness[T, R]) AdvanceProcessingTime(d time.Duration) {
	h.t.Helper()
	h.engine.advance(d)
}

// End ends the input: the last watermark, messages.MaxWatermark, and nothing
// after it.
func (h *Harness[T, R]) End() {
	h.t.Helper()
	h.input().end()
}

// Output gives the records that came out since the last call, in their order.
// Among those of several subtasks the order says nothing.
func (h *Harness[T, R]) Output() []Record[R] {
	h.t.Helper()
	defer h.out.drain()
	return recordsOf[R](h.out, 0)
}

// Side gives the records that went to a side output since the last call,
// whether or not an operator reads it.
func Side[T, R, X any](h *Harness[T, R], tag operators.Tag[X]) []Record[X] {
	h.t.Helper()
	s := h.engine.sides[tag.Name()]
	if s == nil {
		h.t.Fatalf("no operator writes to side output %q; pass the tag where the operator is defined", tag.Name())
	}
	all := sideRecords[X](h.t, tag, s)
	*s = side{}
	return all
}

func sideRecords[X any](t TB, tag operators.Tag[X], s *side) (all []Record[X]) {
	t.Helper()
	for i, v := range s.values {
		x, ok := v.(X)
		if !ok {
			t.Fatalf("side output %q has records of type %T; use the tag that the operator was defined with", tag.Name(), v)
		}
		all = append(all, Record[X]{Value: x, Time: s.times[i]})
	}
	return all
}

// Timers is the number of timers that are pending, of all keys and both domains.
func (h *Harness[T, R]) Timers() int { return h.engine.count(true) }

// StateSize is the number of entries in all states, timers left out: a value
// counts as one for each key that has it, a list or map as many as it holds, a
// window one for each key in it. What should be forgotten must bring it down.
func (h *Harness[T, R]) StateSize() int { return h.engine.count(false) }

// Counter is the sum of a metric of that name over all operators and subtasks,
// since the beginning or the last Restore.
func (h *Harness[T, R]) Counter(name string) (n int64) {
	h.engine.forwards(func(nd *node) {
		if c := nd.counters[name]; c != nil {
			n += int64(*c)
		}
	})
	return n
}

// Snapshot takes a checkpoint. The operator goes on.
func (h *Harness[T, R]) Snapshot() *Snapshot {
	h.t.Helper()
	return h.engine.snapshot()
}

// Restore throws the operator away, builds it anew, and has it go on from a
// snapshot at a parallelism, as a job does after a failure or a rescale. What
// was in Go variables of the function is gone. Output that was not taken yet
// stays, also what came after the snapshot.
func (h *Harness[T, R]) Restore(s *Snapshot, parallelism int) {
	h.t.Helper()
	if s == nil {
		h.t.Fatalf("Restore got no snapshot; take one with Snapshot")
	}
	h.Close()
	h.start(parallelism, s)
}

// Close calls Close of the operator's functions, if they have it. The harness
// must not be used afterwards. A test of functions that own nothing needs no Close.
func (h *Harness[T, R]) Close() {
	h.t.Helper()
	h.engine.close()
}

func (h *Harness[T, R]) input() *node {
	return h.engine.nodes[h.engine.plan.Operator(inputName).Index][0]
}

func (h *Harness[T, R]) feed(b *plan.Batch) {
	h.t.Helper()
	h.input().feed(b)
}

// batchOf makes a batch, and fails on times that no source may give.
func batchOf[T any](t TB, rows plan.RowType, values []T, times []int64) *plan.Batch {
	t.Helper()
	b := rows.New(len(values))
	*b.Values.(*[]T), b.Times = append(*b.Values.(*[]T), values...), append(b.Times, times...)
	if i := slices.IndexFunc(times, badTime); i >= 0 {
		t.Fatalf("record %+v has time %d; give ms since 1970 within [%d, %d], or operators.NoTime", values[i], times[i], messages.MinEventTime, messages.MaxEventTime)
	}
	return b
}

func badTime(ms int64) bool {
	return ms != operators.NoTime && (ms < messages.MinEventTime || ms > messages.MaxEventTime)
}

func checkWatermark(t TB, watermark int64) int64 {
	t.Helper()
	if watermark == messages.NoWatermark {
		t.Fatalf("messages.NoWatermark says that there was no watermark yet and is never sent; give ms, or messages.MaxWatermark")
	}
	return watermark
}

// byHand is the source of records that a test brings itself. Nobody opens it.
type byHand[T any] struct{}

func (byHand[T]) String() string             { return "by hand" }
func (byHand[T]) Info() operators.SourceInfo { return operators.SourceInfo{Replayable: true} }

func (byHand[T]) Splits(context.Context) ([]string, error) { return nil, errByHand }

func (byHand[T]) Open(context.Context, string, []byte) (operators.Reader[T], error) {
	return nil, errByHand
}

// intoHand is the sink of records that a test takes itself. Nobody opens it.
type intoHand[R any] struct{}

func (intoHand[R]) String() string           { return "into hand" }
func (intoHand[R]) Kind() operators.SinkKind { return operators.Plain }

func (intoHand[R]) Open(context.Context, operators.SinkContext) (operators.Writer[R], error) {
	return nil, errByHand
}

var errByHand = errors.New("operatortest drives it by hand")
