//go:build kafka

package kafka_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/weirflow/weir/cluster"
	"github.com/weirflow/weir/messages"
	"github.com/weirflow/weir/operators"
	"github.com/weirflow/weir/operators/kafka"
	"github.com/weirflow/weir/persistence/dir"
)

// lost are the cases in which other sinks lose records, or write them twice. In each a
// checkpoint is complete and the job ends before what that covers is committed. Then
// something happens to the transactions, and the job's next life is to make up for them.
var lost = []struct {
	name    string
	lives   [2]int // parallelism of the first and the second
	options []kafka.SinkOption
	between func(s *stand, kill func() error)
	want    outcome
}{
	// S8, S18: what the broker has aborted is written again.
	{"down for too long, and output is kept", [2]int{2, 2}, []kafka.SinkOption{shortLived, kafka.KeepOutput(1 << 20)}, givenUp, exact},
	// S18: what cannot be made up for is told.
	{"down for too long, and output is not kept", [2]int{2, 2}, []kafka.SinkOption{shortLived}, givenUp, inDoubt},
	// S8, S20: the decision is in the job's checkpoint, and the transactions outlive the broker.
	{"the coordinator dies", [2]int{2, 2}, nil, killed, exact},
	// S18, S20: a subtask that is gone leaves what it has prepared to those that are there.
	{"four subtasks were there, and one is left", [2]int{4, 1}, nil, killed, exact},
	{"one subtask was there, and four come", [2]int{1, 4}, nil, killed, exact},
}

// outcome is how the topic is in the end.
type outcome string

const (
	exact   outcome = "each sum is there once"
	inDoubt outcome = "so it is but for those that the job reports as in doubt"
)

var shortLived = kafka.TransactionTimeout(5 * time.Second)

// givenUp waits until the broker has aborted what nobody has committed.
func givenUp(s *stand, _ func() error) {
	s.t.Helper()
	s.until("the broker gives the transactions up", func() bool { return len(s.transactions("Ongoing")) == 0 })
	s.settle()
}

// killed has the broker die, which has all transactions, and come back.
func killed(s *stand, kill func() error) {
	s.t.Helper()
	s.must(kill())
}

// S8, S18, S20: nothing is lost and nothing is there twice, or it is said what.
func testNothingIsLost(t *testing.T, kill func() error) {
	for _, c := range lost {
		t.Run(c.name, func(t *testing.T) {
			s := newStand(t, 4, []string{"in", "out"})
			held, seen, store := &atomic.Bool{}, &atomic.Int64{}, dir.Open(t.TempDir())
			r, stop := heldUp(held)
			defer stop()
			want := r.input(s)
			sink := kafka.Sink(s.cluster, "out", "sums", encodeTip, c.options...)
			first := r.config(store, false)
			first.Restart = cluster.NoRestart{}
			if _, err := cluster.Run(t.Context(), r.job(s, seen, c.lives[0], heldBack{sink, held}), first); err == nil || !strings.Contains(err.Error(), errHeld.Error()) {
				t.Fatalf("the first life ended with %v", err)
			}
			if len(s.transactions("Ongoing")) == 0 {
				t.Error("no transaction is prepared, and nothing to make up for")
			}
			c.between(s, kill)
			job, err := cluster.Run(t.Context(), r.job(s, seen, c.lives[1], sink), r.config(store, true))
			if c.want == inDoubt {
				s.takeDoubts(want, job, err)
			} else {
				s.must(err)
			}
			s.sumsAre(want)
		})
	}
}

// heldUp is a job whose commits are held back from the middle of its input on.
func heldUp(held *atomic.Bool) (r *sums, stop func()) {
	pace := time.NewTicker(time.Millisecond) // for work to last longer than a checkpoint
	return &sums{records: 50_000, every: 50 * time.Millisecond, onSeen: func(n int64) {
		if n >= 20_000 {
			held.Store(true)
		}
		if n%100 == 0 {
			<-pace.C
		}
	}}, pace.Stop
}

// takeDoubts takes off what is to be there all that a job has reported as in doubt: at
// its end, and in its status. The reports are all that is used of them, as by people.
func (s *stand) takeDoubts(want map[tip]int, job *cluster.Job, err error) {
	s.t.Helper()
	var doubts *cluster.InDoubtError
	if !errors.As(err, &doubts) || len(doubts.InDoubt) == 0 {
		s.t.Fatalf("the second life ended with %v, want transactions in doubt", err)
	}
	var atEnd, inStatus []string
	for _, d := range doubts.InDoubt {
		atEnd = append(atEnd, d.GetReason())
	}
	for _, d := range job.Status().InDoubt {
		inStatus = append(inStatus, d.GetReason())
	}
	expect(s.t, "in the status", sorted(inStatus), sorted(atEnd)...)
	if state := job.Status().State; state != cluster.Finished {
		s.t.Errorf("the job is %s, and was to go on to its end", state)
	}
	for _, d := range doubts.InDoubt {
		s.takeDoubt(want, d)
	}
	maps.DeleteFunc(want, func(_ tip, n int) bool { return n == 0 })
}

var (
	doubtful = regexp.MustCompile(`transaction "sums/out/\d+/\d+/\d+" \(producer (\d+), epoch (\d+)\)((, out:\d+ offsets \d+ to \d+ with \d+ records)+)`)
	ranges   = regexp.MustCompile(`out:(\d+) offsets (\d+) to (\d+) with (\d+) records`)
)

// takeDoubt takes off what a reader of uncommitted records sees of a transaction, where
// the report says that it is.
func (s *stand) takeDoubt(want map[tip]int, d *messages.InDoubt) {
	s.t.Helper()
	said := doubtful.FindStringSubmatch(d.GetReason())
	if said == nil {
		s.t.Fatalf("the report does not say which records they are: %s", d.GetReason())
	}
	for _, at := range ranges.FindAllStringSubmatch(said[3], -1) {
		var producer, first, last, records int64
		var epoch int16
		var partition int32
		_, err := fmt.Sscan(strings.Join(append(said[1:3:3], at[1:]...), " "), &producer, &epoch, &partition, &first, &last, &records)
		s.must(err)
		for _, r := range s.uncommitted("out", partition, first, last) {
			if r.ProducerID != producer || r.ProducerEpoch != epoch {
				continue // of another subtask
			}
			v, err := decodeTip(&kafka.Record{Value: r.Value})
			s.must(err)
			want[v]--
			records--
		}
		if records != 0 {
			s.t.Errorf("%s are said to be in doubt, and there are %d less", at[0], records)
		}
	}
}

// uncommitted gives all records of a partition from one offset to another.
func (s *stand) uncommitted(topic string, partition int32, first, last int64) (all []*kgo.Record) {
	s.t.Helper()
	from := map[string]map[int32]kgo.Offset{topic: {partition: kgo.NewOffset().At(first)}}
	c := s.connect(kgo.ConsumePartitions(from), kgo.KeepControlRecords())
	for at := int64(-1); at < last; {
		fetches := c.PollFetches(s.t.Context())
		s.must(fetches.Err())
		fetches.EachRecord(func(r *kgo.Record) {
			if at = r.Offset; at <= last && !r.Attrs.IsControl() {
				all = append(all, r)
			}
		})
	}
	return all
}

// heldBack is a sink whose commits fail while they are held, as if its process had died
// between a checkpoint and the commit.
type heldBack struct {
	operators.TransactionalSink[tip]
	held *atomic.Bool
}

type heldWriter struct {
	operators.TransactionalWriter[tip]
	held *atomic.Bool
}

func (h heldBack) Open(ctx context.Context, c operators.SinkContext) (operators.Writer[tip], error) {
	return h.OpenTransactional(ctx, c)
}

func (h heldBack) OpenTransactional(ctx context.Context, c operators.SinkContext) (operators.TransactionalWriter[tip], error) {
	w, err := h.TransactionalSink.OpenTransactional(ctx, c)
	return heldWriter{w, h.held}, err
}

var errHeld = errors.New("the commit is held back")

func (w heldWriter) Commit(ctx context.Context, handle []byte) error {
	if w.held.Load() {
		return errHeld
	}
	return w.TransactionalWriter.Commit(ctx, handle)
}
