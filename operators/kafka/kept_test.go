package kafka_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
	"weak"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/weirflow/weir/messages"
	"github.com/weirflow/weir/operators"
	"github.com/weirflow/weir/operators/kafka"
)

// keeping is a sink that keeps its output, and whose transactions the broker aborts soon.
func (s *stand) keeping(bytes int) operators.TransactionalSink[string] {
	return s.sink(kafka.TransactionTimeout(3*time.Second), kafka.KeepOutput(bytes), kafka.BatchBytes(200), kafka.Compressed(kafka.Zstd), kafka.PartitionedBy(kafka.RoundRobin))
}

// expired prepares some values, and gives the handle once the broker has aborted them. It
// does so at once when somebody begins a transaction of the same id.
func (s *stand) expired(sink operators.TransactionalSink[string], attempt messages.Attempt, values ...string) []byte {
	s.t.Helper()
	handle := s.process(sink, attempt, 0, 1).recover(operators.Recovery{}).write(values...).prepare()
	for len(s.stillOpen()) > 0 {
		req := kmsg.NewPtrInitProducerIDRequest()
		id := fmt.Sprintf("job/sink/0/%d/0", attempt)
		req.TransactionalID, req.TransactionTimeoutMillis = &id, 1000
		_, err := req.RequestWith(s.t.Context(), s.writer)
		s.must(err)
	}
	return handle
}

// stillOpen gives the partitions with an open transaction.
func (s *stand) stillOpen() (all []int32) {
	for _, p := range s.fake.PartitionInfos("out") {
		if p.HighWatermark > p.LastStableOffset {
			all = append(all, p.Partition)
		}
	}
	return all
}

// S18: what a broker has aborted although its checkpoint is complete is written again,
// when it was kept: once, however often it is committed and by whom.
func TestKeptOutputIsWrittenAgain(t *testing.T) {
	s := newStand(t, 3, []string{"out"})
	want := numbers("value ", 300)
	handle := s.process(s.keeping(1<<20), 1, 0, 1).recover(operators.Recovery{}).write(want...).prepare()
	from := map[int32]int64{}
	for _, p := range s.fake.PartitionInfos("out") {
		from[p.Partition] = p.HighWatermark
		s.write("out", p.Partition, "behind") // shows when the broker has given the transaction up
	}
	r := s.open(kafka.Source(s.cluster, kafka.InTopics("out"), text, kafka.StartingAt(kafka.FromOffsets(map[string]map[int32]int64{"out": from}))))
	for split, reader := range r.readers {
		r.some(split, 1)
		s.must(reader.Close())
	}
	expect(t, "aborted", s.visible(), "behind", "behind", "behind")
	for attempt := range messages.Attempt(3) {
		p := s.process(s.keeping(1<<20), 2+attempt, 0, 1)
		s.must(p.w.Commit(t.Context(), handle))
		s.must(p.w.Commit(t.Context(), handle))
		p.recover(operators.Recovery{Commit: [][]byte{handle}, Keep: [][]byte{handle}, Restored: true})
		s.must(p.write("more").w.Commit(t.Context(), p.prepare()))
	}
	expect(t, "all", s.visible(), sorted(append(want, "more", "more", "more", "behind", "behind", "behind"))...)
	s.nothingOpen()
}

// The process dies, or loses the broker's answer, at any request of writing again, and
// others try, at the same time too: it is there once.
func TestWritingAgainMayFailAnywhere(t *testing.T) {
	keys := []kmsg.Key{kmsg.EndTxn, kmsg.OffsetFetch, kmsg.InitProducerID, kmsg.AddPartitionsToTxn, kmsg.Produce, kmsg.AddOffsetsToTxn, kmsg.TxnOffsetCommit}
	for _, key := range keys {
		for position := range 3 {
			for _, after := range []bool{false, true} {
				t.Run(fmt.Sprintf("%s %d, %v", key.Name(), position, after), func(t *testing.T) {
					t.Parallel()
					s := newStand(t, 2, []string{"out"})
					want := sorted(numbers("value ", 40))
					handle := s.expired(s.keeping(1<<20), 1, want...)
					s.dieAt(key, position, after, handle)
					var others sync.WaitGroup
					for attempt := range messages.Attempt(2) {
						p := s.process(s.keeping(1<<20), 3+attempt, 0, 1)
						others.Go(func() {
							for p.w.Commit(t.Context(), handle) != nil { // the other one was at it
								if t.Context().Err() != nil {
									return
								}
							}
						})
					}
					others.Wait()
					expect(t, "once", s.visible(), want...)
					s.nothingOpen()
				})
			}
		}
	}
}

// dieAt has a process commit a handle and die at a request of some kind, counted from 0,
// before the broker has it or before the process has the answer.
func (s *stand) dieAt(key kmsg.Key, position int, after bool, handle []byte) {
	s.t.Helper()
	ctx, cancel := context.WithCancel(s.t.Context())
	defer cancel()
	seen, dead := 0, atomic.Bool{}
	p := s.process(s.keeping(1<<20), 2, 0, 1)
	s.fake.ControlKey(key.Int16(), func(req kmsg.Request) (kmsg.Response, error, bool) {
		if dead.Load() {
			return nil, nil, false
		}
		if seen++; seen <= position {
			s.fake.KeepControl()
			return nil, nil, false
		}
		cancel()
		if after {
			return nil, nil, false // it takes effect, and nobody hears of it
		}
		return nil, errors.New("cut the connection"), true
	})
	_ = p.w.Commit(ctx, handle)
	s.must(p.w.Close())
	dead.Store(true)
}

// What was not kept, or may be there, is in doubt, and the report says why.
func TestNotWrittenAgain(t *testing.T) {
	s := newStand(t, 1, []string{"out"})
	reports := func(what string, handle []byte, want string) {
		t.Helper()
		p := s.process(s.keeping(1<<20), 9, 0, 1)
		if err := p.w.Commit(t.Context(), handle); !errors.Is(err, operators.ErrInDoubt) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v\nwant %s", what, err, want)
		}
	}
	reports("not kept", s.expired(s.sink(kafka.TransactionTimeout(3*time.Second)), 1, "a"), "its output was not kept (kafka.KeepOutput)")
	reports("too much", s.expired(s.keeping(100), 2, numbers("b", 100)...), "was more than kafka.KeepOutput allowed")
	handle := s.expired(s.keeping(1000), 3, "c")
	old := strings.Replace(string(handle), `"prepared":4711`, `"prepared":-600000000`, 1)
	reports("old", []byte(old), "old, and its marker may have expired")
	another := s.process(s.keeping(1000), 3, 0, 1).recover(operators.Recovery{}).write("of another life")
	s.must(another.w.Commit(t.Context(), another.prepare()))
	reports("foreign", handle, "somebody else has used its id since, so that its marker is gone")
	expect(t, "visible", s.visible(), "of another life")
}

// Writing again that fails leaves nothing open, nothing half done, and may be tried again.
func TestWritingAgainFails(t *testing.T) {
	for _, key := range []kmsg.Key{kmsg.Produce, kmsg.AddOffsetsToTxn, kmsg.TxnOffsetCommit} {
		s := newStand(t, 2, []string{"out"})
		want := sorted(numbers("value ", 40))
		handle := s.expired(s.keeping(1<<20), 1, want...)
		p := s.process(s.keeping(1<<20), 2, 0, 1)
		s.fake.Fault(kfake.Fault{Keys: []kmsg.Key{key}, Err: kerr.GroupAuthorizationFailed, Count: 1})
		if err := p.w.Commit(t.Context(), handle); !errors.Is(err, kerr.GroupAuthorizationFailed) {
			t.Errorf("%s: %v", key.Name(), err)
		}
		s.nothingOpen()
		expect(t, "nothing", s.visible())
		s.must(p.w.Commit(t.Context(), handle))
		expect(t, "once", s.visible(), want...)
	}
}

// Output for a partition that is gone is in doubt, and none of it is written.
func TestKeptForPartitionsThatAreGone(t *testing.T) {
	s := newStand(t, 2, []string{"out"})
	sink := s.sink(kafka.TransactionTimeout(3*time.Second), kafka.KeepOutput(1<<20), kafka.PartitionedBy(oneByOne))
	handle := s.expired(sink, 1, "a", "b")
	s.deleteTopic("out")
	s.createTopic("out", 1)
	p := s.process(sink, 2, 0, 1)
	if err := p.w.Commit(t.Context(), handle); !errors.Is(err, operators.ErrInDoubt) || !strings.Contains(err.Error(), "was kept for partition 1, and there are 1 now") {
		t.Errorf("got %v", err)
	}
	s.nothingOpen()
	if n := s.ends("out", false)[0]; n != 0 {
		t.Errorf("%d records were written", n)
	}
}

// An id is fenced once to write again, and then its marker is read once.
func TestFencedBeforeMarkerIsRead(t *testing.T) {
	s := newStand(t, 1, []string{"out"})
	handle := s.expired(s.keeping(1<<20), 1, "a")
	p := s.process(s.keeping(1<<20), 2, 0, 1)
	var mu sync.Mutex
	var asked []string
	s.fake.Control(func(r kmsg.Request) (kmsg.Response, error, bool) {
		s.fake.KeepControl()
		mu.Lock()
		defer mu.Unlock()
		if key := kmsg.Key(r.Key()); key == kmsg.InitProducerID || key == kmsg.OffsetFetch || key == kmsg.Produce {
			asked = append(asked, key.Name())
		}
		return nil, nil, false
	})
	s.must(p.w.Commit(t.Context(), handle))
	mu.Lock()
	defer mu.Unlock()
	expect(t, "requests", asked, "InitProducerID", "OffsetFetch", "Produce")
}

// What is committed is not kept in memory, also while its id does not serve again.
func TestCommittedOutputIsForgotten(t *testing.T) {
	s := newStand(t, 1, []string{"out"})
	p := s.process(s.keeping(1<<20), 1, 0, 1).recover(operators.Recovery{})
	kept := func() weak.Pointer[byte] {
		handle := p.write(numbers("value ", 100)...).prepare()
		s.must(p.w.Commit(t.Context(), handle))
		return weak.Make(&handle[0])
	}()
	runtime.GC()
	if kept.Value() != nil {
		t.Error("the handle is kept")
	}
	runtime.KeepAlive(p)
}

// A handle that is damaged is told, and so is one whose partition is gone.
func TestDamagedHandles(t *testing.T) {
	s := newStand(t, 2, []string{"out", "narrow"})
	p := s.process(s.keeping(1<<20), 1, 0, 1).recover(operators.Recovery{}).write(numbers("a", 2000)...)
	handle := p.prepare()
	for what, damaged := range map[string][]byte{
		"3 bytes":   []byte("abc"),
		"cut short": handle[:len(handle)-1],
		"longer":    append(append([]byte{}, handle...), 0),
		"flipped":   append(bytes.Clone(handle[:len(handle)-1]), handle[len(handle)-1]^1),
		"negative":  bytes.Replace(handle, []byte(`"kept":[{"partition":0,`), []byte(`"kept":[{"partition":-1,`), 1),
	} {
		if err := p.w.Commit(t.Context(), damaged); err == nil || !strings.Contains(err.Error(), "handle") {
			t.Errorf("%s: %v", what, err)
		}
	}
	if !strings.Contains(string(handle), `"kept":[{"partition":0,`) {
		t.Errorf("nothing was kept: %.300q", handle)
	}
	s.must(p.w.Commit(t.Context(), handle))
}
