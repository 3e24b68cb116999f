package cluster_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/weirflow/weir/operators"
	"github.com/weirflow/weir/persistence"
)

// outside is the world that transactional sinks write to: it outlives every
// attempt, and notes each call, so that a test can ask what happened when.
type outside struct {
	mu        sync.Mutex
	prepared  map[string][]int64 // by handle
	committed map[string]bool    // handles
	visible   []int64
	open      int
	calls     map[string][]string // by writer: attempt and subtask
	order     []string            // of all writers
	written   int

	onPrepare func(o *outside, handle string) error // under mu; may be nil
	onCommit  func(o *outside, handle string) error // under mu; may be nil
	onWrite   func(total int)                       // outside mu; may be nil
}

func newOutside() *outside {
	return &outside{prepared: map[string][]int64{}, committed: map[string]bool{}, calls: map[string][]string{}}
}

func (o *outside) Kind() operators.SinkKind { return operators.Transactional }

func (o *outside) Open(_ context.Context, c operators.SinkContext) (operators.Writer[int64], error) {
	return &outsideWriter{o: o, c: c, name: fmt.Sprintf("attempt %d subtask %d", c.Attempt, c.Index)}, nil
}

// outsideWriter is one subtask's writer.
type outsideWriter struct {
	o       *outside
	c       operators.SinkContext
	name    string
	seq     int
	records []int64
	isOpen  bool
}

// handle is what a checkpoint stores.
type handle struct {
	Name    string
	Seq     int
	Records []int64
}

func (w *outsideWriter) note(call string) {
	w.o.calls[w.name] = append(w.o.calls[w.name], call)
	w.o.order = append(w.o.order, w.name+" "+call)
}

func (w *outsideWriter) Recover(_ context.Context, r operators.Recovery) error {
	w.o.mu.Lock()
	defer w.o.mu.Unlock()
	w.note("recover")
	for _, h := range slices.Sorted(maps.Keys(w.o.prepared)) {
		keep := slices.ContainsFunc(r.Keep, func(k []byte) bool { return string(k) == h })
		own := strings.Contains(h, fmt.Sprintf(`"attempt %d `, r.Attempt)) // of this attempt: another subtask is quicker
		if !keep && !own && !w.o.committed[h] && w.c.Index == 0 {
			delete(w.o.prepared, h) // aborted
		}
	}
	return nil
}

func (w *outsideWriter) Begin(context.Context) error {
	w.o.mu.Lock()
	defer w.o.mu.Unlock()
	w.note("begin")
	w.isOpen, w.records = true, nil
	w.o.open++
	w.seq++
	return nil
}

func (w *outsideWriter) Write(_ context.Context, b *operators.Batch[int64]) error {
	w.o.mu.Lock()
	w.note("write")
	w.records = append(w.records, b.Values...)
	w.o.written += len(b.Values)
	total := w.o.written
	w.o.mu.Unlock()
	if w.o.onWrite != nil {
		w.o.onWrite(total)
	}
	return nil
}

func (w *outsideWriter) Prepare(context.Context) ([]byte, error) {
	w.o.mu.Lock()
	defer w.o.mu.Unlock()
	w.note("prepare")
	h, err := json.Marshal(handle{w.name, w.seq, w.records})
	if err == nil && w.o.onPrepare != nil {
		err = w.o.onPrepare(w.o, string(h))
	}
	if err != nil {
		return nil, err
	}
	w.isOpen = false
	w.o.open--
	w.o.prepared[string(h)] = w.records
	return h, nil
}

func (w *outsideWriter) Commit(_ context.Context, h []byte) error {
	w.o.mu.Lock()
	defer w.o.mu.Unlock()
	w.note("commit")
	if w.o.onCommit != nil {
		if err := w.o.onCommit(w.o, string(h)); err != nil {
			return err
		}
	}
	if w.o.committed[string(h)] {
		return nil
	}
	records, ok := w.o.prepared[string(h)]
	if !ok {
		return fmt.Errorf("no transaction %s: %w", h, operators.ErrInDoubt)
	}
	w.o.committed[string(h)] = true
	w.o.visible = append(w.o.visible, records...)
	return nil
}

func (w *outsideWriter) AbortOpen(context.Context) error {
	w.o.mu.Lock()
	defer w.o.mu.Unlock()
	w.note("abort")
	if w.isOpen {
		w.o.open--
	}
	w.isOpen = false
	return nil
}

func (w *outsideWriter) Flush(context.Context) error {
	return errors.New("a transactional writer is not flushed")
}
func (w *outsideWriter) Close() error { return nil }

// checkGrammar holds S31 for every writer that ever was: no write but between
// begin and prepare, a new transaction after each prepare that succeeded.
func (o *outside) checkGrammar(t *testing.T) {
	t.Helper()
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, name := range slices.Sorted(maps.Keys(o.calls)) {
		open, recovered := false, false
		for i, call := range o.calls[name] {
			ok := true
			switch call {
			case "recover":
				ok, recovered = !recovered && !open, true
			case "begin":
				ok, open = recovered && !open, true
			case "write":
				ok = open
			case "prepare":
				ok, open = open, false
			case "abort":
				ok, open = open, false
			}
			if !ok {
				t.Fatalf("%s: call %d of %v breaks the grammar", name, i, o.calls[name])
			}
		}
	}
}

// checkOnce demands that exactly 0..n-1 are visible, each once, and that no
// transaction was left behind.
func (o *outside) checkOnce(t *testing.T, n int) {
	t.Helper()
	o.mu.Lock()
	defer o.mu.Unlock()
	seen := make([]int, n)
	for _, v := range o.visible {
		if v < 0 || v >= int64(n) {
			t.Fatalf("%d is visible and was never written", v)
		}
		seen[v]++
	}
	for v, times := range seen {
		if times != 1 {
			t.Fatalf("%d is visible %d times", v, times)
		}
	}
	for h := range o.prepared {
		if !o.committed[h] {
			t.Errorf("transaction %s is left in progress", h)
		}
	}
	if o.open != 0 {
		t.Errorf("%d transactions are left open", o.open)
	}
}

// flip damages one object of a store.
func flip(t *testing.T, store persistence.CheckpointStore, key string) {
	t.Helper()
	r, err := store.Open(context.Background(), key)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	p, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	p[len(p)/2] ^= 0xff
	err = store.Put(context.Background(), key, func(w io.Writer) error {
		_, err := w.Write(p)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}
