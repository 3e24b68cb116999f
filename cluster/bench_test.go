package cluster_test

import (
	"context"
	"encoding/binary"
	"io"
	"testing"
	"time"

	"github.com/weirflow/weir/cluster"
	"github.com/weirflow/weir/operators"
)

// ready is a source of n numbers that were built before the clock started.
type ready struct {
	values, times []int64
	n             int
}

func (s *ready) Splits(context.Context) ([]string, error) { return []string{"only"}, nil }
func (s *ready) Info() operators.SourceInfo {
	return operators.SourceInfo{Bounded: true, Replayable: true}
}
func (s *ready) Open(_ context.Context, _ string, p []byte) (operators.Reader[int64], error) {
	r := &readyReader{s: s}
	if p != nil {
		r.next = int(binary.BigEndian.Uint64(p))
	}
	return r, nil
}

type readyReader struct {
	s    *ready
	next int
}

func (r *readyReader) NonBlocking() bool { return true }
func (r *readyReader) Close() error      { return nil }
func (r *readyReader) Position() []byte {
	return binary.BigEndian.AppendUint64(nil, uint64(r.next))
}

func (r *readyReader) Read(_ context.Context, b *operators.Batch[int64], most int) error {
	from := r.next % len(r.s.values)
	to := min(from+most, len(r.s.values), from+r.s.n-r.next)
	b.Values = append(b.Values, r.s.values[from:to]...)
	b.Times = append(b.Times, r.s.times[from:to]...)
	for i := range b.Times {
		b.Times[i] = int64(r.next+i) / 100
	}
	if r.next += to - from; r.next == r.s.n {
		return io.EOF
	}
	return nil
}

// nowhere is a sink that adds up what it gets.
type nowhere struct{ sum int64 }

func (n *nowhere) Kind() operators.SinkKind { return operators.Plain }
func (n *nowhere) Open(context.Context, operators.SinkContext) (operators.Writer[int64], error) {
	return n, nil
}
func (n *nowhere) Write(_ context.Context, b *operators.Batch[int64]) error {
	for _, v := range b.Values {
		n.sum += v
	}
	return nil
}
func (n *nowhere) Flush(context.Context) error { return nil }
func (n *nowhere) Close() error                { return nil }

// benchmark runs b.N records through a job. One op is one record.
func benchmark(b *testing.B, build func(s *operators.Stream[int64], out *nowhere)) {
	src := &ready{n: b.N}
	for i := range 1 << 16 {
		src.values, src.times = append(src.values, int64(i)*2654435761%100000), append(src.times, 0)
	}
	top := operators.NewTopology("bench")
	build(operators.From(top, "in", src, operators.Monotonous[int64](nil)), &nowhere{})
	b.ReportAllocs()
	b.ResetTimer()
	if _, err := cluster.Run(context.Background(), top, cluster.Config{Checkpoint: cluster.Every(time.Second)}); err != nil {
		b.Fatal(err)
	}
}

func BenchmarkMapFilter(b *testing.B) {
	benchmark(b, func(s *operators.Stream[int64], out *nowhere) {
		operators.Map(s, "map", func(v int64) int64 { return v * 3 }).Filter("filter", func(v int64) bool { return v&1 == 0 }).To("out", out)
	})
}

func BenchmarkRunningSum(b *testing.B) {
	benchmark(b, func(s *operators.Stream[int64], out *nowhere) {
		operators.Reduce(operators.KeyBy(s, func(v int64) int64 { return v }), "sum", func(a, b int64) int64 { return b }).To("out", out)
	})
}

func BenchmarkExchange(b *testing.B) {
	benchmark(b, func(s *operators.Stream[int64], out *nowhere) {
		operators.Reduce(operators.KeyBy(s, func(v int64) int64 { return v }), "sum", func(a, b int64) int64 { return b }).Unchained().To("out", out)
	})
}
