package operators

import (
	"encoding/binary"
	"fmt"

	"github.com/weirflow/weir/messages"
	"github.com/weirflow/weir/messages/mutant"
	"github.com/weirflow/weir/operators/plan"
)

// What an async operator has in a checkpoint, for each subtask:
//
//	varint  the last watermark that left
//	...     the records that have not, as a batch with the watermarks between them
//
// What they were resolved to is not kept: they are called for again.

// SnapshotState is plan.Checkpointed's.
func (a *asyncer) SnapshotState() ([]byte, error) {
	b := a.types.rows.New(a.queue.size)
	a.queue.each(func(r *asyncRecord) {
		if mutant.On("async-pending-lost") && r.attempts > 0 {
			return
		}
		a.types.put(b, r.value)
		b.Times = append(b.Times, r.time)
	}, func(watermark int64) {
		if !mutant.On("async-mark-not-saved") {
			b.WithMark(watermark)
		}
	})
	return a.types.rows.Encode(binary.AppendVarint(nil, a.queue.out), b)
}

// asyncPart is what one subtask had.
type asyncPart struct {
	out   int64
	batch *plan.Batch
}

// last is the clock of the subtask's inputs.
func (p asyncPart) last() int64 {
	if n := len(p.batch.Marks); n > 0 {
		return p.batch.Marks[n-1].Watermark
	}
	return p.out
}

// RestoreState is plan.Checkpointed's. A subtask that is what it was goes on with
// its own records and watermarks. Otherwise part i goes to the subtask of index i
// modulo the parallelism, and the output begins at the least watermark that left:
// no result may come behind one that was promised. The watermarks between the
// records are those of inputs that are no more; the clock's comes behind them all.
func (a *asyncer) RestoreState(parts [][]byte) error {
	all, err := a.decodeParts(parts)
	if err != nil {
		return err
	}
	index, clock := a.rt.Index, a.rt.Watermark()
	if len(all) == a.rt.Parallelism && all[index].last() == clock {
		a.queue = newAsyncQueue(a.queue.ordered, all[index].out)
		a.restore(all[index].batch)
		return nil
	}
	out := messages.MaxWatermark
	for _, p := range all {
		out = min(out, p.out)
	}
	a.queue = newAsyncQueue(a.queue.ordered, out)
	for i := index; i < len(all); i += a.rt.Parallelism {
		all[i].batch.Marks = nil
		a.restore(all[i].batch)
	}
	if a.queue.size > 0 {
		a.queue.mark(clock) // otherwise it leaves at once, see raise
	}
	return nil
}

// restore puts records and watermarks behind what is there.
func (a *asyncer) restore(b *plan.Batch) {
	from := 0
	for _, m := range b.Marks {
		a.take(b, from, m.Index)
		a.queue.mark(m.Watermark)
		from = m.Index
	}
	a.take(b, from, b.Len())
}

func (a *asyncer) decodeParts(parts [][]byte) (all []asyncPart, err error) {
	for i, p := range parts {
		out, n := binary.Varint(p)
		if n <= 0 {
			return nil, fmt.Errorf("pending records of subtask %d: %w", i, errShortBatch)
		}
		b := a.types.rows.New(0)
		if err := a.types.rows.Decode(b, p[n:]); err != nil {
			return nil, fmt.Errorf("pending records of subtask %d: %w", i, err)
		}
		all = append(all, asyncPart{out: out, batch: b})
	}
	return all, nil
}
