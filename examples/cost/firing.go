package main

import (
	"context"
	"fmt"
	"runtime"
	"sync"
	"time"

	"github.com/weirflow/weir/cluster"
	"github.com/weirflow/weir/operators"
)

// firing fires windows that hold every one of a million keys once, and reports how
// long each takes from its first result to its last, and how long a barrier takes to
// come through that is triggered when the first result does.
func (b *bench) firing() error {
	const keys = 1_000_000
	in := sequential(keys, max(b.laps, 2))
	bursts, err := fire(in, false)
	if err != nil {
		return err
	}
	barriers, err := fire(in, true)
	if err != nil {
		return err
	}
	speed := spreadOf(bursts.took, func(d time.Duration) float64 { return keys / d.Seconds() / 1e6 })
	away := spreadOf(barriers.away, func(d time.Duration) float64 { return d.Seconds() * 1000 })
	b.rows = append(b.rows,
		row{"firing a window of 1 M keys, results a second, p=1", "≥ 10 M/s", "M/s", speed, speed.median >= 10, ""},
		row{"the subtask is away from its barriers during it", "≤ 10 ms", "ms", away, away.median <= 10, "first result to a barrier triggered then"})
	return nil
}

// fire runs the windows, with barriers in the middle of their firing or without.
func fire(in *input, barriers bool) (*bursts, error) {
	top := operators.NewTopology("firing")
	events := operators.From(top, "events", in, operators.Monotonous[Event](nil))
	size := time.Duration(in.span) * time.Millisecond
	counts := operators.Aggregate(operators.KeyBy(events, keyOf).Window(operators.Tumbling(size)), "count", counter{})
	s := &bursts{begun: make(chan struct{}, 1)}
	counts.To("out", s)
	runtime.GC()
	job, err := cluster.Start(context.Background(), top, cluster.Config{})
	if err != nil {
		return nil, fmt.Errorf("firing: %w", err)
	}
	if barriers {
		go s.trigger(job)
	}
	if err := job.Wait(); err != nil {
		return nil, fmt.Errorf("firing: %w", err)
	}
	return s, nil
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

// bursts is a sink that measures how long the results of a window take to come, and
// how long after the first of them a barrier comes.
type bursts struct {
	begun chan struct{} // the first result of a window came
	mu    sync.Mutex
	took  []time.Duration
	away  []time.Duration
}

// trigger takes a checkpoint at the first result of each window.
func (s *bursts) trigger(job *cluster.Job) {
	for {
		select {
		case <-s.begun:
			_, _ = job.TriggerCheckpoint(context.Background()) // the last one may be too late
		case <-job.Done():
			return
		}
	}
}

func (s *bursts) Kind() operators.SinkKind { return operators.Plain }

func (s *bursts) Open(context.Context, operators.SinkContext) (operators.Writer[operators.WindowResult[int64, int64]], error) {
	return &burstWriter{sink: s}, nil
}

type burstWriter struct {
	sink        *bursts
	end         int64 // of the window
	first, last time.Time
	triggered   bool // no barrier came since the first result
}

func (w *burstWriter) Write(_ context.Context, b *operators.Batch[operators.WindowResult[int64, int64]]) error {
	now := time.Now()
	if len(b.Values) > 0 && b.Values[0].End != w.end {
		w.finish()
		w.end, w.first = b.Values[0].End, now
		select {
		case w.sink.begun <- struct{}{}:
			w.triggered = true
		default: // the last one is still under way
		}
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

// Flush runs when a barrier comes.
func (w *burstWriter) Flush(context.Context) error {
	if w.triggered {
		w.triggered = false
		w.sink.mu.Lock()
		w.sink.away = append(w.sink.away, time.Since(w.first))
		w.sink.mu.Unlock()
	}
	return nil
}

func (w *burstWriter) Close() error {
	w.finish()
	return nil
}
