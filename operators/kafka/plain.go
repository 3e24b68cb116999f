package kafka

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/weirflow/weir/operators"
)

// AtLeastOnce writes to a topic without transactions: records are visible as soon as the
// broker has them, and those written since the last checkpoint appear again after a
// failure. What a checkpoint covers is acknowledged by all replicas before it completes.
//
// A batch goes out when it is full, when nothing is under way to its partition's leader,
// and at every checkpoint: so records of a quiet stream do not wait, and those of a busy
// one make large batches.
func AtLeastOnce[T any](cluster Cluster, topic string, encode Encoder[T], options ...SinkOption) operators.Sink[T] {
	return &plainSink[T]{target[T]{"kafka.AtLeastOnce", cluster, topic, encode, newSinkConfig(options)}, operators.Plain}
}

// Idempotent writes to a topic in which the last value of a key counts, a compacted one
// for instance: AtLeastOnce, with keys. After a failure records are written again, under
// the same keys, until what is last for each key is what it would have been. Every record
// must have a key, which with the value must be a function of the input.
//
// While an attempt has not heard that another one has taken over, it may write an older
// value behind a newer one; the newer one comes again only with the key's next change.
// Where that may not be, use Sink.
func Idempotent[T any](cluster Cluster, topic string, encode Encoder[T], options ...SinkOption) operators.Sink[T] {
	return &plainSink[T]{target[T]{"kafka.Idempotent", cluster, topic, encode, newSinkConfig(options)}, operators.Idempotent}
}

// plainSink is what AtLeastOnce and Idempotent give.
type plainSink[T any] struct {
	target[T]
	kind operators.SinkKind
}

// Kind implements operators.Sink.
func (s *plainSink[T]) Kind() operators.SinkKind { return s.kind }

// Validate finds mistakes before the job runs.
func (s *plainSink[T]) Validate() error {
	return s.check(func() error {
		switch {
		case s.config.timeoutSet:
			return errors.New("option kafka.TransactionTimeout: it has no transactions; leave it out, or use kafka.Sink")
		case s.config.lingerSet:
			return errors.New("option kafka.Linger: its batches go out as soon as nothing is under way; leave it out, or use kafka.Sink")
		case s.config.keepSet:
			return errors.New("option kafka.KeepOutput: it has no transactions; leave it out, or use kafka.Sink")
		}
		return nil
	})
}

// Open implements operators.Sink.
func (s *plainSink[T]) Open(ctx context.Context, c operators.SinkContext) (operators.Writer[T], error) {
	w := &plainWriter[T]{encoding: newEncoding(&s.target, c), config: s.config}
	w.encoding.keyed = s.kind == operators.Idempotent
	w.config.partitioner = s.config.newPartitioner()
	var err error
	if w.client, err = s.cluster.connect(kgo.RetryTimeout(time.Second)); err != nil {
		return nil, err
	}
	if w.producer, err = newProducer(ctx, w.client, s.topic, &w.config); err == nil {
		err = w.begin(ctx)
	}
	if err != nil {
		return nil, errors.Join(err, w.Close())
	}
	return w, nil
}

// plainWriter is operators.Writer without transactions. Its producer id has the broker
// know repeats of a batch, for the life of an attempt.
type plainWriter[T any] struct {
	encoding encoding[T]
	config   sinkConfig
	client   *client
	producer *producer
}

func (w *plainWriter[T]) begin(ctx context.Context) error {
	t, err := beginTransaction(ctx, w.client, "", 0, w.config.patience)
	if err != nil {
		return fmt.Errorf("ask for a producer id: %w", err)
	}
	w.producer.beginPlain(t.producer())
	return nil
}

// Write implements operators.Writer.
func (w *plainWriter[T]) Write(ctx context.Context, b *operators.Batch[T]) error {
	return w.encoding.write(ctx, w.producer, b)
}

// Flush implements operators.Writer.
func (w *plainWriter[T]) Flush(ctx context.Context) error { return w.producer.flush(ctx) }

// Close implements operators.Writer.
func (w *plainWriter[T]) Close() error {
	if w.producer != nil {
		w.producer.close()
	}
	w.client.close()
	return nil
}
