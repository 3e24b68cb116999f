package kafka

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/weirflow/weir/messages"
	"github.com/weirflow/weir/messages/mutant"
)

// slots are the transactional ids of a subtask in an attempt:
//
//	<prefix>/<operator>/<subtask>/<attempt>/<slot>
//
// One is in use from the beginning of a transaction until its commit is known; then it
// serves again, so that brokers need not remember an id for each checkpoint. No attempt
// uses the ids of another one: whoever begins a transaction ends that of the same id, and
// an attempt that does not know of its successor must not do that to it.
type slots struct {
	sink string // what the ids of all subtasks and attempts begin with
	own  string
	used map[int]bool
}

// maxSlots bounds the transactions that are prepared and not committed, of a subtask:
// checkpoints that fail leave theirs to the next one.
const maxSlots = 64

func newSlots(prefix string, operator messages.OperatorID, subtask int, attempt messages.Attempt) slots {
	sink := fmt.Sprintf("%s/%s/", prefix, operator)
	return slots{sink: sink, own: fmt.Sprintf("%s%d/%d/", sink, subtask, attempt), used: map[int]bool{}}
}

// take gives an id that is not in use.
func (s *slots) take() (id string, err error) {
	for n := range maxSlots {
		if !s.used[n] {
			s.used[n] = true
			return s.own + strconv.Itoa(n), nil
		}
	}
	return "", fmt.Errorf("%d transactions are prepared and not committed; no checkpoint was completed since", maxSlots)
}

// release notes that an id is free, if it is one of these.
func (s *slots) release(id string) {
	if n, ok := strings.CutPrefix(id, s.own); ok {
		if n, err := strconv.Atoi(n); err == nil {
			delete(s.used, n)
		}
	}
}

// owner gives the subtask and the attempt that an id of this sink is of.
func (s *slots) owner(id string) (subtask int, attempt messages.Attempt, ours bool) {
	rest, ok := strings.CutPrefix(id, s.sink)
	if mutant.On("any-sink") && !ok {
		rest, ok = id[max(0, len(id)-len("0/0/0")):], true
	}
	fields := strings.Split(rest, "/")
	if !ok || len(fields) != 3 {
		return 0, 0, false
	}
	var n [3]uint64
	for i := range fields {
		v, err := strconv.ParseUint(fields[i], 10, 62)
		if err != nil {
			return 0, 0, false
		}
		n[i] = v
	}
	return int(n[0]), messages.Attempt(n[1]), true
}
