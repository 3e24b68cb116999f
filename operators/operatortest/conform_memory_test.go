package operatortest

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/weirflow/weir/operators"
)

// memory is an outside with transactions, and a sink that writes there, with a defect if
// it is given one.
type memory struct {
	defect    string
	open      map[string]*memoryTx // by id: not committed, not aborted
	committed map[string]bool
	numbers   []int
	loses     bool // the next answer
}

type memoryTx struct {
	attempt, subtask int
	numbers          []int // that the outside has
}

func newMemory(defect string) *memory {
	return &memory{defect: defect, open: map[string]*memoryTx{}, committed: map[string]bool{}}
}

// conformMemory is what Conform needs to know of a memory.
func conformMemory(defect string) ConformSink[int] {
	return ConformSink[int]{
		Value: func(n int) int { return n },
		Outside: func() ConformOutside[int] {
			m := newMemory(defect)
			return ConformOutside[int]{
				Sink:      m,
				Committed: func(context.Context) ([]int, error) { return slices.Clone(m.numbers), nil },
				Lingering: func(context.Context) ([]string, error) { return slices.Sorted(maps.Keys(m.open)), nil },
				Faults: []ConformFault{{Name: "the answer is lost", Arm: func() func() {
					m.loses = true
					return func() { m.loses = false }
				}}},
			}
		},
	}
}

func (m *memory) Kind() operators.SinkKind { return operators.Transactional }

func (m *memory) Open(ctx context.Context, c operators.SinkContext) (operators.Writer[int], error) {
	return m.OpenTransactional(ctx, c)
}

func (m *memory) OpenTransactional(_ context.Context, c operators.SinkContext) (operators.TransactionalWriter[int], error) {
	return &memoryWriter{m: m, c: c}, nil
}

// answer is what the network makes of one.
func (m *memory) answer() error {
	if m.loses {
		m.loses = false
		return fmt.Errorf("the answer was lost")
	}
	return nil
}

type memoryWriter struct {
	m     *memory
	c     operators.SinkContext
	count int
	id    string
	own   []int // of the open transaction, with the process
}

func (w *memoryWriter) Recover(_ context.Context, r operators.Recovery) error {
	if w.m.defect == "orphan not removed" {
		return nil
	}
	for id, tx := range w.m.open {
		kept := slices.ContainsFunc(r.Keep, func(h []byte) bool { return handleID(h) == id }) && w.m.defect != "abort after the decision"
		older := tx.attempt < int(r.Attempt) || w.m.defect == "younger ones aborted"
		mine := tx.subtask%r.Parallelism == r.Index || w.m.defect == "abort after the decision"
		if older && mine && !kept {
			w.c.Step("memory.aborting")
			delete(w.m.open, id)
		}
	}
	return w.m.answer()
}

func (w *memoryWriter) Begin(context.Context) error {
	w.count++
	if w.m.defect == "a transaction is reused" {
		w.count = 1
	}
	w.id, w.own = fmt.Sprintf("%d-%d-%d", w.c.Attempt, w.c.Index, w.count), nil
	return nil
}

func (w *memoryWriter) Write(_ context.Context, b *operators.Batch[int]) error {
	w.own = append(w.own, b.Values...)
	return nil
}

func (w *memoryWriter) Prepare(context.Context) ([]byte, error) {
	if len(w.own) == 0 {
		return nil, nil
	}
	tx := &memoryTx{attempt: int(w.c.Attempt), subtask: w.c.Index, numbers: w.own}
	w.m.open[w.id] = tx
	w.c.Step("memory.prepared")
	if err := w.m.answer(); err != nil {
		return nil, err
	}
	if w.m.defect == "prepared before it is durable" {
		tx.numbers = nil // they come with the commit
	}
	return fmt.Appendf(nil, "%s", w.id), nil
}

func handleID(handle []byte) string { return string(handle) }

func (w *memoryWriter) Commit(_ context.Context, handle []byte) error {
	m, id := w.m, handleID(handle)
	tx := m.open[id]
	switch {
	case m.defect == "answers without a commit" && strings.HasSuffix(id, "2"):
		return nil
	case tx == nil && m.committed[id]:
		return m.answer()
	case tx == nil:
		return fmt.Errorf("transaction %s is gone: %w", id, operators.ErrInDoubt)
	}
	if tx.numbers == nil && w.id != "" {
		tx.numbers = w.own
	}
	w.c.Step("memory.committing")
	m.numbers = append(m.numbers, tx.numbers...)
	m.committed[id] = true
	if m.defect != "commit not idempotent" {
		delete(m.open, id)
	}
	w.c.Step("memory.committed")
	return m.answer()
}

func (w *memoryWriter) AbortOpen(context.Context) error { w.own = nil; return nil }
func (w *memoryWriter) Flush(context.Context) error     { return nil }
func (w *memoryWriter) Close() error                    { return nil }
