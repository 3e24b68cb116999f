package kafka_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/weirflow/weir/operators"
	"github.com/weirflow/weir/operators/kafka"
	"github.com/weirflow/weir/operators/operatortest"
)

var conformFull = flag.Bool("conform.full", false, "run all scenarios of the conformance kit, under faults and on real brokers too, not a part of them")

// S8, S12, S18, S28: whatever befalls the processes that write to a topic, it has what is
// decided, once, and no transaction stays open.
func TestSinkConforms(t *testing.T) { conforms(t) }

// Output that is kept changes nothing of that.
func TestKeepingSinkConforms(t *testing.T) { conforms(t, kafka.KeepOutput(1<<20)) }

// conforms runs parts of the scenarios beside each other: on stand-ins of their own, which
// get slower with each transactional id, or some of them on one real broker.
func conforms(t *testing.T, options ...kafka.SinkOption) {
	parts, run, stand := 4, 4, func(t *testing.T) *stand { return newStand(t, 2, nil, kfake.NumBrokers(1)) }
	if onReal != nil {
		stand = newStand(t, 2, nil).on
		if !*conformFull {
			parts, run = 10, 2
		}
	}
	for part := range run {
		t.Run(fmt.Sprint("part ", part), func(t *testing.T) {
			t.Parallel()
			operatortest.Conform(t, stand(t).conforming(part, parts, nil, options...))
		})
	}
}

// S8, S12, S18, S28: neither does it matter which request to a broker fails, before the
// broker has heard of it or behind that, once or for as long as the call lasts.
func TestSinkConformsUnderFaults(t *testing.T) {
	parts, run := 16, 2
	if *conformFull {
		run = parts
	}
	var met sync.Map // the names of faults that some call has met
	t.Run("all", func(t *testing.T) {
		for part := range run {
			t.Run(fmt.Sprint("part ", part), func(t *testing.T) {
				t.Parallel()
				l := &line{}
				s := newStand(t, 2, nil, kfake.NumBrokers(1), kfake.ListenFn(l.listen))
				operatortest.Conform(t, s.conforming(part, parts, s.faults(l, &met), kafka.Patience(100*time.Millisecond)))
			})
		}
	})
	for _, f := range (&stand{}).faults(nil, nil) {
		if _, ok := met.Load(f.Name); !ok && *conformFull {
			t.Errorf("no call has met the fault %q", f.Name)
		}
	}
}

// on is the same stand for a test within its own.
func (s *stand) on(t *testing.T) *stand {
	other := *s
	other.t = t
	return &other
}

// conforming makes a topic for the scenarios of a part. Each has a prefix of its own, and of
// the topic what is behind the records of the ones before.
func (s *stand) conforming(part, parts int, faults []operatortest.ConformFault, options ...kafka.SinkOption) operatortest.ConformSink[string] {
	s.t.Helper()
	n, topic := 0, fmt.Sprint("out", part)
	s.createTopic(topic, 2)
	s.t.Cleanup(func() { s.t.Logf("%d scenarios", n) })
	options = append(options, kafka.PartitionedBy(kafka.RoundRobin))
	return operatortest.ConformSink[string]{
		Value: strconv.Itoa,
		Part:  part, Parts: parts,
		Outside: func() operatortest.ConformOutside[string] {
			n++
			prefix, begin := fmt.Sprintf("job-%d-%d", part, n), s.ends(topic, false)
			return operatortest.ConformOutside[string]{
				Sink:      mortal{kafka.Sink(s.cluster, topic, prefix, encodeText, options...)},
				Committed: func(context.Context) ([]string, error) { return s.visibleFrom(topic, begin), nil },
				Lingering: func(context.Context) ([]string, error) {
					s.settle()
					return slices.DeleteFunc(s.transactions("Ongoing"), func(id string) bool { return !strings.HasPrefix(id, prefix+"/") }), nil
				},
				Faults: faults,
			}
		},
	}
}

// mortal is a sink whose processes do nothing more once they have died. The kit lets them
// die by a panic, which does not end what Write has going on the side.
type mortal struct {
	operators.TransactionalSink[string]
}

func (s mortal) OpenTransactional(ctx context.Context, c operators.SinkContext) (operators.TransactionalWriter[string], error) {
	w, err := s.TransactionalSink.OpenTransactional(ctx, c)
	return mortalWriter{w}, err
}

type mortalWriter struct {
	operators.TransactionalWriter[string]
}

func (w mortalWriter) Write(ctx context.Context, b *operators.Batch[string]) (err error) {
	defer func() { err = errors.Join(err, kafka.AwaitBegun(ctx, w.TransactionalWriter)) }()
	return w.TransactionalWriter.Write(ctx, b)
}

func (w mortalWriter) Commit(ctx context.Context, handle []byte) error {
	err := w.TransactionalWriter.Commit(ctx, handle)
	_ = kafka.AwaitBegun(ctx, w.TransactionalWriter)
	return err
}

// faults are those of every kind of request that a sink makes. Those that a call has met
// are noted.
func (s *stand) faults(l *line, met *sync.Map) (all []operatortest.ConformFault) {
	add := func(name string, arm func() (end func() (hits int))) {
		all = append(all, operatortest.ConformFault{Name: name, Arm: func() func() {
			end := arm()
			return func() {
				if end() > 0 {
					met.Store(name, true)
				}
			}
		}})
	}
	for _, c := range []struct {
		key   kmsg.Key
		code  *kerr.Error // that passes
		final bool        // the call gives up soon when it gets no answer at all
	}{
		{kmsg.Metadata, kerr.LeaderNotAvailable, false},
		{kmsg.ListTransactions, kerr.CoordinatorLoadInProgress, false},
		{kmsg.InitProducerID, kerr.ConcurrentTransactions, true},
		{kmsg.AddPartitionsToTxn, kerr.ConcurrentTransactions, true},
		{kmsg.Produce, kerr.NotLeaderForPartition, true},
		{kmsg.AddOffsetsToTxn, kerr.CoordinatorLoadInProgress, true},
		{kmsg.TxnOffsetCommit, kerr.RequestTimedOut, true},
		{kmsg.EndTxn, kerr.CoordinatorNotAvailable, true},
		{kmsg.OffsetFetch, kerr.UnstableOffsetCommit, false},
	} {
		add(c.key.Name()+" is lost", func() func() int { return l.breaks(c.key, 1, false) })
		add(c.key.Name()+": the answer is lost", func() func() int { return l.breaks(c.key, 1, true) })
		add(c.key.Name()+": "+c.code.Message, func() func() int {
			f := s.fake.Fault(kfake.Fault{Keys: []kmsg.Key{c.key}, Err: c.code})
			return func() int { f.Remove(); return f.Hits() }
		})
		if c.final {
			add(c.key.Name()+": all answers are lost", func() func() int { return l.breaks(c.key, -1, true) })
		}
	}
	return all
}
