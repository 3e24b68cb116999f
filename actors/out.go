package actors

import (
	"github.com/asynkron/protoactor-go/actor"

	"github.com/weirflow/weir/actors/credit"
	"github.com/weirflow/weir/messages"
	"github.com/weirflow/weir/operators/plan"
)

// outputs are the channels that leave a subtask.
type outputs struct {
	edges []*exchange
	byID  map[messages.ChannelID]*outChannel
}

// exchange spreads the batches of one edge over the receiver's subtasks.
//
// Invariant: pending[i] holds what was routed to channel i and not yet offered
// to its window; it is shorter than a full batch between two pushes.
type exchange struct {
	edge     *plan.Edge
	index    int // of the sending subtask
	channels []*outChannel
	pending  []*plan.Batch
	owner    []int32 // Hash: channel by key group
	target   []int32 // scratch: channel by record of the batch being pushed
	next     int     // Rebalance: channel of the next batch
	full     int     // records that make a batch full
	maxPar   int
	dirty    func() // tells the subtask that something is pending
}

// outChannel is the sender's side of one channel.
type outChannel struct {
	id     messages.ChannelID
	to     *actor.PID
	remote bool
	seq    uint64
	window *credit.Window[*element]
	spare  []*plan.Batch // empty batches that came back; bounded by the credits
}

func newExchange(edge *plan.Edge, index, full, maxParallelism int, dirty func()) *exchange {
	x := &exchange{edge: edge, index: index, full: full, maxPar: maxParallelism, dirty: dirty}
	n := edge.To.Parallelism
	x.pending = make([]*plan.Batch, n)
	if edge.Partition == plan.Hash {
		x.owner = make([]int32, maxParallelism)
		for g := range x.owner {
			x.owner[g] = int32(messages.SubtaskOf(messages.KeyGroup(g), n, maxParallelism))
		}
	}
	x.next = index % n
	return x
}

// Push routes one batch. Marks go to every channel the sender may ever send
// records to, at their place.
func (x *exchange) Push(b *plan.Batch) error {
	if x.edge.Keyer != nil {
		x.edge.Keyer.Hash(b)
	}
	x.prepare(b.Len())
	switch x.edge.Partition {
	case plan.Hash:
		x.pushHash(b)
	case plan.Broadcast:
		x.pushSame(b, x.channels...)
	case plan.Rebalance:
		x.pushRebalance(b)
	case plan.ByFunction:
		if err := x.edge.Partitioner.Partition(b, len(x.channels), x.target[:b.Len()]); err != nil {
			return err
		}
		x.pushTo(b, x.target[:b.Len()])
	default:
		x.pushSame(b, x.channels[x.index])
	}
	x.dirty()
	return nil
}

func (x *exchange) prepare(records int) {
	for i := range x.pending {
		if x.pending[i] == nil && x.channels[i] != nil {
			x.pending[i] = x.channels[i].empty(x.edge.Type, x.full)
		}
	}
	if cap(x.target) < records {
		x.target = make([]int32, max(records, x.full))
	}
}

func (x *exchange) pushHash(b *plan.Batch) {
	target, owner, maxPar := x.target[:b.Len()], x.owner, uint64(x.maxPar)
	for i, h := range b.Hashes {
		target[i] = owner[(h>>32)*maxPar>>32]
	}
	x.pushTo(b, target)
}

// pushTo appends each record to its target, and marks to all.
func (x *exchange) pushTo(b *plan.Batch, target []int32) {
	at := 0
	for _, m := range b.Marks {
		x.scatter(b, at, m.Index, target)
		at = m.Index
		x.markAll(m.Watermark)
	}
	x.scatter(b, at, b.Len(), target)
	x.offerFull()
}

func (x *exchange) scatter(b *plan.Batch, from, to int, target []int32) {
	if from < to {
		x.edge.Type.Scatter(x.pending, b, from, to, target[from:to])
	}
}

// pushSame appends all of b, marks included, to each of the channels.
func (x *exchange) pushSame(b *plan.Batch, to ...*outChannel) {
	for _, c := range to {
		p := x.pending[c.id.To]
		at := 0
		for _, m := range b.Marks {
			x.edge.Type.Append(p, b, at, m.Index)
			at = m.Index
			mark(p, m.Watermark)
		}
		x.edge.Type.Append(p, b, at, b.Len())
	}
	x.offerFull()
}

// pushRebalance sends the records of b to the next channel in turn, and its
// marks to all: the others get them before what they get next.
func (x *exchange) pushRebalance(b *plan.Batch) {
	chosen := x.pending[x.next]
	at := 0
	for _, m := range b.Marks {
		x.edge.Type.Append(chosen, b, at, m.Index)
		at = m.Index
		x.markAll(m.Watermark)
	}
	x.edge.Type.Append(chosen, b, at, b.Len())
	if b.Len() > 0 {
		x.next = (x.next + 1) % len(x.channels)
	}
	x.offerFull()
}

func (x *exchange) markAll(watermark int64) {
	for _, p := range x.pending {
		if p != nil {
			mark(p, watermark)
		}
	}
}

// mark puts a watermark behind the last record; of several at one place only
// the greatest is needed.
func mark(b *plan.Batch, watermark int64) {
	if n := len(b.Marks); n > 0 && b.Marks[n-1].Index == b.Len() {
		b.Marks[n-1].Watermark = watermark
		return
	}
	b.Marks = append(b.Marks, plan.Mark{Index: b.Len(), Watermark: watermark})
}

func (x *exchange) offerFull() {
	for i, p := range x.pending {
		if p != nil && p.Len() >= x.full {
			x.offer(i)
		}
	}
}

// flush offers everything that is pending.
func (x *exchange) flush() {
	for i, p := range x.pending {
		if p != nil && (p.Len() > 0 || len(p.Marks) > 0) {
			x.offer(i)
		}
	}
}

func (x *exchange) offer(i int) {
	b := x.pending[i]
	x.pending[i] = nil
	x.channels[i].window.Offer(&element{kind: kindBatch, batch: b})
}

// empty gives a batch to fill: one that came back, or a new one.
func (c *outChannel) empty(t plan.RowType, capacity int) *plan.Batch {
	if n := len(c.spare); n > 0 {
		b := c.spare[n-1]
		c.spare = c.spare[:n-1]
		return b
	}
	return t.New(capacity)
}

// open tells whether every channel would take a batch at once.
func (o *outputs) open() bool {
	for _, x := range o.edges {
		for _, c := range x.channels {
			if c != nil && !c.window.Open() {
				return false
			}
		}
	}
	return true
}

func (o *outputs) flush() {
	for _, x := range o.edges {
		x.flush()
	}
}

// dropSides loses what side outputs have pending: a planted bug.
func (o *outputs) dropSides() {
	for _, x := range o.edges {
		if x.edge.Tag != "" {
			clear(x.pending)
		}
	}
}

// broadcast puts one element on every channel, behind all that was pushed.
func (o *outputs) broadcast(e element) {
	for _, x := range o.edges {
		x.broadcast(e)
	}
}

func (x *exchange) broadcast(e element) {
	x.flush()
	for _, c := range x.channels {
		if c != nil {
			copied := e
			c.window.Offer(&copied)
		}
	}
}

// onCredit takes credits back, and an empty batch with them.
func (o *outputs) onCredit(id messages.ChannelID, batches int, spent *plan.Batch, limit int) error {
	c := o.byID[id]
	if c == nil {
		return nil // a channel of another shape of the plan: stale
	}
	if spent != nil && len(c.spare) < limit {
		c.spare = append(c.spare, spent)
	}
	return c.window.Return(batches)
}
