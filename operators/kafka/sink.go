package kafka

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/weirflow/weir/operators"
	"github.com/weirflow/weir/operators/kafka/records"
)

// Sink writes to a topic, exactly once: what a checkpoint covers appears to readers of
// committed records when that checkpoint is complete, all of it, whatever fails.
//
// The prefix names the sink's transactions: no other job may have the same, and it holds
// no '/'. A job that is begun anew, without its checkpoints, should have another one, for
// it takes what its earlier life left open for that of a younger attempt and leaves it to
// the broker's time-out. Transactional ids are
// <prefix>/<operator>/<subtask>/<attempt>/<slot>.
func Sink[T any](cluster Cluster, topic, prefix string, encode Encoder[T], options ...SinkOption) operators.TransactionalSink[T] {
	return &sink[T]{target[T]{"kafka.Sink", cluster, topic, encode, newSinkConfig(options)}, prefix}
}

// SinkOption changes how a sink writes.
type SinkOption interface{ applySink(*sinkConfig) }

type sinkOption func(*sinkConfig)

func (o sinkOption) applySink(c *sinkConfig) { o(c) }

// Defaults of a sink.
const (
	DefaultBatchBytes         = 512 << 10
	DefaultTransactionTimeout = 15 * time.Minute
	DefaultLinger             = 20 * time.Millisecond
)

type sinkConfig struct {
	batchBytes     int
	partitioner    Partitioner
	newPartitioner func() Partitioner
	timeout        time.Duration // of transactions
	timeoutSet     bool
	maxAhead       time.Duration
	linger         time.Duration
	lingerSet      bool
	keep           int // bytes of a transaction
	keepSet        bool
	patience       time.Duration
	codec          Compression
}

func newSinkConfig(options []SinkOption) sinkConfig {
	c := sinkConfig{batchBytes: DefaultBatchBytes, newPartitioner: ByKey, timeout: DefaultTransactionTimeout, maxAhead: maxAhead, linger: DefaultLinger, patience: DefaultPatience}
	for _, o := range options {
		if o != nil {
			o.applySink(&c)
		}
	}
	return c
}

// BatchBytes is how large a batch of a partition grows before it is sent, in bytes before
// they are compressed; DefaultBatchBytes without it. A record that is larger makes a
// batch of its own. The broker's bound for both is max.message.bytes, 1 MiB unless
// somebody changed it.
func BatchBytes(n int) SinkOption { return sinkOption(func(c *sinkConfig) { c.batchBytes = n }) }

// PartitionedBy sets how partitions are chosen; ByKey without it. Each subtask makes a
// partitioner of its own.
func PartitionedBy(newPartitioner func() Partitioner) SinkOption {
	return sinkOption(func(c *sinkConfig) { c.newPartitioner = newPartitioner })
}

// TransactionTimeout is after how long the broker gives up a transaction that nobody has
// ended; DefaultTransactionTimeout without it. It must be longer than any time in which a
// completed checkpoint may wait for its commit: the job being down included. A second of it,
// or a sixteenth if that is less, may be over when the first record comes, for transactions
// are begun ahead. The broker's bound is transaction.max.timeout.ms.
func TransactionTimeout(d time.Duration) SinkOption {
	return sinkOption(func(c *sinkConfig) { c.timeout, c.timeoutSet = d, true })
}

// Linger is for how long the records of a transaction may wait for their batch to fill;
// DefaultLinger without it. It is looked at when records come. Less has fewer left to be
// acknowledged at a checkpoint, and so a record sooner in sight; more makes batches larger
// where records are few.
func Linger(d time.Duration) SinkOption {
	return sinkOption(func(c *sinkConfig) { c.linger, c.lingerSet = d, true })
}

// Compression is how batches are compressed.
type Compression uint8

// The ways to compress.
const (
	Uncompressed Compression = iota
	Gzip
	Snappy
	LZ4
	Zstd
)

// Compressed sets how batches are compressed; Uncompressed without it.
func Compressed(by Compression) SinkOption { return sinkOption(func(c *sinkConfig) { c.codec = by }) }

// compressor gives nil for Uncompressed.
func (c *sinkConfig) compressor() (records.Compressor, error) {
	codecs := []kgo.CompressionCodec{kgo.NoCompression(), kgo.GzipCompression(), kgo.SnappyCompression(), kgo.Lz4Compression(), kgo.ZstdCompression()}
	if int(c.codec) >= len(codecs) {
		return nil, fmt.Errorf("option kafka.Compressed(%d): give Uncompressed, Gzip, Snappy, LZ4 or Zstd", c.codec)
	}
	k, err := kgo.DefaultCompressor(codecs[c.codec])
	if err != nil || k == nil {
		return nil, err
	}
	var buf bytes.Buffer
	return func(dst, src []byte) ([]byte, int8) {
		buf.Reset()
		out, codec := k.Compress(&buf, src)
		return append(dst, out...), int8(codec)
	}, nil
}

func (c *sinkConfig) validate() error {
	switch {
	case c.batchBytes < 1 || c.batchBytes > 1<<30:
		return fmt.Errorf("option kafka.BatchBytes(%d): give 1 byte to 1 GiB", c.batchBytes)
	case c.newPartitioner == nil:
		return errors.New("option kafka.PartitionedBy(nil): give it a function that makes partitioners, such as kafka.ByKey")
	case c.linger < 0:
		return fmt.Errorf("option kafka.Linger(%v): must not be negative", c.linger)
	case c.patience <= 0:
		return fmt.Errorf("option kafka.Patience(%v): must be positive", c.patience)
	}
	_, err := c.compressor()
	return err
}

// target is what all sinks have: where records go, and how.
type target[T any] struct {
	function string // that made the sink
	cluster  Cluster
	topic    string
	encode   Encoder[T]
	config   sinkConfig
}

// String says for people where records go.
func (s *target[T]) String() string { return fmt.Sprintf("%s(%s)", s.function, s.topic) }

// check finds mistakes, of a sort of sink's own too.
func (s *target[T]) check(own func() error) error {
	err := s.cluster.validate()
	switch {
	case err != nil:
	case checkTopic(s.topic) != nil:
		err = checkTopic(s.topic)
	case s.encode == nil:
		err = errors.New("its Encoder is nil; give it one")
	default:
		if err = own(); err == nil {
			err = s.config.validate()
		}
	}
	if err != nil {
		return fmt.Errorf("%s(%q): %w", s.function, s.topic, err)
	}
	return nil
}

// sink is what Sink gives.
type sink[T any] struct {
	target[T]
	prefix string
}

// Kind implements operators.Sink.
func (s *sink[T]) Kind() operators.SinkKind { return operators.Transactional }

// Lifetime implements operators.Expiring: what is left of the time-out for records.
func (s *sink[T]) Lifetime() time.Duration { return s.config.timeout - s.config.ahead() }

// Validate finds mistakes before the job runs.
func (s *sink[T]) Validate() error {
	return s.check(func() error {
		switch {
		case s.prefix == "" || s.prefix != strings.TrimSpace(s.prefix) || strings.Contains(s.prefix, "/"):
			return fmt.Errorf("its prefix is %q; give one that no other job has, without '/' and blanks around it", s.prefix)
		case s.config.timeoutSet && (s.config.timeout < time.Second || s.config.timeout > 24*24*time.Hour):
			return fmt.Errorf("option kafka.TransactionTimeout(%v): give 1s to 24 days", s.config.timeout)
		case s.config.keepSet && s.config.keep < 1:
			return fmt.Errorf("option kafka.KeepOutput(%d): give at least 1 byte, or leave it out", s.config.keep)
		}
		return nil
	})
}

// Open implements operators.Sink.
func (s *sink[T]) Open(ctx context.Context, c operators.SinkContext) (operators.Writer[T], error) {
	return s.OpenTransactional(ctx, c)
}

// OpenTransactional implements operators.TransactionalSink.
func (s *sink[T]) OpenTransactional(ctx context.Context, c operators.SinkContext) (operators.TransactionalWriter[T], error) {
	w := &writer[T]{
		sink: s, encoding: newEncoding(&s.target, c), context: c, config: s.config, id: rand.Text(), slots: newSlots(s.prefix, c.Operator, c.Index, c.Attempt),
		prepared: map[int64]bool{}, ended: map[string]*transaction{},
	}
	w.config.partitioner = s.config.newPartitioner()
	var err error
	if w.client, err = s.cluster.connect(kgo.RetryTimeout(time.Second)); err != nil {
		return nil, err
	}
	if w.producer, err = newProducer(ctx, w.client, s.topic, &w.config); err != nil {
		w.client.close()
		return nil, err
	}
	return w, nil
}
