package main

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/weirflow/weir/operators"
)

// firing fires windows that hold every one of a million keys once, and reports how
// long each takes from its first result to its last: results leave between two marks,
// and the subtask does nothing else meanwhile.
func (b *bench) firing() error {
	const keys = 1_000_000
	in := sequential(keys, max(b.laps, 2))
	top := operators.NewTopology("firing")
	events := operators.From(top, "events", in, operators.Monotonous[Event](nil))
	size := time.Duration(in.span) * time.Millisecond
	counts := operators.Aggregate(operators.KeyBy(events, keyOf).Window(operators.Tumbling(size)), "count", counter{})
	bursts := &bursts{}
	counts.To("out", bursts)
	if _, _, err := runEngine(in, top, func() (output, time.Duration) { return output{}, 0 }, true); err != nil {
		return fmt.Errorf("firing: %w", err)
	}
	speed := spreadOf(bursts.took, func(d time.Duration) float64 { return keys / d.Seconds() / 1e6 })
	away := spreadOf(bursts.took, func(d time.Duration) float64 { return d.Seconds() * 1000 })
	b.rows = append(b.rows,
		row{"firing a window of 1 M keys, results a second, p=1", "≥ 10 M/s", "M/s", speed, speed.median >= 10, ""},
		row{"the subtask is away from its barriers during it", "≤ 10 ms", "ms", away, away.median <= 10, "first result to last"})
	return nil
}

// sequential has every key once a lap.
func sequential(keys, laps int) *input {
	in := &input{span: int64(keys) / eventsPerMs, laps: int64(laps)}
	for i := range keys {
		in.add(Event{Key: int64(i)}, int64(i)/eventsPerMs)
	}
	in.parts = []part{in.part}
	return in
}

// bursts is a sink that measures how long the results of a window take to come.
type bursts struct {
	mu   sync.Mutex
	took []time.Duration
}

func (s *bursts) Kind() operators.SinkKind { return operators.Plain }

func (s *bursts) Open(context.Context, operators.SinkContext) (operators.Writer[operators.WindowResult[int64, int64]], error) {
	return &burstWriter{sink: s}, nil
}

type burstWriter struct {
	sink        *bursts
	end         int64 // of the window
	first, last time.Time
}

func (w *burstWriter) Write(_ context.Context, b *operators.Batch[operators.WindowResult[int64, int64]]) error {
	now := time.Now()
	if len(b.Values) > 0 && b.Values[0].End != w.end {
		w.finish()
		w.end, w.first = b.Values[0].End, now
	}
	w.last = now
	return nil
}

func (w *burstWriter) finish() {
	if w.end == 0 {
		return
	}
	w.sink.mu.Lock()
	defer w.sink.mu.Unlock()
	w.sink.took = append(w.sink.took, w.last.Sub(w.first))
}

func (w *burstWriter) Flush(context.Context) error { return nil }

func (w *burstWriter) Close() error {
	w.finish()
	return nil
}
