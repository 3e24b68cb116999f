package operatortest

import (
	"context"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/weirflow/weir/messages"
)

// conformWorld is a scenario: what lives leave to the next, and what is known of each
// transaction.
type conformWorld[T any] struct {
	sink         *ConformSink[T]
	outside      ConformOutside[T]
	watched      bool // look outside after every call
	lives        []*conformLife[T]
	attempt      messages.Attempt
	complete     int             // newest complete checkpoint
	manifest     []*conformTx[T] // what it holds prepared
	all          []*conformTx[T]
	transactions int
	values       int // so many were written
	script       []string
}

func (w *conformWorld[T]) say(format string, args ...any) {
	w.script = append(w.script, fmt.Sprintf(format, args...))
}

// publish makes the newest checkpoint complete, unless another attempt has taken over.
func (w *conformWorld[T]) publish(l *conformLife[T]) {
	if l.over {
		w.say("  no, it is too late for it")
		return
	}
	w.complete, l.complete, w.manifest = l.prepared, l.prepared, nil
	for _, s := range l.subtasks {
		for _, tx := range s.pending {
			tx.decided = true
			if tx.handle != nil {
				w.manifest = append(w.manifest, tx)
			}
		}
	}
}

// point is where a life may end, or a call meet a fault, which it tells.
func (w *conformWorld[T]) point(l *conformLife[T], call bool, format string, args ...any) (sick bool) {
	counts := l.plan.where == anywhere || call && l.plan.where == calls || l.plan.where == restoring && l.next < l.restore
	if l.over || l.plan.at == 0 || !counts {
		return false
	}
	if l.seen++; l.seen != l.plan.at {
		return false
	}
	if l.plan.fault > 0 {
		return true
	}
	w.say("the end of attempt %d, "+format, append([]any{l.attempt}, args...)...)
	panic(crash{})
}

// step is a point that the sink marks.
func (w *conformWorld[T]) step(l *conformLife[T], s *conformSubtask[T], label string) {
	if l.over {
		return
	}
	w.point(l, false, "in subtask %d at step %q", s.index, label)
}

// watch demands that what is committed shows, and nothing else. While a complete checkpoint
// is committed in part, the rest may hold readers back, who read in order.
func (w *conformWorld[T]) watch() error {
	if !w.watched {
		return nil
	}
	called := func(tx *conformTx[T]) bool { return tx.called }
	if slices.ContainsFunc(w.all, func(tx *conformTx[T]) bool { return tx.decided && tx.handle != nil && !tx.committed }) {
		return w.compare(func(*conformTx[T]) bool { return false }, called)
	}
	return w.compare(called, called)
}

// final demands that all that was decided shows, and nothing else, and that nothing lingers.
func (w *conformWorld[T]) final() error {
	decided := func(tx *conformTx[T]) bool { return tx.decided }
	if err := w.compare(decided, decided); err != nil || w.outside.Lingering == nil {
		return err
	}
	left, err := w.outside.Lingering(context.Background())
	if err != nil {
		return fmt.Errorf("Lingering: %w", err)
	}
	if len(left) > 0 {
		return fmt.Errorf("lingers in the end, although each attempt recovered: %q", left)
	}
	return nil
}

// compare demands that each record of some transactions is outside once, and none but
// those of others.
func (w *conformWorld[T]) compare(must, may func(*conformTx[T]) bool) error {
	rest, err := w.outside.Committed(context.Background())
	if err != nil {
		return fmt.Errorf("Committed: %w", err)
	}
	seen := len(rest)
	var diff []string
	for _, tx := range w.all {
		for _, v := range tx.values {
			at := slices.IndexFunc(rest, func(r T) bool { return w.equal(v, r) })
			switch {
			case at < 0 && must(tx):
				diff = append(diff, fmt.Sprintf("- %+v, of %s, is missing", v, tx))
			case at >= 0 && may(tx):
				rest = slices.Delete(slices.Clone(rest), at, at+1)
			}
		}
	}
	for _, v := range rest {
		diff = append(diff, fmt.Sprintf("+ %+v, %s", v, w.origin(v, may)))
	}
	if len(diff) == 0 {
		return nil
	}
	return fmt.Errorf("readers outside see %d records, and not what they should:\n  %s", seen, strings.Join(diff, "\n  "))
}

// origin tells why a record should not be there.
func (w *conformWorld[T]) origin(v T, may func(*conformTx[T]) bool) string {
	for _, tx := range w.all {
		if !slices.ContainsFunc(tx.values, func(r T) bool { return w.equal(v, r) }) {
			continue
		}
		if may(tx) {
			return fmt.Sprintf("of %s, is there once too often", tx)
		}
		return fmt.Sprintf("of %s, must not be there", tx)
	}
	return "was never written"
}

func (tx *conformTx[T]) String() string {
	switch {
	case tx.committed:
		return tx.name + " (committed)"
	case tx.decided:
		return tx.name + " (decided)"
	}
	return tx.name + " (not decided)"
}

func (w *conformWorld[T]) equal(a, b T) bool {
	if w.sink.Equal != nil {
		return w.sink.Equal(a, b)
	}
	return reflect.DeepEqual(a, b)
}

// explain adds the script to an error.
func (w *conformWorld[T]) explain(err error) error {
	if err == nil {
		return nil
	}
	var b strings.Builder
	n := 0
	for _, line := range w.script {
		if strings.HasPrefix(line, " ") {
			fmt.Fprintf(&b, "     %s\n", line)
			continue
		}
		n++
		fmt.Fprintf(&b, "%4d. %s\n", n, line)
	}
	return fmt.Errorf("%w\n\nwhat happened:\n%s", err, b.String())
}

func list[T any](values []T) string {
	var all []string
	for _, v := range values {
		all = append(all, fmt.Sprintf("%+v", v))
	}
	return strings.Join(all, ", ")
}
