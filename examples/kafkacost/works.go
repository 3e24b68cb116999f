package main

import (
	"context"
	"encoding/binary"
	"io"
	"os"
	"time"

	"github.com/weirflow/weir/cluster"
	"github.com/weirflow/weir/operators"
	"github.com/weirflow/weir/operators/kafka"
	"github.com/weirflow/weir/persistence/dir"
)

// The works as weir does them, each a topology.

func weirSource(ctx context.Context, c *client) error {
	top := operators.NewTopology("source")
	c.in(top, kafka.EndingAt(kafka.UntilLatest())).To("digest", &digestSink{&c.result.Digest})
	return c.runJob(ctx, top)
}

func weirSink(ctx context.Context, c *client) error {
	top := operators.NewTopology("sink")
	operators.From(top, "numbers", &numberSource{c.Records}, operators.NoWatermarks[tip]()).To("out", c.out(encodeLong))
	return c.runJob(ctx, top)
}

func weirPass(ctx context.Context, c *client) error {
	top := operators.NewTopology("pass")
	operators.Map(c.in(top, kafka.EndingAt(kafka.UntilLatest())), "passed", passed).To("out", c.out(encodeLong))
	return c.runJob(ctx, top)
}

func weirSum(ctx context.Context, c *client) error {
	top := operators.NewTopology("sum")
	in := c.in(top, kafka.EndingAt(kafka.UntilLatest()))
	operators.Reduce(operators.KeyBy(in, func(t tip) int64 { return t.User }), "sum", addTips).To("out", c.out(encodeShort))
	return c.runJob(ctx, top)
}

// weirForever passes through until somebody ends the process.
func weirForever(ctx context.Context, c *client) error {
	top := operators.NewTopology("pass")
	operators.Map(c.in(top), "passed", passed).To("out", c.out(encodeLong))
	return c.runJob(ctx, top)
}

func (c *client) cluster() kafka.Cluster { return kafka.Cluster{Brokers: []string{c.Address}} }

func (c *client) in(top *operators.Topology, options ...kafka.SourceOption) *operators.Stream[tip] {
	return operators.From(top, "in", kafka.Source(c.cluster(), kafka.InTopics(c.In), decode, options...), operators.NoWatermarks[tip]())
}

func (c *client) out(encode kafka.Encoder[tip]) operators.Sink[tip] {
	return kafka.Sink(c.cluster(), c.Out, "cost-"+c.Out, encode)
}

// runJob saves checkpoints to files.
func (c *client) runJob(ctx context.Context, top *operators.Topology) error {
	folder, err := os.MkdirTemp("", "weir-kafkacost-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(folder)
	job, err := cluster.Run(ctx, top, cluster.Config{Checkpoint: cluster.Every(c.Interval), Store: dir.Open(folder)})
	if job != nil {
		c.result.Checkpoints = int64(job.Status().Checkpoint.ID)
	}
	return err
}

// digestSink adds up what it gets. It is for one subtask, and for a job that does not fail.
type digestSink struct{ sum *digest }

func (s *digestSink) Kind() operators.SinkKind { return operators.Plain }

func (s *digestSink) Open(context.Context, operators.SinkContext) (operators.Writer[tip], error) {
	return s, nil
}

func (s *digestSink) Write(_ context.Context, b *operators.Batch[tip]) error {
	for _, t := range b.Values {
		s.sum.add(t)
	}
	return nil
}

func (s *digestSink) Flush(context.Context) error { return nil }
func (s *digestSink) Close() error                { return nil }

// numberSource gives the input without a topic.
type numberSource struct{ count int64 }

func (s *numberSource) Splits(context.Context) ([]string, error) { return []string{"0"}, nil }

func (s *numberSource) Info() operators.SourceInfo {
	return operators.SourceInfo{Bounded: true, Replayable: true}
}

func (s *numberSource) Open(_ context.Context, _ string, position []byte) (operators.Reader[tip], error) {
	r := &numberReader{left: s.count, in: inputSeed}
	if len(position) == 16 {
		r.left, r.in = int64(binary.BigEndian.Uint64(position)), numbers(binary.BigEndian.Uint64(position[8:]))
	}
	return r, nil
}

type numberReader struct {
	left int64
	in   numbers
}

func (r *numberReader) Read(_ context.Context, b *operators.Batch[tip], most int) error {
	for range min(r.left, int64(most)) {
		b.Append(r.in.tip(), operators.NoTime)
		r.left--
	}
	if r.left == 0 {
		return io.EOF
	}
	return nil
}

func (r *numberReader) Position() []byte {
	return binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(nil, uint64(r.left)), uint64(r.in))
}

func (r *numberReader) Close() error { return nil }

// The same works by hand.

func loopSource(ctx context.Context, c *client) error {
	return c.loop(ctx, func(_ context.Context, f *fetcher, ends [partitions]int64) error {
		for f.next != ends {
			if err := f.fetch(ctx, func(t tip, _, _ int64) error { c.result.Digest.add(t); return nil }); err != nil {
				return err
			}
		}
		return nil
	})
}

func loopPass(ctx context.Context, c *client) error { return c.loopThrough(ctx, passed, appendLong) }

func loopSum(ctx context.Context, c *client) error {
	sums := map[int64]int64{}
	return c.loopThrough(ctx, func(t tip) tip {
		sum := sums[t.User] + t.Amount
		sums[t.User] = sum
		return tip{t.User, sum}
	}, appendTip)
}

func (c *client) loop(ctx context.Context, read func(context.Context, *fetcher, [partitions]int64) error) error {
	conn, err := connect(c.Address)
	if err != nil {
		return err
	}
	defer conn.close()
	ends, err := conn.ends(ctx, c.In, true)
	if err != nil {
		return err
	}
	return read(ctx, newFetcher(conn, c.In), ends)
}

// loopThrough reads, turns and writes, and commits after each interval.
func (c *client) loopThrough(ctx context.Context, turn func(tip) tip, encode func([]byte, tip) []byte) error {
	return c.loop(ctx, func(ctx context.Context, f *fetcher, ends [partitions]int64) error {
		w := newWriter(f.conn, c.Out, "loop-"+c.Out)
		if err := w.begin(ctx); err != nil {
			return err
		}
		var value []byte
		write := func(t tip, time, _ int64) error {
			value = encode(value[:0], turn(t))
			return w.add(ctx, time, value[:8], value)
		}
		for last := time.Now(); f.next != ends; {
			if err := f.fetch(ctx, write); err != nil {
				return err
			}
			if time.Since(last) < c.Interval {
				continue
			}
			if err := w.commit(ctx, f); err != nil {
				return err
			}
			last = time.Now()
			c.result.Checkpoints++
		}
		return w.commit(ctx, f)
	})
}
