package operators_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/weirflow/weir/operators"
)

// Ledger is a sink with transactions: a page is written when it is prepared,
// and counts when it is committed.
type Ledger struct {
	Pages int // there are

	mu        sync.Mutex
	prepared  map[string][]int
	committed map[string]bool
	numbers   []int // of the committed pages
}

// NewLedger makes one of so many pages.
func NewLedger(pages int) *Ledger {
	return &Ledger{Pages: pages, prepared: map[string][]int{}, committed: map[string]bool{}}
}

// Kind says that a replay is invisible.
func (l *Ledger) Kind() operators.SinkKind { return operators.Transactional }

// Open gives a writer that keeps the two-phase commit.
func (l *Ledger) Open(ctx context.Context, c operators.SinkContext) (operators.Writer[int], error) {
	return l.OpenTransactional(ctx, c)
}

// OpenTransactional is Open with that writer's type.
func (l *Ledger) OpenTransactional(_ context.Context, c operators.SinkContext) (operators.TransactionalWriter[int], error) {
	return &ledgerWriter{ledger: l, name: fmt.Sprintf("%s-%d-%d", c.Operator, c.Attempt, c.Index)}, nil
}

type ledgerWriter struct {
	ledger *Ledger
	name   string
	pages  int
	open   []int
}

// Recover drops what older attempts left and no checkpoint knows.
func (w *ledgerWriter) Recover(_ context.Context, r operators.Recovery) error {
	w.ledger.mu.Lock()
	defer w.ledger.mu.Unlock()
	for page := range w.ledger.prepared {
		if r.Index == 0 && !slices.ContainsFunc(r.Keep, func(h []byte) bool { return string(h) == page }) {
			delete(w.ledger.prepared, page)
		}
	}
	return nil
}

func (w *ledgerWriter) Begin(context.Context) error { w.open = nil; return nil }

func (w *ledgerWriter) Write(_ context.Context, b *operators.Batch[int]) error {
	w.open = append(w.open, b.Values...)
	return nil
}

// Prepare gives a name by which any process can commit. In a full ledger trying
// again cannot help.
func (w *ledgerWriter) Prepare(context.Context) ([]byte, error) {
	l := w.ledger
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.prepared)+len(l.committed) == l.Pages {
		return nil, fmt.Errorf("all %d pages are full: %w", l.Pages, operators.ErrBroken)
	}
	w.pages++
	page := fmt.Sprintf("%s-%d", w.name, w.pages)
	l.prepared[page] = w.open
	return []byte(page), nil
}

// Commit may come twice, and a page that somebody tore out is no reason to try
// again.
func (w *ledgerWriter) Commit(_ context.Context, handle []byte) error {
	l, page := w.ledger, string(handle)
	l.mu.Lock()
	defer l.mu.Unlock()
	numbers, there := l.prepared[page]
	switch {
	case l.committed[page]:
		return nil
	case !there:
		return fmt.Errorf("page %s is gone: %w", page, operators.ErrInDoubt)
	}
	l.committed[page], l.numbers = true, append(l.numbers, numbers...)
	delete(l.prepared, page)
	return nil
}

func (w *ledgerWriter) AbortOpen(context.Context) error { w.open = nil; return nil }
func (w *ledgerWriter) Flush(context.Context) error     { return nil } // Prepare comes instead
func (w *ledgerWriter) Close() error                    { return nil }

var _ operators.TransactionalSink[int] = (*Ledger)(nil)

func ExampleTransactionalSink() {
	top := operators.NewTopology("start")
	ledger := NewLedger(10)
	operators.From(top, "countdown", Countdown{From: 3}, operators.NoWatermarks[int]()).To("ledger", ledger)

	run(top)
	fmt.Println(ledger.numbers, "on", len(ledger.committed), "page")

	// Output: [3 2 1] on 1 page
}

// The runtime makes these calls. A handle that was committed before is no
// mistake, one that nobody knows is in doubt.
func ExampleTransactionalWriter() {
	ctx, ledger := context.Background(), NewLedger(1)
	w, _ := ledger.OpenTransactional(ctx, operators.SinkContext{Operator: "ledger", Attempt: 1})
	fmt.Println(w.Recover(ctx, operators.Recovery{}), w.Begin(ctx), w.Write(ctx, &operators.Batch[int]{Values: []int{7}}))
	handle, err := w.Prepare(ctx)
	fmt.Println(err, w.Commit(ctx, handle), w.Commit(ctx, handle), ledger.numbers)

	fmt.Println(errors.Is(w.Commit(ctx, []byte("ledger-0-0-1")), operators.ErrInDoubt))
	fmt.Println(w.Begin(ctx))
	_, err = w.Prepare(ctx)
	fmt.Println(errors.Is(err, operators.ErrBroken), w.AbortOpen(ctx), w.Close())
	// Output:
	// <nil> <nil> <nil>
	// <nil> <nil> <nil> [7]
	// true
	// <nil>
	// true <nil> <nil>
}
