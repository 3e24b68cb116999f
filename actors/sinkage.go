package actors

import (
	"fmt"
	"time"

	"github.com/weirflow/weir/messages"
)

// age knows how old a sink's transactions are, where the outside gives up those that
// nobody ends (plan.Operator.Lifetime). When the oldest has half its life behind it, a
// checkpoint is asked for, and again each quarter until it is committed: what is
// then still to come of its life is for the checkpoint and the commit.
//
// Invariant: began holds a time for each pending transaction of this attempt, in
// their order, and one for the open one behind them; notBegun while nothing is in it.
type age struct {
	sink   *sink
	began  []int64 // ms
	cancel func()  // of the next check; nil: none is set
}

const notBegun = -1

// ageCheck asks a sink to look at its transactions.
type ageCheck struct{ sink *sink }

func (a *age) lifetime() time.Duration { return a.sink.n.op.Lifetime }

func (a *age) onBegin() {
	if a.lifetime() > 0 {
		a.began = append(a.began, notBegun)
	}
}

// onRecords notes when the open transaction begins in truth.
func (a *age) onRecords() {
	if n := len(a.began); n > 0 && a.began[n-1] == notBegun {
		a.began[n-1] = a.sink.s.now()
		a.arm()
	}
}

// onPrepared forgets a transaction in which nothing was.
func (a *age) onPrepared(some bool) {
	if n := len(a.began); n > 0 && !some {
		a.began = a.began[:n-1]
	}
}

func (a *age) onCommitted() {
	if len(a.began) > 0 {
		a.began = a.began[1:]
	}
}

func (a *age) arm() {
	if a.cancel == nil {
		a.cancel = a.sink.s.o.Env.After(a.lifetime()/4, a.sink.s.self, &ageCheck{a.sink})
	}
}

// stop ends the checks, so that nothing holds on to an attempt that is over.
func (a *age) stop() {
	if a.cancel != nil {
		a.cancel()
		a.cancel = nil
	}
}

func (a *age) check() {
	a.cancel = nil
	if len(a.began) == 0 || a.began[0] == notBegun {
		return
	}
	a.arm()
	old := time.Duration(a.sink.s.now()-a.began[0]) * time.Millisecond
	if old < a.lifetime()/2 {
		return
	}
	s := a.sink.s
	s.tell(&messages.CheckpointWanted{
		Job: string(s.o.Job), Attempt: uint64(s.attempt), Subtask: s.id.Proto(),
		Reason: fmt.Sprintf("a transaction of sink %q is %v old, and lasts %v", a.sink.n.op.Name, old, a.lifetime()),
	})
}
