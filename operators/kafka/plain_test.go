package kafka_test

import (
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/weirflow/weir/cluster"
	"github.com/weirflow/weir/operators"
	"github.com/weirflow/weir/operators/kafka"
	"github.com/weirflow/weir/persistence/memory"
)

// sumsWith runs the job of sums with a sink, through four failures, and gives how often
// each sum is in the topic, how often it must be, and the last one of each user.
func (s *stand) sumsWith(sink operators.Sink[tip]) (got, want map[tip]int, last map[int64]int64) {
	s.t.Helper()
	r := &sums{records: 10_000, every: 5 * time.Millisecond, panics: []int64{1500, 4500, 7500, 11_500}}
	want = r.input(s)
	job, err := cluster.Run(s.t.Context(), r.job(s, &atomic.Int64{}, 2, sink), r.config(memory.Store(0), true))
	s.must(err)
	if n := job.Status().Restarts; n < 3 {
		s.t.Fatalf("the job was restarted %d times", n)
	}
	got, last = map[tip]int{}, map[int64]int64{}
	for _, v := range s.tips("out") {
		got[v]++
		last[v.User] = v.Amount
	}
	return got, want, last
}

// S19, S104: with a plain sink the sums are exact, each is there, and some are there twice;
// the plan says so.
func TestAtLeastOnce(t *testing.T) {
	s := newStand(t, 4, []string{"in", "out"})
	sink := kafka.AtLeastOnce(s.cluster, "out", encodeTip)
	got, want, _ := s.sumsWith(sink)
	twice := 0
	for v, n := range got {
		if n < want[v] || want[v] == 0 {
			t.Errorf("%+v is there %d times, want %d", v, n, want[v])
		}
		twice += n - want[v]
	}
	if len(got) != len(want) || twice == 0 {
		t.Errorf("%d different sums, want %d; %d repeated, want some", len(got), len(want), twice)
	}
	p, err := (&sums{}).job(s, &atomic.Int64{}, 1, sink).Build()
	s.must(err)
	if text := p.String(); !strings.Contains(text, "at least once") {
		t.Errorf("the plan does not say what is promised:\n%s", text)
	}
}

// S7: after kills and replays there are more writes than keys, and the last value of each
// key is that of a run without failures.
func TestS7_Idempotent(t *testing.T) {
	s := newStand(t, 4, []string{"in", "out"})
	got, want, last := s.sumsWith(kafka.Idempotent(s.cluster, "out", encodeTip))
	writes, total, sums := 0, 0, map[int64]int64{}
	for v, n := range got {
		writes += n
		if want[v] == 0 {
			t.Errorf("%+v is no sum", v)
		}
	}
	for v, n := range want {
		total += n
		sums[v.User] = max(sums[v.User], v.Amount) // amounts are positive
	}
	if writes <= total || len(sums) != len(last) {
		t.Errorf("%d writes, want more than %d; %d keys, want %d", writes, total, len(last), len(sums))
	}
	for user, sum := range sums {
		if last[user] != sum {
			t.Errorf("user %d: the last sum is %d, want %d", user, last[user], sum)
		}
	}
}

// plainWriter opens a writer of a sink.
func (s *stand) plainWriter(sink operators.Sink[string]) operators.Writer[string] {
	s.t.Helper()
	s.must(sink.(operators.Validator).Validate())
	w, err := sink.Open(s.t.Context(), operators.SinkContext{Operator: "sink", Now: func() int64 { return 4711 }, Step: func(string) {}})
	s.must(err)
	s.t.Cleanup(func() { s.must(w.Close()) })
	return w
}

func (s *stand) batch(values ...string) *operators.Batch[string] {
	b := &operators.Batch[string]{}
	for _, v := range values {
		b.Append(v, 1)
	}
	return b
}

// A record is out without a flush, and without more records: it does not wait for a batch
// to fill.
func TestPlainSinkDoesNotWait(t *testing.T) {
	s := newStand(t, 1, []string{"out"})
	w := s.plainWriter(kafka.AtLeastOnce(s.cluster, "out", encodeText))
	read := s.open(kafka.Source(s.cluster, kafka.InTopics("out"), text))
	for _, v := range numbers("alone ", 3) {
		s.must(w.Write(t.Context(), s.batch(v)))
		expect(t, "out", read.some("out:0", 1), v)
	}
}

// Requests that are answered with errors after they took effect, or not at all, are
// repeated: each record is there once, in order.
func TestPlainSinkGetsOverTrouble(t *testing.T) {
	s := newStand(t, 1, []string{"out"})
	w := s.plainWriter(kafka.AtLeastOnce(s.cluster, "out", encodeText, kafka.BatchBytes(300)))
	want := numbers("", 400)
	for i, f := range []kfake.Fault{
		{Keys: []kmsg.Key{kmsg.Produce}, Err: kerr.NotLeaderForPartition, Count: 2},
		{Keys: []kmsg.Key{kmsg.Produce}, Err: kerr.RequestTimedOut, Count: 2},
		{Keys: []kmsg.Key{kmsg.Produce}, Err: kerr.NotEnoughReplicas, Count: 1},
	} {
		s.fake.Fault(f)
		s.must(w.Write(t.Context(), s.batch(want[i*100:i*100+100]...)))
	}
	s.must(w.Flush(t.Context()))
	s.fake.ControlKey(kmsg.Produce.Int16(), func(kmsg.Request) (kmsg.Response, error, bool) {
		return nil, errors.New("cut the connection"), true
	})
	s.must(w.Write(t.Context(), s.batch(want[300:]...)))
	s.must(w.Flush(t.Context()))
	got, _ := s.open(kafka.Source(s.cluster, kafka.InTopics("out"), text, kafka.EndingAt(kafka.UntilLatest()))).all("out:0", 1000)
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("%d records, want %d in order: %.300q", len(got), len(want), got)
	}
}

// What is wrong is said when it is met, with the remedy.
func TestPlainSinkErrors(t *testing.T) {
	s := newStand(t, 1, []string{"out"})
	err := s.plainWriter(kafka.Idempotent(s.cluster, "out", encodeText)).Write(t.Context(), s.batch("no key"))
	if want := "a record has no key, by which the last one counts; have the Encoder set Message.Key, or use kafka.AtLeastOnce"; err == nil || err.Error() != want {
		t.Errorf("%v\nwant %s", err, want)
	}
	for want, sink := range map[string]operators.Sink[string]{
		`kafka.AtLeastOnce("out"): option kafka.TransactionTimeout: it has no transactions; leave it out, or use kafka.Sink`:                kafka.AtLeastOnce(s.cluster, "out", encodeText, kafka.TransactionTimeout(time.Second)),
		`kafka.Idempotent("out"): option kafka.Linger: its batches go out as soon as nothing is under way; leave it out, or use kafka.Sink`: kafka.Idempotent(s.cluster, "out", encodeText, kafka.Linger(time.Second)),
		`kafka.Idempotent("out"): its Encoder is nil; give it one`:                                                                          kafka.Idempotent[string](s.cluster, "out", nil),
		`kafka.AtLeastOnce("out"): option kafka.BatchBytes(0): give 1 byte to 1 GiB`:                                                        kafka.AtLeastOnce(s.cluster, "out", encodeText, kafka.BatchBytes(0)),
	} {
		if err := sink.(operators.Validator).Validate(); err == nil || err.Error() != want {
			t.Errorf("%v\nwant %s", err, want)
		}
	}
	_, err = kafka.AtLeastOnce(s.cluster, "absent", encodeText).Open(t.Context(), operators.SinkContext{})
	if want := `topic "absent" does not exist; create it, or correct its name`; err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("%v\nwant %s", err, want)
	}
}
