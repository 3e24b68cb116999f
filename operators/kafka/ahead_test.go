package kafka_test

import (
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/weirflow/weir/operators"
	"github.com/weirflow/weir/operators/kafka"
)

// begins counts the transactions that are begun on a stand-in from now on.
func (s *stand) begins() *atomic.Int32 {
	n := new(atomic.Int32)
	s.fake.ControlKey(kmsg.InitProducerID.Int16(), func(kmsg.Request) (kmsg.Response, error, bool) {
		s.fake.KeepControl()
		n.Add(1)
		return nil, nil, false
	})
	return n
}

// long is for what is to be taken, never for what is to begin with its first record.
var long, never = kafka.Ahead(time.Minute), kafka.Ahead(0)

// ahead is a writer that has begun a transaction ahead, after one with "a".
func (s *stand) ahead(options ...kafka.SinkOption) *process {
	s.t.Helper()
	p := s.process(s.sink(options...), 1, 0, 1).recover(operators.Recovery{})
	s.must(p.write("a").commit())
	if open := s.transactions("Ongoing"); len(open) != 1 {
		s.t.Fatalf("open are %q, want one that was begun ahead", open)
	}
	return p
}

// S8: records go into the transaction that was begun ahead, and the broker is asked for no
// other before its commit.
func TestBegunAhead(t *testing.T) {
	s := newStand(t, 1, []string{"out"})
	p := s.ahead(long)
	begun := s.begins()
	handle := p.write("b").prepare()
	if n := begun.Load(); n != 0 {
		t.Errorf("%d transactions were begun for records that had one", n)
	}
	expect(t, "prepared", s.visible(), "a")
	s.must(p.w.Commit(t.Context(), handle))
	expect(t, "committed", s.visible(), "a", "b")
}

// Nothing stays open where nothing is written: what was begun ahead is aborted soon, and
// the id serves again, time after time.
func TestBegunAheadAndNotWanted(t *testing.T) {
	s := newStand(t, 1, []string{"out"})
	p := s.ahead()
	for range 2 {
		s.nothingOpen()
		s.must(p.write("b").commit())
	}
	s.nothingOpen()
	expect(t, "visible", s.visible(), "a", "b", "b")
	for _, id := range s.transactions() {
		if slot := id[strings.LastIndex(id, "/")+1:]; slot > "2" {
			t.Errorf("id %q was used, where three would do", id)
		}
	}
}

// A writer that is given up leaves nothing open.
func TestBegunAheadAndGivenUp(t *testing.T) {
	s := newStand(t, 1, []string{"out"})
	p := s.ahead(long)
	s.must(p.w.AbortOpen(t.Context()))
	if open := s.transactions("Ongoing"); len(open) > 0 {
		t.Errorf("open are %q", open)
	}
	s.must(p.write("b").commit()) // the pool of ids is whole
	expect(t, "visible", s.visible(), "a", "b")
}

// S9: somebody else begins the id of what was begun ahead: who takes it hears of that.
func TestBegunAheadAndTakenOver(t *testing.T) {
	s := newStand(t, 1, []string{"out"})
	p := s.ahead(long)
	s.abortAll()
	hears(t, "the writer", p.attempt("b"), takenOver)
	expect(t, "visible", s.visible(), "a")
}

// S28: a process dies that has begun a transaction ahead: the next attempt ends it.
func TestBegunAheadAndDead(t *testing.T) {
	s := newStand(t, 1, []string{"out"})
	first := s.ahead(long)
	second := s.process(s.sink(long), 2, 0, 1).recover(operators.Recovery{Attempt: 2})
	if open := s.transactions("Ongoing"); len(open) > 0 {
		t.Errorf("open are %q", open)
	}
	hears(t, "the first", first.attempt("b"), takenOver)
	s.must(second.write("c").commit())
	expect(t, "visible", s.visible(), "a", "c")
}

// The coordinator of transactions is away for a while, and then is not: that is borne where
// a transaction is begun ahead, as it is elsewhere.
func TestBegunAheadWithTrouble(t *testing.T) {
	for _, key := range []kmsg.Key{kmsg.InitProducerID, kmsg.AddOffsetsToTxn, kmsg.TxnOffsetCommit, kmsg.AddPartitionsToTxn} {
		s := newStand(t, 1, []string{"out"})
		p := s.process(s.sink(long), 1, 0, 1).recover(operators.Recovery{})
		handle := p.write("a").prepare()
		away := s.fake.Fault(kfake.Fault{Keys: []kmsg.Key{key}, Err: kerr.NotCoordinator, Count: -1})
		s.must(p.w.Commit(t.Context(), handle))
		b := p.write("b")
		prepared := make(chan []byte)
		go func() { prepared <- b.prepare() }()
		s.until("trouble", func() bool { return away.Hits() > 5 })
		away.Remove()
		s.must(p.w.Commit(t.Context(), <-prepared))
		expect(t, key.Name(), s.visible(), "a", "b")
	}
}

// S8: a transaction whose marker could not be read back when its id was to be begun ahead is
// read back when the id serves again.
func TestNotReadBackAhead(t *testing.T) {
	s := newStand(t, 1, []string{"out"})
	p := s.ahead(long)
	hangs := s.fake.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.OffsetFetch}, Err: kerr.GroupAuthorizationFailed, Count: -1})
	s.must(p.write("b").commit()) // the id of "a" is to be begun ahead
	hits := hangs.Hits()
	s.must(p.w.AbortOpen(t.Context()))
	hears(t, "the writer", p.attempt("c"), "read the marker")
	if hangs.Hits() == hits {
		t.Error("the marker was not asked for again")
	}
}
