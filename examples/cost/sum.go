package main

import (
	"context"
	"sync"
	"time"

	"github.com/weirflow/weir/operators"
)

// output is what a run gave, folded so that the order over keys does not
// matter. Engine and loop must agree before a number counts.
type output struct {
	Records int64
	Check   uint64
}

// add folds one record. Both sides pay for it.
func (o *output) add(a, b int64) {
	o.Records++
	o.Check += (uint64(a)*0x9E3779B97F4A7C15 ^ uint64(b)) * 0xD1342543DE82EF95
}

// folding is a sink that folds what comes and watches the clock once a batch.
type folding[T any] struct {
	fold func(o *output, values []T)

	mu      sync.Mutex
	out     output
	longest time.Duration // between two batches of one writer
}

func (f *folding[T]) Kind() operators.SinkKind { return operators.Plain }

func (f *folding[T]) Open(context.Context, operators.SinkContext) (operators.Writer[T], error) {
	return &foldingWriter[T]{sink: f}, nil
}

type foldingWriter[T any] struct {
	sink    *folding[T]
	out     output // since the last Flush
	last    time.Time
	longest time.Duration
}

func (w *foldingWriter[T]) Write(_ context.Context, b *operators.Batch[T]) error {
	w.sink.fold(&w.out, b.Values)
	now := time.Now()
	if !w.last.IsZero() {
		w.longest = max(w.longest, now.Sub(w.last))
	}
	w.last = now
	return nil
}

func (w *foldingWriter[T]) Flush(context.Context) error {
	w.sink.mu.Lock()
	defer w.sink.mu.Unlock()
	w.sink.out.Records += w.out.Records
	w.sink.out.Check += w.out.Check
	w.sink.longest = max(w.sink.longest, w.longest)
	w.out = output{}
	return nil
}

func (w *foldingWriter[T]) Close() error { return w.Flush(context.Background()) }

func foldEvents(o *output, events []Event) {
	for _, e := range events {
		o.add(e.Key, e.Value)
	}
}
