package operatortest

import (
	"github.com/weirflow/weir/messages"
	"github.com/weirflow/weir/operators/plan"
)

// fan is one output of a subtask: it hands a batch to everybody who reads it.
type fan struct {
	node      *node
	tag       string
	mark      int64 // the last one pushed
	exchanges []*exchange
}

// Push is plan.Output. Whoever reads gets a copy, for each may change it.
func (f *fan) Push(b *plan.Batch) error {
	e := f.node.engine
	e.t.Helper()
	if s := e.sides[f.tag]; s != nil && f.tag != "" {
		s.take(f.mark, b)
	}
	f.checkMarks(b)
	for _, x := range f.exchanges {
		if err := x.push(b); err != nil {
			return err
		}
	}
	return nil
}

// checkMarks holds the operator to the invariants of a batch.
func (f *fan) checkMarks(b *plan.Batch) {
	f.node.engine.t.Helper()
	index := 0
	for _, m := range b.Marks {
		if m.Index < index || m.Index > b.Len() || m.Watermark <= f.mark {
			f.node.engine.t.Fatalf("%v, subtask %d: pushed watermark %s at %d of %d records, behind watermark %s at %d; watermarks grow and stand in order",
				f.node.op, f.node.index, showTime(m.Watermark), m.Index, b.Len(), showTime(f.mark), index)
		}
		index, f.mark = m.Index, m.Watermark
	}
}

// exchange spreads the batches of one edge over the receiver's subtasks.
type exchange struct {
	edge     *plan.Edge
	channels []channel // by subtask of the receiver; forward: the one
	groups   int       // the topology's key groups
	next     int       // rebalance: the channel of the next batch
	target   []int32   // by function: the channels of the batch's records
}

func (x *exchange) push(b *plan.Batch) error {
	own := *b
	if x.edge.Keyer != nil {
		own.Hashes = nil // the sender's column stays as it is
		x.edge.Keyer.Hash(&own)
	}
	if x.edge.Partitioner != nil {
		x.target = make([]int32, own.Len())
		if err := x.edge.Partitioner.Partition(&own, len(x.channels), x.target); err != nil {
			return err
		}
	}
	for i, part := range x.split(&own) {
		if part.Len() == 0 && len(part.Marks) == 0 {
			continue
		}
		if err := x.channels[i].to.receive(x.channels[i], x.edge.Port, part); err != nil {
			return err
		}
	}
	return nil
}

// split gives each channel its records, and every mark at its place among them.
func (x *exchange) split(b *plan.Batch) []*plan.Batch {
	parts := make([]*plan.Batch, len(x.channels))
	for i := range parts {
		parts[i] = x.edge.Type.New(0)
	}
	from := 0
	for _, m := range b.Marks {
		x.spread(parts, b, from, m.Index)
		for _, p := range parts {
			p.WithMark(m.Watermark)
		}
		from = m.Index
	}
	x.spread(parts, b, from, b.Len())
	if b.Len() > 0 {
		x.next = (x.next + 1) % len(x.channels)
	}
	return parts
}

// spread copies records [from, to) to where they go.
func (x *exchange) spread(parts []*plan.Batch, b *plan.Batch, from, to int) {
	switch rows := x.edge.Type; x.edge.Partition {
	case plan.Hash:
		for i := from; i < to; i++ {
			g := messages.KeyGroupOf(b.Hashes[i], x.groups)
			rows.Append(parts[messages.SubtaskOf(g, len(parts), x.groups)], b, i, i+1)
		}
	case plan.ByFunction:
		for i := from; i < to; i++ {
			rows.Append(parts[x.target[i]], b, i, i+1)
		}
	case plan.Broadcast:
		for _, p := range parts {
			rows.Append(p, b, from, to)
		}
	case plan.Rebalance:
		rows.Append(parts[x.next], b, from, to)
	default:
		rows.Append(parts[0], b, from, to)
	}
}
