package kafka_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/weirflow/weir/cluster"
	"github.com/weirflow/weir/messages"
	"github.com/weirflow/weir/operators"
	"github.com/weirflow/weir/operators/kafka"
)

// copies runs a job that copies a topic to out, until the test ends, and takes checkpoints
// when it is told to. All such jobs have one prefix. Of two records it sends one at once.
func (s *stand) copies(from string) *cluster.Job {
	s.t.Helper()
	top := operators.NewTopology("copies")
	in := operators.From(top, "in", kafka.Source(s.cluster, kafka.InTopics(from), text), operators.NoWatermarks[string]())
	in.To("out", kafka.Sink(s.cluster, "out", "same", encodeText, kafka.BatchBytes(1)))
	job, err := cluster.Start(s.t.Context(), top, cluster.Config{Job: from, Restart: cluster.NoRestart{}})
	s.must(err)
	s.t.Cleanup(func() { _ = job.Wait() })
	return job
}

// saves has a job take checkpoints until something shows that they cover.
func (s *stand) saves(job *cluster.Job, value string) {
	s.t.Helper()
	s.until(value+" in out", func() bool {
		_, err := job.TriggerCheckpoint(s.t.Context())
		s.must(err)
		return slices.Contains(s.visible(), value)
	})
}

// S8, S18: a second job is started with the prefix of one that is in the middle of its
// work. The first fails, and says why; the second goes on.
func TestTwoJobsOfOnePrefix(t *testing.T) {
	s := newStand(t, 1, []string{"one", "two", "out"})
	first := s.copies("one")
	s.until("a job in the middle of its work", func() bool {
		s.write("one", 0, "a")
		return s.ends("out", true)[0] < s.ends("out", false)[0]
	})
	second := s.copies("two")
	s.write("two", 0, "b")
	s.saves(second, "b")
	_, _ = first.TriggerCheckpoint(t.Context()) // it ends by that
	var failed *cluster.FailedError
	if err := first.Wait(); !errors.As(err, &failed) || !strings.Contains(err.Error(), takenOver) {
		t.Errorf("the first job ended with %v", err)
	}
	s.write("two", 0, "c")
	s.saves(second, "c")
	expect(t, "visible", s.visible(), "b", "c")
	second.Stop(false)
	s.must(second.Wait())
}

const takenOver = "another writer has taken over the transactional id"

// Two writers of one prefix live at the same time. A transactional id belongs to who
// has begun a transaction of it last, and the other one hears of that when it goes on. But
// ids hold the attempt: jobs whose attempts have different numbers meet only when one of
// them recovers, where it ends what is open of attempts with lesser numbers. Until then
// each has what it writes in the topic, once.
func TestWritersOfOnePrefix(t *testing.T) {
	write := func(p *process) { p.s.must(kafka.AwaitBegun(p.s.t.Context(), p.write("a").w)) }
	send := func(p *process) { p.s.must(p.write("a").w.Flush(p.s.t.Context())) }
	for _, c := range []struct {
		name          string
		ahead         kafka.SinkOption
		attempts      [2]messages.Attempt
		first         func(p *process) // does this before the second begins
		told, toldToo string           // what the first and the second hear; empty: they go on
		want          []string
	}{
		{"the first has records to send", long, [2]messages.Attempt{1, 1}, write, takenOver, "", []string{"b", "c"}},
		{"the first has sent some", long, [2]messages.Attempt{1, 1}, send, takenOver, "", []string{"b", "c"}},
		{"the first has committed", long, [2]messages.Attempt{1, 1}, func(p *process) { p.s.must(p.write("a").commit()) }, takenOver, "", []string{"a", "b", "c"}},
		{"the first has committed, and nothing is begun ahead", never, [2]messages.Attempt{1, 1}, func(p *process) { p.s.must(p.write("a").commit()) }, "its marker is that of another one", "", []string{"a", "b", "c"}},
		{"the first has not written yet", long, [2]messages.Attempt{1, 1}, func(*process) {}, "", takenOver, []string{"b", "x"}},
		{"the first has not written yet, and nothing is begun ahead", never, [2]messages.Attempt{1, 1}, func(*process) {}, "", "its marker is that of another one", []string{"b", "x"}},
		{"the second has the greater attempt", long, [2]messages.Attempt{1, 2}, send, takenOver, "", []string{"b", "c"}},
		{"the second has the greater attempt, and the first has records to send", long, [2]messages.Attempt{1, 2}, write, takenOver, "", []string{"b", "c"}},
		{"the second has the greater attempt, and the broker knows nothing of the first", long, [2]messages.Attempt{1, 2}, func(*process) {}, "", "", []string{"b", "c", "x"}},
		{"the second has the lesser attempt", long, [2]messages.Attempt{2, 1}, send, "", "", []string{"a", "b", "c", "x"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newStand(t, 1, []string{"out"})
			first := s.process(s.sink(c.ahead), c.attempts[0], 0, 1).recover(operators.Recovery{})
			c.first(first)
			second := s.process(s.sink(c.ahead), c.attempts[1], 0, 1).recover(operators.Recovery{})
			s.must(second.write("b").commit())
			hears(t, "the first", first.attempt("x"), c.told)
			hears(t, "the second", second.attempt("c"), c.toldToo)
			expect(t, "visible", s.visible(), c.want...)
		})
	}
}

// What the first has prepared, and its checkpoint holds, is not lost without a word.
func TestPreparedAndTakenOver(t *testing.T) {
	for _, attempts := range [][2]messages.Attempt{{1, 1}, {1, 2}} {
		s := newStand(t, 1, []string{"out"})
		first := s.process(s.sink(), attempts[0], 0, 1).recover(operators.Recovery{}).write("a")
		handle := first.prepare()
		second := s.process(s.sink(), attempts[1], 0, 1).recover(operators.Recovery{})
		s.must(second.write("b").commit())
		if err := first.w.Commit(t.Context(), handle); !errors.Is(err, operators.ErrInDoubt) || !strings.Contains(err.Error(), "somebody else began a transaction of its id") {
			t.Errorf("attempts %d: the first hears %v", attempts, err)
		}
		expect(t, "visible", s.visible(), "b")
	}
}

// What has all been sent is taken over, too, before it is prepared.
func TestSentAndTakenOver(t *testing.T) {
	s := newStand(t, 1, []string{"out"})
	first := s.process(s.sink(), 1, 0, 1).recover(operators.Recovery{}).write("a")
	s.must(first.w.Flush(t.Context()))
	s.process(s.sink(), 1, 0, 1).recover(operators.Recovery{})
	hears(t, "the first", first.commit(), takenOver)
}

// attempt writes a value and commits it, if it can.
func (p *process) attempt(value string) error {
	b := &operators.Batch[string]{}
	b.Append(value, 1)
	if err := p.w.Write(p.s.t.Context(), b); err != nil {
		return err
	}
	return p.commit()
}

// commit prepares and commits, and waits for what is begun ahead then.
func (p *process) commit() error {
	handle, err := p.w.Prepare(p.s.t.Context())
	if err != nil {
		return err
	}
	if err := p.w.Begin(p.s.t.Context()); err != nil {
		return err
	}
	return errors.Join(p.w.Commit(p.s.t.Context(), handle), kafka.AwaitBegun(p.s.t.Context(), p.w))
}

func hears(t *testing.T, who string, err error, want string) {
	t.Helper()
	if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
		t.Errorf("%s hears %v, want %q", who, err, want)
	}
}
