package sim

import (
	"fmt"

	"github.com/weirflow/weir/messages"
)

// ledger is what lies behind a sink outside: a log to which transactions append
// when they are committed. It behaves as a broker does: it outlives every
// process, takes a commit twice, and refuses writers of an older attempt than one
// that has recovered.
type ledger struct {
	name  string
	txns  []*transaction   // all there ever were
	fence messages.Attempt // the newest that has recovered: older ones write no more
	log   []string         // what is committed, in order
	count map[string]int   // of each record in log
	want  map[string]int   // what the oracle expects, how often
	allow map[string]int   // what it allows besides
	show  map[string]string
	read  func(record string) string // shows what nobody expects; nil: nobody writes here
}

// transaction is one of a ledger.
type transaction struct {
	ledger  *ledger
	number  int // in ledger.txns
	attempt messages.Attempt
	index   int // of the subtask
	state   txnState
	records []string
}

type txnState int

const (
	txnOpen txnState = iota
	txnPrepared
	txnCommitted
	txnAborted
)

func (s txnState) String() string {
	return [...]string{"open", "prepared", "committed", "aborted"}[s]
}

func (t *things) ledger(name string) *ledger {
	if l := t.ledgers[name]; l != nil {
		return l
	}
	l := &ledger{name: name, count: map[string]int{}, want: map[string]int{}, allow: map[string]int{}, show: map[string]string{}}
	t.ledgers[name] = l
	t.order = append(t.order, l)
	return l
}

func (l *ledger) begin(a messages.Attempt, index int) *transaction {
	x := &transaction{ledger: l, number: len(l.txns), attempt: a, index: index}
	l.txns = append(l.txns, x)
	return x
}

// lingering are the open and prepared transactions of attempts before a, those of
// one share of them: whoever wrote them is no part of it.
func (l *ledger) lingering(a messages.Attempt, share, shares int) []*transaction {
	var old []*transaction
	for _, x := range l.txns {
		if (x.state == txnOpen || x.state == txnPrepared) && x.attempt < a && x.number%shares == share {
			old = append(old, x)
		}
	}
	return old
}

// handle names a transaction, for any process.
func (x *transaction) handle() []byte {
	return fmt.Appendf(nil, "%s#%d", x.ledger.name, x.number)
}

func (l *ledger) find(handle []byte) (*transaction, error) {
	for _, x := range l.txns {
		if string(x.handle()) == string(handle) {
			return x, nil
		}
	}
	return nil, fmt.Errorf("sink %q has no transaction %q", l.name, handle)
}

func (x *transaction) String() string {
	return fmt.Sprintf("transaction %s of attempt %d, subtask %d, %s, %d records", x.handle(), x.attempt, x.index, x.state, len(x.records))
}
