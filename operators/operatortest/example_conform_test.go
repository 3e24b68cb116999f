package operatortest_test

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/weirflow/weir/operators"
	"github.com/weirflow/weir/operators/operatortest"
)

// pages is a book of pages that are written when they are prepared, and count when they
// are committed.
type pages struct {
	prepared  map[string][]int
	committed map[string][]int
}

func (p *pages) Kind() operators.SinkKind { return operators.Transactional }

func (p *pages) Open(ctx context.Context, c operators.SinkContext) (operators.Writer[int], error) {
	return p.OpenTransactional(ctx, c)
}

func (p *pages) OpenTransactional(_ context.Context, c operators.SinkContext) (operators.TransactionalWriter[int], error) {
	return &pen{pages: p, name: fmt.Sprintf("attempt %d, subtask %d", c.Attempt, c.Index)}, nil
}

// pen is careless: its page has the name of its subtask, and no number.
type pen struct {
	pages *pages
	name  string
	open  []int
}

func (w *pen) Recover(_ context.Context, r operators.Recovery) error {
	for page := range w.pages.prepared {
		own := strings.HasPrefix(page, fmt.Sprintf("attempt %d,", r.Attempt))
		if !own && !slices.ContainsFunc(r.Keep, func(h []byte) bool { return string(h) == page }) {
			delete(w.pages.prepared, page)
		}
	}
	return nil
}

func (w *pen) Begin(context.Context) error { w.open = nil; return nil }

func (w *pen) Write(_ context.Context, b *operators.Batch[int]) error {
	w.open = append(w.open, b.Values...)
	return nil
}

func (w *pen) Prepare(context.Context) ([]byte, error) {
	w.pages.prepared[w.name] = w.open
	return []byte(w.name), nil
}

func (w *pen) Commit(_ context.Context, handle []byte) error {
	page := string(handle)
	if numbers, there := w.pages.prepared[page]; there {
		w.pages.committed[page] = numbers
		delete(w.pages.prepared, page)
	}
	return nil
}

func (w *pen) AbortOpen(context.Context) error { w.open = nil; return nil }
func (w *pen) Flush(context.Context) error     { return nil }
func (w *pen) Close() error                    { return nil }

func ExampleConform() {
	outside := func() operatortest.ConformOutside[int] {
		p := &pages{prepared: map[string][]int{}, committed: map[string][]int{}}
		return operatortest.ConformOutside[int]{
			Sink: p,
			Committed: func(context.Context) (all []int, err error) {
				for _, numbers := range p.committed {
					all = append(all, numbers...)
				}
				return all, nil
			},
			Lingering: func(context.Context) (left []string, err error) {
				for page := range p.prepared {
					left = append(left, page)
				}
				return left, nil
			},
		}
	}
	test := printed{} // in a test it is a *testing.T
	operatortest.Conform(test, operatortest.ConformSink[int]{Outside: outside, Value: func(n int) int { return n }})
	// Output:
	// operatortest.Conform: scenario 3.1, nothing happens: readers outside see 2 records, and not what they should:
	//   - 0, of t1 (committed), is missing
	//   - 1, of t1 (committed), is missing
}

// printed is a test that prints its failure, up to the calls that led to it.
type printed struct{}

func (printed) Helper() {}

func (printed) Fatalf(format string, args ...any) {
	failure, _, _ := strings.Cut(fmt.Sprintf(format, args...), "\n\nwhat happened:")
	fmt.Println(failure)
}
