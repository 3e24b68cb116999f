package operatortest

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"github.com/weirflow/weir/messages"
	"github.com/weirflow/weir/operators"
	"github.com/weirflow/weir/operators/plan"
)

// stand is the operator under test, with inputs before it and an output behind.
// Harness and TwoInput are its handles, which know the types of the records.
type stand struct {
	t      TB
	plan   func(parallelism int) *plan.Plan // makes the topology anew
	inputs []messages.OperatorID            // in the order of the build function's parameters
	engine *engine
	out    *collector
	copies bool // what comes out is copied by its codec, see collector
	deep   bool // of the plan, see deep

	halts bool // in the middle of what operators give in steps, each of one result, at a cut

	size  int         // records that go in at once, at most
	batch *plan.Batch // gathered and not processed; nil: none
	from  int         // the input that batch is for
}

// outputName is the sink behind the operator under test.
const outputName = "operatortest.output"

func newStand(t TB, inputs []messages.OperatorID, build func(parallelism int) *plan.Plan, parallelism int, copies, halts bool) *stand {
	t.Helper()
	s := &stand{t: t, plan: build, inputs: inputs, copies: copies, halts: halts, size: 1}
	s.start(parallelism, nil)
	return s
}

// planOf builds a topology of which build makes everything but the sink.
func planOf[R any](t TB, parallelism int, build func(top *operators.Topology) *operators.Stream[R]) *plan.Plan {
	t.Helper()
	top := operators.NewTopology("operatortest").Parallelism(parallelism)
	out := build(top)
	if out == nil {
		t.Fatalf("the function that builds the operator gave no stream; let it return what the operator emits")
	}
	out.To(outputName, intoHand[R]{})
	p, err := top.Build()
	if err != nil {
		t.Fatalf("%v", err)
	}
	return p
}

// inputOf adds a source that a test brings records for.
func inputOf[T any](top *operators.Topology, name messages.OperatorID) *operators.Stream[T] {
	return operators.From(top, string(name), byHand[T]{}, operators.Monotonous[T](nil)).Parallelism(1)
}

// start makes new subtasks, empty or from a snapshot. Output, side outputs and
// processing time go on.
func (s *stand) start(parallelism int, from *Snapshot) {
	s.t.Helper()
	p := s.plan(parallelism)
	w := world{attempt: 1, sides: map[string]*side{}}
	if s.engine != nil {
		w = world{attempt: s.engine.attempt + 1, sides: s.engine.sides, now: s.engine.now}
	} else {
		s.out = newCollector(p.Operator(outputName).Inputs[0].Type, s.copies)
	}
	if s.halts {
		w.results, w.halting = 1, true
	}
	for _, op := range p.Operators {
		for _, tag := range op.Sides {
			if w.sides[tag] == nil {
				w.sides[tag] = &side{}
			}
		}
	}
	w.collectors = map[messages.OperatorID]*collector{outputName: s.out}
	s.engine, s.deep = newEngine(s.t, p, w, from), deep(p)
}

// input is the source in the place of the i-th parameter of the build function.
func (s *stand) input(i int) *node {
	return s.engine.nodes[s.engine.plan.Operator(s.inputs[i]).Index][0]
}

// rows is the type of an input's records.
func (s *stand) rows(input int) plan.RowType { return s.input(input).op.Source.Type }

// process brings a record.
func process[T any](s *stand, input int, value T, time int64) {
	s.t.Helper()
	s.gather(input, batchOf(s.t, s.rows(input), []T{value}, []int64{time}))
}

// watermark brings a watermark, in ms.
func (s *stand) watermark(input int, watermark int64) {
	s.t.Helper()
	s.gather(input, s.rows(input).New(0).WithMark(checkWatermark(s.t, watermark)))
}

// gather adds to the batch a record or a mark. A full batch goes when the next
// record comes, so that the mark behind its last record is still in it, as a
// source sends it; but with batches of 1 everything goes at once. What is for
// another input waits for nobody: the order between inputs is that of the calls.
func (s *stand) gather(input int, b *plan.Batch) {
	s.t.Helper()
	if s.batch != nil && (s.from != input || b.Len() > 0 && s.batch.Len() >= s.size) {
		s.push()
	}
	if s.batch == nil {
		s.batch, s.from = s.rows(input).New(s.size), input
	}
	s.rows(input).Append(s.batch, b, 0, b.Len())
	for _, m := range b.Marks {
		if n := len(s.batch.Marks); n == 0 || s.batch.Marks[n-1].Watermark < m.Watermark {
			s.batch.WithMark(m.Watermark)
		}
	}
	if s.size == 1 || len(b.Marks) > 0 && s.deep {
		s.push()
	}
}

// push brings the batch that was gathered.
func (s *stand) push() {
	s.t.Helper()
	if b := s.batch; b != nil {
		s.batch = nil
		s.input(s.from).feed(b)
	}
}

// flush brings the batch that was gathered, and everything that follows from it.
func (s *stand) flush() {
	s.t.Helper()
	s.push()
	s.engine.rest()
}

// cut takes a snapshot after so many steps of what is pending, and restores it.
func (s *stand) cut(steps, parallelism int) {
	s.t.Helper()
	s.push()
	for range steps {
		s.engine.step()
	}
	s.engine.settle()
	from := s.engine.snapshot()
	s.engine.close()
	s.start(parallelism, from)
}

func (s *stand) end(input int) {
	s.t.Helper()
	s.flush()
	s.input(input).end()
}

// deep tells whether an operator gets records from several subtasks of another
// one. Then, also in a job, what comes behind a watermark from one of them may
// overtake what comes before it from another: no batch may go on behind a mark.
func deep(p *plan.Plan) bool {
	return slices.ContainsFunc(p.Edges, func(e *plan.Edge) bool { return e.From.Parallelism > 1 && !isSink(e.To) })
}

// Batches has up to n records go in at once, and the watermarks among them at
// their places, as a source sends them; at the beginning n is 1. What waits goes
// in when anything is asked or done but to bring another record or watermark of
// the same input. No n may be seen in the output.
func (s *stand) Batches(n int) {
	s.t.Helper()
	if n < 1 {
		s.t.Fatalf("Batches(%d): a batch has at least 1 record", n)
	}
	s.flush()
	s.size = n
}

// AdvanceProcessingTime moves the clock of the node on, which begins at 0 and
// stands still otherwise. Timers on the way fire in their order, each at its
// time. One that is due at once, or overdue after a Restore, fires at the next
// call, also with 0.
func (s *stand) AdvanceProcessingTime(d time.Duration) {
	s.t.Helper()
	s.flush()
	s.engine.advance(d)
}

// End ends every input: the last watermark, messages.MaxWatermark, and nothing
// after it.
func (s *stand) End() {
	s.t.Helper()
	for i := range s.inputs {
		s.end(i)
	}
}

// Timers is the number of timers that are pending, of all keys and both domains.
func (s *stand) Timers() int {
	s.t.Helper()
	s.flush()
	return s.engine.count(true)
}

// StateSize is the number of entries in all states, timers left out: a value
// counts as one for each key that has it, a list or map as many as it holds, a
// join one or two for each key, a window one for each key in it, or one for each
// record where windows share them. What should be forgotten must bring it down.
func (s *stand) StateSize() int {
	s.t.Helper()
	s.flush()
	return s.engine.count(false)
}

// Counter is the sum of a metric of that name over all operators and subtasks,
// since the beginning or the last Restore.
func (s *stand) Counter(name string) (n int64) {
	s.t.Helper()
	s.flush()
	s.engine.forwards(func(nd *node) {
		if c := nd.counters[name]; c != nil {
			n += int64(*c)
		}
	})
	return n
}

// Snapshot takes a checkpoint. The operator goes on.
func (s *stand) Snapshot() *Snapshot {
	s.t.Helper()
	s.flush()
	return s.engine.snapshot()
}

// Restore throws the operator away, builds it anew, and has it go on from a
// snapshot at a parallelism, as a job does after a failure or a rescale. What
// was in Go variables of the function is gone. Output that was not taken yet
// stays, also what came after the snapshot.
func (s *stand) Restore(from *Snapshot, parallelism int) {
	s.t.Helper()
	if from == nil {
		s.t.Fatalf("Restore got no snapshot; take one with Snapshot")
	}
	s.Close()
	s.start(parallelism, from)
}

// Close calls Close of the operator's functions, if they have it. Nothing may be
// done afterwards. A test of functions that own nothing needs no Close.
func (s *stand) Close() {
	s.t.Helper()
	s.flush()
	s.engine.close()
}

func (s *stand) hand() *stand { return s }

// Hand is a Harness or a TwoInput.
type Hand interface{ hand() *stand }

// Side gives the records that went to a side output since the last call,
// whether or not an operator reads it.
func Side[X any](h Hand, tag operators.Tag[X]) []Record[X] {
	s := h.hand()
	s.t.Helper()
	s.flush()
	out := s.engine.sides[tag.Name()]
	if out == nil {
		s.t.Fatalf("no operator writes to side output %q; pass the tag where the operator is defined", tag.Name())
	}
	all := sideRecords[X](s.t, tag, out)
	*out = side{}
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

// Epoch is what came out between two watermarks.
type Epoch[R any] struct {
	Watermark int64 // before the records, ms, or messages.NoWatermark
	Records   []Record[R]
}

// outputOf takes what came out.
func outputOf[R any](s *stand) []Record[R] {
	s.t.Helper()
	s.flush()
	defer s.out.drain()
	return recordsOf[R](s.out, 0)
}

// epochsOf takes what came out, cut where a watermark did.
func epochsOf[R any](s *stand) (all []Epoch[R]) {
	s.t.Helper()
	s.flush()
	defer s.out.drain()
	for i, r := range recordsOf[R](s.out, 0) {
		at, found := slices.BinarySearchFunc(all, s.out.epochs[i], func(e Epoch[R], watermark int64) int { return cmp.Compare(e.Watermark, watermark) })
		if !found {
			all = slices.Insert(all, at, Epoch[R]{Watermark: s.out.epochs[i]})
		}
		all[at].Records = append(all[at].Records, r)
	}
	return all
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
