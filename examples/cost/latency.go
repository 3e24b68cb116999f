package main

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"
	"sync"
	"time"

	"github.com/weirflow/weir/cluster"
	"github.com/weirflow/weir/operators"
	"github.com/weirflow/weir/persistence/dir"
)

// Latency is measured from the moment a record was due: record i is due i/rate
// seconds after the start, whether or not the source was there in time. So a
// stall counts for every record that it delays.

// due is a record with its number and when it was due, in ns since the start.
type due struct{ Key, Value, At int64 }

// dueSource gives records as they fall due.
type dueSource struct {
	rate, count int64
	start       time.Time
}

func (s *dueSource) Splits(context.Context) ([]string, error) { return []string{"0"}, nil }

func (s *dueSource) Info() operators.SourceInfo {
	return operators.SourceInfo{Bounded: true, Replayable: true}
}

func (s *dueSource) Open(_ context.Context, _ string, position []byte) (operators.Reader[due], error) {
	r := &dueReader{s: s}
	if position != nil {
		r.next = int64(binary.BigEndian.Uint64(position))
	}
	return r, nil
}

type dueReader struct {
	s    *dueSource
	next int64
}

// Read waits until records are due, as a connector waits for its network.
func (r *dueReader) Read(ctx context.Context, b *operators.Batch[due], most int) error {
	for r.ready() <= r.next {
		select {
		case <-time.After(time.Until(r.s.start.Add(time.Duration(r.at(r.next))))):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	for to := min(r.ready(), r.next+int64(most)); r.next < to; r.next++ {
		b.Append(due{Key: r.next * 7919 % 10_000, Value: 1, At: r.at(r.next)}, operators.NoTime)
	}
	if r.next == r.s.count {
		return io.EOF
	}
	return nil
}

// ready is the number of records that are due by now.
func (r *dueReader) ready() int64 {
	return min(r.s.count, int64(time.Since(r.s.start))*r.s.rate/int64(time.Second)+1)
}

func (r *dueReader) at(i int64) int64 { return i * int64(time.Second) / r.s.rate }

func (r *dueReader) Position() []byte { return binary.BigEndian.AppendUint64(nil, uint64(r.next)) }

func (r *dueReader) Close() error { return nil }

// lateness is a sink that notes for every record how long after its due time it
// came. The clock is read once a batch.
type lateness struct {
	start time.Time
	mu    sync.Mutex
	all   []int64 // ns
}

func (l *lateness) Kind() operators.SinkKind { return operators.Plain }

func (l *lateness) Open(context.Context, operators.SinkContext) (operators.Writer[due], error) {
	return &latenessWriter{l: l}, nil
}

type latenessWriter struct{ l *lateness }

func (w *latenessWriter) Write(_ context.Context, b *operators.Batch[due]) error {
	now := int64(time.Since(w.l.start))
	w.l.mu.Lock()
	defer w.l.mu.Unlock()
	for _, d := range b.Values {
		w.l.all = append(w.l.all, now-d.At)
	}
	return nil
}

func (w *latenessWriter) Flush(context.Context) error { return nil }
func (w *latenessWriter) Close() error                { return nil }

// latencies runs records at a rate for some seconds through an exchange and a
// keyed sum, with a checkpoint each second, and gives p99 and p99.9. The first
// second warms up and does not count.
func latencies(rate, seconds int64) (p99, p999 time.Duration, err error) {
	folder, err := os.MkdirTemp("", "weir-cost-")
	if err != nil {
		return 0, 0, err
	}
	defer os.RemoveAll(folder)
	runtime.GC()
	start := time.Now().Add(100 * time.Millisecond)
	source := &dueSource{rate: rate, count: rate * (seconds + 1), start: start}
	sink := &lateness{start: start, all: make([]int64, 0, source.count)}

	top := operators.NewTopology("latency")
	records := operators.From(top, "records", source, operators.NoWatermarks[due]())
	sum := operators.Reduce(operators.KeyBy(records, func(d due) int64 { return d.Key }), "sum",
		func(a, b due) due { return due{b.Key, a.Value + b.Value, b.At} })
	sum.Unchained().To("out", sink)
	_, err = cluster.Run(context.Background(), top, cluster.Config{Checkpoint: cluster.Every(time.Second), Store: dir.Open(folder)})
	if err != nil {
		return 0, 0, fmt.Errorf("latency: %w", err)
	}
	if int64(len(sink.all)) != source.count {
		return 0, 0, fmt.Errorf("latency: %d records came out of %d", len(sink.all), source.count)
	}
	counted := sink.all[rate:]
	slices.Sort(counted)
	at := func(permille int) time.Duration { return time.Duration(counted[len(counted)*permille/1000]) }
	return at(990), at(999), nil
}
