package kafka

import (
	"context"
	"time"

	"github.com/weirflow/weir/operators"
)

// AwaitBegun returns when the broker has answered what Write has begun, and what Commit has
// begun ahead, with what fails the writer.
func AwaitBegun[T any](ctx context.Context, of operators.TransactionalWriter[T]) error {
	w := of.(*writer[T])
	if w.ahead != nil {
		_ = w.ahead.await(ctx) // it fails who takes it
	}
	return w.producer.await(ctx, func() bool { return !w.producer.opening })
}

// Waiting gives the bytes of batches that are sealed and not acknowledged.
func Waiting[T any](w operators.TransactionalWriter[T]) int {
	p := w.(*writer[T]).producer
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.waiting
}

// Ahead has what was begun ahead live longer, so that a test need not be quick.
func Ahead(d time.Duration) SinkOption { return sinkOption(func(c *sinkConfig) { c.maxAhead = d }) }
