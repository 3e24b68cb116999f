package main

import (
	"context"
	"fmt"
	"slices"
	"time"
)

// interval is between commits, where a row does not say otherwise.
const interval = 100 * time.Millisecond

// rates are what a side's rounds gave, in records a second of its CPU time.
type rates []float64

func (r rates) median() float64 {
	sorted := slices.Sorted(slices.Values(r))
	return sorted[len(sorted)/2]
}

// spread is the median with the least and the most.
type spread struct{ median, least, most float64 }

func (r rates) spread() spread { return spread{r.median(), slices.Min(r), slices.Max(r)} }

// over is a's rates over b's, round by round.
func over(a, b rates) (ratios rates) {
	for i := range a {
		ratios = append(ratios, a[i]/b[i])
	}
	return ratios
}

// alternate has the sides do a work in turn, and compares what they wrote.
func (b *bench) alternate(ctx context.Context, work string, records int64, want digest, names ...string) (map[string]rates, error) {
	all := map[string]rates{}
	for range b.rounds {
		for _, side := range names {
			c := &client{Work: work, Side: side, Address: b.stage.broker.Addr(), In: inputTopic, Records: records, Interval: interval}
			r, err := b.once(ctx, c, want)
			if err != nil {
				return nil, err
			}
			rate := float64(want.Records) / r.cpu.Seconds()
			fmt.Printf("# %-6s %-6s %6.2f M records a CPU-second, %.2f M a second, %d commits\n", work, side, rate/1e6, float64(want.Records)/r.wall.Seconds()/1e6, r.Checkpoints)
			all[side] = append(all[side], rate)
		}
	}
	return all, nil
}

// once runs a client. What a work does not write it adds up itself.
func (b *bench) once(ctx context.Context, c *client, want digest) (r result, err error) {
	if c.Work == "source" {
		if r, err = c.run(ctx); err == nil && r.Digest != want {
			err = fmt.Errorf("%s has read %+v, want %+v", c.Side, r.Digest, want)
		}
		return r, err
	}
	if c.Out, err = b.stage.fresh(ctx); err != nil {
		return r, err
	}
	if r, err = c.run(ctx); err != nil {
		return r, err
	}
	if err := b.stage.compare(ctx, c.Out, want); err != nil {
		return r, fmt.Errorf("%s: %w", c.Side, err)
	}
	return r, b.stage.remove(ctx, c.Out)
}

func (b *bench) source(ctx context.Context) error {
	got, err := b.alternate(ctx, "source", 0, wanted(b.records, same), "sarama", "weir", "loop")
	if err != nil {
		return err
	}
	b.atLeast("source, 100 B records: against sarama's PartitionConsumer", 2, "x", over(got["weir"], got["sarama"]), details(got))
	b.atMost("source: cost against a bare fetch loop", 1.3, "x", over(got["loop"], got["weir"]), details(got))
	return nil
}

// sink writes a quarter of the input, for sarama's sake.
func (b *bench) sink(ctx context.Context) error {
	n := b.records / 4
	got, err := b.alternate(ctx, "sink", n, wanted(n, same), "sarama", "weir")
	if err != nil {
		return err
	}
	b.atLeast("exactly-once sink, 100 B records: against sarama's transactional AsyncProducer", 4, "x", over(got["weir"], got["sarama"]), details(got))
	return nil
}

func (b *bench) pass(ctx context.Context) error {
	return b.through(ctx, "pass", "pass-through", passed)
}

func (b *bench) sum(ctx context.Context) error {
	return b.through(ctx, "sum", "running sum a key", summing())
}

func (b *bench) through(ctx context.Context, work, title string, result func(tip) tip) error {
	got, err := b.alternate(ctx, work, 0, wanted(b.records, result), "loop", "weir")
	if err != nil {
		return err
	}
	b.atLeast(title+", Kafka to Kafka, exactly once each 100 ms: records a client CPU-second", 2e6, "M", got["weir"], details(got))
	b.atMost(title+": cost against a hand-written loop", 1.3, "x", over(got["loop"], got["weir"]), details(got))
	return nil
}
