package operatortest

import (
	"reflect"

	"github.com/weirflow/weir/messages"
	"github.com/weirflow/weir/operators/plan"
)

// collector stands in for a sink and keeps what comes.
//
// Invariant: epochs, and copies unless it is nil, are as long as log.
type collector struct {
	rows   plan.RowType
	log    *plan.Batch
	epochs []int64 // by record: the watermark of its channel before it
	copies []any   // by record: as its codec carries it over, when it came; nil if it cannot
	deep   bool    // make copies
	marks  map[lane][]int64
	lanes  []lane // in the order of their first mark
}

// lane is a channel in one life of the subtasks.
type lane struct {
	attempt        messages.Attempt
	index, channel int
}

func newCollector(rows plan.RowType, deep bool) *collector {
	return &collector{rows: rows, log: rows.New(0), deep: deep, marks: map[lane][]int64{}}
}

// take keeps the records of a batch whose channel was at a watermark before it.
func (c *collector) take(t TB, watermark int64, b *plan.Batch) {
	t.Helper()
	own := *b
	own.Hashes = nil
	c.rows.Append(c.log, &own, 0, own.Len())
	c.epochs = appendEpochs(c.epochs, watermark, b)
	for i := 0; c.deep && i < own.Len(); i++ {
		c.copies = append(c.copies, c.carried(t, &own, i))
	}
}

// carried is record i as the next subtask may get it: written and read by its
// codec. What the sender still changes does not change the copy.
func (c *collector) carried(t TB, b *plan.Batch, i int) any {
	t.Helper()
	one := c.rows.New(1)
	if _, err := c.rows.Encode(nil, one); err != nil {
		return nil // the type has no codec: it never leaves its subtask
	}
	c.rows.Append(one, b, i, i+1)
	p, err := c.rows.Encode(nil, one)
	if err != nil {
		t.Fatalf("record %+v at %s cannot leave its subtask: %v", valueAt(b, i), showTime(b.Times[i]), err)
	}
	back := c.rows.New(1)
	if err := c.rows.Decode(back, p); err != nil {
		t.Fatalf("record %+v at %s cannot be read again: %v", valueAt(b, i), showTime(b.Times[i]), err)
	}
	return valueAt(back, 0)
}

func (c *collector) marked(attempt messages.Attempt, index, channel int, marks []plan.Mark) {
	l := lane{attempt, index, channel}
	if _, known := c.marks[l]; !known && len(marks) > 0 {
		c.lanes = append(c.lanes, l)
	}
	for _, m := range marks {
		c.marks[l] = append(c.marks[l], m.Watermark)
	}
}

func (c *collector) drain() {
	c.log, c.epochs, c.copies = c.rows.New(0), nil, nil
}

// recordsOf gives what a collector of records of type R holds, from the record
// at index on.
func recordsOf[R any](c *collector, from int) []Record[R] {
	var all []Record[R]
	for i, v := range (*c.log.Values.(*[]R))[from:] {
		all = append(all, Record[R]{Value: v, Time: c.log.Times[from+i]})
	}
	return all
}

// side keeps what all operators send to the side outputs of one tag, whether or
// not somebody reads it.
type side struct {
	values []any
	times  []int64
	epochs []int64
}

func (s *side) take(watermark int64, b *plan.Batch) {
	for i := range b.Len() {
		s.values, s.times = append(s.values, valueAt(b, i)), append(s.times, b.Times[i])
	}
	s.epochs = appendEpochs(s.epochs, watermark, b)
}

// appendEpochs adds for each record of b the watermark before it.
func appendEpochs(epochs []int64, watermark int64, b *plan.Batch) []int64 {
	marks := b.Marks
	for i := range b.Len() {
		for len(marks) > 0 && marks[0].Index <= i {
			watermark, marks = marks[0].Watermark, marks[1:]
		}
		epochs = append(epochs, watermark)
	}
	return epochs
}

func valueAt(b *plan.Batch, i int) any { return reflect.ValueOf(b.Values).Elem().Index(i).Interface() }
