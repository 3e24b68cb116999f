package operators

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/weirflow/weir/operators/plan"
)

func (discardSink[T]) Open(context.Context, SinkContext) (Writer[T], error) {
	return discardWriter[T]{}, nil
}

type discardWriter[T any] struct{}

func (discardWriter[T]) Write(context.Context, *Batch[T]) error { return nil }
func (discardWriter[T]) Flush(context.Context) error            { return nil }
func (discardWriter[T]) Close() error                           { return nil }

// loggedSink writes down every call, and fails the one it is told to.
type loggedSink struct {
	kind SinkKind
	log  *[]string
	fail string
	ctx  *SinkContext
}

func (s loggedSink) Kind() SinkKind { return s.kind }

func (s loggedSink) Open(_ context.Context, c SinkContext) (Writer[string], error) {
	if s.ctx != nil {
		*s.ctx = c
	}
	w := loggedWriter{s}
	if s.kind == Transactional && s.fail != "writer" {
		return loggedTxn{w}, s.call("open")
	}
	return w, s.call("open")
}

var errLogged = errors.New("told to fail")

func (s loggedSink) call(format string, args ...any) error {
	call := fmt.Sprintf(format, args...)
	*s.log = append(*s.log, call)
	if strings.HasPrefix(call, s.fail) && s.fail != "" {
		return errLogged
	}
	return nil
}

type loggedWriter struct{ loggedSink }

func (w loggedWriter) Write(_ context.Context, b *Batch[string]) error {
	return w.call("write %v %v", b.Values, b.Times)
}
func (w loggedWriter) Flush(context.Context) error { return w.call("flush") }
func (w loggedWriter) Close() error                { return w.call("close") }

type loggedTxn struct{ loggedWriter }

func (w loggedTxn) Recover(_ context.Context, r Recovery) error { return w.call("recover %d", r.Index) }
func (w loggedTxn) Begin(context.Context) error                 { return w.call("begin") }
func (w loggedTxn) Prepare(context.Context) ([]byte, error) {
	return []byte("h"), w.call("prepare")
}
func (w loggedTxn) Commit(_ context.Context, h []byte) error { return w.call("commit %s", h) }
func (w loggedTxn) AbortOpen(context.Context) error          { return w.call("abort") }

// sinkInstance gives the instance that To makes of a sink.
func sinkInstance(sink Sink[string]) plan.Instance {
	ref := From(NewTopology("t"), "in", Slice[string](), NoWatermarks[string]()).To("out", sink)
	return ref.op.New()
}

var twoRecords = []element{record("a", 1), watermark(0), record("b", 2), watermark(1)}

func TestPlainSinkWritesAndFlushes(t *testing.T) {
	var log []string
	var ctx SinkContext
	i := sinkInstance(loggedSink{kind: Plain, log: &log, ctx: &ctx})
	if _, ok := i.(plan.Transactional); ok {
		t.Fatal("a plain sink takes part in the two-phase commit")
	}
	start(t, i, nil)
	feedIn[string](t, i, twoRecords, 512)
	feedIn[string](t, i, []element{watermark(9)}, 512)
	if err := errors.Join(i.(plan.Flusher).Flush(), i.Finish(), i.Close()); err != nil {
		t.Fatal(err)
	}
	want := []string{"open", "write [a b] [1 2]", "flush", "close"}
	if !slices.Equal(log, want) {
		t.Errorf("got %q, want %q", log, want)
	}
	if ctx.Job != "job" || ctx.Operator != "test" || ctx.Parallelism != 1 || ctx.Attempt != 1 || ctx.Step == nil || ctx.Now == nil {
		t.Errorf("context %+v", ctx)
	}
}

func TestTransactionalSinkPassesTheGrammarOn(t *testing.T) {
	var log []string
	i := sinkInstance(loggedSink{kind: Transactional, log: &log})
	if _, ok := i.(plan.Flusher); ok {
		t.Fatal("a transactional sink is flushed besides being prepared")
	}
	start(t, i, nil)
	x := i.(plan.Transactional)
	ctx := context.Background()
	h, err := []byte(nil), errors.Join(x.Recover(ctx, plan.Recovery{Index: 3}), x.Begin(ctx))
	feedIn[string](t, i, twoRecords, 512)
	if err == nil {
		h, err = x.Prepare(ctx)
	}
	if err := errors.Join(err, x.Begin(ctx), x.Commit(ctx, h), x.AbortOpen(ctx), i.Close()); err != nil {
		t.Fatal(err)
	}
	want := []string{"open", "recover 3", "begin", "write [a b] [1 2]", "prepare", "begin", "commit h", "abort", "close"}
	if !slices.Equal(log, want) {
		t.Errorf("got %q, want %q", log, want)
	}
}

// Errors name the call that failed and wrap what it gave.
func TestSinkErrorsNameTheCall(t *testing.T) {
	ctx := context.Background()
	calls := map[string]func(i plan.Instance) error{
		"write":   func(i plan.Instance) error { return i.Process(0, batchOf[string](twoRecords)) },
		"close":   func(i plan.Instance) error { return i.Close() },
		"recover": func(i plan.Instance) error { return i.(plan.Transactional).Recover(ctx, plan.Recovery{}) },
		"begin":   func(i plan.Instance) error { return i.(plan.Transactional).Begin(ctx) },
		"prepare": func(i plan.Instance) error { _, err := i.(plan.Transactional).Prepare(ctx); return err },
		"commit":  func(i plan.Instance) error { return i.(plan.Transactional).Commit(ctx, nil) },
		"abort":   func(i plan.Instance) error { return i.(plan.Transactional).AbortOpen(ctx) },
	}
	names := map[string]string{"write": "writer.Write", "close": "writer.Close", "recover": "writer.Recover",
		"begin": "writer.Begin", "prepare": "writer.Prepare", "commit": "writer.Commit", "abort": "writer.AbortOpen"}
	for name, call := range calls {
		i := sinkInstance(loggedSink{kind: Transactional, log: new([]string), fail: name})
		start(t, i, nil)
		if err := call(i); !errors.Is(err, errLogged) || !strings.HasPrefix(err.Error(), names[name]+": ") {
			t.Errorf("%s: %v", name, err)
		}
	}
	i := sinkInstance(loggedSink{kind: Plain, log: new([]string), fail: "flush"})
	start(t, i, nil)
	if err := i.(plan.Flusher).Flush(); !errors.Is(err, errLogged) || !strings.HasPrefix(err.Error(), "writer.Flush: ") {
		t.Error(err)
	}
	i = sinkInstance(loggedSink{kind: Plain, log: new([]string), fail: "open"})
	i.Init(testRuntime(nil))
	if err := i.Open(); !errors.Is(err, errLogged) || !strings.HasPrefix(err.Error(), "sink.Open: ") {
		t.Error(err)
	}
}

// S29: a sink that calls itself transactional must be able to commit.
func TestS29_TransactionalSinkWithAPlainWriterIsRefused(t *testing.T) {
	i := sinkInstance(loggedSink{kind: Transactional, log: new([]string), fail: "writer"})
	i.Init(testRuntime(nil))
	const want = "sink.Open: operators.loggedSink is of kind Transactional, but its writer operators.loggedWriter is no TransactionalWriter; " +
		"give it Recover, Begin, Prepare, Commit and AbortOpen, or let Kind give Plain"
	if err := i.Open(); err == nil || err.Error() != want {
		t.Errorf("got %v", err)
	}
	if err := i.Close(); err != nil {
		t.Error(err)
	}
}

// readAll reads a split to its end from a position, a number of records a time.
func readAll(t *testing.T, s plan.Source, split string, position []byte, max int) (all []element, positions [][]byte) {
	t.Helper()
	r, err := s.OpenSplit(context.Background(), split, position)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	rows := rowsOf[int64]()
	for {
		b := rows.New(0)
		err := r.Read(context.Background(), b, nil, max)
		all = append(all, elementsOf[int64](t, b)...)
		positions = append(positions, r.Position())
		if err == io.EOF {
			return all, positions
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

func sourceOf[T any](s *Stream[T]) *plan.SourceSpec { return s.legs[0].from.Source }

// S2: read from any position a reader gave, the rest comes, and nothing twice.
func TestS2_SliceSourceResumesAtItsPositions(t *testing.T) {
	var values []int64
	for i := range int64(20) {
		values = append(values, i)
	}
	spec := sourceOf(From(NewTopology("t"), "in", Slice(values...).InSplits(3), NoWatermarks[int64]()))
	if !spec.Bounded || !spec.Replayable {
		t.Errorf("spec %+v", spec)
	}
	splits, err := spec.Source.Splits(context.Background())
	if err != nil || !slices.Equal(splits, []string{"0", "1", "2"}) {
		t.Fatal(splits, err)
	}
	seen := 0
	for _, split := range splits {
		whole, positions := readAll(t, spec.Source, split, nil, 2)
		seen += len(whole)
		for i, p := range positions {
			rest, _ := readAll(t, spec.Source, split, p, 512)
			equalElements(t, fmt.Sprintf("split %s from %x", split, p), rest, whole[min(2*(i+1), len(whole)):])
		}
	}
	if seen != 20 {
		t.Errorf("%d of 20 values", seen)
	}
}

// oddReader gives what a user's reader might, right or wrong.
type oddSource struct {
	info   SourceInfo
	splits []string
	err    error
	read   func(b *Batch[int64]) error
}

func (s oddSource) Splits(context.Context) ([]string, error) { return s.splits, s.err }
func (s oddSource) Info() SourceInfo                         { return s.info }
func (s oddSource) Open(context.Context, string, []byte) (Reader[int64], error) {
	if s.read == nil {
		return nil, s.err
	}
	return oddReader{s}, nil
}

type oddReader struct{ s oddSource }

func (r oddReader) Read(_ context.Context, b *Batch[int64], _ int) error { return r.s.read(b) }
func (r oddReader) Position() []byte                                     { return []byte{} }
func (r oddReader) Close() error                                         { return nil }

func TestSourceErrorsNameTheCall(t *testing.T) {
	ctx := context.Background()
	adapt := func(s oddSource) plan.Source {
		return sourceOf(From[int64](NewTopology("t"), "in", s, NoWatermarks[int64]())).Source
	}
	_, err := adapt(oddSource{err: errLogged}).Splits(ctx)
	wantError(t, err, "source.Splits: told to fail")
	_, err = adapt(oddSource{splits: []string{"a", "b", "a"}}).Splits(ctx)
	wantError(t, err, `source.Splits: split id "a" is empty or there twice; ids must be unique`)
	_, err = adapt(oddSource{err: errLogged}).OpenSplit(ctx, "a", nil)
	wantError(t, err, "source.Open: told to fail")
	_, err = adapt(oddSource{}).OpenSplit(ctx, "a", nil)
	wantError(t, err, "source.Open gave neither a reader nor an error")

	read := func(f func(b *Batch[int64]) error) error {
		r, err := adapt(oddSource{read: f}).OpenSplit(ctx, "a", nil)
		if err != nil {
			t.Fatal(err)
		}
		return r.Read(ctx, rowsOf[int64]().New(0), nil, 5)
	}
	wantError(t, read(func(b *Batch[int64]) error { b.Values = append(b.Values, 1); return nil }),
		"reader.Read gave 1 values and 0 times; use Batch.Append")
	wantError(t, read(func(b *Batch[int64]) error {
		b.Bad = append(b.Bad, Malformed{Split: "x.csv", Line: 3, Field: "fare", Reason: "no number"})
		return nil
	}), "a record does not decode, and SourceInfo.Malformed names no side output for it: x.csv:3: field fare: no number")
}

func wantError(t *testing.T, err error, want string) {
	t.Helper()
	if err == nil || err.Error() != want {
		t.Errorf("got  %v\nwant %s", err, want)
	}
}

// S84: malformed records go to the side output with all that is known of them,
// the good ones to the main output, in one read.
func TestS84_MalformedRecordsGoToTheSide(t *testing.T) {
	bad := Malformed{Split: "x.csv", Offset: 44, Raw: []byte("1;2"), Reason: "two fields"}
	top := NewTopology("t")
	in := From[int64](top, "in", oddSource{info: SourceInfo{Replayable: true, Malformed: "bad"}, read: func(b *Batch[int64]) error {
		b.Append(1, 10)
		b.Bad = append(b.Bad, bad)
		b.Append(2, 20)
		return io.EOF
	}}, NoWatermarks[int64]())
	in.To("out", discardSink[int64]{})
	SideOutput(in, NewTag[Malformed]("bad")).To("bad-out", discardSink[Malformed]{})
	p, err := top.Build()
	if err != nil {
		t.Fatal(err)
	}
	spec := p.Operator("in").Source
	if spec.SideTag != "bad" || spec.SideType == nil {
		t.Fatalf("spec %+v", spec)
	}
	r, err := spec.Source.OpenSplit(context.Background(), "a", nil)
	if err != nil || r.NonBlocking() {
		t.Fatal(r, err)
	}
	b, side := spec.Type.New(0), spec.SideType.New(0)
	if err := r.Read(context.Background(), b, side, 5); err != io.EOF {
		t.Fatal(err)
	}
	equalElements(t, "main", elementsOf[int64](t, b), []element{record(int64(1), 10), record(int64(2), 20)})
	equalElements(t, "side", elementsOf[Malformed](t, side), []element{record(bad, NoTime)})
	if got, want := bad.String(), "x.csv@44: two fields"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
