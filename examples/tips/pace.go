package main

import (
	"context"
	"time"

	"github.com/weirflow/weir/operators"
)

// paced lets a source give no more than perSecond records a second and reader,
// so that a job over little data lasts long enough to be interrupted. Which
// records it gives, and in which order, stays the same.
type paced[T any] struct {
	operators.Source[T]
	perSecond float64
}

func (p paced[T]) Open(ctx context.Context, split string, position []byte) (operators.Reader[T], error) {
	r, err := p.Source.Open(ctx, split, position)
	if err != nil {
		return nil, err
	}
	return &pacedReader[T]{Reader: r, perSecond: p.perSecond, start: time.Now()}, nil
}

// Start is that of the source, if it has one.
func (p paced[T]) Start(ctx context.Context, splits []string, again bool) ([][]byte, error) {
	if s, ok := p.Source.(operators.Starter); ok {
		return s.Start(ctx, splits, again)
	}
	return make([][]byte, len(splits)), nil
}

type pacedReader[T any] struct {
	operators.Reader[T]
	perSecond float64
	start     time.Time
	given     int
}

// Read waits until at least one record is due, and reads those that are.
func (r *pacedReader[T]) Read(ctx context.Context, b *operators.Batch[T], max int) error {
	due := int(time.Since(r.start).Seconds()*r.perSecond) - r.given
	if due < 1 {
		return r.wait(ctx)
	}
	before := len(b.Times)
	err := r.Reader.Read(ctx, b, min(due, max))
	r.given += len(b.Times) - before
	return err
}

// wait lasts until the next record is due, a few ms at least. It leaves the
// batch empty, which says "nothing yet".
func (r *pacedReader[T]) wait(ctx context.Context) error {
	next := time.Duration(float64(r.given+1) / r.perSecond * float64(time.Second))
	timer := time.NewTimer(max(2*time.Millisecond, next-time.Since(r.start)))
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
