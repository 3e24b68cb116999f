package kafka_test

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/weirflow/weir/cluster"
	"github.com/weirflow/weir/messages"
	"github.com/weirflow/weir/operators"
	"github.com/weirflow/weir/operators/kafka"
)

// Visit is a record of the examples, in JSON.
type Visit struct {
	Page string `json:"page"`
	Ms   int64  `json:"ms"`
}

// startBroker starts a stand-in for a broker, with the topics visits and counts, and some
// visits. Programs give kafka.Cluster the addresses of real ones.
func startBroker() (brokers []string, stop func()) {
	fake := kfake.MustCluster(kfake.NumBrokers(1), kfake.SeedTopics(2, "visits", "counts"))
	writer, err := kgo.NewClient(kgo.SeedBrokers(fake.ListenAddrs()...), kgo.DefaultProduceTopic("visits"))
	if err != nil {
		panic(err)
	}
	defer writer.Close()
	for i, page := range []string{"/a", "/b", "/a", "/a", "/c"} {
		value, _ := json.Marshal(Visit{page, int64(i) * 20_000})
		writer.ProduceSync(context.Background(), &kgo.Record{Key: []byte(page), Value: value, Timestamp: time.UnixMilli(int64(i) * 20_000)})
	}
	return fake.ListenAddrs(), fake.Close
}

func decodeVisit(r *kafka.Record) (v Visit, err error) {
	err = json.Unmarshal(r.Value, &v)
	return v, err
}

// count counts visits.
type count struct{}

func (count) CreateAccumulator() int { return 0 }
func (count) Add(n int, _ Visit) int { return n + 1 }
func (count) Merge(a, b int) int     { return a + b }
func (count) Result(n int) int       { return n }

// Visits are counted by page and minute, from one topic into another, exactly once.
func Example() {
	brokers, stop := startBroker()
	defer stop()
	at := kafka.Cluster{Brokers: brokers}

	top := operators.NewTopology("counts")
	visits := operators.From(top, "visits", kafka.Source(at, kafka.InTopics("visits"), decodeVisit, kafka.EndingAt(kafka.UntilLatest())),
		operators.Monotonous(func(v Visit) int64 { return v.Ms }))
	minutes := operators.KeyBy(visits, func(v Visit) string { return v.Page }).Window(operators.Tumbling(time.Minute))
	counts := operators.Aggregate(minutes, "count", count{})
	counts.To("counts", kafka.Sink(at, "counts", "example", func(m *kafka.Message, c operators.WindowResult[string, int]) error {
		m.KeyBuffer = append(m.KeyBuffer[:0], c.Key...)
		m.ValueBuffer = fmt.Appendf(m.ValueBuffer[:0], "%s from %d s: %d", c.Key, c.Start/1000, c.Value)
		m.Key, m.Value = m.KeyBuffer, m.ValueBuffer
		return nil
	}))
	if _, err := cluster.Run(context.Background(), top, cluster.Config{Checkpoint: cluster.Every(time.Second)}); err != nil {
		fmt.Println(err)
	}
	fmt.Println(strings.Join(readCounts(brokers, 4), "\n"))
	// Output:
	// /a from 0 s: 2
	// /a from 60 s: 1
	// /b from 0 s: 1
	// /c from 60 s: 1
}

// readCounts gives the first n committed records of the topic counts, sorted.
func readCounts(brokers []string, n int) (lines []string) {
	reader, err := kgo.NewClient(kgo.SeedBrokers(brokers...), kgo.ConsumeTopics("counts"), kgo.FetchIsolationLevel(kgo.ReadCommitted()))
	if err != nil {
		panic(err)
	}
	defer reader.Close()
	for len(lines) < n {
		reader.PollFetches(context.Background()).EachRecord(func(r *kgo.Record) { lines = append(lines, string(r.Value)) })
	}
	slices.Sort(lines)
	return lines
}

// Some ways to say what a source reads, from where, and up to where.
func ExampleSource() {
	at := kafka.Cluster{Brokers: []string{"kafka-1:9092", "kafka-2:9092"}, SASL: kafka.ScramSHA512("user", "password")}
	for _, s := range []operators.Source[Visit]{
		kafka.Source(at, kafka.InTopics("visits", "clicks"), decodeVisit),
		kafka.Source(at, kafka.InPattern("visits-.*"), decodeVisit, kafka.StartingAt(kafka.FromLatest()), kafka.DiscoverEvery(time.Minute)),
		kafka.Source(at, kafka.InPartitions("visits", 0, 3), decodeVisit, kafka.StartingAt(kafka.FromGroup("shop", kafka.Earliest))),
		kafka.Source(at, kafka.InTopics("visits"), decodeVisit,
			kafka.StartingAt(kafka.FromTime(time.UnixMilli(1_700_000_000_000))), kafka.EndingAt(kafka.UntilLatest()),
			kafka.OnOutOfRange(kafka.Earliest), kafka.PartitionBytes(1<<20), kafka.Patience(5*time.Minute)),
	} {
		fmt.Println(s, s.(operators.Validator).Validate(), s.Info().Bounded)
	}
	// Output:
	// kafka.Source(visits,clicks) <nil> false
	// kafka.Source(topics like visits-.*) <nil> false
	// kafka.Source(partitions [0 3] of visits) <nil> false
	// kafka.Source(visits) <nil> true
}

// A Decoder sees key, headers, time and place of a record, too. What does not decode can
// go aside, with its bytes and the reason.
func ExampleDecoder() {
	decode := func(r *kafka.Record) (string, error) {
		headers, err := r.Headers()
		if err != nil {
			return "", err
		}
		if r.Value == nil {
			return "", fmt.Errorf("key %q has no value", r.Key)
		}
		return fmt.Sprintf("%s/%d@%d %s=%s %d headers", r.Topic, r.Partition, r.Offset, r.Key, r.Value, len(headers)), nil
	}
	bad := operators.NewTag[operators.Malformed]("bad")
	source := kafka.Source(kafka.Cluster{Brokers: []string{"localhost:9092"}}, kafka.InTopics("visits"), decode, kafka.SideOutputMalformed(bad))
	fmt.Println(source.Info().Malformed)
	// Output: bad
}

// Some ways to write.
func ExampleSink() {
	at := kafka.Cluster{Brokers: []string{"localhost:9092"}}
	encode := func(m *kafka.Message, v Visit) (err error) {
		m.Value, err = json.Marshal(v)
		m.Headers = append(m.Headers, kafka.Header{Key: "type", Value: []byte("visit")})
		return err
	}
	byPage := func() kafka.Partitioner {
		return func(m *kafka.Message, partitions int32) int32 { return int32(len(m.Value)) % partitions }
	}
	for _, s := range []operators.TransactionalSink[Visit]{
		kafka.Sink(at, "visits", "shop", encode),
		kafka.Sink(at, "visits", "shop", encode, kafka.Compressed(kafka.Zstd), kafka.BatchBytes(900_000), kafka.TransactionTimeout(time.Hour)),
		kafka.Sink(at, "visits", "shop", encode, kafka.PartitionedBy(byPage)),
		kafka.Sink(at, "visits", " shop", encode),
	} {
		fmt.Println(s.(operators.Validator).Validate())
	}
	// Output:
	// <nil>
	// <nil>
	// <nil>
	// kafka.Sink("visits"): its prefix is " shop"; give one that no other job has, without '/' and blanks around it
}

// A transaction that a job has reported as in doubt is looked at, and written again.
func ExampleInDoubt() {
	brokers, stop := startBroker()
	defer stop()
	at := kafka.Cluster{Brokers: brokers}
	ctx := context.Background()
	handle := handleInDoubt(ctx, at) // of a *cluster.InDoubtError, or job.Status().InDoubt

	d, err := kafka.InDoubt(ctx, at, handle)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(d.ID, "is", d.State)
	for r, err := range d.Records(ctx) {
		fmt.Printf("%s:%d offset %d: %s %v\n", r.Topic, r.Partition, r.Offset, r.Value, err)
	}
	fmt.Println(d.WriteAgain(ctx), d.State)
	fmt.Println(readCounts(brokers, 2))
	// Output:
	// shop/counts/0/1/0 is aborted
	// counts:1 offset 0: one <nil>
	// counts:1 offset 1: two <nil>
	// <nil> committed
	// [one two]
}

// handleInDoubt gives the handle of a transaction that somebody has ended: it did not take the
// checkpoint into account.
func handleInDoubt(ctx context.Context, at kafka.Cluster) (handle []byte) {
	sink := kafka.Sink(at, "counts", "shop", func(m *kafka.Message, v string) error {
		m.Value, m.Partition = []byte(v), 1
		return nil
	})
	for attempt := range messages.Attempt(2) {
		w, err := sink.OpenTransactional(ctx, operators.SinkContext{
			Operator: "counts", Parallelism: 1, Attempt: 1 + attempt, Now: func() int64 { return time.Now().UnixMilli() }, Step: func(string) {},
		})
		if err != nil {
			panic(err)
		}
		defer w.Close()
		if err := w.Recover(ctx, operators.Recovery{Parallelism: 1}); err != nil || attempt > 0 {
			break
		}
		w.Write(ctx, &operators.Batch[string]{Values: []string{"one", "two"}, Times: []int64{1, 2}})
		handle, _ = w.Prepare(ctx)
	}
	return handle
}
