package kafka

import (
	"context"

	"github.com/weirflow/weir/operators"
)

// AwaitBegun returns when the broker has answered what Write has begun, with what fails the
// writer.
func AwaitBegun[T any](ctx context.Context, w operators.TransactionalWriter[T]) error {
	p := w.(*writer[T]).producer
	return p.await(ctx, func() bool { return !p.opening })
}
