package kafka

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/weirflow/weir/messages/mutant"
	"github.com/weirflow/weir/operators/kafka/records"
)

// hub fetches for all readers of a source in this process, with one request at a time to
// each broker, for all partitions that have room. It has no goroutine: a reader that
// has nothing to read takes the broker's turn and fetches, for the others too, who
// wait for the turn or for what it brings them.
//
// Invariants: a client is there while somebody uses it; a feed that holds half of what a fetch
// may bring is left out of the next request, and so is a second one of the same partition,
// of another operator or of a reader that has not ended yet; feeds belong to their
// reader, and what is in them besides to the lock.
type hub struct {
	cluster Cluster
	config  *sourceConfig
	unpack  kgo.Decompressor

	mu     sync.Mutex
	client *client
	users  int // of the client: feeds, and who borrows it
	feeds  []*feed
	turns  map[int32]chan struct{} // by broker; who has put a token in fetches
}

// noBroker is the turn of asking who leads.
const noBroker = -1

// feed is what was fetched of a partition and not read.
type feed struct {
	partition partition
	topic     topicID
	ready     chan struct{} // has a token when something changed

	leader leader
	next   int64 // offset to fetch from
	chunks []chunk
	bytes  int
	err    error     // what the reader gets instead
	astray bool      // the broker has no such offset
	since  time.Time // no broker has answered since; zero: one has
}

// chunk is what one response brought of a partition.
type chunk struct {
	data    []byte // record batches, the last of which may be cut off
	aborted records.Aborted
	all     bool  // aborted transactions are read too
	from    int64 // not noEnd: reading goes on from here, wherever it was
}

func (c *chunk) skip(b *records.Batch) bool {
	if c.all || mutant.On("aborted-shown") {
		return b.Control
	}
	return c.aborted.Skip(b)
}

func newHub(cluster Cluster, config *sourceConfig) *hub {
	return &hub{cluster: cluster, config: config, unpack: kgo.DefaultDecompressor(), turns: map[int32]chan struct{}{}}
}

// open begins to fetch a partition.
func (h *hub) open(p partition, at position) (*feed, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if _, err := h.use(); err != nil {
		return nil, err
	}
	f := &feed{partition: p, topic: at.topic, next: at.next, ready: make(chan struct{}, 1), leader: leader{broker: noBroker}}
	h.feeds = append(h.feeds, f)
	return f, nil
}

// use gives the client, which stays until leave. Both are called under the lock.
func (h *hub) use() (*client, error) {
	if h.client == nil {
		c, err := h.cluster.connect(kgo.RetryTimeout(time.Second)) // who uses it tries again
		if err != nil {
			return nil, err
		}
		h.client = c
	}
	h.users++
	return h.client, nil
}

func (h *hub) leave() {
	if h.users--; h.users == 0 {
		h.client.close()
		h.client = nil
	}
}

// borrow runs f with the client of the readers, or with one of its own if there are none.
func (h *hub) borrow(f func(c *client) error) error {
	h.mu.Lock()
	c, err := h.use()
	h.mu.Unlock()
	if err != nil {
		return err
	}
	defer func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		h.leave()
	}()
	return f(c)
}

// close ends fetching for a partition.
func (h *hub) close(f *feed) {
	h.mu.Lock()
	defer h.mu.Unlock()
	i := slices.Index(h.feeds, f)
	if i < 0 {
		return
	}
	h.feeds = slices.Delete(h.feeds, i, i+1)
	h.leave()
}

// await returns when a feed has something, or an error.
func (h *hub) await(ctx context.Context, f *feed) error {
	for {
		turn, broker, done := h.turnOf(f)
		if done {
			return nil
		}
		select {
		case <-f.ready:
		case <-ctx.Done():
			return ctx.Err()
		case turn <- struct{}{}:
			h.serve(ctx, f, broker)
			<-turn
		}
	}
}

// turnOf gives the turn that a feed waits for, unless it has something.
func (h *hub) turnOf(f *feed) (turn chan struct{}, broker int32, done bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	broker = f.leader.broker
	if h.turns[broker] == nil {
		h.turns[broker] = make(chan struct{}, 1)
	}
	return h.turns[broker], broker, len(f.chunks) > 0 || f.err != nil
}

// take gives the first of what was fetched, or the feed's error.
func (h *hub) take(f *feed) (chunk, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(f.chunks) == 0 {
		return chunk{}, f.err
	}
	c := f.chunks[0]
	f.chunks[0] = chunk{}
	f.chunks = f.chunks[1:]
	f.bytes -= len(c.data)
	return c, nil
}

// serve does what a feed waits for, if it still does: it fetches from the broker, or
// asks who leads.
func (h *hub) serve(ctx context.Context, f *feed, broker int32) {
	if _, now, done := h.turnOf(f); done || now != broker {
		return // somebody else was quicker
	}
	var asked asking
	var err error
	if broker == noBroker {
		asked, err = h.findLeaders(ctx)
	} else {
		asked, err = h.fetch(ctx, broker)
	}
	if err != nil && ctx.Err() == nil {
		h.failed(asked, err)
		pause(ctx, retryPause)
	}
}

// retryPause is how long to wait before asking a broker again.
const retryPause = 100 * time.Millisecond

func pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}

// failed notes that a broker did not answer: the partitions that it was asked for look
// for their leader anew, and give up after a while.
func (h *hub) failed(asked asking, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, f := range asked {
		h.lose(f, err)
	}
}

// lose has a feed look for its leader, or fail once that has lasted too long.
func (h *hub) lose(f *feed, err error) {
	f.leader = leader{broker: noBroker}
	if f.since.IsZero() {
		f.since = time.Now()
	} else if took := time.Since(f.since); took > h.config.patience {
		f.fail(fmt.Errorf("%s: no broker has answered for it in %v (kafka.Patience): %w", f.partition, took.Round(time.Second), err))
	}
	f.wake()
}

func (f *feed) fail(err error) {
	f.err = err
	f.wake()
}

func (f *feed) wake() {
	select {
	case f.ready <- struct{}{}:
	default:
	}
}

// findLeaders asks who leads the partitions that look for it.
func (h *hub) findLeaders(ctx context.Context) (asking, error) {
	c, seeking, names := h.seeking()
	if len(names) == 0 {
		return nil, nil
	}
	topics, err := c.topics(ctx, names)
	if err != nil {
		return seeking, err
	}
	places, err := h.placesOfAstray(ctx, c, seeking)
	if err != nil {
		return seeking, err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	lost := false
	for _, f := range seeking {
		if t, ok := topics[f.partition.topic]; ok {
			h.follow(f, t)
			h.settle(f, places)
		}
		lost = lost || f.leader.broker == noBroker
	}
	if lost {
		return nil, errNoLeader // for the pause; each has noted its own
	}
	return nil, nil
}

var errNoLeader = errors.New("a partition has no leader")

// seeking gives the feeds that look for their leader, and their topics.
func (h *hub) seeking() (c *client, feeds asking, topics []string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, f := range h.feeds {
		if f.leader.broker != noBroker || f.err != nil {
			continue
		}
		if feeds = append(feeds, f); !slices.Contains(topics, f.partition.topic) {
			topics = append(topics, f.partition.topic)
		}
	}
	return h.client, feeds, topics
}

// follow takes what the cluster says of a feed's topic.
func (h *hub) follow(f *feed, t topicState) {
	l, err := leaderOf(f, t)
	if err != nil {
		h.lose(f, err)
		return
	}
	f.leader, f.topic = l, t.id
	f.wake()
}

// leaderOf gives the leader of a feed's partition. None of the errors is final: the broker
// that was asked may not have heard yet what others know.
func leaderOf(f *feed, t topicState) (leader, error) {
	switch {
	case t.err != nil:
		return leader{}, t.err
	case f.topic != (topicID{}) && t.id != (topicID{}) && f.topic != t.id:
		return leader{}, errors.New("the topic was deleted and created again since its position was stored, and the position means nothing in the new one; start the job anew, or rename the operator")
	case int(f.partition.index) >= len(t.leaders):
		return leader{}, fmt.Errorf("the topic has %d partitions now", len(t.leaders))
	}
	return t.leaders[f.partition.index], t.leaders[f.partition.index].err
}

// maxWait is how long a broker may hold a request back that it has nothing for, ms: less
// where partitions are left out of it, which may have room soon.
const (
	maxWait  = 500
	leftWait = 50
)

// fetch brings what a broker has for the feeds that it leads.
func (h *hub) fetch(ctx context.Context, broker int32) (asking, error) {
	c, req, asked := h.request(broker)
	if len(asked) == 0 {
		pause(ctx, leftWait*time.Millisecond) // somebody else's feed of the same partition is full
		return nil, nil
	}
	resp, err := c.ask(ctx, broker, req)
	if err != nil {
		return asked, err
	}
	r := resp.(*kmsg.FetchResponse)
	if err := kerr.ErrorForCode(r.ErrorCode); err != nil {
		return asked, err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	for i := range r.Topics {
		t := &r.Topics[i]
		for j := range t.Partitions {
			p := &t.Partitions[j]
			if f := asked.find(t, p.Partition); f != nil {
				h.receive(f, p)
			}
		}
	}
	return nil, nil
}

// asking are the feeds of a request.
type asking []*feed

func (a asking) has(p partition) bool {
	return slices.ContainsFunc(a, func(f *feed) bool { return f.partition == p })
}

func (a asking) find(t *kmsg.FetchResponseTopic, index int32) *feed {
	for _, f := range a {
		if f.partition.index == index && (f.partition.topic == t.Topic || t.Topic == "" && f.topic == t.TopicID) {
			return f
		}
	}
	return nil
}

func (h *hub) request(broker int32) (*client, *kmsg.FetchRequest, asking) {
	req := kmsg.NewPtrFetchRequest()
	req.MaxWaitMillis, req.MinBytes, req.MaxBytes, req.SessionEpoch = maxWait, 1, DefaultFetchBytes, -1
	if !h.config.uncommitted {
		req.IsolationLevel = 1
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	var asked asking
	slices.SortStableFunc(h.feeds, func(a, b *feed) int { return cmp.Compare(a.next, b.next) }) // of one partition the one behind
	for _, f := range h.feeds {
		switch {
		case f.leader.broker != broker || f.err != nil:
		case f.bytes > 0 && f.bytes >= h.config.partitionBytes/2 || asked.has(f.partition):
			req.MaxWaitMillis = leftWait
		default:
			asked = append(asked, f)
			addTo(req, f, h.config.partitionBytes)
		}
	}
	return h.client, req, asked
}

func addTo(req *kmsg.FetchRequest, f *feed, bytes int) {
	p := kmsg.NewFetchRequestTopicPartition()
	p.Partition, p.FetchOffset, p.CurrentLeaderEpoch, p.PartitionMaxBytes = f.partition.index, f.next, f.leader.epoch, int32(bytes)
	for i := range req.Topics {
		if req.Topics[i].Topic == f.partition.topic {
			req.Topics[i].Partitions = append(req.Topics[i].Partitions, p)
			return
		}
	}
	t := kmsg.NewFetchRequestTopic()
	t.Topic, t.TopicID, t.Partitions = f.partition.topic, f.topic, []kmsg.FetchRequestTopicPartition{p}
	req.Topics = append(req.Topics, t)
}

// receive takes what a response has for a feed.
func (h *hub) receive(f *feed, p *kmsg.FetchResponseTopicPartition) {
	if err := kerr.ErrorForCode(p.ErrorCode); err != nil {
		h.refused(f, err)
		return
	}
	f.since = time.Time{}
	next := behind(p.RecordBatches, f.next)
	if next == f.next {
		return
	}
	c := chunk{data: p.RecordBatches, all: h.config.uncommitted, from: noEnd}
	if !c.all {
		c.aborted = abortedOf(p.AbortedTransactions)
	}
	f.next, f.chunks, f.bytes = next, append(f.chunks, c), f.bytes+len(c.data)
	f.wake()
}

func abortedOf(all []kmsg.FetchResponseTopicPartitionAbortedTransaction) records.Aborted {
	aborted := make([]records.AbortedTransaction, len(all))
	for i, a := range all {
		aborted[i] = records.AbortedTransaction{ProducerID: a.ProducerID, FirstOffset: a.FirstOffset}
	}
	return records.NewAborted(aborted)
}

// behind gives the offset behind the last batch that is there as a whole.
func behind(data []byte, next int64) int64 {
	for {
		last, rest, ok := records.Peek(data)
		if !ok {
			return next
		}
		next, data = max(next, last+1), rest
	}
}

// refused decides about a partition's error.
func (h *hub) refused(f *feed, err error) {
	switch {
	case errors.Is(err, kerr.OffsetOutOfRange):
		f.astray = true
		h.lose(f, err)
	case kerr.IsRetriable(err) || errors.Is(err, kerr.InconsistentTopicID) || errors.Is(err, kerr.UnknownTopicID) || errors.Is(err, kerr.FencedLeaderEpoch):
		h.lose(f, err)
	case errors.Is(err, kerr.TopicAuthorizationFailed):
		f.fail(fmt.Errorf("%s may not be read by this user; allow it Read: %w", f.partition, err))
	default:
		f.fail(fmt.Errorf("%s, offset %d: %w", f.partition, f.next, err))
	}
}

// span is what a broker has of a partition: offsets from first up to last, exclusive.
type span struct{ first, last int64 }

// placesOfAstray asks what there is of the partitions whose next offset is not.
func (h *hub) placesOfAstray(ctx context.Context, c *client, seeking asking) (map[partition]span, error) {
	var astray []partition
	h.mu.Lock()
	for _, f := range seeking {
		if f.astray && !slices.Contains(astray, f.partition) {
			astray = append(astray, f.partition)
		}
	}
	h.mu.Unlock()
	if len(astray) == 0 {
		return nil, nil
	}
	first, err := c.offsets(ctx, astray, atStart, false)
	if err != nil {
		return nil, err
	}
	last, err := c.offsets(ctx, astray, atEnd, !h.config.uncommitted)
	if err != nil {
		return nil, err
	}
	places := map[partition]span{}
	for _, p := range astray {
		places[p] = span{first[p], last[p]}
	}
	return places, nil
}

// settle decides where a feed goes on whose offset is not there.
func (h *hub) settle(f *feed, places map[partition]span) {
	there, asked := places[f.partition]
	if !f.astray || !asked || f.err != nil || f.leader.broker == noBroker {
		return
	}
	f.astray = false
	switch {
	case there.first <= f.next && f.next <= there.last: // a broker that was behind said so
	case h.config.outOfRange == Earliest || mutant.On("out-of-range-unsaid"):
		f.seek(there.first)
	case h.config.outOfRange == Latest:
		f.seek(there.last)
	default:
		f.fail(fmt.Errorf("%s: offset %d is not there: the partition has %d to %d, as retention removed older records or the topic was cut off. kafka.OnOutOfRange(%q) or (%q) go on, with records missing or repeated",
			f.partition, f.next, there.first, there.last-1, Earliest, Latest))
	}
}

// seek goes on at another offset.
func (f *feed) seek(to int64) {
	f.next, f.since = to, time.Time{}
	f.chunks = append(f.chunks, chunk{from: to})
	f.wake()
}
