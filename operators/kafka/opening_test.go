package kafka

import (
	"context"
	"testing"

	"github.com/twmb/franz-go/pkg/kfake"

	"github.com/weirflow/weir/operators"
)

// S8: a sender of the last transaction that comes back for more, while the next one is
// being begun, takes nothing: it would stamp it with the last one's producer, and the
// broker might take it for a repeat of what it has.
func TestNothingIsTakenWhileATransactionIsBegun(t *testing.T) {
	fake, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(1, "out"))
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(err)
	t.Cleanup(fake.Close)
	encode := func(m *Message, v string) error { m.Value = append(m.ValueBuffer, v...); return nil }
	sink := Sink(Cluster{Brokers: fake.ListenAddrs()}, "out", "p", encode, Linger(0))
	opened, err := sink.OpenTransactional(t.Context(), operators.SinkContext{Operator: "o", Parallelism: 1, Attempt: 1, Now: func() int64 { return 1 }, Step: func(string) {}})
	must(err)
	w := opened.(*writer[string])
	t.Cleanup(func() { _ = w.Close() })
	must(w.Recover(t.Context(), operators.Recovery{Parallelism: 1, Attempt: 1}))

	next, last, err := w.next()
	must(err)
	w.open = next
	hold, p := make(chan struct{}), w.producer
	p.begin(next, func(ctx context.Context) error {
		<-hold
		return w.begin(ctx, newOpening(next, last))
	})
	must(w.encoding.write(t.Context(), p, &operators.Batch[string]{Values: []string{"a"}, Times: []int64{1}})) // Linger(0): sealed
	if lanes := p.takeLanes(p.lanes[0].leader.broker); len(lanes) > 0 {
		t.Errorf("%d lanes are taken", len(lanes))
	}
	close(hold)
	handle, err := w.Prepare(t.Context())
	must(err)
	must(w.Commit(t.Context(), handle))
}
