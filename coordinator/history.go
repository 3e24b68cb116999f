package coordinator

import (
	"time"

	"github.com/weirflow/weir/messages"
)

// FailureRecord is one failure in the life of a job.
type FailureRecord struct {
	Time    time.Time
	Region  int
	Attempt messages.Attempt // 0: before one was claimed
	Failure *messages.Failure
	// First tells the cause of an attempt's end from what followed of it.
	First bool
}

// maxHistory bounds the failures that are remembered: the first one ever and
// the newest, for between them a job that fails for ever repeats itself.
const maxHistory = 32

type history struct {
	records []FailureRecord // at most maxHistory, in order; records[0] is the first ever
	total   int
}

func (h *history) add(r FailureRecord) {
	h.total++
	if len(h.records) == maxHistory {
		h.records = append(h.records[:1], h.records[2:]...)
	}
	h.records = append(h.records, r)
}
