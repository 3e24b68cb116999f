package operators

import (
	"context"
	"errors"
	"fmt"
	"reflect"

	"github.com/weirflow/weir/operators/plan"
)

// From begins a stream with what a source reads.
func From[T any](t *Topology, name string, source Source[T], watermarks WatermarkStrategy[T]) *Stream[T] {
	op := t.add("source", name, nil)
	spec := &plan.SourceSpec{Type: rowsOf[T](), HasWatermarks: watermarks.kind != noWatermarks}
	op.Source = spec
	if err := watermarks.validate(); err != nil {
		t.failf(op, "watermark strategy: %w", err)
	}
	spec.IdleAfter, spec.PeriodicEvery = watermarks.idle, watermarks.every
	spec.AlignGroup, spec.AlignDrift = watermarks.group, watermarks.drift
	if isNil(source) {
		t.failf(op, "its source is nil; give From one")
		return output[T](t, op)
	}
	if err := validate(source); err != nil {
		t.failf(op, "its source: %w", err)
		return output[T](t, op)
	}
	info := source.Info()
	if err := info.validate(); err != nil {
		t.failf(op, "its source: %w", err)
	}
	spec.Bounded, spec.Replayable, spec.DiscoverEvery, spec.OnCheckpoint = info.Bounded, info.Replayable, info.DiscoverEvery, info.OnCheckpoint
	if info.Malformed != "" {
		spec.SideTag, spec.SideType = info.Malformed, rowsOf[Malformed]()
		t.declareSides(op, NewTag[Malformed](info.Malformed))
	}
	op.Detail = describeSource(source, info) + "; " + watermarks.String()
	spec.Source = &sourceAdapter[T]{source: source, watermarks: watermarks}
	return output[T](t, op)
}

// Validator is an optional ability of a Source or Sink: Build asks it, and
// joins what it finds wrong with the rest.
type Validator interface{ Validate() error }

func validate(v any) error {
	if v, ok := v.(Validator); ok {
		return v.Validate()
	}
	return nil
}

func (i SourceInfo) validate() error {
	if i.DiscoverEvery < 0 {
		return fmt.Errorf("DiscoverEvery is %v; give an interval above 0, or 0 to list the splits once", i.DiscoverEvery)
	}
	if i.Bounded && i.DiscoverEvery > 0 {
		return errors.New("it is bounded and has DiscoverEvery; a bounded source lists its splits once, so set one of them only")
	}
	return nil
}

// describeSource says for people what a source is.
func describeSource(source any, i SourceInfo) string {
	text := typeName(source)
	if s, ok := source.(fmt.Stringer); ok {
		text = s.String()
	}
	if i.Bounded {
		text += ", bounded"
	}
	if !i.Replayable {
		text += ", not replayable"
	}
	return text
}

// isNil finds also the nil pointer in an interface that is not nil.
func isNil(v any) bool {
	if v == nil {
		return true
	}
	switch r := reflect.ValueOf(v); r.Kind() {
	case reflect.Pointer, reflect.Func, reflect.Map, reflect.Slice, reflect.Chan:
		return r.IsNil()
	}
	return false
}

func typeName(v any) string { return reflect.TypeOf(v).String() }

// sourceAdapter is plan.Source over a typed source.
type sourceAdapter[T any] struct {
	source     Source[T]
	watermarks WatermarkStrategy[T]
}

func (a *sourceAdapter[T]) NewClock() plan.SplitClock { return a.watermarks.newClock() }

// Splits holds the source to unique ids: two readers of one split would each
// count all of its records.
func (a *sourceAdapter[T]) Splits(ctx context.Context) ([]string, error) {
	ids, err := a.source.Splits(ctx)
	if err != nil {
		return nil, fmt.Errorf("source.Splits: %w", err)
	}
	seen := make(map[string]bool, len(ids))
	for _, id := range ids {
		if id == "" || seen[id] {
			return nil, fmt.Errorf("source.Splits: split id %q is empty or there twice; ids must be unique", id)
		}
		seen[id] = true
	}
	return ids, nil
}

// Start asks a source that is a Starter.
func (a *sourceAdapter[T]) Start(ctx context.Context, splits []string, again bool) ([][]byte, error) {
	s, ok := a.source.(Starter)
	if !ok {
		return make([][]byte, len(splits)), nil
	}
	positions, err := s.Start(ctx, splits, again)
	return positions, named("source.Start", err)
}

func (a *sourceAdapter[T]) OpenSplit(ctx context.Context, id string, position []byte) (plan.Reader, error) {
	r, err := a.source.Open(ctx, id, position)
	if err != nil {
		return nil, fmt.Errorf("source.Open: %w", err)
	}
	if isNil(r) {
		return nil, errors.New("source.Open gave neither a reader nor an error")
	}
	n, ok := r.(NonBlocking)
	return &readerAdapter[T]{Reader: r, nonBlocking: ok && n.NonBlocking()}, nil
}

// readerAdapter is plan.Reader over a typed reader, which appends right to the
// columns of the erased batch.
type readerAdapter[T any] struct {
	Reader[T]
	nonBlocking bool
	batch       Batch[T]
}

func (r *readerAdapter[T]) NonBlocking() bool { return r.nonBlocking }

func (r *readerAdapter[T]) Read(ctx context.Context, b, side *plan.Batch, max int) error {
	values := valuesOf[T](b)
	r.batch = Batch[T]{Values: *values, Times: b.Times, Bad: r.batch.Bad[:0]}
	err := r.Reader.Read(ctx, &r.batch, max)
	*values, b.Times = r.batch.Values, r.batch.Times
	r.batch.Values, r.batch.Times = nil, nil
	if len(*values) != len(b.Times) {
		return fmt.Errorf("reader.Read gave %d values and %d times; use Batch.Append", len(*values), len(b.Times))
	}
	if bad := r.moveBad(side); bad != nil {
		return bad
	}
	return err
}

// moveBad hands what did not decode to the side output. A source that has none
// should have failed itself.
func (r *readerAdapter[T]) moveBad(side *plan.Batch) error {
	bad := r.batch.Bad
	if len(bad) == 0 {
		return nil
	}
	if side == nil {
		return fmt.Errorf("a record does not decode, and SourceInfo.Malformed names no side output for it: %s", bad[0])
	}
	values := valuesOf[Malformed](side)
	for _, m := range bad {
		*values = append(*values, m)
		side.Times = append(side.Times, NoTime)
	}
	clear(bad)
	return nil
}
