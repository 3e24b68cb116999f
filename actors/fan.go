package actors

import (
	"errors"

	"github.com/weirflow/weir/operators/plan"
)

// fan hands a batch to everybody who reads one output of a node. All but the
// last get a copy, for each may change what it gets.
type fan struct {
	node    *node
	types   plan.RowType
	targets []plan.Output
	spare   *plan.Batch
}

// fans are a node's outputs by tag; "" is the main one.
type fans map[string]*fan

func (f *fan) Push(b *plan.Batch) error {
	if b.Len() == 0 && len(b.Marks) == 0 {
		return nil
	}
	f.node.out += uint64(b.Len())
	if len(f.targets) == 0 {
		return nil
	}
	last := len(f.targets) - 1
	for _, t := range f.targets[:last] {
		if err := t.Push(f.copyOf(b)); err != nil {
			return f.node.atRecord(err)
		}
	}
	return f.node.atRecord(f.targets[last].Push(b))
}

// atRecord makes the node's failure of an error that tells its record itself.
func (n *node) atRecord(err error) error {
	if err == nil {
		return nil
	}
	var at *plan.RecordError
	if !errors.As(err, &at) {
		return err
	}
	f := n.failure(at.Reason, at.Stack)
	f.HasRecord, f.RecordTimeMs, f.KeyGroup = true, at.Time, -1
	return f
}

func (c *call) Push(b *plan.Batch) error { return c.node.process(c.port, c.keyer, b) }

// call is a chained edge: the next operator's Process, right here.
type call struct {
	node  *node
	port  int
	keyer plan.Keyer
}

func (n *node) fanOf(e *plan.Edge) *fan {
	f := n.outputs[e.Tag]
	if f == nil {
		f = &fan{node: n, types: e.Type}
		n.outputs[e.Tag] = f
	}
	return f
}

func (f *fan) copyOf(b *plan.Batch) *plan.Batch {
	if f.spare == nil {
		f.spare = f.types.New(b.Len())
	}
	f.types.Reset(f.spare)
	f.types.Append(f.spare, b, 0, b.Len())
	f.spare.Marks = append(f.spare.Marks[:0], b.Marks...)
	return f.spare
}

func (f fans) push(tag string, b *plan.Batch) error {
	if out, ok := f[tag]; ok {
		return out.Push(b)
	}
	return nil
}

func (f *fan) add(e *plan.Edge, chained map[int]*node, exchanges map[int]*exchange) {
	if e.Chained {
		f.targets = append(f.targets, &call{node: chained[e.To.Index], port: e.Port, keyer: e.Keyer})
		return
	}
	f.targets = append(f.targets, exchanges[e.Index])
}
