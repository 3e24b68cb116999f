package kafka

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/weirflow/weir/messages/mutant"
	"github.com/weirflow/weir/operators"
)

// Decoder makes a value of a record. It may use r during the call only, and copies what
// it keeps of key, value and headers: they lie in the bytes of a whole fetch. It is
// called by several goroutines at a time. An error fails the job, or puts the record aside
// (SideOutputMalformed).
type Decoder[T any] func(r *Record) (T, error)

// Source reads topics. A split is a partition, read by exactly one subtask; subtasks beyond
// the number of partitions have nothing to do. The event time of a record is its
// timestamp, unless the watermark strategy extracts another.
//
// Without options it reads what is committed, from the earliest record on, for ever, and
// looks for new partitions every five minutes.
func Source[T any](cluster Cluster, topics Topics, decode Decoder[T], options ...SourceOption) operators.Source[T] {
	s := &source[T]{cluster: cluster, topics: topics, decode: decode, config: newSourceConfig(options)}
	s.hub = newHub(cluster, &s.config)
	return s
}

// SourceOption changes how a source reads.
type SourceOption interface{ applySource(*sourceConfig) }

type sourceOption func(*sourceConfig)

func (o sourceOption) applySource(c *sourceConfig) { o(c) }

// Option changes a source or a sink.
type Option interface {
	SourceOption
	SinkOption
}

// Patience is how long to try again when brokers do not answer, or cannot yet, before that
// is a failure of the subtask; DefaultPatience without it.
func Patience(d time.Duration) Option { return patience(d) }

type patience time.Duration

func (d patience) applySource(c *sourceConfig) { c.patience = time.Duration(d) }
func (d patience) applySink(c *sinkConfig)     { c.patience = time.Duration(d) }

// Defaults of a source.
const (
	DefaultDiscovery      = 5 * time.Minute
	DefaultPartitionBytes = 4 << 20 // at once of a partition
	DefaultFetchBytes     = 50 << 20
	DefaultPatience       = time.Minute
)

type sourceConfig struct {
	start          Start
	end            End
	discovery      time.Duration
	uncommitted    bool
	group          string // to commit offsets to, if committing
	committing     bool
	outOfRange     Reset
	malformed      string
	partitionBytes int
	patience       time.Duration
}

func newSourceConfig(options []SourceOption) sourceConfig {
	c := sourceConfig{end: End{bound{kind: never}}, discovery: DefaultDiscovery, outOfRange: None, partitionBytes: DefaultPartitionBytes, patience: DefaultPatience}
	for _, o := range options {
		if o != nil {
			o.applySource(&c)
		}
	}
	return c
}

// CommitTo commits the offsets of each checkpoint that is complete to a consumer group, for
// the outside to see how far the job is. The job itself never reads them, but FromGroup
// may. A group with members of its own refuses; that, and any other failure to commit, is
// logged and has no effect.
func CommitTo(group string) SourceOption {
	return sourceOption(func(c *sourceConfig) { c.group, c.committing = group, true })
}

// StartingAt says where partitions begin; FromEarliest without it.
func StartingAt(s Start) SourceOption { return sourceOption(func(c *sourceConfig) { c.start = s }) }

// EndingAt makes the source bounded.
func EndingAt(e End) SourceOption { return sourceOption(func(c *sourceConfig) { c.end = e }) }

// DiscoverEvery sets how often to look for new partitions, and topics of a pattern;
// DefaultDiscovery without it, 0 for never. A source that ends looks once.
func DiscoverEvery(d time.Duration) SourceOption {
	return sourceOption(func(c *sourceConfig) { c.discovery = d })
}

// ReadUncommitted also reads records of transactions that are open or were aborted.
func ReadUncommitted() SourceOption {
	return sourceOption(func(c *sourceConfig) { c.uncommitted = true })
}

// OnOutOfRange says what to do when the next record is no longer there, because
// retention removed it or the topic was cut: None, the default, is an error, and the
// others go on with records missing or repeated.
func OnOutOfRange(r Reset) SourceOption {
	return sourceOption(func(c *sourceConfig) { c.outOfRange = r })
}

// SideOutputMalformed sends records that do not decode to a side output, instead of
// failing.
func SideOutputMalformed(tag operators.Tag[operators.Malformed]) SourceOption {
	return sourceOption(func(c *sourceConfig) { c.malformed = tag.Name() })
}

// PartitionBytes bounds what is fetched of a partition at a time, in bytes. At most three
// times as much is kept in memory for each, and always a batch of records, however large.
func PartitionBytes(n int) SourceOption {
	return sourceOption(func(c *sourceConfig) { c.partitionBytes = n })
}

func (c *sourceConfig) validate() error {
	switch {
	case c.start.err != nil:
		return fmt.Errorf("option kafka.StartingAt: %w", c.start.err)
	case c.end.err != nil:
		return fmt.Errorf("option kafka.EndingAt: %w", c.end.err)
	case c.committing && c.group == "":
		return errors.New("option kafka.CommitTo: the group's id is empty; give it, or leave the option out")
	case c.discovery < 0:
		return fmt.Errorf("option kafka.DiscoverEvery(%v): give an interval above 0, or 0 to list partitions once", c.discovery)
	case c.outOfRange.check() != nil:
		return fmt.Errorf("option kafka.OnOutOfRange: %w", c.outOfRange.check())
	case c.partitionBytes < 1 || c.partitionBytes > 1<<30:
		return fmt.Errorf("option kafka.PartitionBytes(%d): give 1 byte to 1 GiB", c.partitionBytes)
	case c.patience <= 0:
		return fmt.Errorf("option kafka.Patience(%v): must be positive", c.patience)
	}
	return nil
}

func (c *sourceConfig) bounded() bool { return c.end.kind != never }

type source[T any] struct {
	cluster Cluster
	topics  Topics
	decode  Decoder[T]
	config  sourceConfig
	hub     *hub
}

// String says for people what is read.
func (s *source[T]) String() string { return fmt.Sprintf("kafka.Source(%s)", s.topics) }

// Validate finds mistakes before the job runs.
func (s *source[T]) Validate() error {
	err := s.cluster.validate()
	if err == nil {
		err = s.topics.err
	}
	if err == nil && s.decode == nil {
		err = fmt.Errorf("its Decoder is nil; give it one")
	}
	if err == nil {
		err = s.config.validate()
	}
	if err != nil {
		return fmt.Errorf("kafka.Source(%s): %w", s.topics, err)
	}
	return nil
}

// Info implements operators.Source.
func (s *source[T]) Info() operators.SourceInfo {
	info := operators.SourceInfo{Bounded: s.config.bounded(), Replayable: true, Malformed: s.config.malformed}
	if s.config.committing {
		info.OnCheckpoint = s.commit
	}
	if !info.Bounded {
		info.DiscoverEvery = s.config.discovery
	}
	return info
}

// Splits lists the partitions.
func (s *source[T]) Splits(ctx context.Context) ([]string, error) {
	c, err := s.cluster.connect()
	if err != nil {
		return nil, err
	}
	defer c.close()
	partitions, err := s.topics.list(ctx, c)
	if err != nil {
		return nil, err
	}
	splits := make([]string, len(partitions))
	for i, p := range partitions {
		splits[i] = p.String()
	}
	return splits, nil
}

// Start implements operators.Starter. Partitions that appeared later begin at their
// earliest record.
func (s *source[T]) Start(ctx context.Context, splits []string, again bool) ([][]byte, error) {
	c, err := s.cluster.connect()
	if err != nil {
		return nil, err
	}
	defer c.close()
	start := s.config.start
	if again && !mutant.On("discovered-late") {
		start = FromEarliest()
	}
	return startsOf(ctx, c, splits, start, s.config.end, !s.config.uncommitted)
}

func startsOf(ctx context.Context, c *client, splits []string, start Start, end End, committed bool) ([][]byte, error) {
	partitions, names, err := partitionsOf(splits)
	if err != nil {
		return nil, err
	}
	topics, err := c.soundTopics(ctx, names)
	if err != nil {
		return nil, err
	}
	ends, err := end.find(ctx, c, partitions, committed)
	if err != nil {
		return nil, err
	}
	starts, err := start.find(ctx, c, partitions, committed)
	if err != nil {
		return nil, err
	}
	positions := make([][]byte, len(splits))
	for i, p := range partitions {
		positions[i] = position{topic: topics[p.topic].id, next: starts[p], end: ends[p]}.encode()
	}
	return positions, nil
}

// Open implements operators.Source.
func (s *source[T]) Open(_ context.Context, split string, at []byte) (operators.Reader[T], error) {
	p, err := partitionOf(split)
	if err != nil {
		return nil, err
	}
	if at == nil {
		return nil, fmt.Errorf("split %q has no position, which Start gives", split)
	}
	pos, err := decodePosition(at)
	if err != nil {
		return nil, err
	}
	f, err := s.hub.open(p, pos)
	if err != nil {
		return nil, err
	}
	return &reader[T]{hub: s.hub, feed: f, position: pos, told: pos.next, decode: s.decode, tolerant: s.config.malformed != "", record: Record{Topic: p.topic, Partition: p.index}}, nil
}

// commitPatience is how long a checkpoint that is complete waits for its offsets to be
// committed.
const commitPatience = 5 * time.Second

// commit has the group's offsets be those of a checkpoint.
func (s *source[T]) commit(ctx context.Context, splits []string, positions [][]byte) error {
	partitions, _, err := partitionsOf(splits)
	if err != nil {
		return err
	}
	offsets := make(map[partition]int64, len(partitions))
	for i, p := range partitions {
		at, err := decodePosition(positions[i])
		if err != nil {
			return err
		}
		if offsets[p] = at.next; mutant.On("commits-last-read") {
			offsets[p]--
		}
	}
	ctx, cancel := context.WithTimeout(ctx, commitPatience)
	defer cancel()
	return s.hub.borrow(func(c *client) error {
		return insist(ctx, commitPatience, func() error { return c.commitOffsets(ctx, s.config.group, partitions, offsets) })
	})
}
