package kafka

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/weirflow/weir/messages/mutant"
	"github.com/weirflow/weir/operators/kafka/records"
)

// producer gathers records to batches and sends these to the leaders of their partitions,
// for one writer.
//
// Invariants: of a partition one batch is under way at a time, and it is sent again as it
// is until the broker has said yes or a final no, so that the broker knows repeats by
// their sequence and order is kept; a broker has one request under way, of at most
// maxRequest bytes or one batch, and the next one begins with the partition that had no
// room in it; what is sealed and not acknowledged is at most maxWaiting bytes and a batch
// for each partition; the first error is final. The goroutines that send belong to the
// producer: close waits for them.
type producer struct {
	client   *client
	topic    string
	config   *sinkConfig
	compress records.Compressor
	ctx      context.Context // of sending
	cancel   context.CancelFunc
	senders  sync.WaitGroup

	mu        sync.Mutex
	changed   chan struct{} // is closed, and made anew, when less waits or something failed
	lanes     []*lane       // by partition
	sending   map[int32]bool
	first     map[int32]int // by broker: the lane that its next request begins with
	waiting   int           // bytes that are sealed and not acknowledged
	keptBytes int           // of this transaction, or more than may be kept
	spare     [][]byte
	as        records.Producer
	txn       *transaction // nil for a producer without
	opening   bool         // the broker does not know it yet: nothing is taken to be sent
	lingered  time.Time    // when batches that were not full were last sent
	quiet     bool         // nothing more is to be sent
	err       error
}

// lane is a partition's way to its leader.
type lane struct {
	partition partition
	leader    leader
	building  records.Builder
	sealed    [][]byte // the first may be under way
	current   []byte   // that one, for who sends it
	sending   bool
	stamped   bool // the first is
	sequence  int32
	joined    bool // the transaction knows of the partition

	records     int64  // acknowledged since begin
	first, last int64  // their offsets
	kept        []byte // batches of this transaction
	since       time.Time
}

// Bounds of a producer. That of a request stays far below the broker's, which is
// socket.request.max.bytes, 100 MiB unless somebody changed it.
const (
	maxWaiting = 16 << 20 // bytes
	maxRequest = 16 << 20 // bytes
	maxSpare   = 32       // batches
)

// newProducer asks what partitions there are.
func newProducer(ctx context.Context, c *client, topic string, config *sinkConfig) (*producer, error) {
	topics, err := c.soundTopics(ctx, []string{topic})
	if err != nil {
		return nil, err
	}
	p := &producer{client: c, topic: topic, config: config, changed: make(chan struct{}), sending: map[int32]bool{}, first: map[int32]int{}}
	if p.compress, err = config.compressor(); err != nil {
		return nil, err
	}
	p.ctx, p.cancel = context.WithCancel(context.Background())
	for i, l := range topics[topic].leaders {
		p.lanes = append(p.lanes, &lane{partition: partition{topic, int32(i)}, leader: l})
	}
	return p, nil
}

// close gives up what has not been acknowledged.
func (p *producer) close() {
	p.cancel()
	p.senders.Wait()
}

// begin starts sequences anew, for another transaction, which open begins on the broker:
// what is added meanwhile waits. Nothing is waiting before.
func (p *producer) begin(txn *transaction, open func(context.Context) error) {
	p.mu.Lock()
	p.txn, p.opening, p.keptBytes, p.lingered = txn, true, 0, time.Now()
	for _, l := range p.lanes {
		l.sequence, l.joined, l.records, l.kept = 0, false, 0, l.kept[:0]
		l.first, l.last = -1, -1
	}
	p.mu.Unlock()
	p.senders.Go(func() {
		err := open(p.ctx)
		if err == nil {
			p.joinEarly()
		}
		p.opened(err)
	})
}

// joinEarly has the transaction know of the partitions that have records by now, so that
// nobody waits for it later. If that fails it is tried again, and told, where they are sent.
func (p *producer) joinEarly() {
	p.mu.Lock()
	lanes := slices.DeleteFunc(slices.Clone(p.lanes), func(l *lane) bool { return l.building.Count() == 0 && len(l.sealed) == 0 })
	p.mu.Unlock()
	_ = p.join(lanes)
}

// opened lets go what has waited for the transaction.
func (p *producer) opened(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.opening = false
	if err != nil {
		p.fail(err) // the transaction may still be another goroutine's
	} else {
		p.as = p.txn.producer()
	}
	for _, l := range p.lanes {
		if len(l.sealed) > 0 {
			p.send(l.leader.broker)
		}
	}
	p.change()
}

// beginPlain has the producer write without transactions from now on.
func (p *producer) beginPlain(as records.Producer) {
	p.mu.Lock()
	defer p.mu.Unlock()
	as.Transactional = false
	p.as = as
}

// add puts messages into the batches of their partitions: fill gives them, one a call,
// until it gives false. It waits while too much is waiting.
func (p *producer) add(ctx context.Context, fill func(m *Message) (more bool, err error), m *Message) error {
	for {
		if err := p.awaitRoom(ctx); err != nil {
			return err
		}
		if more, err := p.addSome(fill, m); !more || err != nil {
			return err
		}
	}
}

// awaitRoom returns when a batch more may be sealed.
func (p *producer) awaitRoom(ctx context.Context) error {
	return p.await(ctx, func() bool { return p.waiting < maxWaiting })
}

// addSome is add until too much is waiting.
func (p *producer) addSome(fill func(m *Message) (more bool, err error), m *Message) (more bool, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for p.waiting < maxWaiting {
		more, err := fill(m)
		if !more || err != nil {
			p.sendEagerly()
			return false, err
		}
		at, err := choose(p.config.partitioner, m, int32(len(p.lanes)))
		if err != nil {
			return false, err
		}
		l := p.lanes[at]
		if n := l.building.Len(); n > 0 && n+m.size() > p.config.batchBytes {
			p.seal(l)
		}
		l.building.Append(m.Time, m.Key, m.Value, m.Headers)
	}
	return true, nil
}

// sendEagerly has leaders look for batches that are not full. In a transaction nobody can
// read them yet: there they wait for a while, so that little is left to be acknowledged
// when it is prepared.
func (p *producer) sendEagerly() {
	if p.txn == nil {
		for _, l := range p.lanes {
			if l.building.Count() > 0 {
				p.send(l.leader.broker)
			}
		}
		return
	}
	if now := time.Now(); now.Sub(p.lingered) >= p.config.linger {
		p.lingered = now
		for _, l := range p.lanes {
			if len(l.sealed) == 0 {
				p.seal(l)
			}
		}
	}
}

// seal closes a batch and has it sent.
func (p *producer) seal(l *lane) {
	if l.building.Count() == 0 {
		return
	}
	var spare []byte
	if n := len(p.spare); n > 0 {
		spare, p.spare = p.spare[n-1], p.spare[:n-1]
	}
	batch := l.building.Finish(spare, p.compress)
	if p.config.keep > 0 {
		p.keep(l, batch)
	}
	l.sealed = append(l.sealed, batch)
	p.waiting += len(batch)
	p.send(l.leader.broker)
}

// flush has everything sent, and returns when it is acknowledged.
func (p *producer) flush(ctx context.Context) error {
	p.mu.Lock()
	for _, l := range p.lanes {
		p.seal(l)
	}
	p.mu.Unlock()
	return p.await(ctx, func() bool { return p.waiting == 0 && !p.opening })
}

// acknowledged tells whether everything is that was added.
func (p *producer) acknowledged() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.waiting == 0 && !slices.ContainsFunc(p.lanes, func(l *lane) bool { return l.building.Count() > 0 })
}

// await returns when something holds, or with the first error.
func (p *producer) await(ctx context.Context, holds func() bool) error {
	return p.wait(ctx, func() (bool, error) { return holds(), p.err })
}

// wait asks under the lock, whenever something changed, until it is done or has an error.
func (p *producer) wait(ctx context.Context, ask func() (done bool, err error)) error {
	for {
		p.mu.Lock()
		done, err := ask()
		changed := p.changed
		p.mu.Unlock()
		if err != nil || done {
			return err
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (p *producer) change() {
	close(p.changed)
	p.changed = make(chan struct{})
}

func (p *producer) fail(err error) {
	if p.err == nil {
		p.err = err
	}
	p.change()
}

// send begins to send to a broker, unless that is being done.
func (p *producer) send(broker int32) {
	if p.sending[broker] || p.opening || p.err != nil || p.ctx.Err() != nil {
		return
	}
	p.sending[broker] = true
	p.senders.Go(func() {
		for p.sendOnce(broker) {
		}
	})
}

// sendOnce sends a batch of each partition that a broker leads, as many as a request may
// hold, and tells whether there may be more.
func (p *producer) sendOnce(broker int32) bool {
	lanes := p.takeLanes(broker)
	if len(lanes) == 0 {
		return false
	}
	if err := p.exchange(broker, lanes); err != nil {
		p.lost(lanes, err)
	}
	return true
}

// takeLanes gives the lanes with something for a broker, and stamps what they send.
func (p *producer) takeLanes(broker int32) (lanes []*lane) {
	p.mu.Lock()
	defer p.mu.Unlock()
	bytes, first := 0, p.first[broker]
	for i := range p.lanes {
		at := (first + i) % len(p.lanes)
		l := p.lanes[at]
		if !p.ready(l, broker) {
			continue
		}
		if bytes += len(l.sealed[0]); bytes > maxRequest && len(lanes) > 0 {
			p.first[broker] = at
			break
		}
		p.stamp(l)
		l.sending, l.current = true, l.sealed[0]
		lanes = append(lanes, l)
	}
	if len(lanes) == 0 {
		p.sending[broker] = false
	}
	return lanes
}

// ready tells whether a lane has a batch for a broker, and none under way.
func (p *producer) ready(l *lane, broker int32) bool {
	if l.leader.broker != broker || l.sending || p.opening || p.quiet || p.err != nil || p.ctx.Err() != nil {
		return false
	}
	if p.txn == nil && len(l.sealed) == 0 {
		p.seal(l)
	}
	return len(l.sealed) > 0
}

// stamp writes the producer into a lane's first batch, unless it is sent again.
func (p *producer) stamp(l *lane) {
	if mutant.On("restamped") && l.stamped {
		l.sequence++ // the broker takes the repeat for another batch
		l.stamped = false
	}
	if l.stamped {
		return
	}
	as := p.as
	as.Sequence = l.sequence
	records.Stamp(l.sealed[0], as)
	l.stamped = true
}

// exchange sends the first batch of each of some lanes, and takes the answers.
func (p *producer) exchange(broker int32, lanes []*lane) error {
	if err := p.join(lanes); err != nil {
		return err
	}
	req := kmsg.NewPtrProduceRequest()
	req.Acks, req.TimeoutMillis = -1, int32(p.config.patience.Milliseconds()/2)
	t := kmsg.NewProduceRequestTopic()
	t.Topic = p.topic
	for _, l := range lanes {
		rp := kmsg.NewProduceRequestTopicPartition()
		rp.Partition, rp.Records = l.partition.index, l.current
		t.Partitions = append(t.Partitions, rp)
	}
	req.Topics = []kmsg.ProduceRequestTopic{t}
	if p.txn != nil {
		req.TransactionID = &p.txn.ID
	}
	resp, err := p.client.ask(p.ctx, broker, req)
	if err != nil {
		return err
	}
	return p.take(lanes, resp.(*kmsg.ProduceResponse))
}

// join has the transaction know of the partitions that are new in it.
func (p *producer) join(lanes []*lane) error {
	var fresh []partition
	p.mu.Lock()
	for _, l := range lanes {
		if !l.joined {
			fresh = append(fresh, l.partition)
		}
	}
	p.mu.Unlock()
	if len(fresh) == 0 || p.txn == nil {
		return nil
	}
	if err := p.txn.addPartitions(p.ctx, p.client, fresh); err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, l := range lanes {
		l.joined = true
	}
	return nil
}

// take settles what a response says of each lane.
func (p *producer) take(lanes []*lane, resp *kmsg.ProduceResponse) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	var again []*lane
	var why error
	for _, l := range lanes {
		answer, err := answerFor(l, resp)
		if err == nil {
			p.acknowledge(l, answer.BaseOffset)
			continue
		}
		if !tryAgain(err) {
			l.sending = false
			p.fail(p.explain(l, err))
			continue
		}
		again, why = append(again, l), err
	}
	if len(again) == 0 {
		return nil
	}
	return &retryError{again, why}
}

// retryError is that some lanes have to send again.
type retryError struct {
	lanes []*lane
	why   error
}

func (e *retryError) Error() string { return e.why.Error() }

func answerFor(l *lane, resp *kmsg.ProduceResponse) (*kmsg.ProduceResponseTopicPartition, error) {
	for i := range resp.Topics {
		for j := range resp.Topics[i].Partitions {
			if a := &resp.Topics[i].Partitions[j]; a.Partition == l.partition.index {
				err := kerr.ErrorForCode(a.ErrorCode)
				if err == kerr.DuplicateSequenceNumber {
					err = nil // it is there
				}
				return a, err
			}
		}
	}
	return nil, kerr.UnknownTopicOrPartition
}

// acknowledge takes a batch off its lane.
func (p *producer) acknowledge(l *lane, offset int64) {
	batch, n := l.sealed[0], records.Count(l.sealed[0])
	if l.records == 0 {
		l.first = offset
	}
	if l.records += int64(n); offset >= 0 { // a repeat may not be told its place
		l.last = offset + int64(n) - 1
	}
	l.sealed[0] = nil
	l.sealed, l.sending, l.stamped, l.since = l.sealed[1:], false, false, time.Time{}
	if mutant.On("sequence-by-batch") {
		n = 1
	}
	l.sequence += n // it wraps around as the protocol's does
	if l.sequence < 0 {
		l.sequence -= -1 << 31
	}
	if p.waiting -= len(batch); len(p.spare) < maxSpare {
		p.spare = append(p.spare, batch[:0])
	}
	p.change()
}

// lost has lanes look for their leader and send again, unless that goes on for too long
// or the error is final.
func (p *producer) lost(lanes []*lane, err error) {
	var some *retryError
	if errors.As(err, &some) {
		lanes = some.lanes
	}
	final := some == nil && !tryAgain(err)
	p.mu.Lock()
	for _, l := range lanes {
		if l.since.IsZero() {
			l.since = time.Now()
		}
		if took := time.Since(l.since); final || took > p.config.patience {
			p.fail(p.explain(l, err))
		}
	}
	p.mu.Unlock()
	pause(p.ctx, retryPause)
	topics, err := p.client.soundTopics(p.ctx, []string{p.topic})
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, l := range lanes {
		l.sending = false
		if err == nil && int(l.partition.index) < len(topics[p.topic].leaders) {
			l.leader = topics[p.topic].leaders[l.partition.index]
			p.send(l.leader.broker)
		}
	}
	p.change()
}

// tryAgain tells whether an error may pass.
func tryAgain(err error) bool {
	var k *kerr.Error
	return !errors.As(err, &k) || k.Retriable || k == kerr.FencedLeaderEpoch
}

// explain says what an error means for who configures the sink.
func (p *producer) explain(l *lane, err error) error {
	switch {
	case errors.Is(err, kerr.MessageTooLarge), errors.Is(err, kerr.RecordListTooLarge):
		return fmt.Errorf("%s: a batch of %d bytes is larger than the broker takes; lower kafka.BatchBytes, which is %d, or raise the topic's max.message.bytes: %w", l.partition, len(l.sealed[0]), p.config.batchBytes, err)
	case errors.Is(err, kerr.TopicAuthorizationFailed):
		return fmt.Errorf("%s may not be written by this user; allow it Write: %w", l.partition, err)
	case errors.Is(err, kerr.InvalidRecord):
		return fmt.Errorf("%s: the broker refuses a record; a compacted topic, for one, wants keys that are not null: %w", l.partition, err)
	case isFenced(err) && p.txn != nil:
		return fmt.Errorf("%s: another writer has taken over the transactional id %q: a second job with the same prefix, or a later attempt of this one; or the broker gave it up after kafka.TransactionTimeout: %w", l.partition, p.txn.ID, err)
	}
	return fmt.Errorf("%s: %w", l.partition, err)
}

// discard forgets what has not been sent, and waits for what has: an error says that some
// of it is still under way.
func (p *producer) discard(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, p.config.patience)
	defer cancel()
	return p.wait(ctx, func() (bool, error) {
		p.quiet = true
		if p.opening || slices.ContainsFunc(p.lanes, func(l *lane) bool { return l.sending }) {
			return false, nil
		}
		p.clear()
		return true, nil
	})
}

func (p *producer) clear() {
	for _, l := range p.lanes {
		l.building.Reset()
		l.sealed, l.stamped, l.since = nil, false, time.Time{}
	}
	p.waiting, p.quiet = 0, false
}

// written is what was acknowledged since begin.
func (p *producer) written() (all []written) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, l := range p.lanes {
		if l.records > 0 {
			all = append(all, written{l.partition.index, l.first, l.last, l.records})
		}
	}
	return all
}
