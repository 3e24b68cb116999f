package operatortest_test

import (
	"context"

	"github.com/weirflow/weir/operators"
)

// discard is a sink that nobody opens here.
type discard[R any] struct{}

func (discard[R]) Kind() operators.SinkKind { return operators.Plain }

func (discard[R]) Open(context.Context, operators.SinkContext) (operators.Writer[R], error) {
	panic("a driver opens no sink")
}
