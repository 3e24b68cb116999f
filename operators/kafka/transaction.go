package kafka

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/weirflow/weir/messages/mutant"
	"github.com/weirflow/weir/operators/kafka/records"
)

// transaction is one on the broker, by its handle: with it any process can end it, for
// there is one producer epoch for each transaction. Its requests stay below the versions
// from which on the broker begins epochs of its own (KIP-890, see versions).
//
// In it lies a marker: an offset that it commits for a group of its id's name, with the
// writer in its metadata. When the broker knows the id under a later epoch, the marker
// tells whether the transaction had been committed: a writer's later one has a greater
// number, and an id serves again only once its transaction is known to be committed.
type transaction struct {
	ID     string `json:"id"`
	PID    int64  `json:"pid"`
	Epoch  int16  `json:"epoch"`
	Writer string `json:"writer"` // one life of a subtask's writer
	Number int64  `json:"number"` // of its transactions
	Topic  string `json:"topic"`

	Written  []written     `json:"written"`
	Prepared int64         `json:"prepared"`       // ms, by the node's clock
	Output   int           `json:"output"`         // bytes that were to be kept
	Kept     []keptBatches `json:"kept,omitempty"` // what of them is, in the order of
	output   []byte        // these
	Checksum uint32        `json:"checksum"` // CRC-32C of output
}

// noProducer is the PID of a transaction that the broker has not begun.
const noProducer = -1

// written is what a transaction has in a partition.
type written struct {
	Partition int32 `json:"partition"`
	First     int64 `json:"first"` // offsets
	Last      int64 `json:"last"`
	Records   int64 `json:"records"`
}

func (t *transaction) String() string {
	s := fmt.Sprintf("transaction %q (producer %d, epoch %d)", t.ID, t.PID, t.Epoch)
	for _, w := range t.Written {
		s += fmt.Sprintf(", %s:%d offsets %d to %d with %d records", t.Topic, w.Partition, w.First, w.Last, w.Records)
	}
	return s
}

// Times of requests about transactions.
const (
	txnBackoff = 2 * time.Millisecond // before the first repetition; then doubled
	txnBackMax = 200 * time.Millisecond

	// markerPatience is how long a broker may take to write the markers that end a
	// transaction; 4.3 and 4.4 can lose them when a partition has no leader meanwhile.
	markerPatience = 30 * time.Second
)

// insist repeats a request until it succeeds, fails for good, or too long.
func insist(ctx context.Context, patience time.Duration, request func() error) error {
	begun, wait := time.Now(), txnBackoff
	for {
		err := request()
		passes := tryAgain(err) || errors.Is(err, kerr.ConcurrentTransactions) || errors.Is(err, kerr.UnstableOffsetCommit)
		if err == nil || !passes || ctx.Err() != nil {
			return err
		}
		if took := time.Since(begun); took > patience {
			return fmt.Errorf("not in %v: %w", took.Round(time.Millisecond), err)
		}
		pause(ctx, wait)
		wait = min(2*wait, txnBackMax)
	}
}

// beginTransaction fences who had the id, which aborts what was open, and gives a
// transaction of it. Without an id it only gives a producer.
func beginTransaction(ctx context.Context, c *client, id string, timeout, patience time.Duration) (*transaction, error) {
	t := &transaction{ID: id}
	err := insist(ctx, patience, func() error {
		req := kmsg.NewPtrInitProducerIDRequest()
		if id != "" {
			req.TransactionalID, req.TransactionTimeoutMillis = &id, int32(timeout.Milliseconds())
		}
		resp, err := req.RequestWith(ctx, c)
		if err != nil {
			return err
		}
		t.PID, t.Epoch = resp.ProducerID, resp.ProducerEpoch
		return kerr.ErrorForCode(resp.ErrorCode)
	})
	return t, t.explain("begin", timeout, err)
}

// explain says what an error of a request means.
func (t *transaction) explain(what string, timeout time.Duration, err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, kerr.InvalidTransactionTimeout):
		return fmt.Errorf("%s transaction %q: kafka.TransactionTimeout(%v) is above the broker's transaction.max.timeout.ms; lower one or raise the other: %w", what, t.ID, timeout, err)
	case isFenced(err) && what == "mark":
		return fmt.Errorf("mark transaction %q: another writer has taken over the transactional id: a second job with the same prefix, or a later attempt of this one; or the broker gave it up after kafka.TransactionTimeout: %w", t.ID, err)
	case errors.Is(err, kerr.TransactionalIDAuthorizationFailed):
		return fmt.Errorf("%s transaction %q: this user may not use the transactional id; allow it Write and Describe on ids with the sink's prefix: %w", what, t.ID, err)
	case errors.Is(err, kerr.GroupAuthorizationFailed):
		return fmt.Errorf("%s transaction %q: this user may not use the group of that name; allow it Read on groups with the sink's prefix: %w", what, t.ID, err)
	case errors.Is(err, kerr.TopicAuthorizationFailed):
		return fmt.Errorf("%s transaction %q: this user may not use topic %q; allow it Write, Describe and, for the transaction's marker, Read: %w", what, t.ID, t.Topic, err)
	}
	return fmt.Errorf("%s transaction %q: %w", what, t.ID, err)
}

// isFenced tells whether an error says that the broker knows the id under a later epoch,
// or not any more.
func isFenced(err error) bool {
	for _, k := range []*kerr.Error{kerr.InvalidProducerEpoch, kerr.ProducerFenced, kerr.InvalidTxnState, kerr.InvalidProducerIDMapping, kerr.TransactionalIDNotFound} {
		if errors.Is(err, k) {
			return true
		}
	}
	return false
}

func (t *transaction) producer() records.Producer {
	return records.Producer{ID: t.PID, Epoch: t.Epoch, Transactional: true}
}

// addPartitions has the broker know of partitions before they are written.
func (t *transaction) addPartitions(ctx context.Context, c *client, fresh []partition) error {
	return insist(ctx, time.Second, func() error {
		req := kmsg.NewPtrAddPartitionsToTxnRequest()
		req.TransactionalID, req.ProducerID, req.ProducerEpoch = t.ID, t.PID, t.Epoch
		topic := kmsg.NewAddPartitionsToTxnRequestTopic()
		topic.Topic = fresh[0].topic
		for _, p := range fresh {
			topic.Partitions = append(topic.Partitions, p.index)
		}
		req.Topics = append(req.Topics, topic)
		resp, err := req.RequestWith(ctx, c)
		if err != nil {
			return err
		}
		for _, t := range resp.Topics {
			for _, p := range t.Partitions {
				if err := kerr.ErrorForCode(p.ErrorCode); err != nil && err != kerr.OperationNotAttempted {
					return err
				}
			}
		}
		return nil
	})
}

// addMarker has the broker know that the transaction will have a marker.
func (t *transaction) addMarker(ctx context.Context, c *client, patience time.Duration) error {
	return t.explain("mark", 0, insist(ctx, patience, func() error {
		req := kmsg.NewPtrAddOffsetsToTxnRequest()
		req.TransactionalID, req.ProducerID, req.ProducerEpoch, req.Group = t.ID, t.PID, t.Epoch, t.ID
		resp, err := req.RequestWith(ctx, c)
		if err != nil {
			return err
		}
		return kerr.ErrorForCode(resp.ErrorCode)
	}))
}

// mark puts the marker into the transaction.
func (t *transaction) mark(ctx context.Context, c *client, patience time.Duration) error {
	return t.explain("mark", 0, insist(ctx, patience, func() error { return t.commitMarker(ctx, c) }))
}

func (t *transaction) commitMarker(ctx context.Context, c *client) error {
	req := kmsg.NewPtrTxnOffsetCommitRequest()
	req.TransactionalID, req.ProducerID, req.ProducerEpoch, req.Group, req.Generation = t.ID, t.PID, t.Epoch, t.ID, -1
	topic, p := kmsg.NewTxnOffsetCommitRequestTopic(), kmsg.NewTxnOffsetCommitRequestTopicPartition()
	p.Offset, p.LeaderEpoch, p.Metadata = t.Number, -1, &t.Writer
	topic.Topic, topic.Partitions = t.Topic, append(topic.Partitions, p)
	req.Topics = append(req.Topics, topic)
	resp, err := req.RequestWith(ctx, c)
	if err != nil {
		return err
	}
	for _, t := range resp.Topics {
		for _, p := range t.Partitions {
			if err := kerr.ErrorForCode(p.ErrorCode); err != nil {
				return err
			}
		}
	}
	return nil
}

// end commits or aborts the transaction. It may be repeated.
func (t *transaction) end(ctx context.Context, c *client, commit bool, patience time.Duration) error {
	return insist(ctx, patience, func() error {
		req := kmsg.NewPtrEndTxnRequest()
		req.TransactionalID, req.ProducerID, req.ProducerEpoch, req.Commit = t.ID, t.PID, t.Epoch, commit
		resp, err := req.RequestWith(ctx, c)
		if err != nil {
			return err
		}
		return kerr.ErrorForCode(resp.ErrorCode)
	})
}

// abort ends a transaction that has nothing under way. Where it was not begun because the
// broker did not answer, a request may reach it later: then an empty one is open until its
// id is begun again, or its time-out.
func (t *transaction) abort(ctx context.Context, c *client, patience time.Duration) error {
	if t.PID == noProducer {
		return nil // the broker has not begun it
	}
	err := t.end(ctx, c, false, patience)
	if errors.Is(err, kerr.InvalidTxnState) { // nothing was in it
		return nil
	}
	return t.explain("abort", 0, err)
}

// marked is what the last committed transaction of an id has left.
type marked struct {
	writer string
	number int64
}

// proves tells whether a marker shows that a transaction of its id was committed.
func (m marked) proves(t *transaction) bool {
	return (m.writer == t.Writer || mutant.On("any-marker-proves")) && m.number >= t.Number
}

// lastMarker gives the marker that the last committed transaction of an id has left, none
// if there is no such, or if it has expired (offsets.retention.minutes). It waits for
// what the broker is still writing.
func lastMarker(ctx context.Context, c *client, t *transaction) (m marked, some bool, err error) {
	return markerOf(ctx, c, t, true)
}

// markerOf is lastMarker, and where not stable it passes over a transaction that is open.
func markerOf(ctx context.Context, c *client, t *transaction, stable bool) (m marked, some bool, err error) {
	err = insist(ctx, markerPatience, func() error {
		all, err := c.groupOffsets(ctx, t.ID, []partition{{t.Topic, 0}}, stable)
		if at, ok := all[partition{t.Topic, 0}]; ok {
			m, some = marked{at.metadata, at.offset}, true
		}
		return err
	})
	return m, some, err
}
