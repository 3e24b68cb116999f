package kafka

import (
	"context"
	"fmt"
	"slices"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/kversion"
)

// versions caps what is agreed upon with a broker. From those on that are left out a
// broker begins a new epoch with every transaction (KIP-890), and a transaction could not be
// ended by whom it was not begun.
func versions() *kversion.Versions {
	v := kversion.Stable()
	for _, m := range []struct {
		key kmsg.Key
		max int16
	}{
		{kmsg.Produce, 10}, {kmsg.InitProducerID, 4}, {kmsg.AddPartitionsToTxn, 3}, {kmsg.AddOffsetsToTxn, 3}, {kmsg.EndTxn, 3}, {kmsg.TxnOffsetCommit, 3},
		{kmsg.OffsetCommit, 8}, {kmsg.OffsetFetch, 8}, // by topic names; later ones have ids
	} {
		v.SetMaxKeyVersion(m.key.Int16(), m.max)
	}
	return v
}

// client is a connection to a cluster. Each of fetching, producing and all else has a
// connection to a broker of its own within it, so that none waits behind another. It
// is for concurrent use.
type client struct {
	kgo     *kgo.Client
	cluster Cluster
}

func (c Cluster) connect(options ...kgo.Opt) (*client, error) {
	k, err := kgo.NewClient(append(c.options(), options...)...)
	if err != nil {
		return nil, fmt.Errorf("cluster %s: %w", c, err)
	}
	return &client{k, c}, nil
}

func (c *client) close() { c.kgo.Close() }

// Request implements kmsg.Requestor: the request goes to who can answer it.
func (c *client) Request(ctx context.Context, req kmsg.Request) (kmsg.Response, error) {
	resp, err := c.kgo.Request(ctx, req)
	return resp, c.cluster.explain(err)
}

// ask sends a request to a certain broker.
func (c *client) ask(ctx context.Context, broker int32, req kmsg.Request) (kmsg.Response, error) {
	resp, err := c.kgo.Broker(int(broker)).Request(ctx, req)
	return resp, c.cluster.explain(err)
}

// partition is one of a topic.
type partition struct {
	topic string
	index int32
}

func (p partition) String() string { return fmt.Sprintf("%s:%d", p.topic, p.index) }

// ofTopic are partitions of one topic.
type ofTopic struct {
	topic      string
	partitions []int32
}

// byTopic groups partitions, as requests want them.
func byTopic(all []partition) (groups []ofTopic) {
	for _, p := range all {
		i := slices.IndexFunc(groups, func(g ofTopic) bool { return g.topic == p.topic })
		if i < 0 {
			i, groups = len(groups), append(groups, ofTopic{topic: p.topic})
		}
		groups[i].partitions = append(groups[i].partitions, p.index)
	}
	return groups
}

// topicID tells a topic from one of the same name that was there before it. It is zero
// where the broker is older than Kafka 2.8.
type topicID [16]byte

// topicState is what the cluster says of a topic; err says why it says nothing.
type topicState struct {
	id      topicID
	leaders []leader // by partition
	err     error
}

// leader is the broker that has a partition, as of an epoch; err says why none has.
type leader struct {
	broker int32
	epoch  int32
	err    error
}

// topics asks for topics by name, or for all there are (nil), without those that are
// the cluster's own. What is wrong with one is said in its state.
func (c *client) topics(ctx context.Context, names []string) (map[string]topicState, error) {
	req := kmsg.NewPtrMetadataRequest()
	for _, name := range names {
		t := kmsg.NewMetadataRequestTopic()
		t.Topic = kmsg.StringPtr(name)
		req.Topics = append(req.Topics, t)
	}
	resp, err := req.RequestWith(ctx, c)
	if err != nil {
		return nil, err
	}
	all := map[string]topicState{}
	for i := range resp.Topics {
		t := &resp.Topics[i]
		if t.Topic == nil || t.IsInternal && names == nil {
			continue
		}
		all[*t.Topic] = topicState{id: t.TopicID, leaders: leadersOf(t.Partitions), err: topicError(*t.Topic, t.ErrorCode)}
	}
	return all, nil
}

// soundTopics is topics by name, where something wrong with one is an error.
func (c *client) soundTopics(ctx context.Context, names []string) (map[string]topicState, error) {
	all, err := c.topics(ctx, names)
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		state, told := all[name]
		if !told {
			return nil, fmt.Errorf("the cluster says nothing of topic %q", name)
		}
		if state.err != nil {
			return nil, state.err
		}
	}
	return all, nil
}

func topicError(topic string, code int16) error {
	err := kerr.ErrorForCode(code)
	switch err {
	case nil:
		return nil
	case kerr.UnknownTopicOrPartition:
		return fmt.Errorf("topic %q does not exist; create it, or correct its name: %w", topic, err)
	case kerr.TopicAuthorizationFailed:
		return fmt.Errorf("topic %q may not be used by this user; allow it Describe and Read, or Write: %w", topic, err)
	}
	return fmt.Errorf("topic %q: %w", topic, err)
}

func leadersOf(partitions []kmsg.MetadataResponseTopicPartition) []leader {
	all := make([]leader, len(partitions))
	for i := range all {
		all[i].err = kerr.UnknownTopicOrPartition
	}
	for i := range partitions {
		if p := &partitions[i]; int(p.Partition) < len(all) {
			all[p.Partition] = leader{p.Leader, p.LeaderEpoch, kerr.ErrorForCode(p.ErrorCode)}
		}
	}
	return all
}

// Places that offsets asks for, besides times in ms.
const (
	atEnd   = -1
	atStart = -2
)

// offsets looks up a place in partitions: atStart, atEnd, or the first record of a
// time in ms or later, -1 if there is none. With committed, what comes behind the first
// transaction that is open counts as not there.
func (c *client) offsets(ctx context.Context, of []partition, at int64, committed bool) (map[partition]int64, error) {
	req := kmsg.NewPtrListOffsetsRequest()
	req.ReplicaID = -1
	if committed {
		req.IsolationLevel = 1
	}
	for _, g := range byTopic(of) {
		t := kmsg.NewListOffsetsRequestTopic()
		t.Topic = g.topic
		for _, i := range g.partitions {
			p := kmsg.NewListOffsetsRequestTopicPartition()
			p.Partition, p.Timestamp, p.CurrentLeaderEpoch = i, at, -1
			t.Partitions = append(t.Partitions, p)
		}
		req.Topics = append(req.Topics, t)
	}
	resp, err := req.RequestWith(ctx, c)
	if err != nil {
		return nil, err
	}
	all := map[partition]int64{}
	for _, t := range resp.Topics {
		for _, p := range t.Partitions {
			if err := kerr.ErrorForCode(p.ErrorCode); err != nil {
				return nil, fmt.Errorf("offsets of %s:%d: %w", t.Topic, p.Partition, err)
			}
			all[partition{t.Topic, p.Partition}] = p.Offset
		}
	}
	return all, nil
}

// groupOffset is an offset that a group has committed, and what it has noted with it.
type groupOffset struct {
	offset   int64
	metadata string
}

// groupOffsets gives the offsets that a consumer group has committed, for partitions where
// it has. With stable, those that a transaction is about to commit are an error.
func (c *client) groupOffsets(ctx context.Context, group string, of []partition, stable bool) (map[partition]groupOffset, error) {
	req := kmsg.NewPtrOffsetFetchRequest()
	g := kmsg.NewOffsetFetchRequestGroup()
	g.Group, req.RequireStable = group, stable
	for _, some := range byTopic(of) {
		t := kmsg.NewOffsetFetchRequestGroupTopic()
		t.Topic, t.Partitions = some.topic, some.partitions
		g.Topics = append(g.Topics, t)
	}
	req.Groups = []kmsg.OffsetFetchRequestGroup{g}
	resp, err := req.RequestWith(ctx, c)
	if err != nil {
		return nil, fmt.Errorf("offsets of group %q: %w", group, err)
	}
	all := map[partition]groupOffset{}
	for _, g := range resp.Groups {
		if err := kerr.ErrorForCode(g.ErrorCode); err != nil && err != kerr.GroupIDNotFound {
			return nil, fmt.Errorf("offsets of group %q: %w", group, err)
		}
		for _, t := range g.Topics {
			for _, p := range t.Partitions {
				if err := kerr.ErrorForCode(p.ErrorCode); err != nil {
					return nil, fmt.Errorf("offset of group %q in %s:%d: %w", group, t.Topic, p.Partition, err)
				}
				if p.Offset < 0 {
					continue
				}
				at := groupOffset{offset: p.Offset}
				if p.Metadata != nil {
					at.metadata = *p.Metadata
				}
				all[partition{t.Topic, p.Partition}] = at
			}
		}
	}
	return all, nil
}

// commitOffsets sets offsets of a consumer group that has no members.
func (c *client) commitOffsets(ctx context.Context, group string, of []partition, offsets map[partition]int64) error {
	req := kmsg.NewPtrOffsetCommitRequest()
	req.Group, req.Generation = group, -1
	for _, g := range byTopic(of) {
		t := kmsg.NewOffsetCommitRequestTopic()
		t.Topic = g.topic
		for _, i := range g.partitions {
			p := kmsg.NewOffsetCommitRequestTopicPartition()
			p.Partition, p.Offset, p.LeaderEpoch = i, offsets[partition{g.topic, i}], -1
			t.Partitions = append(t.Partitions, p)
		}
		req.Topics = append(req.Topics, t)
	}
	resp, err := req.RequestWith(ctx, c)
	if err != nil {
		return fmt.Errorf("commit offsets to group %q: %w", group, err)
	}
	for _, t := range resp.Topics {
		for _, p := range t.Partitions {
			if err := kerr.ErrorForCode(p.ErrorCode); err != nil {
				return fmt.Errorf("commit the offset of %s:%d to group %q, which may have members of its own: %w", t.Topic, p.Partition, group, err)
			}
		}
	}
	return nil
}
