package kafka

import (
	"context"

	"github.com/weirflow/weir/operators"
)

// AwaitBegun returns when the broker has answered, or refused, what Write has begun.
func AwaitBegun[T any](ctx context.Context, w operators.TransactionalWriter[T]) error {
	p := w.(*writer[T]).producer
	return p.wait(ctx, func() (bool, error) { return !p.opening, nil })
}
