package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
)

// stage is where one run of the job reads and writes: its work folder, or a broker of its
// own with the trips in it.
type stage struct {
	outside
	broker broker // nil: files
	kafka  *kafkaOutside
}

// setUp makes the stage for trips that are prepared in the work folder.
func (d *demo) setUp(ctx context.Context) (*stage, error) {
	if d.Kafka == "" {
		return &stage{outside: newFileOutside(d.Folder)}, nil
	}
	b, err := startBroker(ctx, d.Kafka, d.Out)
	if err != nil {
		return nil, err
	}
	k := newKafkaOutside(b.addresses())
	if err := errors.Join(k.createTopics(ctx), d.fill(ctx, b)); err != nil {
		return nil, errors.Join(err, b.stop())
	}
	return &stage{k, b, k}, nil
}

// fill has a process of its own copy the trips into their topic.
func (d *demo) fill(ctx context.Context, b broker) error {
	producer, err := startSelf(ctx, d.Folder, "produce", "-dir", string(d.Folder), "-brokers", strings.Join(b.addresses(), ","))
	if err != nil {
		return err
	}
	if err := <-producer.ended; err != nil {
		return fmt.Errorf("%w\n%s", err, producer.lastWords())
	}
	return nil
}

// brokers are the broker's addresses; none for files.
func (s *stage) brokers() []string {
	if s.broker == nil {
		return nil
	}
	return s.broker.addresses()
}

// settle waits until nothing is open, which it demands, and reads what is committed then:
// a broker ends a transaction in its partitions a little after it has said that it did.
func (s *stage) settle(ctx context.Context, got *committed, out io.Writer) error {
	if s.kafka == nil {
		return got.refresh()
	}
	ctx, cancel := context.WithTimeout(ctx, settleWithin)
	defer cancel()
	for again := time.NewTicker(50 * time.Millisecond); ; {
		err := s.kafka.nothingOpen(ctx)
		if err == nil {
			again.Stop()
			fmt.Fprintln(out, "no transaction is open: readers of committed records are at the end of the topics")
			return got.refresh()
		}
		select {
		case <-again.C:
		case <-ctx.Done():
			return err
		}
	}
}

const settleWithin = 30 * time.Second

func (s *stage) close() error {
	if s.broker == nil {
		return nil
	}
	return s.broker.stop()
}
