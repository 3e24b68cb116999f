package operatortest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/weirflow/weir/messages"
	"github.com/weirflow/weir/operators"
)

// conformLife is one attempt of the sink's subtasks, as a list of calls, so that one that
// was given up can go on later.
type conformLife[T any] struct {
	plan     lifePlan
	attempt  messages.Attempt
	ctx      context.Context
	cancel   context.CancelFunc
	subtasks []*conformSubtask[T]
	calls    []conformCall
	next     int  // call
	restore  int  // so many calls restore
	seen     int  // points so far
	over     bool // it is another's turn
	prepared int  // newest checkpoint
	complete int  // newest checkpoint of which it has heard that it is complete
	closed   bool
}

type conformCall struct {
	label  string
	silent bool // nothing can befall it
	do     func(ctx context.Context) error
}

// conformSubtask is one of the sink's subtasks; see actors.sink for the grammar.
type conformSubtask[T any] struct {
	index   int
	writer  operators.TransactionalWriter[T]
	open    *conformTx[T]
	pending []*conformTx[T]
}

// conformTx is a transaction. called implies decided, committed implies called.
type conformTx[T any] struct {
	name       string
	index      int
	values     []T
	handle     []byte
	checkpoint int
	decided    bool // its checkpoint is complete
	called     bool // Commit was
	committed  bool // and said so
}

// crash is the panic by which a process dies.
type crash struct{}

// newLife makes the next attempt, which restores the newest complete checkpoint.
func (w *conformWorld[T]) newLife(p lifePlan) *conformLife[T] {
	w.attempt++
	l := &conformLife[T]{plan: p, attempt: w.attempt, prepared: w.complete, complete: w.complete}
	l.ctx, l.cancel = context.WithCancel(context.Background())
	order := make([]*conformSubtask[T], p.parallelism)
	for i := range order {
		order[i] = &conformSubtask[T]{index: i}
	}
	l.subtasks = slices.Clone(order)
	if p.reverse {
		slices.Reverse(order)
	}
	w.addRestore(l, order)
	w.addBody(l, order)
	return l
}

func (l *conformLife[T]) add(s *conformSubtask[T], label string, do func(ctx context.Context) error) {
	if s != nil {
		label = fmt.Sprintf("subtask %d: %s", s.index, label)
	}
	l.calls = append(l.calls, conformCall{label: label, do: do})
}

// addRestore has every subtask commit its share and recover, one after the other: a
// subtask does not wait for others, so that one may recover before the next commits.
func (w *conformWorld[T]) addRestore(l *conformLife[T], order []*conformSubtask[T]) {
	var keep [][]byte
	for _, tx := range w.manifest {
		keep = append(keep, tx.handle)
	}
	restored := w.complete > 0
	for _, s := range order {
		r := operators.Recovery{Index: s.index, Parallelism: len(order), Attempt: l.attempt, Keep: keep, Restored: restored}
		l.add(s, "Open", func(ctx context.Context) error { return w.open(ctx, l, s) })
		for _, tx := range w.manifest {
			if tx.index%len(order) != s.index {
				continue
			}
			r.Commit = append(r.Commit, tx.handle)
			l.add(s, "Commit "+tx.name, func(ctx context.Context) error { return w.commitOne(ctx, s, tx) })
		}
		label := fmt.Sprintf("Recover, %d to commit, %d to keep, restored: %v", len(r.Commit), len(r.Keep), restored)
		l.add(s, label, func(ctx context.Context) error { return s.writer.Recover(ctx, r) })
		l.add(s, "Begin", func(ctx context.Context) error { return w.begin(ctx, l, s) })
	}
	l.restore = len(l.calls)
	l.calls = append(l.calls, conformCall{silent: true, do: func(context.Context) error { w.haunt(l, goesOn, closesLate); return nil }})
}

func (w *conformWorld[T]) addBody(l *conformLife[T], order []*conformSubtask[T]) {
	writes := 0
	for _, verb := range strings.Fields(l.plan.body) {
		if verb == "publish" {
			l.calls = append(l.calls, conformCall{silent: true, do: func(context.Context) error { w.haunt(l, goesOnLate); return nil }})
			l.add(nil, "the checkpoint is complete", func(context.Context) error { w.publish(l); return nil })
			continue
		}
		if verb == "prepare" {
			l.calls = append(l.calls, conformCall{silent: true, do: func(context.Context) error { l.prepared++; return nil }})
		}
		if verb == "write" {
			writes++
		}
		for _, s := range order {
			if verb != "write" || s.index == 0 || writes%2 == 1 {
				w.addVerb(l, s, verb)
			}
		}
	}
}

func (w *conformWorld[T]) addVerb(l *conformLife[T], s *conformSubtask[T], verb string) {
	switch verb {
	case "write":
		l.add(s, "Write", func(ctx context.Context) error { return w.write(ctx, l, s) })
	case "prepare":
		l.add(s, "Prepare", func(ctx context.Context) error { return w.prepare(ctx, l, s) })
		l.add(s, "Begin", func(ctx context.Context) error { return w.begin(ctx, l, s) })
	case "commit":
		l.add(s, "Commit", func(ctx context.Context) error { return w.commit(ctx, l, s) })
	case "again":
		l.add(s, "Commit again", func(ctx context.Context) error { return w.commitAgain(ctx, l, s) })
	default:
		panic("operatortest: no verb " + verb)
	}
}

func (w *conformWorld[T]) open(ctx context.Context, l *conformLife[T], s *conformSubtask[T]) error {
	writer, err := w.outside.Sink.OpenTransactional(ctx, operators.SinkContext{
		Operator: "conform", Job: "conform", Index: s.index, Parallelism: l.plan.parallelism, Attempt: l.attempt,
		Now:  func() int64 { return 0 },
		Step: func(label string) { w.step(l, s, label) },
	})
	if err == nil {
		s.writer = writer
	}
	return err
}

func (w *conformWorld[T]) begin(ctx context.Context, l *conformLife[T], s *conformSubtask[T]) error {
	w.transactions++
	s.open = &conformTx[T]{name: fmt.Sprint("t", w.transactions), index: s.index}
	w.all = append(w.all, s.open)
	w.say("  it is %s", s.open.name)
	return s.writer.Begin(ctx)
}

func (w *conformWorld[T]) write(ctx context.Context, l *conformLife[T], s *conformSubtask[T]) error {
	var b operators.Batch[T]
	for range 2 {
		b.Append(w.sink.Value(w.values), int64(w.values))
		w.values++
	}
	s.open.values = append(s.open.values, b.Values...)
	w.say("  into %s: %s", s.open.name, list(b.Values))
	return s.writer.Write(ctx, &b)
}

func (w *conformWorld[T]) prepare(ctx context.Context, l *conformLife[T], s *conformSubtask[T]) error {
	handle, err := s.writer.Prepare(ctx)
	if err != nil {
		return err
	}
	tx := s.open
	tx.handle, tx.checkpoint, s.open = slices.Clone(handle), l.prepared, nil
	s.pending = append(s.pending, tx)
	if handle == nil {
		w.say("  %s has no handle", tx.name)
	}
	return nil
}

// commit commits what the newest complete checkpoint covers, as far as this attempt knows.
func (w *conformWorld[T]) commit(ctx context.Context, l *conformLife[T], s *conformSubtask[T]) error {
	for len(s.pending) > 0 && s.pending[0].checkpoint <= l.complete {
		tx := s.pending[0]
		if tx.handle != nil {
			w.say("  of %s", tx.name)
			if err := w.commitOne(ctx, s, tx); err != nil {
				return err
			}
			w.point(l, false, "when %s is committed", tx.name)
		}
		s.pending = s.pending[1:]
	}
	return nil
}

func (w *conformWorld[T]) commitOne(ctx context.Context, s *conformSubtask[T], tx *conformTx[T]) error {
	tx.called = true
	if err := s.writer.Commit(ctx, slices.Clone(tx.handle)); err != nil {
		return err
	}
	tx.committed = true
	return nil
}

func (w *conformWorld[T]) commitAgain(ctx context.Context, l *conformLife[T], s *conformSubtask[T]) error {
	for _, tx := range w.all {
		if !tx.called || tx.index%l.plan.parallelism != s.index {
			continue
		}
		w.say("  of %s", tx.name)
		if err := w.commitOne(ctx, s, tx); err != nil {
			return err
		}
	}
	return nil
}

// live makes the calls of a life until it ends.
func (w *conformWorld[T]) live(l *conformLife[T]) error {
	w.lives = append(w.lives, l)
	w.say("attempt %d begins, with %d subtasks", l.attempt, l.plan.parallelism)
	for l.next < len(l.calls) {
		died, err := w.call(l)
		if err != nil {
			return err
		}
		if died {
			break
		}
	}
	w.end(l)
	return nil
}

// call makes a life's next call. A call that is left by a crash is not made again.
func (w *conformWorld[T]) call(l *conformLife[T]) (died bool, err error) {
	defer func() {
		switch r := recover(); r {
		case nil:
		case crash{}:
			died, err = true, nil
		default:
			panic(r)
		}
	}()
	c := l.calls[l.next]
	if c.silent {
		l.next++
		return false, c.do(l.ctx)
	}
	sick := w.point(l, true, "before %s", c.label)
	w.say("%s", c.label)
	l.next++
	if sick {
		return w.underFault(l, c)
	}
	if err := c.do(l.ctx); err != nil {
		return false, fmt.Errorf("%s: %w", c.label, err)
	}
	return false, w.watch()
}

// underFault makes a call while the outside is in trouble. What fails ends the life, but
// for a Prepare that may be tried again.
func (w *conformWorld[T]) underFault(l *conformLife[T], c conformCall) (died bool, err error) {
	fault := w.outside.Faults[l.plan.fault-1]
	w.say("  under the fault %q", fault.Name)
	disarm := fault.Arm()
	err = c.do(l.ctx)
	disarm()
	if err != nil && strings.HasSuffix(c.label, "Prepare") && !errors.Is(err, operators.ErrBroken) {
		w.say("  failed, and is tried again: %v", err)
		err = c.do(l.ctx)
	}
	switch {
	case errors.Is(err, operators.ErrInDoubt):
		return false, fmt.Errorf("%s: %w", c.label, err)
	case err != nil:
		w.say("  failed: %v", err)
	}
	return err != nil, nil
}

// end ends a life as its plan says.
func (w *conformWorld[T]) end(l *conformLife[T]) {
	l.over = true
	w.say("attempt %d is over: it %s", l.attempt, l.plan.how)
	switch l.plan.how {
	case dies:
		l.cancel()
	case aborts:
		w.abort(l)
	case stops:
		w.abort(l)
		w.close(l)
	}
}

// abort is what a runtime does when it gives an attempt up. An error of that is none: the
// next attempt aborts too.
func (w *conformWorld[T]) abort(l *conformLife[T]) {
	for _, s := range l.subtasks {
		if s.writer == nil || s.open == nil {
			continue
		}
		w.say("attempt %d, subtask %d: AbortOpen", l.attempt, s.index)
		if err := s.writer.AbortOpen(context.WithoutCancel(l.ctx)); err != nil {
			w.say("  failed: %v", err)
		}
		s.open = nil
	}
}

func (w *conformWorld[T]) close(l *conformLife[T]) {
	if l.closed {
		return
	}
	l.closed = true
	w.say("attempt %d: Close", l.attempt)
	for _, s := range l.subtasks {
		if s.writer != nil {
			_ = s.writer.Close() // it has nothing to lose any more
		}
	}
	l.cancel()
}

// closeAll closes what is not.
func (w *conformWorld[T]) closeAll() {
	for _, l := range w.lives {
		w.close(l)
	}
}

// haunt has attempts that were given up in some ways do what they still do, next to the
// one whose turn it is.
func (w *conformWorld[T]) haunt(now *conformLife[T], how ...ending) {
	if now.over {
		return
	}
	for _, l := range w.lives {
		if !l.over || l.closed || !slices.Contains(how, l.plan.how) {
			continue
		}
		w.say("attempt %d has not heard of its successor:", l.attempt)
		if l.plan.how != closesLate {
			w.goOn(l)
			w.abort(l)
		}
		w.close(l)
	}
}

// goOn makes the rest of the calls of a life that is over, until one fails.
func (w *conformWorld[T]) goOn(l *conformLife[T]) {
	for ; l.next < len(l.calls); l.next++ {
		c := l.calls[l.next]
		if !c.silent {
			w.say("attempt %d, %s", l.attempt, c.label)
		}
		if err := c.do(l.ctx); err != nil {
			w.say("  failed: %v", err)
			return
		}
	}
}
