package kafka_test

import (
	"encoding/binary"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/weirflow/weir/cluster"
	"github.com/weirflow/weir/operators"
	"github.com/weirflow/weir/operators/kafka"
	"github.com/weirflow/weir/persistence"
	"github.com/weirflow/weir/persistence/dir"
)

// tip is what the job of this file reads and writes: a record of a user, and the sum of
// all that user's records so far.
type tip struct{ User, Amount int64 }

func decodeTip(r *kafka.Record) (tip, error) {
	if len(r.Value) != 16 {
		return tip{}, fmt.Errorf("%d bytes, want 16", len(r.Value))
	}
	return tip{int64(binary.LittleEndian.Uint64(r.Value)), int64(binary.LittleEndian.Uint64(r.Value[8:]))}, nil
}

func encodeTip(m *kafka.Message, v tip) error {
	m.ValueBuffer = binary.LittleEndian.AppendUint64(binary.LittleEndian.AppendUint64(m.ValueBuffer[:0], uint64(v.User)), uint64(v.Amount))
	m.Value, m.Key = m.ValueBuffer, m.ValueBuffer[:8]
	return nil
}

func addTips(a, b tip) tip { return tip{a.User, a.Amount + b.Amount} }

// sums is a run of a job that sums up by user.
type sums struct {
	records int64
	every   time.Duration // between checkpoints
	panics  []int64       // at these of the records that the job sees, repeated ones among them
	lives   []int         // parallelism of each; all but the last are given up after three failures
	onSeen  func(n int64) // hears of each record that is seen; nil: nobody does
}

// job panics at some of the records that it sees.
func (r *sums) job(s *stand, seen *atomic.Int64, parallelism int, sink operators.Sink[tip]) *operators.Topology {
	top := operators.NewTopology("sums").Parallelism(parallelism)
	source := kafka.Source(s.cluster, kafka.InTopics("in"), decodeTip, kafka.EndingAt(kafka.UntilLatest()))
	in := operators.From(top, "in", source, operators.NoWatermarks[tip]())
	risky := operators.Map(in, "risky", func(v tip) tip {
		n := seen.Add(1)
		if slices.Contains(r.panics, n) {
			panic("a bad moment")
		}
		if r.onSeen != nil {
			r.onSeen(n)
		}
		return v
	})
	operators.Reduce(operators.KeyBy(risky, func(v tip) int64 { return v.User }), "sum", addTips).To("out", sink)
	return top
}

// input writes what the job reads, and gives what it is to write.
func (r *sums) input(s *stand) (want map[tip]int) {
	s.t.Helper()
	const users = 50
	want = map[tip]int{}
	totals := map[int64]int64{}
	for i := range r.records {
		v := tip{i * 7919 % users, 1 + i%97}
		totals[v.User] += v.Amount
		want[tip{v.User, totals[v.User]}]++
		value := binary.LittleEndian.AppendUint64(binary.LittleEndian.AppendUint64(nil, uint64(v.User)), uint64(v.Amount))
		s.writer.Produce(s.t.Context(), &kgo.Record{Topic: "in", Partition: int32(v.User % 4), Value: value, Timestamp: time.UnixMilli(i)}, nil)
	}
	s.must(s.writer.Flush(s.t.Context()))
	return want
}

// config gives up after three failures, unless it is for the last life.
func (r *sums) config(store persistence.CheckpointStore, last bool) cluster.Config {
	restart := cluster.FixedDelay{Attempts: 2, Delay: time.Millisecond}
	if last {
		restart.Attempts = 10
	}
	return cluster.Config{Store: store, Checkpoint: cluster.Every(r.every), Restart: restart, BatchRecords: 64}
}

// run demands that an outside reader sees each running sum of each user once, and that no
// transaction is left open.
func (r *sums) run(s *stand) {
	s.t.Helper()
	want, store, seen := r.input(s), dir.Open(s.t.TempDir()), &atomic.Int64{}
	var err error
	for life, parallelism := range r.lives {
		top := r.job(s, seen, parallelism, kafka.Sink(s.cluster, "out", "sums", encodeTip))
		if _, err = cluster.Run(s.t.Context(), top, r.config(store, life == len(r.lives)-1)); err == nil {
			break
		}
	}
	s.must(err)
	if n := seen.Load(); n <= slices.Max(r.panics) {
		s.t.Errorf("the job has seen %d records, and cannot have failed as it should", n)
	}
	s.sumsAre(want)
}

func (s *stand) sumsAre(want map[tip]int) {
	s.t.Helper()
	s.nothingOpen()
	got := map[tip]int{}
	for _, v := range s.tips("out") {
		got[v]++
	}
	for v, n := range want {
		if got[v] != n {
			s.t.Fatalf("%+v is there %d times, want %d", v, got[v], n)
		}
	}
	if len(got) != len(want) {
		s.t.Errorf("%d different sums, want %d", len(got), len(want))
	}
}

// S2, S8, S19, S20: a job from Kafka to Kafka fails again and again, is given up in the
// middle and begun anew at other parallelism: an outside reader sees each running sum of
// each user once, and no transaction is left open.
func TestKafkaToKafka(t *testing.T) {
	r := &sums{records: 20_000, every: 2 * time.Millisecond, panics: []int64{3000, 9000, 15_000, 23_000, 24_000}, lives: []int{2, 3, 1}}
	r.run(newStand(t, 4, []string{"in", "out"}))
}

// tips gives what a reader of committed records sees of a topic that is not ours. It
// asks for control records, too, which tell it that it is at the end.
func (s *stand) tips(topic string) (all []tip) {
	s.t.Helper()
	c := s.connect(kgo.ConsumeTopics(topic), kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.KeepControlRecords())
	left := map[int32]int64{}
	for p, end := range s.ends(topic, true) {
		if end > 0 {
			left[p] = end
		}
	}
	for len(left) > 0 {
		fetches := c.PollFetches(s.t.Context())
		s.must(fetches.Err())
		fetches.EachRecord(func(r *kgo.Record) {
			if r.Offset+1 == left[r.Partition] {
				delete(left, r.Partition)
			}
			if r.Attrs.IsControl() {
				return
			}
			v, err := decodeTip(&kafka.Record{Value: r.Value})
			s.must(err)
			all = append(all, v)
		})
	}
	return all
}

// commits runs a job to the end of its topic.
func (s *stand) commits(options ...kafka.SourceOption) {
	s.t.Helper()
	top := operators.NewTopology("commits").Parallelism(2)
	options = append(options, kafka.EndingAt(kafka.UntilLatest()))
	operators.From(top, "in", kafka.Source(s.cluster, kafka.InTopics("in"), decodeTip, options...), operators.NoWatermarks[tip]()).To("out", kafka.Sink(s.cluster, "out", "commits", encodeTip))
	job, err := cluster.Run(s.t.Context(), top, cluster.Config{Checkpoint: cluster.Every(time.Millisecond)})
	s.must(err)
	if n := job.Status().Restarts; n > 0 {
		s.t.Errorf("the job was restarted %d times", n)
	}
}

// zeros is a stand with 500 records in the two partitions of a topic.
func zeros(t *testing.T) *stand {
	t.Helper()
	s := newStand(t, 2, []string{"in", "out"})
	for i := range 500 {
		s.writer.Produce(t.Context(), &kgo.Record{Topic: "in", Partition: int32(i % 2), Value: make([]byte, 16)}, nil)
	}
	s.must(s.writer.Flush(t.Context()))
	return s
}

// S3, S4: the group's offsets are those of the last checkpoint when the job is told to;
// without being told nothing is committed. A job that goes on reads none of it.
func TestOffsetsAreCommitted(t *testing.T) {
	s := zeros(t)
	s.commits()
	expect(t, "nobody said so", s.committed("shop", "in"))
	s.commits(kafka.CommitTo("shop"))
	expect(t, "committed", s.committed("shop", "in"), "0 at 250", "1 at 250")
	s.commit("shop", "in", 0, 7)
	s.commits()
	expect(t, "not read", s.committed("shop", "in"), "0 at 7", "1 at 250")
}

// S4: a group that cannot be committed to changes nothing.
func TestOffsetsAreRefused(t *testing.T) {
	s := zeros(t)
	s.commit("shop", "in", 0, 7)
	s.fake.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.OffsetCommit}, Err: kerr.UnknownMemberID, Count: -1})
	s.commits(kafka.CommitTo("shop"))
	expect(t, "refused", s.committed("shop", "in"), "0 at 7")
}
