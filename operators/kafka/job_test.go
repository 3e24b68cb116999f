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

// sumsJob sums up by user, and panics at some of the records that it sees.
func (s *stand) sumsJob(sink operators.Sink[tip], seen *atomic.Int64, panics []int64, parallelism int) *operators.Topology {
	top := operators.NewTopology("sums").Parallelism(parallelism)
	source := kafka.Source(s.cluster, kafka.InTopics("in"), decodeTip, kafka.EndingAt(kafka.UntilLatest()))
	in := operators.From(top, "in", source, operators.NoWatermarks[tip]())
	risky := operators.Map(in, "risky", func(v tip) tip {
		if slices.Contains(panics, seen.Add(1)) {
			panic("a bad moment")
		}
		return v
	})
	sums := operators.Reduce(operators.KeyBy(risky, func(v tip) int64 { return v.User }), "sum", addTips)
	sums.To("out", sink)
	return top
}

// writeTips writes tips of some users, and gives how often each running sum must show.
func (s *stand) writeTips(records, users int64) (want map[tip]int) {
	s.t.Helper()
	want, sums := map[tip]int{}, map[int64]int64{}
	for i := range records {
		v := tip{i * 7919 % users, 1 + i%97}
		sums[v.User] += v.Amount
		want[tip{v.User, sums[v.User]}]++
		value := binary.LittleEndian.AppendUint64(binary.LittleEndian.AppendUint64(nil, uint64(v.User)), uint64(v.Amount))
		s.writer.Produce(s.t.Context(), &kgo.Record{Topic: "in", Partition: int32(v.User % 4), Value: value, Timestamp: time.UnixMilli(i)}, nil)
	}
	s.must(s.writer.Flush(s.t.Context()))
	return want
}

// S2, S8, S19, S20: a job from Kafka to Kafka fails again and again, is given up in the
// middle and begun anew at other parallelism: an outside reader sees each running sum of
// each user once, and no transaction is left open.
func TestKafkaToKafka(t *testing.T) {
	s := newStand(t, 4, []string{"in", "out"})
	want := s.writeTips(20_000, 50)
	store, err := dir.Open(t.TempDir()), error(nil)
	s.must(err)
	seen := &atomic.Int64{}
	for life, parallelism := range []int{2, 3, 1} {
		panics := []int64{3000, 9000, 15_000, 23_000, 24_000}
		config := cluster.Config{Store: store, Checkpoint: cluster.Every(2 * time.Millisecond), Restart: cluster.FixedDelay{Attempts: 2, Delay: time.Millisecond}, BatchRecords: 64}
		if life == 2 {
			config.Restart = cluster.FixedDelay{Attempts: 10, Delay: time.Millisecond}
		}
		if _, err = cluster.Run(t.Context(), s.sumsJob(kafka.Sink(s.cluster, "out", "sums", encodeTip), seen, panics, parallelism), config); err == nil {
			break
		}
	}
	s.must(err)
	if n := seen.Load(); n <= 24_000 {
		t.Errorf("the job has seen %d records, and cannot have failed as it should", n)
	}
	got := map[tip]int{}
	for _, v := range s.tips("out") {
		got[v]++
	}
	for v, n := range want {
		if got[v] != n {
			t.Fatalf("%+v is there %d times, want %d", v, got[v], n)
		}
	}
	if len(got) != len(want) {
		t.Errorf("%d different sums, want %d", len(got), len(want))
	}
	s.nothingOpen()
}

// tips gives what a reader of committed records sees of a topic that is not ours. It
// asks for control records, too, which tell it that it is at the end.
func (s *stand) tips(topic string) (all []tip) {
	s.t.Helper()
	c := s.connect(kgo.ConsumeTopics(topic), kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.KeepControlRecords())
	left := map[int32]int64{}
	for _, p := range s.fake.PartitionInfos(topic) {
		if p.LastStableOffset > 0 {
			left[p.Partition] = p.LastStableOffset
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

// S3, S4: the group's offsets are those of the last checkpoint when the job is told to; a
// group that cannot be committed to changes nothing, and without being told nothing is
// committed. A job that goes on reads none of it.
func TestOffsetsAreCommitted(t *testing.T) {
	s := newStand(t, 2, []string{"in", "out"})
	for i := range 500 {
		s.writer.Produce(t.Context(), &kgo.Record{Topic: "in", Partition: int32(i % 2), Value: make([]byte, 16)}, nil)
	}
	s.must(s.writer.Flush(t.Context()))
	run := func(options ...kafka.SourceOption) {
		t.Helper()
		top := operators.NewTopology("commits").Parallelism(2)
		options = append(options, kafka.EndingAt(kafka.UntilLatest()))
		operators.From(top, "in", kafka.Source(s.cluster, kafka.InTopics("in"), decodeTip, options...), operators.NoWatermarks[tip]()).To("out", kafka.Sink(s.cluster, "out", "commits", encodeTip))
		job, err := cluster.Run(t.Context(), top, cluster.Config{Checkpoint: cluster.Every(time.Millisecond)})
		s.must(err)
		if n := job.Status().Restarts; n > 0 {
			t.Errorf("the job was restarted %d times", n)
		}
	}
	run()
	if g := s.fake.GroupInfo("shop"); g != nil {
		t.Errorf("there is a group %+v, and nobody said so", g)
	}
	run(kafka.CommitTo("shop"))
	expect(t, "committed", s.committed("shop", "in", 2), "0 at 250", "1 at 250")
	s.commit("shop", "in", 0, 7)
	s.fake.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.OffsetCommit}, Err: kerr.UnknownMemberID, Count: -1})
	run(kafka.CommitTo("shop"))
	expect(t, "refused", s.committed("shop", "in", 2), "0 at 7", "1 at 250")
}

// committed gives the offsets that a group has committed.
func (s *stand) committed(group, topic string, partitions int) (all []string) {
	s.t.Helper()
	req := kmsg.NewPtrOffsetFetchRequest()
	g, tp := kmsg.NewOffsetFetchRequestGroup(), kmsg.NewOffsetFetchRequestGroupTopic()
	g.Group, tp.Topic, tp.TopicID = group, topic, s.fake.TopicInfo(topic).TopicID
	for p := range partitions {
		tp.Partitions = append(tp.Partitions, int32(p))
	}
	g.Topics = append(g.Topics, tp)
	req.Groups = append(req.Groups, g)
	resp, err := req.RequestWith(s.t.Context(), s.writer)
	s.must(err)
	for _, p := range resp.Groups[0].Topics[0].Partitions {
		all = append(all, fmt.Sprintf("%d at %d", p.Partition, p.Offset))
	}
	slices.Sort(all)
	return all
}
