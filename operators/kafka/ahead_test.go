package kafka_test

import (
	"strings"
	"sync/atomic"
	"testing"

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
	p := s.ahead()
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
	p := s.ahead()
	s.must(p.w.AbortOpen(t.Context()))
	if open := s.transactions("Ongoing"); len(open) > 0 {
		t.Errorf("open are %q", open)
	}
	s.must(p.write("b").commit()) // the pool of ids is whole
	expect(t, "visible", s.visible(), "a", "b")
}

// S9: what was begun ahead belongs to who begins its id after that, who is told of is who
// takes it.
func TestBegunAheadAndTakenOver(t *testing.T) {
	s := newStand(t, 1, []string{"out"})
	p := s.ahead()
	s.abortAll()
	hears(t, "the writer", p.attempt("b"), takenOver)
	expect(t, "visible", s.visible(), "a")
}

// S28: a process dies that has begun a transaction ahead: the next attempt ends it.
func TestBegunAheadAndDead(t *testing.T) {
	s := newStand(t, 1, []string{"out"})
	first := s.ahead()
	second := s.process(s.sink(), 2, 0, 1).recover(operators.Recovery{Attempt: 2})
	if open := s.transactions("Ongoing"); len(open) > 0 {
		t.Errorf("open are %q", open)
	}
	hears(t, "the first", first.attempt("b"), takenOver)
	s.must(second.write("c").commit())
	expect(t, "visible", s.visible(), "a", "c")
}
