package kafka_test

import (
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/weirflow/weir/operators"
	"github.com/weirflow/weir/operators/kafka"
)

// A request stays below what brokers take, however many partitions have something, and
// none of these waits for another one's second turn.
func TestRequestsAreBounded(t *testing.T) {
	const partitions, twice, size, bound = 60, 20, 300 << 10, 16 << 20
	s := newStand(t, partitions, []string{"out"}, kfake.NumBrokers(1))
	p := s.process(s.sink(kafka.BatchBytes(size), kafka.Linger(time.Hour), kafka.PartitionedBy(oneByOne)), 1, 0, 1).recover(operators.Recovery{})
	held, release, early, turns := make(chan struct{}), make(chan struct{}), map[int32]bool{}, map[int32]int{}
	s.fake.ControlKey(kmsg.Produce.Int16(), func(r kmsg.Request) (kmsg.Response, error, bool) {
		s.fake.KeepControl()
		bytes, begun := 0, len(early) > 0
		for _, p := range r.(*kmsg.ProduceRequest).Topics[0].Partitions {
			if bytes += len(p.Records); begun {
				turns[p.Partition]++
			} else {
				early[p.Partition] = true // while the others are written
			}
		}
		if bytes > bound {
			t.Errorf("a request has %d bytes of batches, want at most %d", bytes, bound)
		}
		if !begun {
			close(held)
			s.fake.SleepControl(func() { <-release })
			return nil, nil, false
		}
		if slices.Max(slices.Collect(maps.Values(turns))) > 1 && len(turns) < partitions {
			t.Errorf("a partition has a second turn, and %d of %d have had one", len(turns), partitions)
		}
		return nil, nil, false
	})
	value := strings.Repeat("x", size)
	for range partitions + twice {
		p.write(value)
	}
	<-held
	prepared := make(chan []byte)
	go func() { prepared <- p.prepare() }()
	s.until("all batches wait", func() bool { return kafka.Waiting(p.w) >= (partitions+twice)*size })
	close(release)
	s.must(p.w.Commit(t.Context(), <-prepared))
	if n := len(s.visible()); n != partitions+twice {
		t.Errorf("%d records are there, want %d", n, partitions+twice)
	}
}

// oneByOne takes partitions one after the other.
func oneByOne() kafka.Partitioner {
	n := int32(-1)
	return func(_ *kafka.Message, partitions int32) int32 {
		n++
		return n % partitions
	}
}
