package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/kversion"

	"github.com/weirflow/weir/operators/kafka"
	"github.com/weirflow/weir/operators/kafka/records"
)

// The loops that weir is compared with: what somebody would write who knows Kafka's
// requests, in a straight line, on one goroutine, with weir's own record batches. They
// survive no failure.

// connection is to a cluster of one broker.
type connection struct {
	kgo    *kgo.Client
	broker *kgo.Broker
}

func connect(address string) (*connection, error) {
	v := kversion.Stable()
	for _, k := range []struct {
		key kmsg.Key
		max int16
	}{{kmsg.Produce, 10}, {kmsg.Fetch, 12}, {kmsg.InitProducerID, 4}, {kmsg.AddPartitionsToTxn, 3}, {kmsg.AddOffsetsToTxn, 3}, {kmsg.EndTxn, 3}, {kmsg.TxnOffsetCommit, 3}} {
		v.SetMaxKeyVersion(k.key.Int16(), k.max)
	}
	c, err := kgo.NewClient(kgo.SeedBrokers(address), kgo.MaxVersions(v), kgo.FetchMaxBytes(fetchBytes), kgo.BrokerMaxReadBytes(2*fetchBytes))
	if err != nil {
		return nil, err
	}
	return &connection{c, c.Broker(brokerID)}, nil
}

// brokerID is that of kafkatest's brokers.
const brokerID = 1

func (c *connection) close() { c.kgo.Close() }

// ends gives the offset behind the last record of each partition, or the last committed.
func (c *connection) ends(ctx context.Context, topic string, committed bool) (ends [partitions]int64, err error) {
	req := kmsg.NewPtrListOffsetsRequest()
	req.ReplicaID = -1
	if committed {
		req.IsolationLevel = 1
	}
	t := kmsg.NewListOffsetsRequestTopic()
	t.Topic = topic
	for i := range int32(partitions) {
		p := kmsg.NewListOffsetsRequestTopicPartition()
		p.Partition, p.Timestamp, p.CurrentLeaderEpoch = i, -1, -1
		t.Partitions = append(t.Partitions, p)
	}
	req.Topics = append(req.Topics, t)
	resp, err := req.RequestWith(ctx, c.kgo)
	if err != nil {
		return ends, err
	}
	for _, p := range resp.Topics[0].Partitions {
		if err := kerr.ErrorForCode(p.ErrorCode); err != nil {
			return ends, fmt.Errorf("end of %s:%d: %w", topic, p.Partition, err)
		}
		ends[p.Partition] = p.Offset
	}
	return ends, nil
}

// Sizes of fetches, as weir's are.
const (
	fetchBytes     = 50 << 20
	partitionBytes = 4 << 20
)

// fetcher reads the committed records of a topic.
type fetcher struct {
	conn  *connection
	topic string
	next  [partitions]int64
}

func newFetcher(c *connection, topic string) *fetcher { return &fetcher{conn: c, topic: topic} }

// fetch asks once for all partitions, and hands over what comes, with the record's time
// in ms and when it came, in ns since 1970.
func (f *fetcher) fetch(ctx context.Context, do func(t tip, time, now int64) error) error {
	resp, err := f.conn.broker.Request(ctx, f.request())
	if err != nil {
		return err
	}
	now := time.Now().UnixNano()
	r := resp.(*kmsg.FetchResponse)
	if err := kerr.ErrorForCode(r.ErrorCode); err != nil {
		return err
	}
	for i := range r.Topics[0].Partitions {
		if err := f.each(&r.Topics[0].Partitions[i], now, do); err != nil {
			return err
		}
	}
	return nil
}

func (f *fetcher) request() *kmsg.FetchRequest {
	req := kmsg.NewPtrFetchRequest()
	req.MaxWaitMillis, req.MinBytes, req.MaxBytes, req.SessionEpoch, req.IsolationLevel = 500, 1, fetchBytes, -1, 1
	t := kmsg.NewFetchRequestTopic()
	t.Topic = f.topic
	for i := range int32(partitions) {
		p := kmsg.NewFetchRequestTopicPartition()
		p.Partition, p.FetchOffset, p.CurrentLeaderEpoch, p.PartitionMaxBytes = i, f.next[i], -1, partitionBytes
		t.Partitions = append(t.Partitions, p)
	}
	req.Topics = append(req.Topics, t)
	return req
}

func (f *fetcher) each(p *kmsg.FetchResponseTopicPartition, now int64, do func(t tip, time, now int64) error) error {
	if err := kerr.ErrorForCode(p.ErrorCode); err != nil {
		return fmt.Errorf("%s:%d: %w", f.topic, p.Partition, err)
	}
	var aborted []records.AbortedTransaction
	for _, a := range p.AbortedTransactions {
		aborted = append(aborted, records.AbortedTransaction{ProducerID: a.ProducerID, FirstOffset: a.FirstOffset})
	}
	skipped := records.NewAborted(aborted)
	for data := p.RecordBatches; len(data) > 0; {
		b, rest, err := records.Next(data)
		if err == records.ErrPartial {
			return nil
		}
		if err != nil {
			return err
		}
		if data = rest; !skipped.Skip(&b) && b.LastOffset >= f.next[p.Partition] {
			if err := f.batch(&b, f.next[p.Partition], now, do); err != nil {
				return err
			}
		}
		f.next[p.Partition] = b.LastOffset + 1
	}
	return nil
}

func (f *fetcher) batch(b *records.Batch, from, now int64, do func(t tip, time, now int64) error) error {
	var r records.Record
	for c := b.Records(b.Body()); ; {
		more, err := c.Next(&r)
		if !more || err != nil {
			return err
		}
		if r.Offset < from {
			continue
		}
		t, err := tipOf(r.Value)
		if err != nil {
			return err
		}
		if err := do(t, r.Time, now); err != nil {
			return err
		}
	}
}

// batchBytes is when a batch is sent, as weir's default is.
const batchBytes = 512 << 10

// writer writes to a topic, in transactions if it has an id for them.
type writer struct {
	conn     *connection
	topic    string
	id       string
	producer records.Producer
	building [partitions]records.Builder
	batches  [partitions][]byte
	sequence [partitions]int32
	joined   bool
	choose   kafka.Partitioner
	message  kafka.Message // for choose
}

func newWriter(c *connection, topic, id string) *writer {
	return &writer{conn: c, topic: topic, id: id, producer: records.NoProducer(), choose: kafka.ByKey()}
}

// begin asks for a producer id, once.
func (w *writer) begin(ctx context.Context) error {
	req := kmsg.NewPtrInitProducerIDRequest()
	req.TransactionalID, req.TransactionTimeoutMillis = &w.id, 60_000
	resp, err := req.RequestWith(ctx, w.conn.kgo)
	if err != nil {
		return err
	}
	w.producer = records.Producer{ID: resp.ProducerID, Epoch: resp.ProducerEpoch, Transactional: true}
	return kerr.ErrorForCode(resp.ErrorCode)
}

// add puts a record into its batch, and sends all batches when one is full.
func (w *writer) add(ctx context.Context, time int64, key, value []byte) error {
	w.message.Key = key
	b := &w.building[w.choose(&w.message, partitions)]
	b.Append(time, key, value, nil)
	if b.Len() < batchBytes {
		return nil
	}
	return w.flush(ctx)
}

// flush sends what there is, in one request, and waits for the answer.
func (w *writer) flush(ctx context.Context) error {
	if err := w.join(ctx); err != nil {
		return err
	}
	req := kmsg.NewPtrProduceRequest()
	req.Acks, req.TimeoutMillis = -1, 15_000
	if w.id != "" {
		req.TransactionID = &w.id
	}
	t := kmsg.NewProduceRequestTopic()
	t.Topic = w.topic
	for i := range w.building {
		if w.building[i].Count() == 0 {
			continue
		}
		p := kmsg.NewProduceRequestTopicPartition()
		p.Partition, p.Records = int32(i), w.finish(i)
		t.Partitions = append(t.Partitions, p)
	}
	if len(t.Partitions) == 0 {
		return nil
	}
	req.Topics = append(req.Topics, t)
	resp, err := w.conn.broker.Request(ctx, req)
	if err != nil {
		return err
	}
	for _, p := range resp.(*kmsg.ProduceResponse).Topics[0].Partitions {
		if err := kerr.ErrorForCode(p.ErrorCode); err != nil {
			return fmt.Errorf("%s:%d: %w", w.topic, p.Partition, err)
		}
	}
	return nil
}

func (w *writer) finish(i int) []byte {
	as, n := w.producer, w.building[i].Count()
	if as.Sequence = w.sequence[i]; as.ID < 0 {
		as.Sequence = -1
	}
	w.sequence[i] += n
	w.batches[i] = w.building[i].Finish(w.batches[i][:0], nil)
	records.Stamp(w.batches[i], as)
	return w.batches[i]
}

// join has the transaction know of all partitions.
func (w *writer) join(ctx context.Context) error {
	if w.id == "" || w.joined {
		return nil
	}
	req := kmsg.NewPtrAddPartitionsToTxnRequest()
	req.TransactionalID, req.ProducerID, req.ProducerEpoch = w.id, w.producer.ID, w.producer.Epoch
	t := kmsg.NewAddPartitionsToTxnRequestTopic()
	t.Topic = w.topic
	for i := range int32(partitions) {
		t.Partitions = append(t.Partitions, i)
	}
	req.Topics = append(req.Topics, t)
	return untilDone(ctx, func() error {
		resp, err := req.RequestWith(ctx, w.conn.kgo)
		if err != nil {
			return err
		}
		w.joined = true
		return kerr.ErrorForCode(resp.Topics[0].Partitions[0].ErrorCode)
	})
}

// commit ends the transaction, with the offsets that reading has got to.
func (w *writer) commit(ctx context.Context, read *fetcher) error {
	if err := w.flush(ctx); err != nil || !w.joined {
		return err
	}
	if err := w.offsets(ctx, read); err != nil {
		return err
	}
	req := kmsg.NewPtrEndTxnRequest()
	req.TransactionalID, req.ProducerID, req.ProducerEpoch, req.Commit = w.id, w.producer.ID, w.producer.Epoch, true
	w.joined = false
	return untilDone(ctx, func() error {
		resp, err := req.RequestWith(ctx, w.conn.kgo)
		if err != nil {
			return err
		}
		return kerr.ErrorForCode(resp.ErrorCode)
	})
}

func (w *writer) offsets(ctx context.Context, read *fetcher) error {
	add := kmsg.NewPtrAddOffsetsToTxnRequest()
	add.TransactionalID, add.ProducerID, add.ProducerEpoch, add.Group = w.id, w.producer.ID, w.producer.Epoch, w.id
	if err := untilDone(ctx, func() error {
		resp, err := add.RequestWith(ctx, w.conn.kgo)
		if err != nil {
			return err
		}
		return kerr.ErrorForCode(resp.ErrorCode)
	}); err != nil {
		return err
	}
	req := kmsg.NewPtrTxnOffsetCommitRequest()
	req.TransactionalID, req.ProducerID, req.ProducerEpoch, req.Group, req.Generation = w.id, w.producer.ID, w.producer.Epoch, w.id, -1
	t := kmsg.NewTxnOffsetCommitRequestTopic()
	t.Topic = read.topic
	for i, next := range read.next {
		p := kmsg.NewTxnOffsetCommitRequestTopicPartition()
		p.Partition, p.Offset, p.LeaderEpoch = int32(i), next, -1
		t.Partitions = append(t.Partitions, p)
	}
	req.Topics = append(req.Topics, t)
	return untilDone(ctx, func() error {
		resp, err := req.RequestWith(ctx, w.conn.kgo)
		if err != nil {
			return err
		}
		return kerr.ErrorForCode(resp.Topics[0].Partitions[0].ErrorCode)
	})
}

// untilDone repeats a request while the broker is still ending the transaction before.
func untilDone(ctx context.Context, request func() error) error {
	for {
		err := request()
		if !errors.Is(err, kerr.ConcurrentTransactions) || ctx.Err() != nil {
			return err
		}
		select {
		case <-time.After(time.Millisecond):
		case <-ctx.Done():
		}
	}
}
