package operators

import "github.com/weirflow/weir/messages/mutant"

// asyncQueue keeps records until their results may leave, and the watermarks
// between them. It knows neither time nor calls, so a test drives it by hand.
//
// Invariants: there is at least one span, and only the last has no watermark;
// watermarks grow from out over the spans to last; there are at most asyncMarks
// more spans without records than with.
type asyncQueue struct {
	ordered bool
	spans   []*asyncSpan
	size    int   // records that have not left
	out     int64 // the last watermark that left
	last    int64 // the last one that came
}

// asyncSpan is the records between two watermarks.
type asyncSpan struct {
	records   []*asyncRecord // ordered: as they came; otherwise those without results, in any order
	done      []*asyncRecord // unordered: as their results came
	watermark int64          // behind them
}

// asyncRecord is a record until its results have left.
type asyncRecord struct {
	value any
	time  int64 // event time, ms

	resolved bool // it has its results, or is to go aside
	aside    bool // it goes to the side output of OnTimeout
	results  any
	span     *asyncSpan
	at       int // unordered, not resolved: its place in span.records

	attempts int
	cancel   func() // ends the context of the call; nil before the first
	deadline int64  // processing time, ms
	due      int64  // of the next attempt; 0: none is waited for
}

// asyncReceiver gets what leaves the queue.
type asyncReceiver interface {
	leave(r *asyncRecord)
	pass(watermark int64)
}

func newAsyncQueue(ordered bool, watermark int64) asyncQueue {
	return asyncQueue{ordered: ordered, spans: []*asyncSpan{{}}, out: watermark, last: watermark}
}

// add puts a record behind all others.
func (q *asyncQueue) add(r *asyncRecord) {
	s := q.spans[len(q.spans)-1]
	r.span, r.at = s, len(s.records)
	s.records = append(s.records, r)
	q.size++
}

// asyncMarks is how many watermarks may wait without records between them. Above
// it those that are not needed go: an input may send any number.
const asyncMarks = 256

// mark puts a watermark behind all records. One that does not grow is ignored.
func (q *asyncQueue) mark(watermark int64) {
	if watermark <= q.last {
		return
	}
	q.last = watermark
	n := len(q.spans)
	if n > asyncMarks && q.spans[n-1].empty() && q.spans[n-2].empty() {
		q.spans[n-2].watermark = watermark
		return
	}
	q.spans[n-1].watermark = watermark
	q.spans = append(q.spans, &asyncSpan{})
}

func (s *asyncSpan) empty() bool { return len(s.records)+len(s.done) == 0 }

// resolve notes that a record may leave as soon as its turn comes.
func (q *asyncQueue) resolve(r *asyncRecord) {
	r.resolved = true
	if q.ordered && !mutant.On("async-out-of-order") {
		return
	}
	s := r.span
	last := len(s.records) - 1
	s.records[r.at] = s.records[last]
	s.records[r.at].at = r.at
	s.records[last] = nil
	s.records = s.records[:last]
	s.done = append(s.done, r)
}

// release lets go what may leave.
func (q *asyncQueue) release(to asyncReceiver) {
	for {
		s := q.spans[0]
		q.releaseFrom(s, to)
		if len(s.records) > 0 || len(q.spans) == 1 {
			return
		}
		q.out = s.watermark
		to.pass(s.watermark)
		q.spans[0] = nil
		q.spans = q.spans[1:]
	}
}

// releaseFrom lets go records of the first span.
func (q *asyncQueue) releaseFrom(s *asyncSpan, to asyncReceiver) {
	for _, r := range s.done {
		to.leave(r)
	}
	q.size -= len(s.done)
	clear(s.done)
	s.done = s.done[:0]
	for q.ordered && len(s.records) > 0 && s.records[0].resolved {
		to.leave(s.records[0])
		s.records[0] = nil
		s.records = s.records[1:]
		q.size--
	}
}

// each visits all records that have not left, and the watermarks between them.
func (q *asyncQueue) each(visit func(*asyncRecord), mark func(watermark int64)) {
	for i, s := range q.spans {
		for _, r := range s.records {
			visit(r)
		}
		for _, r := range s.done {
			visit(r)
		}
		if i < len(q.spans)-1 {
			mark(s.watermark)
		}
	}
}

// raise brings the clock of an empty queue up to that of the inputs.
func (q *asyncQueue) raise(watermark int64) {
	if q.size == 0 && watermark > q.last {
		q.out, q.last = watermark, watermark
	}
}
