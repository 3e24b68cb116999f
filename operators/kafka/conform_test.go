package kafka_test

import (
	"context"
	"flag"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kfake"

	"github.com/weirflow/weir/operators"
	"github.com/weirflow/weir/operators/kafka"
	"github.com/weirflow/weir/operators/operatortest"
)

var conformFull = flag.Bool("conform.full", false, "run all scenarios of the conformance kit, on real brokers too, not a part of them")

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
			operatortest.Conform(t, stand(t).conforming(part, parts, options...))
		})
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
func (s *stand) conforming(part, parts int, options ...kafka.SinkOption) operatortest.ConformSink[string] {
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

func (w mortalWriter) Write(ctx context.Context, b *operators.Batch[string]) error {
	defer func() { _ = kafka.AwaitBegun(ctx, w.TransactionalWriter) }()
	return w.TransactionalWriter.Write(ctx, b)
}
