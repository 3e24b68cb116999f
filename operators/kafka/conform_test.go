package kafka_test

import (
	"context"
	"fmt"
	"strconv"
	"testing"

	"github.com/twmb/franz-go/pkg/kfake"

	"github.com/weirflow/weir/operators"
	"github.com/weirflow/weir/operators/kafka"
	"github.com/weirflow/weir/operators/operatortest"
)

// S8, S12, S18, S28: whatever befalls the processes that write to a topic, it has what is
// decided, once, and no transaction stays open.
func TestSinkConforms(t *testing.T) { conforms(t) }

// Output that is kept changes nothing of that.
func TestKeepingSinkConforms(t *testing.T) { conforms(t, kafka.KeepOutput(1<<20)) }

// conforms gives each scenario a topic of its own, and a prefix.
func conforms(t *testing.T, options ...kafka.SinkOption) {
	s, n := newStand(t, 1, nil, kfake.NumBrokers(1)), 0
	options = append(options, kafka.PartitionedBy(kafka.RoundRobin))
	operatortest.Conform(t, operatortest.ConformSink[string]{
		Value: strconv.Itoa,
		Outside: func() operatortest.ConformOutside[string] {
			n++
			topic := fmt.Sprint("out", n)
			s.createTopic(topic, 2)
			return operatortest.ConformOutside[string]{
				Sink:      mortal{kafka.Sink(s.cluster, topic, fmt.Sprint("job", n), encodeText, options...)},
				Committed: func(context.Context) ([]string, error) { return s.visibleIn(topic), nil },
				Lingering: func(context.Context) ([]string, error) { s.settle(); return s.transactions("Ongoing"), nil },
			}
		},
	})
	t.Logf("%d scenarios", n)
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
