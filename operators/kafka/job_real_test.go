//go:build kafka

package kafka_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/weirflow/weir/cluster"
	"github.com/weirflow/weir/operators"
	"github.com/weirflow/weir/operators/kafka"
	"github.com/weirflow/weir/persistence/dir"
)

// S2, S8, S19, S20: the job fails, is given up and begun anew at other parallelism, while
// its broker dies and comes back: each running sum is there once, nothing is left open.
func testSumsThroughDeaths(t *testing.T, kill func() error) {
	s := newStand(t, 4, []string{"in", "out"})
	deaths, died := make(chan struct{}, 2), make(chan error, 1)
	go func() {
		var err error
		for range deaths {
			err = errors.Join(err, kill())
		}
		died <- err
	}()
	pace := time.NewTicker(time.Millisecond) // for work to last longer than a checkpoint
	defer pace.Stop()
	r := &sums{
		records: 200_000, every: 100 * time.Millisecond, lives: []int{2, 3, 1},
		panics: []int64{20_000, 45_000, 70_000, 95_000, 120_000, 145_000, 170_000, 200_000},
		onSeen: func(n int64) {
			if n == 60_000 || n == 130_000 {
				deaths <- struct{}{}
			}
			if n%100 == 0 {
				<-pace.C
			}
		},
	}
	func() {
		defer close(deaths)
		r.run(s)
	}()
	s.must(<-died)
}

// heldBack is a sink whose commits fail while they are held, as if its process had died
// between a checkpoint and the commit.
type heldBack struct {
	operators.TransactionalSink[tip]
	held *atomic.Bool
}

type heldWriter struct {
	operators.TransactionalWriter[tip]
	held *atomic.Bool
}

func (h heldBack) Open(ctx context.Context, c operators.SinkContext) (operators.Writer[tip], error) {
	return h.OpenTransactional(ctx, c)
}

func (h heldBack) OpenTransactional(ctx context.Context, c operators.SinkContext) (operators.TransactionalWriter[tip], error) {
	w, err := h.TransactionalSink.OpenTransactional(ctx, c)
	return heldWriter{w, h.held}, err
}

var errHeld = errors.New("the commit is held back")

func (w heldWriter) Commit(ctx context.Context, handle []byte) error {
	if w.held.Load() {
		return errHeld
	}
	return w.TransactionalWriter.Commit(ctx, handle)
}

// S8, S18, S20: a checkpoint is complete and the job ends before the commit, and then the
// broker dies with the coordinator of the transactions: the next life commits them, at the
// same parallelism or with one subtask for four.
func testCommitsAreMadeUpFor(t *testing.T, kill func() error) {
	for _, lives := range [][]int{{2, 2}, {4, 1}, {1, 4}} {
		t.Run(fmt.Sprint(lives), func(t *testing.T) {
			s := newStand(t, 4, []string{"in", "out"})
			held, seen, store := &atomic.Bool{}, &atomic.Int64{}, dir.Open(t.TempDir())
			pace := time.NewTicker(time.Millisecond)
			defer pace.Stop()
			r := &sums{records: 50_000, every: 50 * time.Millisecond, onSeen: func(n int64) {
				if n >= 20_000 {
					held.Store(true)
				}
				if n%100 == 0 {
					<-pace.C
				}
			}}
			want := r.input(s)
			sink := kafka.Sink(s.cluster, "out", "sums", encodeTip)
			first := r.config(store, false)
			first.Restart = cluster.NoRestart{}
			if _, err := cluster.Run(t.Context(), r.job(s, seen, lives[0], heldBack{sink, held}), first); err == nil || !strings.Contains(err.Error(), errHeld.Error()) {
				t.Fatalf("the first life ended with %v", err)
			}
			if len(s.transactions("Ongoing")) == 0 {
				t.Error("no transaction is prepared, and nothing to make up for")
			}
			s.must(kill())
			_, err := cluster.Run(t.Context(), r.job(s, seen, lives[1], sink), r.config(store, true))
			s.must(err)
			s.sumsAre(want)
		})
	}
}
