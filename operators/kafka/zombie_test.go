package kafka_test

import (
	"errors"
	"testing"
	"time"

	"github.com/weirflow/weir/messages"
	"github.com/weirflow/weir/operators"
	"github.com/weirflow/weir/operators/kafka"
)

// handOver is an attempt that has prepared a record, and its successor, which has
// committed that; the first has not heard of the second.
func (s *stand) handOver() (first, second *process, prepared []byte) {
	s.t.Helper()
	first = s.process(s.sink(), 1, 0, 1).recover(operators.Recovery{}).write("a")
	prepared = first.prepare()
	second = s.process(s.sink(), 2, 0, 1).recover(operators.Recovery{Commit: [][]byte{prepared}, Keep: [][]byte{prepared}, Restored: true})
	return first, second, prepared
}

// S18, S28: whatever an attempt does that has not heard of its successor, what the
// successor has prepared is committed, and nothing else.
func TestZombiesDoNoHarm(t *testing.T) {
	for _, c := range []struct {
		name   string
		zombie func(first *process, prepared []byte)
	}{
		{"it commits", func(first *process, prepared []byte) { first.s.must(first.w.Commit(first.s.t.Context(), prepared)) }},
		{"it goes on", func(first *process, _ []byte) { first.write("of a zombie").prepare() }},
		{"it is late to recover", func(first *process, _ []byte) {
			late := first.s.process(first.s.sink(), 1, 0, 1)
			first.s.must(late.w.Recover(first.s.t.Context(), operators.Recovery{Parallelism: 1}))
		}},
		{"it aborts", func(first *process, _ []byte) { first.s.must(first.write("x").w.AbortOpen(first.s.t.Context())) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newStand(t, 1, []string{"out"})
			first, second, prepared := s.handOver()
			b, c2 := second.write("b").prepare(), second.write("c").prepare()
			c.zombie(first, prepared)
			s.must(second.w.Commit(t.Context(), b))
			s.must(second.w.Commit(t.Context(), c2))
			third := s.process(s.sink(), 3, 0, 1)
			third.recover(operators.Recovery{Commit: [][]byte{c2}, Keep: [][]byte{c2}, Restored: true})
			expect(t, "at the end", s.visible(), "a", "b", "c")
			s.nothingOpen()
		})
	}
}

// aborted gives the handle of a transaction that the broker has aborted since. What is
// written behind it shows that it has.
func (s *stand) aborted(attempt messages.Attempt, value string) []byte {
	s.t.Helper()
	handle := s.process(s.sink(kafka.TransactionTimeout(3*time.Second)), attempt, 0, 1).recover(operators.Recovery{}).write(value).prepare()
	behind := s.ends("out", false)[0]
	s.write("out", 0, "behind "+value)
	from := kafka.FromOffsets(map[string]map[int32]int64{"out": {0: behind}})
	r := s.open(kafka.Source(s.cluster, kafka.InTopics("out"), text, kafka.StartingAt(from)))
	r.some("out:0", 1)
	s.must(r.readers["out:0"].Close())
	return handle
}

// S18: a transaction that was aborted is never taken for one that was committed: not for
// one of an earlier life of the job, whose attempts had greater numbers, and not after
// later attempts, or the same one, have committed others.
func TestAbortedIsNeverCommitted(t *testing.T) {
	s := newStand(t, 1, []string{"out"})
	old := s.process(s.sink(kafka.TransactionTimeout(3*time.Second)), 1, 0, 1).recover(operators.Recovery{})
	for _, v := range []string{"old 1", "old 2"} {
		s.must(old.write(v).w.Commit(t.Context(), old.prepare()))
	}
	handle := s.aborted(1, "lost")
	for attempt := range messages.Attempt(3) {
		p := s.process(s.sink(kafka.TransactionTimeout(3*time.Second)), 1+attempt, 0, 1)
		if err := p.w.Commit(t.Context(), handle); !errors.Is(err, operators.ErrInDoubt) {
			t.Errorf("attempt %d: %v, want it in doubt", attempt, err)
		}
		p.recover(operators.Recovery{})
		s.must(p.write("new").w.Commit(t.Context(), p.prepare()))
		if err := p.w.Commit(t.Context(), handle); !errors.Is(err, operators.ErrInDoubt) {
			t.Errorf("attempt %d, later: %v, want it in doubt", attempt, err)
		}
	}
}

// Sinks whose prefix and operator have the same letters together are not the same.
func TestSinksAreApart(t *testing.T) {
	s := newStand(t, 1, []string{"out"})
	open := func(prefix, operator string, attempt messages.Attempt) *process {
		w, err := kafka.Sink(s.cluster, "out", prefix, encodeText).OpenTransactional(t.Context(), operators.SinkContext{
			Operator: messages.OperatorID(operator), Parallelism: 1, Attempt: attempt, Now: func() int64 { return 0 }, Step: func(string) {},
		})
		s.must(err)
		t.Cleanup(func() { w.Close() })
		return (&process{s, w}).recover(operators.Recovery{})
	}
	one := open("job", "a/b", 1).write("one")
	handle := one.prepare()
	open("job-a", "b", 2)
	open("job", "a", 2)
	open("jo", "b/a/b", 2)
	s.must(one.w.Commit(t.Context(), handle))
	expect(t, "one", s.visible(), "one")
}
