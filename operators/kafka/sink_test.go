package kafka_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"pgregory.net/rapid"

	"github.com/weirflow/weir/messages"
	"github.com/weirflow/weir/operators"
	"github.com/weirflow/weir/operators/kafka"
)

func encodeText(m *kafka.Message, v string) error {
	m.ValueBuffer = append(m.ValueBuffer[:0], v...)
	m.Value = m.ValueBuffer
	return nil
}

// process is a life of a sink's subtask.
type process struct {
	s *stand
	w operators.TransactionalWriter[string]
}

func (s *stand) sink(options ...kafka.SinkOption) operators.TransactionalSink[string] {
	return kafka.Sink(s.cluster, "out", "job", encodeText, options...)
}

func (s *stand) process(sink operators.TransactionalSink[string], attempt messages.Attempt, index, parallelism int) *process {
	s.t.Helper()
	s.must(sink.(operators.Validator).Validate())
	w, err := sink.OpenTransactional(s.t.Context(), operators.SinkContext{
		Operator: "sink", Job: "job", Index: index, Parallelism: parallelism, Attempt: attempt, Now: func() int64 { return 4711 }, Step: func(string) {},
	})
	s.must(err)
	s.t.Cleanup(func() { w.Close() })
	return &process{s, w}
}

// recover is what the runtime does at the start of an attempt.
func (p *process) recover(r operators.Recovery) *process {
	p.s.t.Helper()
	for _, handle := range r.Commit {
		p.s.must(p.w.Commit(p.s.t.Context(), handle))
	}
	r.Parallelism = max(r.Parallelism, 1)
	p.s.must(p.w.Recover(p.s.t.Context(), r))
	p.s.must(p.w.Begin(p.s.t.Context()))
	return p
}

func (p *process) write(values ...string) *process {
	p.s.t.Helper()
	b := &operators.Batch[string]{}
	for i, v := range values {
		b.Append(v, int64(100+i))
	}
	p.s.must(p.w.Write(p.s.t.Context(), b))
	return p
}

func (p *process) prepare() []byte {
	p.s.t.Helper()
	handle, err := p.w.Prepare(p.s.t.Context())
	p.s.must(err)
	p.s.must(p.w.Begin(p.s.t.Context()))
	return handle
}

// visible gives what an outside reader of committed records sees, sorted.
func (s *stand) visible() []string { return s.visibleFrom("out", nil) }

// visibleFrom begins at some offset in each partition, or at the first.
func (s *stand) visibleFrom(topic string, offsets map[int32]int64) (values []string) {
	s.t.Helper()
	s.settle()
	from := kafka.FromEarliest()
	if offsets != nil {
		from = kafka.FromOffsets(map[string]map[int32]int64{topic: offsets})
	}
	r := s.open(kafka.Source(s.cluster, kafka.InTopics(topic), text, kafka.StartingAt(from), kafka.EndingAt(kafka.UntilLatest())))
	for split, reader := range r.readers {
		got, _ := r.all(split, 1000)
		values = append(values, got...)
		s.must(reader.Close())
	}
	slices.Sort(values)
	return values
}

// nothingOpen demands that no transaction is open: committed readers get to the end at once,
// and what was begun ahead, without records, ends soon.
func (s *stand) nothingOpen() {
	s.t.Helper()
	s.settle()
	all := s.ends("out", false)
	for p, stable := range s.ends("out", true) {
		if stable != all[p] {
			s.t.Errorf("partition %d: a transaction is open at %d of %d", p, stable, all[p])
		}
	}
	s.until("the end of what is open", func() bool { return len(s.transactions("Ongoing")) == 0 })
	s.settle()
}

// S8: what was written shows when it is committed, and not before; then all of it, each
// once, in any compression.
func TestCommitShows(t *testing.T) {
	for _, codec := range []kafka.Compression{kafka.Uncompressed, kafka.Gzip, kafka.Snappy, kafka.LZ4, kafka.Zstd} {
		s := newStand(t, 3, []string{"out"})
		want := numbers("value ", 500)
		p := s.process(s.sink(kafka.Compressed(codec), kafka.BatchBytes(700), kafka.PartitionedBy(kafka.RoundRobin)), 1, 0, 1).recover(operators.Recovery{})
		p.write(want[:300]...).write(want[300:]...)
		expect(t, "open", s.visible())
		handle := p.prepare()
		expect(t, "prepared", s.visible())
		p.write("next")
		s.must(p.w.Commit(t.Context(), handle))
		slices.Sort(want)
		expect(t, "committed", s.visible(), want...)
		second := p.prepare()
		s.must(p.w.Commit(t.Context(), second))
		expect(t, "again", s.visible(), append([]string{"next"}, want...)...)
		if handle := p.prepare(); handle != nil {
			t.Errorf("nothing was written, and the handle is %q", handle)
		}
		s.nothingOpen()
	}
}

// A message has what the encoder gives it: key, null, headers, time and partition.
func TestMessages(t *testing.T) {
	s := newStand(t, 4, []string{"out"})
	sink := kafka.Sink(s.cluster, "out", "job", func(m *kafka.Message, v string) error {
		switch v {
		case "key":
			m.KeyBuffer = append(m.KeyBuffer[:0], "foobar"...)
			m.Key, m.Value = m.KeyBuffer, []byte{}
		case "chosen":
			m.Partition, m.Time = 3, 9
			m.Headers = append(m.Headers, kafka.Header{Key: "a", Value: nil}, kafka.Header{Key: "b", Value: []byte("c")})
		case "outside":
			m.Partition = 4
		case "bad":
			return errors.New("it cannot be written")
		}
		return nil
	})
	p := s.process(sink, 1, 0, 1).recover(operators.Recovery{}).write("key", "chosen")
	s.must(p.w.Commit(t.Context(), p.prepare()))
	full := func(r *kafka.Record) (string, error) {
		headers, err := r.Headers()
		return fmt.Sprintf("%d: %q null=%v, %q null=%v, %d ms, %v", r.Partition, r.Key, r.Key == nil, r.Value, r.Value == nil, r.Time, headers), err
	}
	s.settle()
	r := s.open(kafka.Source(s.cluster, kafka.InTopics("out"), full, kafka.EndingAt(kafka.UntilLatest())))
	got, _ := r.all("out:3", 10)
	expect(t, "chosen", got, `3: "" null=true, "" null=true, 9 ms, [{a []} {b [99]}]`)
	var keyed []string
	for _, split := range []string{"out:0", "out:1", "out:2"} {
		got, _ := r.all(split, 10)
		keyed = append(keyed, got...)
	}
	at := (-790332482 & 0x7fffffff) % 4 // murmur2 of "foobar", as Kafka's own tests have it
	expect(t, "by key", keyed, fmt.Sprintf(`%d: "foobar" null=false, "" null=false, 100 ms, []`, at))
	for v, want := range map[string]string{"outside": "a record is for partition 4, and the topic has 4", "bad": "it cannot be written"} {
		b := &operators.Batch[string]{}
		b.Append(v, 1)
		if err := p.w.Write(t.Context(), b); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %s", err, want)
		}
	}
}

// S8, S18, S28: a process dies after it has prepared; another one commits by the handle,
// twice, and what the first had open beside it is gone.
func TestAnotherProcessCommits(t *testing.T) {
	s := newStand(t, 2, []string{"out"})
	first := s.process(s.sink(), 1, 0, 1).recover(operators.Recovery{}).write("prepared")
	handle := first.prepare()
	first.write("lost with the process")
	s.must(first.w.Flush(t.Context()))
	second := s.process(s.sink(), 2, 0, 1)
	s.must(second.w.Commit(t.Context(), handle))
	second.recover(operators.Recovery{Commit: [][]byte{handle}, Keep: [][]byte{handle}, Restored: true, Attempt: 2})
	s.nothingOpen()
	expect(t, "recovered", s.visible(), "prepared")
	b := &operators.Batch[string]{}
	b.Append("from the dead", 1)
	s.must(first.w.Write(t.Context(), b))
	if _, err := first.w.Prepare(t.Context()); !errors.Is(err, operators.ErrBroken) || !strings.Contains(err.Error(), "another writer has taken over the transactional id") {
		t.Errorf("the first goes on with %v", err)
	}
	s.must(second.write("next").w.Commit(t.Context(), second.prepare()))
	s.must(second.w.Commit(t.Context(), handle))
	expect(t, "at the end", s.visible(), "next", "prepared")
	s.nothingOpen()
}

// S28: the commit is done and its answer is lost: it is committed, also when the id
// serves another transaction already.
func TestAnswerOfCommitLost(t *testing.T) {
	s := newStand(t, 1, []string{"out"})
	p := s.process(s.sink(), 1, 0, 1).recover(operators.Recovery{}).write("one")
	handle := p.prepare()
	s.must(p.w.Commit(t.Context(), handle))
	p.write("two") // of another id or the same
	p.write("three")
	s.must(p.w.Commit(t.Context(), handle))
	s.must(p.w.Commit(t.Context(), p.prepare()))
	for i := range 5 {
		p.write(fmt.Sprint("more ", i))
		s.must(p.w.Commit(t.Context(), handle))
		s.must(p.w.Commit(t.Context(), p.prepare()))
	}
	prepared := p.write("prepared").prepare()
	s.must(p.w.Commit(t.Context(), handle)) // it does not free the id of what is prepared
	last := p.write("last").prepare()
	s.must(p.w.Commit(t.Context(), prepared))
	s.must(p.w.Commit(t.Context(), last))
	again := s.process(s.sink(), 2, 0, 1).recover(operators.Recovery{Commit: [][]byte{handle}, Keep: [][]byte{handle}, Restored: true})
	s.must(again.w.Commit(t.Context(), handle))
	expect(t, "all", s.visible(), "last", "more 0", "more 1", "more 2", "more 3", "more 4", "one", "prepared", "three", "two")
}

// Keys go where Kafka's own clients put them.
func TestKeysGoWhereOthersPutThem(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		key := rapid.SliceOfN(rapid.Byte(), 1, 40).Draw(t, "key")
		partitions := rapid.IntRange(1, 100).Draw(t, "partitions")
		want := kgo.StickyKeyPartitioner(nil).ForTopic("out").Partition(&kgo.Record{Key: key}, partitions)
		if got := kafka.ByKey()(&kafka.Message{Key: key}, int32(partitions)); got != int32(want) {
			t.Fatalf("partition %d, want %d", got, want)
		}
	})
}

// S18: what the broker has aborted in the meantime is reported as in doubt, with what it
// was; never as committed, and again whenever it is asked.
func TestInDoubt(t *testing.T) {
	s := newStand(t, 1, []string{"out"})
	p := s.process(s.sink(kafka.TransactionTimeout(3*time.Second)), 1, 0, 1).recover(operators.Recovery{}).write("a", "b")
	handle := p.prepare()
	s.write("out", 0, "behind") // shows when the broker gives the transaction up
	s.open(kafka.Source(s.cluster, kafka.InTopics("out"), text)).some("out:0", 1)
	second := s.process(s.sink(), 2, 0, 1)
	for range 3 {
		err := second.w.Commit(t.Context(), handle)
		if !errors.Is(err, operators.ErrInDoubt) || !strings.Contains(err.Error(), `the broker has aborted transaction "job/sink/0/1/0"`) || !strings.Contains(err.Error(), "out:0 offsets 1 to 2 with 2 records") {
			t.Errorf("got %v", err)
		}
		second.recover(operators.Recovery{}) // its id serves again
	}
	expect(t, "nothing", s.visible(), "behind")
}

// Of three subtasks one is left: it commits what all three prepared, in the order that the
// runtime has it, aborts what they had open, and leaves other sinks' transactions alone.
func TestFewerSubtasks(t *testing.T) {
	s := newStand(t, 2, []string{"out"})
	other := s.begin("job/sink/x", "out", 1, "of somebody else")
	sub := s.begin("job/sinks/0/0/1", "out", 1, "of another sink")
	var handles [][]byte
	for i := range 3 {
		p := s.process(s.sink(), 1, i, 3).recover(operators.Recovery{Index: i, Parallelism: 3}).write(fmt.Sprint("prepared ", i))
		handles = append(handles, p.prepare())
		p.write("open")
		s.must(p.w.Flush(t.Context()))
	}
	s.process(s.sink(), 2, 0, 1).recover(operators.Recovery{Commit: handles, Keep: handles, Restored: true})
	s.end(other, true)
	s.end(sub, true)
	s.nothingOpen()
	expect(t, "all", s.visible(), "of another sink", "of somebody else", "prepared 0", "prepared 1", "prepared 2")
}

// Two subtasks restore what one had prepared: who is not to commit it does not touch its
// transaction, neither at recovery nor with one of its own.
func TestPreparedByOthersIsLeftAlone(t *testing.T) {
	s := newStand(t, 1, []string{"out"})
	handle := s.process(s.sink(), 1, 0, 1).recover(operators.Recovery{}).write("prepared").prepare()
	zero := s.process(s.sink(), 2, 0, 2).recover(operators.Recovery{Index: 0, Parallelism: 2, Keep: [][]byte{handle}, Restored: true})
	mine := zero.write("mine").prepare()
	one := s.process(s.sink(), 2, 1, 2)
	one.recover(operators.Recovery{Index: 1, Parallelism: 2, Commit: [][]byte{handle}, Keep: [][]byte{handle}, Restored: true})
	s.must(zero.w.Commit(t.Context(), mine))
	expect(t, "both", s.visible(), "mine", "prepared")
}

// Checkpoints that fail leave what they prepared to the next one; all of it is committed
// in the end, and there is a bound that says so.
func TestManyPrepared(t *testing.T) {
	s := newStand(t, 1, []string{"out"})
	p := s.process(s.sink(), 1, 0, 1).recover(operators.Recovery{})
	var handles [][]byte
	var want []string
	for i := range 64 {
		want = append(want, fmt.Sprintf("%02d", i))
		handles = append(handles, p.write(want[i]).prepare())
	}
	b := &operators.Batch[string]{}
	b.Append("one too many", 1)
	if err := p.w.Write(t.Context(), b); err == nil || err.Error() != "64 transactions are prepared and not committed; no checkpoint was completed since" {
		t.Errorf("got %v", err)
	}
	for _, handle := range handles {
		s.must(p.w.Commit(t.Context(), handle))
	}
	expect(t, "all", s.visible(), want...)
}

// An attempt that ends aborts what it has open.
func TestAbortOpen(t *testing.T) {
	s := newStand(t, 1, []string{"out"})
	p := s.process(s.sink(kafka.BatchBytes(1)), 1, 0, 1).recover(operators.Recovery{}).write(numbers("", 50)...)
	s.must(p.w.AbortOpen(t.Context()))
	s.nothingOpen()
	s.must(p.w.Begin(t.Context()))
	s.must(p.write("after").w.Commit(t.Context(), p.prepare()))
	expect(t, "after", s.visible(), "after")
}

// Whatever request fails, and however: it is got over, and what is visible at the end is
// what was committed, once.
func TestSinkGetsOverTrouble(t *testing.T) {
	faults := []kfake.Fault{
		{Keys: []kmsg.Key{kmsg.Produce}, Err: kerr.NotLeaderForPartition, Count: 2},
		{Keys: []kmsg.Key{kmsg.Produce}, Err: kerr.RequestTimedOut, Count: 2},
		{Keys: []kmsg.Key{kmsg.Produce}, Err: kerr.NotEnoughReplicas, Count: 1},
		{Keys: []kmsg.Key{kmsg.AddPartitionsToTxn}, Err: kerr.ConcurrentTransactions, Count: 2},
		{Keys: []kmsg.Key{kmsg.AddPartitionsToTxn}, Err: kerr.CoordinatorLoadInProgress, Count: 1},
		{Keys: []kmsg.Key{kmsg.InitProducerID}, Err: kerr.ConcurrentTransactions, Count: 3},
		{Keys: []kmsg.Key{kmsg.AddOffsetsToTxn}, Err: kerr.ConcurrentTransactions, Count: 2},
		{Keys: []kmsg.Key{kmsg.TxnOffsetCommit}, Err: kerr.CoordinatorLoadInProgress, Count: 2},
		{Keys: []kmsg.Key{kmsg.EndTxn}, Err: kerr.CoordinatorNotAvailable, Count: 2},
		{Keys: []kmsg.Key{kmsg.EndTxn}, Err: kerr.ConcurrentTransactions, Count: 2},
		{Keys: []kmsg.Key{kmsg.OffsetFetch}, Err: kerr.UnstableOffsetCommit, Count: 2},
	}
	s := newStand(t, 3, []string{"out"})
	p := s.process(s.sink(kafka.BatchBytes(100), kafka.PartitionedBy(kafka.RoundRobin)), 1, 0, 1).recover(operators.Recovery{})
	var want []string
	for i, f := range faults {
		s.fake.Fault(f)
		values := numbers(fmt.Sprintf("%02d-", i), 40)
		handle := p.write(values...).prepare()
		s.must(p.w.Commit(t.Context(), handle))
		want = append(want, values...)
	}
	for i, key := range []kmsg.Key{kmsg.Produce, kmsg.AddPartitionsToTxn, kmsg.InitProducerID, kmsg.AddOffsetsToTxn, kmsg.TxnOffsetCommit, kmsg.EndTxn} {
		s.fake.ControlKey(key.Int16(), func(kmsg.Request) (kmsg.Response, error, bool) { return nil, errors.New("cut the connection"), true })
		values := numbers(fmt.Sprintf("cut %d-", i), 40)
		s.must(p.w.Commit(t.Context(), p.write(values...).prepare()))
		want = append(want, values...)
	}
	slices.Sort(want)
	expect(t, "all", s.visible(), want...)
	s.nothingOpen()
}

// What the broker refuses for good is an error that says what to do.
func TestSinkRefused(t *testing.T) {
	for _, c := range []struct {
		key  kmsg.Key
		err  *kerr.Error
		want string
	}{
		{kmsg.Produce, kerr.MessageTooLarge, "out:0: a batch of 73 bytes is larger than the broker takes; lower kafka.BatchBytes, which is 524288, or raise the topic's max.message.bytes"},
		{kmsg.Produce, kerr.TopicAuthorizationFailed, "out:0 may not be written by this user; allow it Write"},
		{kmsg.Produce, kerr.InvalidRecord, "out:0: the broker refuses a record; a compacted topic, for one, wants keys that are not null"},
		{kmsg.Produce, kerr.OutOfOrderSequenceNumber, "out:0: OUT_OF_ORDER_SEQUENCE_NUMBER"},
		{kmsg.AddPartitionsToTxn, kerr.TransactionalIDAuthorizationFailed, "TRANSACTIONAL_ID_AUTHORIZATION_FAILED"},
	} {
		s := newStand(t, 1, []string{"out"})
		p := s.process(s.sink(), 1, 0, 1).recover(operators.Recovery{})
		s.fake.Fault(kfake.Fault{Keys: []kmsg.Key{c.key}, Err: c.err, Count: -1})
		p.write("value")
		if _, err := p.w.Prepare(t.Context()); !errors.Is(err, operators.ErrBroken) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v, want %s", err, c.want)
		}
	}
}

// S9 and what else is wrong from the start is told at the start.
func TestSinkRefusedAtStart(t *testing.T) {
	for _, c := range []struct {
		key  kmsg.Key
		err  *kerr.Error
		want string
	}{
		{kmsg.InitProducerID, kerr.InvalidTransactionTimeout, `begin transaction "job/sink/0/1/0": kafka.TransactionTimeout(15m0s) is above the broker's transaction.max.timeout.ms; lower one or raise the other`},
		{kmsg.InitProducerID, kerr.TransactionalIDAuthorizationFailed, `begin transaction "job/sink/0/1/0": this user may not use the transactional id; allow it Write and Describe`},
	} {
		s := newStand(t, 1, []string{"out"})
		s.fake.Fault(kfake.Fault{Keys: []kmsg.Key{c.key}, Err: c.err, Count: -1})
		p := s.process(s.sink(), 1, 0, 1)
		if err := p.w.Recover(t.Context(), operators.Recovery{Parallelism: 1}); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v, want %s", err, c.want)
		}
	}
	s := newStand(t, 1, []string{"other"})
	_, err := s.sink().OpenTransactional(t.Context(), operators.SinkContext{})
	if err == nil || !strings.Contains(err.Error(), `topic "out" does not exist; create it, or correct its name`) {
		t.Errorf("got %v", err)
	}
}

// Options that make no sense are refused before the job runs.
func TestSinkRefusesBadOptions(t *testing.T) {
	good := kafka.Cluster{Brokers: []string{"localhost:9092"}}
	for _, c := range []struct {
		sink operators.TransactionalSink[string]
		want string
	}{
		{kafka.Sink(good, "a/b", "job", encodeText), `kafka.Sink("a/b"): "a/b" cannot be a topic's name`},
		{kafka.Sink(good, "out", "", encodeText), `kafka.Sink("out"): its prefix is ""; give one that no other job has, without '/' and blanks around it`},
		{kafka.Sink[string](good, "out", "job", nil), `kafka.Sink("out"): its Encoder is nil; give it one`},
		{kafka.Sink(good, "out", "job", encodeText, kafka.Linger(-time.Second)), "option kafka.Linger(-1s): must not be negative"},
		{kafka.Sink(good, "out", "job", encodeText, kafka.BatchBytes(0)), "option kafka.BatchBytes(0): give 1 byte to 1 GiB"},
		{kafka.Sink(good, "out", "job", encodeText, kafka.PartitionedBy(nil)), "option kafka.PartitionedBy(nil): give it a function that makes partitioners, such as kafka.ByKey"},
		{kafka.Sink(good, "out", "job", encodeText, kafka.TransactionTimeout(time.Millisecond)), "option kafka.TransactionTimeout(1ms): give 1s to 24 days"},
		{kafka.Sink(good, "out", "job", encodeText, kafka.Compressed(9)), "option kafka.Compressed(9): give Uncompressed, Gzip, Snappy, LZ4 or Zstd"},
		{kafka.Sink(kafka.Cluster{}, "out", "job", encodeText), "Cluster.Brokers is empty"},
	} {
		if err := c.sink.(operators.Validator).Validate(); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v, want %s", err, c.want)
		}
	}
}

// A writer waits while too much is not acknowledged, no longer than its context.
func TestWriterWaits(t *testing.T) {
	s := newStand(t, 1, []string{"out"})
	p := s.process(s.sink(kafka.BatchBytes(1<<20)), 1, 0, 1).recover(operators.Recovery{})
	hold := make(chan struct{})
	s.fake.ControlKey(kmsg.Produce.Int16(), func(kmsg.Request) (kmsg.Response, error, bool) {
		s.fake.SleepControl(func() { <-hold })
		return nil, nil, false
	})
	defer close(hold)
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	b := &operators.Batch[string]{}
	b.Append(strings.Repeat("x", 1<<20), 1)
	for range 40 {
		if err := p.w.Write(ctx, b); err != nil {
			if err != context.DeadlineExceeded {
				t.Error(err)
			}
			return
		}
	}
	t.Error("40 MiB were taken, and nothing was acknowledged")
}

// It waits in the middle of a batch, too.
func TestWriterWaitsWithinABatch(t *testing.T) {
	const many, size = 100, 1_000_000
	s := newStand(t, 1, []string{"out"})
	var taken atomic.Int32
	sink := kafka.Sink(s.cluster, "out", "job", func(m *kafka.Message, v string) error {
		taken.Add(1)
		return encodeText(m, v)
	}, kafka.BatchBytes(size))
	p := s.process(sink, 1, 0, 1).recover(operators.Recovery{})
	release := make(chan struct{})
	s.fake.ControlKey(kmsg.Produce.Int16(), func(kmsg.Request) (kmsg.Response, error, bool) {
		s.fake.SleepControl(func() { <-release })
		return nil, nil, false
	})
	b, value := &operators.Batch[string]{}, strings.Repeat("x", size)
	for range many {
		b.Append(value, 1)
	}
	done := make(chan error, 1)
	go func() { done <- p.w.Write(t.Context(), b) }()
	s.until("16 MiB to wait", func() bool { return taken.Load() > 16 })
	select {
	case err := <-done:
		t.Errorf("the batch was taken, and nothing was acknowledged: %v", err)
		done <- err
	case <-time.After(300 * time.Millisecond):
	}
	if n := taken.Load(); n > 20 {
		t.Errorf("%d MB were taken, and nothing was acknowledged", n)
	}
	close(release)
	s.must(<-done)
	s.must(p.w.Commit(t.Context(), p.prepare()))
	if n := len(s.visible()); n != many {
		t.Errorf("%d records are there, want %d", n, many)
	}
}

// A record that the broker would take is taken, whatever comes before it.
func TestLargeRecords(t *testing.T) {
	s := newStand(t, 1, []string{"out"})
	p := s.process(s.sink(), 1, 0, 1).recover(operators.Recovery{})
	p.write(strings.Repeat("s", 500<<10), strings.Repeat("l", 700<<10), "small")
	s.must(p.w.Commit(t.Context(), p.prepare()))
	if n := len(s.visible()); n != 3 {
		t.Errorf("%d records are there, want 3", n)
	}
}

// Records of a transaction are on their way before its checkpoint: when their batch is
// full, or they have waited for long enough.
func TestLinger(t *testing.T) {
	s := newStand(t, 1, []string{"out", "later"})
	soon := s.process(s.sink(kafka.Linger(0)), 1, 0, 1).recover(operators.Recovery{}).write("a")
	s.until("a record with the broker", func() bool { return s.ends("out", false)[0] > s.ends("out", true)[0] })
	s.must(soon.w.Commit(t.Context(), soon.prepare()))
	expect(t, "visible", s.visible(), "a")

	later := s.process(kafka.Sink(s.cluster, "later", "later", encodeText, kafka.Linger(time.Hour)), 1, 0, 1).recover(operators.Recovery{}).write("b")
	s.must(kafka.AwaitBegun(t.Context(), later.w))
	before := s.ends("later", false)[0]
	s.must(kafka.AwaitBegun(t.Context(), later.write("c").w))
	if at := s.ends("later", false)[0]; at != before {
		t.Errorf("the partition went on from %d to %d", before, at)
	}
	s.must(later.w.Commit(t.Context(), later.prepare()))
	expect(t, "visible later", s.visibleFrom("later", nil), "b", "c")
}

// A sink that was quiet for longer than its markers live goes on.
func TestMarkerExpires(t *testing.T) {
	s := newStand(t, 1, []string{"out"})
	p := s.process(s.sink(), 1, 0, 1).recover(operators.Recovery{}).write("a")
	s.must(p.w.Commit(t.Context(), p.prepare()))
	s.deleteGroup("job/sink/0/1/0")
	s.must(p.write("b").commit()) // what is begun ahead has the id
	s.must(p.write("c").commit())
	expect(t, "all", s.visible(), "a", "b", "c")
}

// A transaction is not aborted while a batch of it may still reach the broker.
func TestAbortWaits(t *testing.T) {
	s := newStand(t, 1, []string{"out"})
	p := s.process(s.sink(kafka.BatchBytes(1)), 1, 0, 1).recover(operators.Recovery{})
	held, release, ended := make(chan struct{}), make(chan struct{}), make(chan struct{}, 1)
	s.fake.ControlKey(kmsg.Produce.Int16(), func(kmsg.Request) (kmsg.Response, error, bool) {
		close(held)
		s.fake.SleepControl(func() { <-release })
		return nil, nil, false
	})
	p.write("held", "behind it")
	<-held
	s.fake.ControlKey(kmsg.EndTxn.Int16(), func(kmsg.Request) (kmsg.Response, error, bool) {
		ended <- struct{}{}
		return nil, nil, false
	})
	done := make(chan error)
	go func() { done <- p.w.AbortOpen(t.Context()) }()
	select {
	case <-ended:
		t.Error("the transaction was ended while a batch was under way")
	case <-time.After(300 * time.Millisecond):
	}
	close(release)
	s.must(<-done)
	s.nothingOpen()
}

// S18, S28: a process dies whose transactional id serves another transaction already, which
// is prepared, in a checkpoint that was never completed. Its successor makes sure that the
// first one is committed at once: it must not wait for the end of the other, for which it
// is itself to see, behind its commits.
func TestCommittedBeforeAnotherWasPrepared(t *testing.T) {
	for _, options := range [][]kafka.SinkOption{nil, {kafka.KeepOutput(1 << 20)}} {
		s := newStand(t, 1, []string{"out"})
		first := s.process(s.sink(options...), 1, 0, 1).recover(operators.Recovery{}).write("committed")
		handle := first.prepare()
		s.must(first.w.Commit(t.Context(), handle))
		first.write("never decided").prepare()
		second := s.process(s.sink(options...), 2, 0, 1).recover(operators.Recovery{Commit: [][]byte{handle}, Keep: [][]byte{handle}, Restored: true})
		s.must(second.write("next").w.Commit(t.Context(), second.prepare()))
		expect(t, "visible", s.visible(), "committed", "next")
		s.nothingOpen()
	}
}

// S18: the process dies that writes kept output again, when the marker is in and nothing
// is decided: the next one does it anew, and does not wait for the broker to give up.
func TestWritingAgainIsNotWaitedFor(t *testing.T) {
	s := newStand(t, 1, []string{"out"})
	keep := kafka.KeepOutput(1 << 20)
	handle := s.process(s.sink(keep), 1, 0, 1).recover(operators.Recovery{}).write("kept").prepare()
	for _, id := range s.transactions("Ongoing") {
		req := kmsg.NewPtrInitProducerIDRequest()
		req.TransactionalID, req.TransactionTimeoutMillis = &id, 60_000
		_, err := req.RequestWith(t.Context(), s.writer)
		s.must(err)
	}
	s.settle()
	w, err := s.sink(keep).OpenTransactional(t.Context(), operators.SinkContext{
		Operator: "sink", Job: "job", Parallelism: 1, Attempt: 2, Now: func() int64 { return 4711 },
		Step: func(label string) {
			if label == "kafka.rewritten" {
				panic("dies")
			}
		},
	})
	s.must(err)
	t.Cleanup(func() { w.Close() })
	func() {
		defer func() { _ = recover() }()
		_ = w.Commit(t.Context(), handle)
		t.Error("it was not written again")
	}()
	s.must(s.process(s.sink(keep), 3, 0, 1).w.Commit(t.Context(), handle))
	expect(t, "visible", s.visible(), "kept")
	s.nothingOpen()
}
