package kafka_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/weirflow/weir/operators"
	"github.com/weirflow/weir/operators/kafka"
)

// onReal makes stands on a real broker, while it is set: see real_test.go.
var onReal func(t *testing.T, partitions int32, topics []string) *stand

// stand is a broker, and who writes to it. The broker is in this process, a stand-in for
// a real one, unless onReal says otherwise.
type stand struct {
	t       *testing.T
	fake    *kfake.Cluster // nil for a real one
	cluster kafka.Cluster
	writer  *kgo.Client
}

func newStand(t *testing.T, partitions int32, topics []string, options ...kfake.Opt) *stand {
	t.Helper()
	if onReal != nil {
		return onReal(t, partitions, topics)
	}
	fake, err := kfake.NewCluster(append([]kfake.Opt{kfake.NumBrokers(2), kfake.SeedTopics(partitions, topics...)}, options...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(fake.Close)
	s := &stand{t: t, fake: fake, cluster: kafka.Cluster{Brokers: fake.ListenAddrs()}}
	s.writer = s.connect()
	return s
}

func (s *stand) connect(options ...kgo.Opt) *kgo.Client {
	s.t.Helper()
	options = append([]kgo.Opt{kgo.SeedBrokers(s.cluster.Brokers...), kgo.MetadataMinAge(100 * time.Millisecond), kgo.RecordPartitioner(kgo.ManualPartitioner())}, options...)
	c, err := kgo.NewClient(options...)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(c.Close)
	return c
}

func (s *stand) must(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

// write writes a record each for some values, with the value's number as its time.
func (s *stand) write(topic string, partition int32, values ...string) {
	s.t.Helper()
	s.send(s.writer, topic, partition, values...)
}

func (s *stand) send(c *kgo.Client, topic string, partition int32, values ...string) {
	s.t.Helper()
	for i, v := range values {
		s.must(c.ProduceSync(s.t.Context(), &kgo.Record{Topic: topic, Partition: partition, Value: []byte(v), Timestamp: time.UnixMilli(int64(1000 + i))}).FirstErr())
	}
}

// begin opens a transaction with some values.
func (s *stand) begin(id, topic string, partition int32, values ...string) *kgo.Client {
	s.t.Helper()
	c := s.connect(kgo.TransactionalID(id))
	s.must(c.BeginTransaction())
	s.send(c, topic, partition, values...)
	return c
}

func (s *stand) end(c *kgo.Client, how kgo.TransactionEndTry) {
	s.t.Helper()
	s.must(c.EndTransaction(s.t.Context(), how))
	s.settle()
}

func text(r *kafka.Record) (string, error) { return string(r.Value), nil }

// reading is a source in the middle of its splits.
type reading struct {
	s       *stand
	source  operators.Source[string]
	readers map[string]operators.Reader[string]
}

// open begins to read a source, and fails the test where it cannot.
func (s *stand) open(source operators.Source[string]) *reading {
	s.t.Helper()
	r, err := s.tryOpen(source)
	s.must(err)
	return r
}

func (s *stand) tryOpen(source operators.Source[string]) (*reading, error) {
	s.t.Helper()
	if err := source.(operators.Validator).Validate(); err != nil {
		return nil, err
	}
	splits, err := source.Splits(s.t.Context())
	if err != nil {
		return nil, err
	}
	positions, err := source.(operators.Starter).Start(s.t.Context(), splits, false)
	if err != nil {
		return nil, err
	}
	r := &reading{s: s, source: source, readers: map[string]operators.Reader[string]{}}
	for i, split := range splits {
		r.at(split, positions[i])
	}
	return r, nil
}

func (r *reading) at(split string, position []byte) operators.Reader[string] {
	r.s.t.Helper()
	reader, err := r.source.Open(r.s.t.Context(), split, position)
	r.s.must(err)
	r.readers[split] = reader
	r.s.t.Cleanup(func() { reader.Close() })
	return reader
}

// place is where a reader was, and how many values it had given.
type place struct {
	position []byte
	values   int
}

// all reads a split to its end, in batches of at most max, and gives the values, and the
// place after each batch.
func (r *reading) all(split string, max int) (values []string, places []place) {
	r.s.t.Helper()
	for {
		var b operators.Batch[string]
		err := r.readers[split].Read(r.s.t.Context(), &b, max)
		values = append(values, b.Values...)
		places = append(places, place{r.readers[split].Position(), len(values)})
		if len(b.Values) > max {
			r.s.t.Fatalf("a batch of %d, want at most %d", len(b.Values), max)
		}
		if errors.Is(err, io.EOF) {
			return values, places
		}
		r.s.must(err)
	}
}

// some reads a split until it has given n values.
func (r *reading) some(split string, n int) (values []string) {
	r.s.t.Helper()
	ctx, cancel := context.WithTimeout(r.s.t.Context(), 30*time.Second)
	defer cancel()
	for len(values) < n {
		var b operators.Batch[string]
		r.s.must(r.readers[split].Read(ctx, &b, 100))
		values = append(values, b.Values...)
	}
	return values
}

func numbers(prefix string, n int) (values []string) {
	for i := range n {
		values = append(values, fmt.Sprint(prefix, i))
	}
	return values
}

func sorted(values []string) []string {
	return slices.Sorted(slices.Values(values))
}
