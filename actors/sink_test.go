package actors

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/weirflow/weir/messages"
	"github.com/weirflow/weir/operators/plan"
)

// gone is a transactional sink whose transactions are all in doubt.
type gone struct{ plan.Transactional }

func (gone) Commit(context.Context, []byte) error { return plan.ErrInDoubt }

// A doubt is told again until the coordinator has heard of this one, whatever the size of
// its handle.
func TestDoubtsAreToldUntilHeard(t *testing.T) {
	k := &sink{tx: gone{}, n: &node{op: &plan.Operator{Name: "out"}, rt: &plan.Runtime{Logger: slog.New(slog.DiscardHandler)}}}
	for n := range 2 {
		p := &messages.Prepared{Checkpoint: 7, Handle: []byte(fmt.Sprint(n, strings.Repeat("kept", 1<<18)))}
		if err := k.commitOne(t.Context(), p); err != nil {
			t.Fatal(err)
		}
	}
	first, second := k.inDoubt[0], k.inDoubt[1]
	k.onHeard(nil)
	k.onHeard([]uint64{1})
	if len(k.inDoubt) != 2 {
		t.Errorf("%d doubts are told, want 2", len(k.inDoubt))
	}
	k.onHeard([]uint64{1, first.Key()})
	if len(k.inDoubt) != 1 || k.inDoubt[0] != second {
		t.Errorf("%d doubts are told, want the second alone", len(k.inDoubt))
	}
}
