package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

// Latency is from the moment a record is due, which is its timestamp, whether or not it
// was written in time, until a reader of committed records has it.

const (
	latencyRate   = 20_000 // records a second
	latencyWarmUp = 20 * time.Second
)

// latency measures on a broker whose own compiler is done with what transactions need: that
// takes more than a minute of them, which is run first and not counted.
func (b *bench) latency(ctx context.Context) error {
	warm := *b
	warm.seconds += 40
	l, err := warm.latencyOnce(ctx, 10*time.Millisecond)
	if err != nil {
		return err
	}
	fmt.Printf("# the broker's warm-up: %s\n", l)
	for _, goal := range []struct {
		interval time.Duration
		p99      float64
	}{{100 * time.Millisecond, 105}, {10 * time.Millisecond, 15}} {
		var all rates
		detail := ""
		for range b.rounds {
			l, err := b.latencyOnce(ctx, goal.interval)
			if err != nil {
				return err
			}
			fmt.Printf("# latency at %v: %s\n", goal.interval, l)
			all, detail = append(all, l.at(990)), l.String()
		}
		b.atMost(fmt.Sprintf("record's time to committed output, 20 k records/s, commits each %v, p99", goal.interval), goal.p99, "ms", all, detail)
	}
	return nil
}

// latencies are sorted, in ms.
type latencies struct {
	all []float64
	cpu float64 // cores of the client
}

func (l *latencies) at(permille int) float64 { return l.all[len(l.all)*permille/1000] }

func (l *latencies) String() string {
	return fmt.Sprintf("p50 %.1f, p90 %.1f, p99 %.1f, p99.9 %.1f, max %.1f ms, %.2f client cores", l.at(500), l.at(900), l.at(990), l.at(999), l.all[len(l.all)-1], l.cpu)
}

// latencyOnce runs the job, a process that writes its input and one that reads its output:
// the latter two are this one.
func (b *bench) latencyOnce(ctx context.Context, interval time.Duration) (*latencies, error) {
	in, err := b.stage.fresh(ctx)
	if err != nil {
		return nil, err
	}
	out, err := b.stage.fresh(ctx)
	if err != nil {
		return nil, err
	}
	jobs, endJob := context.WithCancel(ctx)
	defer endJob()
	c := &client{Work: "latency", Side: "weir", Address: b.stage.broker.Addr(), In: in, Out: out, Interval: interval}
	cmd, err := c.command(jobs)
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	begun := time.Now()
	l, err := b.openLoop(ctx, in, out)
	lasted := time.Since(begun)
	endJob()
	if ended := cmd.Wait(); err == nil && !errors.Is(ended, context.Canceled) {
		err = ended
	}
	if err != nil {
		return nil, err
	}
	l.cpu = (cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()).Seconds() / lasted.Seconds()
	return l, nil
}

// openLoop writes records as they fall due, and reads what becomes of them.
func (b *bench) openLoop(ctx context.Context, in, out string) (*latencies, error) {
	total := int64(latencyRate * (latencyWarmUp + time.Duration(b.seconds)*time.Second) / time.Second)
	start := time.Now()
	written := make(chan error, 1)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		err := produceDue(ctx, b.stage.broker.Addr(), in, start, total)
		if err != nil {
			cancel()
		}
		written <- err
	}()
	l, err := b.observe(ctx, out, start.Add(latencyWarmUp).UnixMilli(), total)
	cancel()
	return l, errors.Join(<-written, err)
}

// produceDue writes what is due, each two milliseconds.
func produceDue(ctx context.Context, address, topic string, start time.Time, total int64) error {
	conn, err := connect(address)
	if err != nil {
		return err
	}
	defer conn.close()
	w, numbers := newWriter(conn, topic, ""), numbers(inputSeed)
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	var value []byte
	for i := int64(0); i < total; {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		}
		for due := int64(time.Since(start)) * latencyRate / int64(time.Second); i < min(due, total); i++ {
			value = appendLong(value[:0], numbers.tip())
			if err := w.add(ctx, start.Add(time.Duration(i)*time.Second/latencyRate).UnixMilli(), value[:8], value); err != nil {
				return err
			}
		}
		if err := w.flush(ctx); err != nil {
			return err
		}
	}
	return nil
}

// observe reads committed records, and notes how late those are that were due from a time
// on, in ms since 1970.
func (b *bench) observe(ctx context.Context, topic string, from, total int64) (*latencies, error) {
	f, l := newFetcher(b.stage.conn, topic), &latencies{}
	for seen := int64(0); seen < total; {
		err := f.fetch(ctx, func(_ tip, due, now int64) error {
			if seen++; due >= from {
				l.all = append(l.all, float64(now)/1e6-float64(due))
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	slices.Sort(l.all)
	return l, nil
}
