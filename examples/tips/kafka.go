package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"google.golang.org/protobuf/proto"

	"github.com/weirflow/weir/cluster"
	"github.com/weirflow/weir/operators"
	"github.com/weirflow/weir/operators/files"
	"github.com/weirflow/weir/operators/kafka"
)

// The topics. All trips are in one partition, for their order decides which are late.
const (
	tripsTopic   = "trips"
	resultsTopic = "results"
	lateTopic    = "late"
	outPartition = 2 // number of partitions of the latter two
)

// kafkaOutside is a Kafka cluster.
type kafkaOutside struct {
	brokers []string
	reader  *kgo.Client // of committed records; nil before the first refresh
	at      map[string]map[int32]int64
}

func newKafkaOutside(brokers []string) *kafkaOutside {
	return &kafkaOutside{brokers: brokers, at: map[string]map[int32]int64{resultsTopic: {}, lateTopic: {}}}
}

func (k *kafkaOutside) cluster() kafka.Cluster { return kafka.Cluster{Brokers: k.brokers} }

func (k *kafkaOutside) trips() operators.Source[*Trip] {
	return kafka.Source(k.cluster(), kafka.InTopics(tripsTopic), decodeTrip, kafka.EndingAt(kafka.UntilLatest()))
}

func (k *kafkaOutside) results() operators.Sink[row] {
	return kafka.Sink(k.cluster(), resultsTopic, "tips", encodeRow)
}

func (k *kafkaOutside) late() operators.Sink[*Trip] {
	return kafka.Sink(k.cluster(), lateTopic, "tips", encodeTrip)
}

func decodeTrip(r *kafka.Record) (*Trip, error) {
	t := &Trip{}
	return t, proto.Unmarshal(r.Value, t)
}

func encodeTrip(m *kafka.Message, t *Trip) (err error) {
	m.Value, err = proto.MarshalOptions{}.MarshalAppend(m.ValueBuffer, t)
	m.ValueBuffer = m.Value
	return err
}

func encodeRow(m *kafka.Message, r row) (err error) {
	m.Key = append(m.KeyBuffer, r.Zone...)
	m.Value, err = json.Marshal(r)
	return err
}

// produce copies the trips of a work folder into their topic: a job of its own, once.
func produce(ctx context.Context, w workFolders, k *kafkaOutside) error {
	top := operators.NewTopology("produce")
	trips := operators.From(top, "file", files.Protobuf[*Trip](w.trips()), operators.NoWatermarks[*Trip]())
	trips.To("trips", kafka.Sink(k.cluster(), tripsTopic, "produce", encodeTrip))
	_, err := cluster.Run(ctx, top, cluster.Config{})
	return err
}

// createTopics creates what is not there yet.
func (k *kafkaOutside) createTopics(ctx context.Context) error {
	client, err := kgo.NewClient(kgo.SeedBrokers(k.brokers...))
	if err != nil {
		return err
	}
	defer client.Close()
	req := kmsg.NewPtrCreateTopicsRequest()
	req.TimeoutMillis = 30_000
	for _, name := range []string{tripsTopic, resultsTopic, lateTopic} {
		t := kmsg.NewCreateTopicsRequestTopic()
		t.Topic, t.NumPartitions, t.ReplicationFactor = name, outPartition, 1
		if name == tripsTopic {
			t.NumPartitions = 1
		}
		req.Topics = append(req.Topics, t)
	}
	resp, err := req.RequestWith(ctx, client)
	if err != nil {
		return err
	}
	for _, t := range resp.Topics {
		if err := kerr.ErrorForCode(t.ErrorCode); err != nil && !errors.Is(err, kerr.TopicAlreadyExists) {
			return fmt.Errorf("create topic %q: %w", t.Topic, err)
		}
	}
	return awaitTopics(ctx, client, req.Topics)
}

// awaitTopics waits until topics that were created have leaders everywhere.
func awaitTopics(ctx context.Context, client *kgo.Client, topics []kmsg.CreateTopicsRequestTopic) error {
	ctx, cancel := context.WithTimeout(ctx, settleWithin)
	defer cancel()
	req := kmsg.NewPtrMetadataRequest()
	for _, t := range topics {
		asked := kmsg.NewMetadataRequestTopic()
		asked.Topic = kmsg.StringPtr(t.Topic)
		req.Topics = append(req.Topics, asked)
	}
	for again := time.NewTicker(50 * time.Millisecond); ; {
		resp, err := req.RequestWith(ctx, client)
		if err == nil && len(resp.Topics) == len(topics) && !slices.ContainsFunc(resp.Topics, leaderless) {
			again.Stop()
			return nil
		}
		select {
		case <-again.C:
		case <-ctx.Done():
			return fmt.Errorf("topics that were created do not appear: %w", errors.Join(err, ctx.Err()))
		}
	}
}

func leaderless(t kmsg.MetadataResponseTopic) bool {
	return t.ErrorCode != 0 || slices.ContainsFunc(t.Partitions, func(p kmsg.MetadataResponseTopicPartition) bool { return p.ErrorCode != 0 })
}

// refreshWithin is how long reading what is committed may take; a broker that was
// killed needs a while to come back.
const refreshWithin = time.Minute

// refresh reads up to the end of what is committed, as a reader that is not ours.
func (k *kafkaOutside) refresh(c *committed) (err error) {
	ctx, cancel := context.WithTimeout(context.Background(), refreshWithin)
	defer cancel()
	if k.reader == nil {
		k.reader, err = kgo.NewClient(kgo.SeedBrokers(k.brokers...), kgo.ConsumeTopics(resultsTopic, lateTopic),
			kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.KeepControlRecords(), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
		if err != nil {
			return err
		}
	}
	ends, err := k.ends(ctx, true)
	if err != nil {
		return err
	}
	for k.behind(ends) {
		fetches := k.reader.PollFetches(ctx)
		if err := fetches.Err0(); err != nil && !kerr.IsRetriable(err) {
			return fmt.Errorf("read what is committed: %w", err)
		}
		fetches.EachRecord(func(r *kgo.Record) {
			k.at[r.Topic][r.Partition] = r.Offset + 1
			err = errors.Join(err, c.take(r))
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func (k *kafkaOutside) behind(ends map[string]map[int32]int64) bool {
	for topic, partitions := range ends {
		for p, end := range partitions {
			if k.at[topic][p] < end {
				return true
			}
		}
	}
	return false
}

// take counts a record that is no marker of a transaction.
func (c *committed) take(r *kgo.Record) error {
	switch {
	case r.Attrs.IsControl():
		return nil
	case r.Topic == resultsTopic:
		return c.addRow(r.Value)
	}
	t, err := decodeTrip(&kafka.Record{Value: r.Value})
	if err == nil {
		c.addLate(t)
	}
	return err
}

// ends gives the offsets behind the last record, or the last that is committed.
func (k *kafkaOutside) ends(ctx context.Context, committed bool) (map[string]map[int32]int64, error) {
	req := kmsg.NewPtrListOffsetsRequest()
	if req.ReplicaID = -1; committed {
		req.IsolationLevel = 1
	}
	for topic := range k.at {
		t := kmsg.NewListOffsetsRequestTopic()
		t.Topic = topic
		for i := range int32(outPartition) {
			p := kmsg.NewListOffsetsRequestTopicPartition()
			p.Partition, p.Timestamp, p.CurrentLeaderEpoch = i, -1, -1
			t.Partitions = append(t.Partitions, p)
		}
		req.Topics = append(req.Topics, t)
	}
	resp, err := req.RequestWith(ctx, k.reader)
	if err != nil {
		return nil, err
	}
	ends := map[string]map[int32]int64{}
	for _, t := range resp.Topics {
		ends[t.Topic] = map[int32]int64{}
		for _, p := range t.Partitions {
			if err := kerr.ErrorForCode(p.ErrorCode); err != nil {
				return nil, fmt.Errorf("end of %s:%d: %w", t.Topic, p.Partition, err)
			}
			ends[t.Topic][p.Partition] = p.Offset
		}
	}
	return ends, nil
}

// nothingOpen gives an error if a transaction is open: readers of committed records
// could not get to the end.
func (k *kafkaOutside) nothingOpen(ctx context.Context) error {
	committed, err := k.ends(ctx, true)
	if err != nil {
		return err
	}
	all, err := k.ends(ctx, false)
	if err != nil {
		return err
	}
	for topic, partitions := range all {
		for p, end := range partitions {
			if at := committed[topic][p]; at != end {
				err = errors.Join(err, fmt.Errorf("a transaction is open: of %s:%d committed records end at %d, all at %d", topic, p, at, end))
			}
		}
	}
	req := kmsg.NewPtrListTransactionsRequest()
	req.StateFilters = []string{"Ongoing", "PrepareCommit", "PrepareAbort"}
	resp, listErr := req.RequestWith(ctx, k.reader)
	if listErr == nil && len(resp.TransactionStates) > 0 {
		listErr = fmt.Errorf("%d transactions are open, such as %q", len(resp.TransactionStates), resp.TransactionStates[0].TransactionalID)
	}
	return errors.Join(err, listErr)
}
