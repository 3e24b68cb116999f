package kafka_test

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/weirflow/weir/messages"
	"github.com/weirflow/weir/operators"
	"github.com/weirflow/weir/operators/kafka"
)

// recent has a handle be prepared now: the tests' nodes have a clock of their own.
func recent(handle []byte) []byte {
	return bytes.Replace(handle, []byte(`"prepared":4711`), fmt.Appendf(nil, `"prepared":%d`, time.Now().UnixMilli()), 1)
}

// examine gives a doubt, which must be in a state.
func (s *stand) examine(handle []byte, want kafka.DoubtState) *kafka.Doubt {
	s.t.Helper()
	d, err := kafka.InDoubt(s.t.Context(), s.cluster, handle)
	s.must(err)
	if d.State != want || (d.Why != "") != (want == kafka.Unknown) {
		s.t.Fatalf("%s is %s (%s), want %s", d.ID, d.State, d.Why, want)
	}
	return d
}

// prepared gives the handle of a transaction whose batches lie between those of others.
func (s *stand) prepared(sink operators.TransactionalSink[string], attempt messages.Attempt, values ...string) []byte {
	s.t.Helper()
	p := s.process(sink, attempt, 0, 1).recover(operators.Recovery{})
	other := s.begin(fmt.Sprint("other", attempt), "out", 0, "of another transaction")
	for _, some := range [][]string{values[:len(values)/2], values[len(values)/2:]} {
		p.write(some...)
		s.must(p.w.Flush(s.t.Context()))
		s.write("out", 0, "of others")
		s.send(other, "out", 0, "of another transaction")
	}
	handle := recent(p.prepare())
	s.end(other, false)
	return handle
}

// recordsOf gives the values of a doubt's records, sorted.
func (s *stand) recordsOf(d *kafka.Doubt) (values []string) {
	s.t.Helper()
	for r, err := range d.Records(s.t.Context()) {
		s.must(err)
		values = append(values, string(r.Value))
	}
	slices.Sort(values)
	return values
}

// A doubt says what the transaction was and what became of it, and changes nothing.
func TestDoubtIsExamined(t *testing.T) {
	s := newStand(t, 2, []string{"out"})
	sink := s.sink(kafka.BatchBytes(200), kafka.PartitionedBy(oneByOne))
	p := s.process(sink, 1, 0, 1).recover(operators.Recovery{}).write("a", "b", "c")
	handle := recent(p.prepare())
	d := s.examine(handle, kafka.Open)
	if got, want := fmt.Sprintf("%s %s %v %d", d.ID, d.Topic, d.Ranges, d.Kept), "job/sink/0/1/0 out [{0 1 2 2} {1 0 0 1}] 0"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if age := time.Since(d.Prepared); age > time.Minute || age < -time.Minute {
		t.Errorf("prepared %v ago", age)
	}
	expect(t, "records of an open one", s.recordsOf(d), "a", "b", "c")
	s.must(p.w.Commit(t.Context(), handle))
	expect(t, "records", s.recordsOf(s.examine(handle, kafka.Committed)), "a", "b", "c")
	for range 3 { // of the same id, or not
		later := p.write("later").prepare()
		s.examine(handle, kafka.Committed)
		s.must(p.w.Commit(t.Context(), later))
	}
	second := recent(p.write("aborted").prepare())
	s.abortAll()
	expect(t, "records of an aborted one", s.recordsOf(s.examine(second, kafka.Aborted)), "aborted")
	old := recent(s.process(sink, 2, 0, 1).recover(operators.Recovery{}).write("old").prepare())
	s.abortAll()
	s.examine(old, kafka.Aborted)
	old = []byte(strings.Replace(string(old), `"prepared":`, `"prepared":-`, 1))
	if d := s.examine(old, kafka.Unknown); !strings.Contains(d.Why, "its marker may have expired") {
		t.Errorf("why: %s", d.Why)
	}
	another := s.process(sink, 2, 0, 1).recover(operators.Recovery{}).write("of another life")
	s.must(another.w.Commit(t.Context(), another.prepare()))
	d = s.examine(recent(old), kafka.Unknown)
	if err := d.WriteAgain(t.Context()); err == nil || !strings.Contains(err.Error(), "somebody else has used its id since, so that its marker is gone. Look whether readers of committed records see these offsets") {
		t.Errorf("written again: %v", err)
	}
	if _, err := kafka.InDoubt(t.Context(), s.cluster, []byte("{}\n")); err == nil || !strings.Contains(err.Error(), "it has no transactional id") {
		t.Errorf("no handle: %v", err)
	}
}

// S18: what was aborted, or is still open, is written again, once, from the handle or the
// log, however often and by whom.
func TestDoubtIsWrittenAgain(t *testing.T) {
	for _, c := range []struct {
		name    string
		options []kafka.SinkOption
		open    bool
	}{
		{"from the log", []kafka.SinkOption{kafka.Compressed(kafka.Zstd)}, false},
		{"from the handle", []kafka.SinkOption{kafka.KeepOutput(1 << 20)}, false},
		{"too much was kept", []kafka.SinkOption{kafka.KeepOutput(1)}, false},
		{"open", nil, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newStand(t, 3, []string{"out"})
			want := sorted(numbers("value ", 60))
			sink := s.sink(append(c.options, kafka.BatchBytes(200), kafka.PartitionedBy(oneByOne))...)
			handle := s.prepared(sink, 1, want...)
			state := kafka.Open
			if !c.open {
				s.abortAll()
				state = kafka.Aborted
			}
			d := s.examine(handle, state)
			expect(t, "records", s.recordsOf(d), want...)
			for range 2 {
				s.must(d.WriteAgain(t.Context()))
				s.must(s.examine(handle, kafka.Committed).WriteAgain(t.Context()))
			}
			if d.State != kafka.Committed {
				t.Errorf("it is %s", d.State)
			}
			p := s.process(sink, 2, 0, 1)
			s.must(p.w.Commit(t.Context(), handle))
			p.recover(operators.Recovery{Commit: [][]byte{handle}, Keep: [][]byte{handle}, Restored: true})
			expect(t, "once", s.visible(), append([]string{"of others", "of others"}, want...)...)
			s.nothingOpen()
		})
	}
}

// Output of which some is gone is not written again, and nobody's transaction is ended.
func TestDoubtIsGone(t *testing.T) {
	s := newStand(t, 2, []string{"out"})
	p := s.process(s.sink(kafka.BatchBytes(1), kafka.PartitionedBy(oneByOne)), 1, 0, 1).recover(operators.Recovery{})
	s.write("out", 0, "before")
	handle := recent(p.write(numbers("", 8)...).prepare())
	s.abortAll()
	s.deleteRecords("out", 0, 4)
	s.deleteRecords("out", 1, 5)
	d := s.examine(handle, kafka.Aborted)
	var left []string
	var why error
	for r, err := range d.Records(t.Context()) {
		if why = err; err == nil {
			left = append(left, string(r.Value))
		}
	}
	expect(t, "what is left", left, "4", "6")
	for _, err := range []error{why, d.WriteAgain(t.Context())} {
		if err == nil || !strings.Contains(err.Error(), "out:0: of the 4 records at offsets 2 to 5 the log has 2; retention or compaction has removed the others") || !strings.Contains(err.Error(), "out:1: of the 4 records at offsets 0 to 3 the log has 0") {
			t.Errorf("got %v", err)
		}
	}
	expect(t, "nothing", s.visible())
	s.nothingOpen()
	s.deleteTopic("out")
	s.createTopic("out", 1)
	if err := d.WriteAgain(t.Context()); err == nil || !strings.Contains(err.Error(), "out:1 is gone: the topic has 1 partitions now") {
		t.Errorf("got %v", err)
	}
}

// S18: two write the same transaction again: one has looked at it before the other did it.
func TestDoubtIsWrittenAgainByTwo(t *testing.T) {
	for _, options := range [][]kafka.SinkOption{nil, {kafka.KeepOutput(1 << 20)}} {
		s := newStand(t, 2, []string{"out"})
		want := sorted(numbers("value ", 40))
		handle := s.prepared(s.sink(append(options, kafka.PartitionedBy(oneByOne))...), 1, want...)
		s.abortAll()
		held, release, first := make(chan struct{}), make(chan struct{}), atomic.Bool{}
		s.fake.ControlKey(kmsg.InitProducerID.Int16(), func(kmsg.Request) (kmsg.Response, error, bool) {
			if first.CompareAndSwap(false, true) {
				close(held)
				s.fake.SleepControl(func() { <-release })
			}
			return nil, nil, false
		})
		early, late := s.examine(handle, kafka.Aborted), s.examine(handle, kafka.Aborted)
		done := make(chan error)
		go func() { done <- late.WriteAgain(t.Context()) }()
		<-held
		s.must(early.WriteAgain(t.Context()))
		close(release)
		s.must(<-done)
		expect(t, "once", s.visible(), append([]string{"of others", "of others"}, want...)...)
		s.nothingOpen()
	}
}

// Any number of them, at the same time, and a job beside them.
func TestDoubtIsWrittenAgainByMany(t *testing.T) {
	for _, options := range [][]kafka.SinkOption{nil, {kafka.KeepOutput(1 << 20)}} {
		s := newStand(t, 2, []string{"out"})
		want := sorted(numbers("value ", 40))
		sink := s.sink(append(options, kafka.PartitionedBy(oneByOne))...)
		handle := s.prepared(sink, 1, want...)
		s.abortAll()
		var doubts []*kafka.Doubt
		for range 3 {
			doubts = append(doubts, s.examine(handle, kafka.Aborted))
		}
		var all sync.WaitGroup
		for _, d := range doubts {
			all.Go(func() {
				for d.WriteAgain(t.Context()) != nil && t.Context().Err() == nil { // another one was at it
				}
			})
		}
		if options != nil {
			p := s.process(sink, 2, 0, 1)
			all.Go(func() {
				for p.w.Commit(t.Context(), handle) != nil && t.Context().Err() == nil {
				}
			})
		}
		all.Wait()
		expect(t, "once", s.visible(), append([]string{"of others", "of others"}, want...)...)
		s.nothingOpen()
	}
}
