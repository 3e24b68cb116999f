package kafkatest

import (
	"context"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Times of asking.
const (
	askEvery = 50 * time.Millisecond
	askFor   = 2 * time.Second // one answer
)

// awaitReady returns when a broker does all that a job needs: when the coordinators of
// transactions and of groups are found, whose topics are made by that, and when all of
// the transaction log is read, which listing transactions shows. It gives up when gone
// is closed or ctx is done, with what the broker said last.
func awaitReady(ctx context.Context, address string, gone <-chan struct{}) error {
	c, err := kgo.NewClient(kgo.SeedBrokers(address), kgo.RequestRetries(0), kgo.DisableClientMetrics())
	if err != nil {
		return err
	}
	defer c.Close()
	tick := time.NewTicker(askEvery)
	defer tick.Stop()
	for {
		if err = ask(ctx, c.SeedBrokers()[0]); err == nil {
			return nil
		}
		select {
		case <-tick.C:
		case <-gone:
			return fmt.Errorf("it has ended; it said last: %w", err)
		case <-ctx.Done():
			return fmt.Errorf("%w; it said last: %w", context.Cause(ctx), err)
		}
	}
}

// ask asks a broker once for what awaitReady waits for.
func ask(ctx context.Context, b *kgo.Broker) error {
	ctx, cancel := context.WithTimeout(ctx, askFor)
	defer cancel()
	const ofGroups, ofTransactions = 0, 1
	for _, kind := range []int8{ofTransactions, ofGroups} {
		if err := findCoordinator(ctx, b, kind); err != nil {
			return err
		}
	}
	resp, err := b.Request(ctx, kmsg.NewPtrListTransactionsRequest())
	if err != nil {
		return fmt.Errorf("list transactions: %w", err)
	}
	if err := kerr.ErrorForCode(resp.(*kmsg.ListTransactionsResponse).ErrorCode); err != nil {
		return fmt.Errorf("list transactions: %w", err)
	}
	return nil
}

func findCoordinator(ctx context.Context, b *kgo.Broker, kind int8) error {
	req := kmsg.NewPtrFindCoordinatorRequest()
	req.CoordinatorType, req.CoordinatorKey, req.CoordinatorKeys = kind, "kafkatest", []string{"kafkatest"}
	resp, err := b.Request(ctx, req)
	if err != nil {
		return fmt.Errorf("find a coordinator: %w", err)
	}
	found := resp.(*kmsg.FindCoordinatorResponse)
	code := found.ErrorCode
	for _, c := range found.Coordinators {
		code = c.ErrorCode
	}
	if err := kerr.ErrorForCode(code); err != nil {
		return fmt.Errorf("find a coordinator: %w", err)
	}
	return nil
}
