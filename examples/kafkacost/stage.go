package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/weirflow/weir/operators/kafka/kafkatest"
)

const (
	inputTopic = "in"
	partitions = 4
)

// stage is a broker with topics, as the driver sees it.
type stage struct {
	broker *kafkatest.Broker
	conn   *connection
	topics int
}

// usualJava are the options of Kafka's own scripts for a broker.
var usualJava = []string{
	"-Xms1g", "-Xmx1g", "-XX:TieredStopAtLevel=4",
	"-XX:-UseSerialGC", "-XX:+UseG1GC", "-XX:MaxGCPauseMillis=20", "-XX:InitiatingHeapOccupancyPercent=35", "-XX:+ExplicitGCInvokesConcurrent",
}

func startStage(ctx context.Context, o kafkatest.Options) (*stage, error) {
	o.Properties = map[string]string{"log.segment.bytes": "1073741824", "file.delete.delay.ms": "0"}
	o.Java = usualJava
	broker, err := kafkatest.Start(ctx, o)
	if err != nil {
		return nil, err
	}
	conn, err := connect(broker.Addr())
	if err != nil {
		return nil, errors.Join(err, broker.Stop(ctx))
	}
	return &stage{broker: broker, conn: conn}, nil
}

func (s *stage) stop() error {
	s.conn.close()
	return s.broker.Stop(context.Background())
}

// fresh makes a topic that nobody has written to.
func (s *stage) fresh(ctx context.Context) (string, error) {
	s.topics++
	name := fmt.Sprint("out-", s.topics)
	return name, s.create(ctx, name)
}

func (s *stage) create(ctx context.Context, name string) error {
	req := kmsg.NewPtrCreateTopicsRequest()
	t := kmsg.NewCreateTopicsRequestTopic()
	t.Topic, t.NumPartitions, t.ReplicationFactor = name, partitions, 1
	req.Topics, req.TimeoutMillis = append(req.Topics, t), 30_000
	resp, err := req.RequestWith(ctx, s.conn.kgo)
	if err != nil {
		return err
	}
	if err := kerr.ErrorForCode(resp.Topics[0].ErrorCode); err != nil {
		return err
	}
	for {
		if _, err = s.conn.ends(ctx, name, false); err == nil || !kerr.IsRetriable(err) {
			return err
		}
		select {
		case <-time.After(10 * time.Millisecond):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// remove deletes a topic, for its memory.
func (s *stage) remove(ctx context.Context, name string) error {
	req := kmsg.NewPtrDeleteTopicsRequest()
	t := kmsg.NewDeleteTopicsRequestTopic()
	t.Topic = &name
	req.Topics, req.TopicNames = append(req.Topics, t), []string{name}
	resp, err := req.RequestWith(ctx, s.conn.kgo)
	if err != nil {
		return err
	}
	return kerr.ErrorForCode(resp.Topics[0].ErrorCode)
}

// load writes n records of the input.
func (s *stage) load(ctx context.Context, topic string, n int64) error {
	if err := s.create(ctx, topic); err != nil {
		return err
	}
	w := newWriter(s.conn, topic, "")
	in := numbers(inputSeed)
	var value []byte
	for i := range n {
		value = appendLong(value[:0], in.tip())
		if err := w.add(ctx, i, value[:8], value); err != nil {
			return err
		}
	}
	return w.flush(ctx)
}

// compare reads what was committed to a topic and demands that it is what was wanted, and
// that nothing is left open.
func (s *stage) compare(ctx context.Context, topic string, want digest) error {
	ends, err := s.conn.ends(ctx, topic, true)
	if err != nil {
		return err
	}
	all, err := s.conn.ends(ctx, topic, false)
	if err != nil {
		return err
	}
	if ends != all {
		return fmt.Errorf("topic %s: a transaction is open: committed up to %v of %v", topic, ends, all)
	}
	var got digest
	f := newFetcher(s.conn, topic)
	for f.next != ends {
		if err := f.fetch(ctx, func(t tip, _, _ int64) error { got.add(t); return nil }); err != nil {
			return err
		}
	}
	if got != want {
		return fmt.Errorf("topic %s has %+v, want %+v", topic, got, want)
	}
	return nil
}
