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

// memoryWriter keeps the records of the open transaction with the process, until Prepare.
type memoryWriter struct {
	m     *memory
	c     operators.SinkContext
	count int
	id    string
	own   []int
	late  map[string][]int // defect: what was prepared and is not durable
}

func (w *memoryWriter) Recover(_ context.Context, r operators.Recovery) error {
	for id, tx := range w.m.open {
		kept := slices.ContainsFunc(r.Keep, func(h []byte) bool { return string(h) == id })
		mine := tx.subtask%r.Parallelism == r.Index
		switch w.m.defect {
		case "orphan not removed":
			continue
		case "abort after the decision":
			kept, mine = false, true
		case "younger ones aborted":
			tx.attempt = 0
		}
		if tx.attempt < int(r.Attempt) && mine && !kept {
			w.c.Step("memory.aborting")
			delete(w.m.open, id)
		}
	}
	return w.m.answer()
}

// Begin takes an id that is not in use. One that was is not free, for its commit may be
// repeated.
func (w *memoryWriter) Begin(context.Context) error {
	w.count++
	if w.m.defect == "a transaction is reused" {
		for w.count = 1; w.m.open[w.name()] != nil; w.count++ {
		}
	}
	w.id, w.own = w.name(), nil
	return nil
}

func (w *memoryWriter) name() string {
	return fmt.Sprintf("%d-%d-%d", w.c.Attempt, w.c.Index, w.count)
}

func (w *memoryWriter) Write(_ context.Context, b *operators.Batch[int]) error {
	w.own = append(w.own, b.Values...)
	return nil
}

func (w *memoryWriter) Prepare(context.Context) ([]byte, error) {
	if len(w.own) == 0 {
		return nil, nil
	}
	tx := w.m.open[w.id]
	if tx == nil || w.m.defect != "records of a retry stay" {
		tx = &memoryTx{attempt: int(w.c.Attempt), subtask: w.c.Index}
	}
	tx.numbers = append(tx.numbers, w.own...)
	if w.m.defect == "prepared before it is durable" {
		w.late, tx.numbers = map[string][]int{w.id: tx.numbers}, nil
	}
	w.m.open[w.id] = tx
	w.c.Step("memory.prepared")
	return []byte(w.id), w.m.answer()
}

func (w *memoryWriter) Commit(_ context.Context, handle []byte) error {
	m, id := w.m, string(handle)
	tx := m.open[id]
	switch {
	case m.defect == "answers without a commit" && strings.HasSuffix(id, "2"):
		return nil
	case m.loses && m.defect == "an answer is lost and believed":
		return nil
	case tx == nil && m.committed[id]:
		return m.answer()
	case tx == nil:
		return fmt.Errorf("transaction %s is gone: %w", id, operators.ErrInDoubt)
	}
	w.c.Step("memory.committing")
	m.numbers = append(append(m.numbers, tx.numbers...), w.late[id]...)
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
