package kafka_test

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// What tests ask of a cluster from outside, and have it do: by Kafka's requests, so that
// a stand-in and a real broker do alike.

// until asks again and again, until the answer is yes.
func (s *stand) until(what string, ask func() bool) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), time.Minute)
	defer cancel()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !ask() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			s.t.Fatalf("%s: not within a minute", what)
		}
	}
}

// topic gives a topic's id and the number of its partitions, if it is there and all of
// them have leaders.
func (s *stand) topic(name string) (id [16]byte, partitions int, there bool) {
	s.t.Helper()
	req := kmsg.NewPtrMetadataRequest()
	req.Topics = append(req.Topics, kmsg.MetadataRequestTopic{Topic: &name})
	resp, err := req.RequestWith(s.t.Context(), s.writer)
	s.must(err)
	t := resp.Topics[0]
	led := !slices.ContainsFunc(t.Partitions, func(p kmsg.MetadataResponseTopicPartition) bool { return p.ErrorCode != 0 })
	return t.TopicID, len(t.Partitions), t.ErrorCode == 0 && led
}

func (s *stand) createTopic(name string, partitions int32) {
	s.t.Helper()
	req := kmsg.NewPtrCreateTopicsRequest()
	t := kmsg.NewCreateTopicsRequestTopic()
	t.Topic, t.NumPartitions, t.ReplicationFactor = name, partitions, 1
	req.Topics = append(req.Topics, t)
	resp, err := req.RequestWith(s.t.Context(), s.writer)
	s.must(err)
	s.must(kerr.ErrorForCode(resp.Topics[0].ErrorCode))
	s.until("topic "+name, func() bool { _, n, there := s.topic(name); return there && n == int(partitions) })
}

func (s *stand) deleteTopic(name string) {
	s.t.Helper()
	req := kmsg.NewPtrDeleteTopicsRequest()
	t := kmsg.NewDeleteTopicsRequestTopic()
	t.Topic = &name
	req.Topics, req.TopicNames = append(req.Topics, t), []string{name}
	resp, err := req.RequestWith(s.t.Context(), s.writer)
	s.must(err)
	s.must(kerr.ErrorForCode(resp.Topics[0].ErrorCode))
	s.until("the end of topic "+name, func() bool { _, _, there := s.topic(name); return !there })
}

// deleteGroup deletes a consumer group, with what is committed for it.
func (s *stand) deleteGroup(name string) {
	s.t.Helper()
	req := kmsg.NewPtrDeleteGroupsRequest()
	req.Groups = []string{name}
	resp, err := req.RequestWith(s.t.Context(), s.writer)
	s.must(err)
	s.must(kerr.ErrorForCode(resp.Groups[0].ErrorCode))
}

// deleteRecords is what retention does, up to an offset.
func (s *stand) deleteRecords(topic string, partition int32, before int64) {
	s.t.Helper()
	req := kmsg.NewPtrDeleteRecordsRequest()
	t, p := kmsg.NewDeleteRecordsRequestTopic(), kmsg.NewDeleteRecordsRequestTopicPartition()
	p.Partition, p.Offset = partition, before
	t.Topic, t.Partitions = topic, append(t.Partitions, p)
	req.Topics = append(req.Topics, t)
	resp, err := req.RequestWith(s.t.Context(), s.writer)
	s.must(err)
	s.must(kerr.ErrorForCode(resp.Topics[0].Partitions[0].ErrorCode))
}

// ends gives the place behind the last record of each partition: of all, or before the
// first transaction that is open.
func (s *stand) ends(topic string, committed bool) map[int32]int64 {
	s.t.Helper()
	_, partitions, _ := s.topic(topic)
	req := kmsg.NewPtrListOffsetsRequest()
	req.ReplicaID = -1
	if committed {
		req.IsolationLevel = 1
	}
	t := kmsg.NewListOffsetsRequestTopic()
	t.Topic = topic
	for i := range partitions {
		p := kmsg.NewListOffsetsRequestTopicPartition()
		p.Partition, p.Timestamp, p.CurrentLeaderEpoch = int32(i), -1, -1
		t.Partitions = append(t.Partitions, p)
	}
	req.Topics = append(req.Topics, t)
	resp, err := req.RequestWith(s.t.Context(), s.writer)
	s.must(err)
	ends := map[int32]int64{}
	for _, p := range resp.Topics[0].Partitions {
		s.must(kerr.ErrorForCode(p.ErrorCode))
		ends[p.Partition] = p.Offset
	}
	return ends
}

// transactions gives the ids of those that are in one of some states.
func (s *stand) transactions(states ...string) (ids []string) {
	s.t.Helper()
	req := kmsg.NewPtrListTransactionsRequest()
	req.StateFilters = states
	resp, err := req.RequestWith(s.t.Context(), s.writer)
	s.must(err)
	s.must(kerr.ErrorForCode(resp.ErrorCode))
	for _, t := range resp.TransactionStates {
		ids = append(ids, t.TransactionalID)
	}
	return ids
}

// abortAll ends every transaction that is open, as the next attempt of its job would.
func (s *stand) abortAll() {
	s.t.Helper()
	for _, id := range s.transactions("Ongoing") {
		s.until("the end of "+id, func() bool {
			req := kmsg.NewPtrInitProducerIDRequest()
			req.TransactionalID, req.TransactionTimeoutMillis = &id, 60_000
			resp, err := req.RequestWith(s.t.Context(), s.writer)
			s.must(err)
			return resp.ErrorCode == 0
		})
	}
	s.settle()
}

// settle waits until all transactions that were told to end have ended in their
// partitions: a broker answers before that.
func (s *stand) settle() {
	s.t.Helper()
	s.until("the end of transactions", func() bool { return len(s.transactions("PrepareCommit", "PrepareAbort")) == 0 })
}

// commit commits an offset of a group that has no members.
func (s *stand) commit(group, topic string, partition int32, offset int64) {
	s.t.Helper()
	req := kmsg.NewPtrOffsetCommitRequest()
	req.Group, req.Generation = group, -1
	p := kmsg.NewOffsetCommitRequestTopicPartition()
	p.Partition, p.Offset, p.LeaderEpoch = partition, offset, -1
	t := kmsg.NewOffsetCommitRequestTopic()
	t.Topic, t.Partitions = topic, append(t.Partitions, p)
	t.TopicID, _, _ = s.topic(topic)
	req.Topics = append(req.Topics, t)
	resp, err := req.RequestWith(s.t.Context(), s.writer)
	s.must(err)
	s.must(kerr.ErrorForCode(resp.Topics[0].Partitions[0].ErrorCode))
}

// committed gives the offsets that a group has committed.
func (s *stand) committed(group, topic string) (all []string) {
	s.t.Helper()
	req := kmsg.NewPtrOffsetFetchRequest()
	g, t := kmsg.NewOffsetFetchRequestGroup(), kmsg.NewOffsetFetchRequestGroupTopic()
	id, partitions, _ := s.topic(topic)
	g.Group, t.Topic, t.TopicID = group, topic, id
	for p := range partitions {
		t.Partitions = append(t.Partitions, int32(p))
	}
	g.Topics = append(g.Topics, t)
	req.Groups = append(req.Groups, g)
	resp, err := req.RequestWith(s.t.Context(), s.writer)
	s.must(err)
	for _, t := range resp.Groups[0].Topics {
		for _, p := range t.Partitions {
			if p.Offset >= 0 {
				all = append(all, fmt.Sprintf("%d at %d", p.Partition, p.Offset))
			}
		}
	}
	slices.Sort(all)
	return all
}
