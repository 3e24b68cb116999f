package operators

import (
	"math/bits"

	"github.com/weirflow/weir/messages"
	"github.com/weirflow/weir/messages/mutant"
	"github.com/weirflow/weir/operators/plan"
	"github.com/weirflow/weir/operators/window"
)

// combiner is the first stage of a PreAggregate in a subtask.
//
// The second stage alone judges what is late, and it must judge as it would
// without a first stage. It does, for a record reaches it at the same place
// among the watermarks and barriers that it would have had by itself:
//
//   - A part leaves before the first watermark that ends its window, which is all
//     that its window could notice, and before its batch is done. So no barrier
//     comes in between, and there is nothing to put into a snapshot.
//   - A record whose window has ended here goes on alone, at once. There the
//     window may still be open, or it fires again for this one record.
//
// To fold over several batches would need state, or a flush before barriers, and
// be wrong after idleness: the second stage does not wait for an input that was
// idle and is behind, so what this one held back would be late there.
//
// Invariant: between two batches held is empty, and index zero up to its capacity.
type combiner[K comparable, T, Acc any] struct {
	stateless
	keyedInput[K, T]
	agg     folder[T, Acc]
	firsts  firster[T, Acc] // agg, if it is one
	windows window.Tumbling
	rt      *plan.Runtime
	out     *emitter[part[K, Acc]]

	watermark int64
	deadline  int64         // the least watermark that ends the window of a held part
	window    window.Window // of the last record
	held      []heldPart[K, Acc]
	index     []int32 // by hash: 1 + the place in held; 0: free. More than half is
}

type heldPart[K comparable, Acc any] struct {
	hash        uint64
	start, time int64 // of the window; of the first record, ms
	part[K, Acc]
}

func newCombiner[K comparable, T, Acc any](w *WindowedStream[K, T], agg folder[T, Acc]) *combiner[K, T, Acc] {
	c := &combiner[K, T, Acc]{keyedInput: w.keyed.input(), agg: agg, windows: w.tumbling.assigner(), deadline: messages.MaxWatermark}
	c.firsts, _ = agg.(firster[T, Acc])
	return c
}

func (c *combiner[K, T, Acc]) Init(rt *plan.Runtime) error {
	c.rt, c.out = rt, newEmitter[part[K, Acc]](rt.Output(""))
	return nil
}

func (c *combiner[K, T, Acc]) Open() error {
	c.watermark = c.rt.Watermark()
	return nil
}

func (c *combiner[K, T, Acc]) Process(_ int, b *plan.Batch) error {
	values, hashes := c.columns(b)
	c.reserve(len(values))
	from := 0
	for _, m := range b.Marks {
		if err := c.add(b, values, hashes, from, m.Index); err != nil {
			return err
		}
		c.advance(m.Watermark)
		from = m.Index
	}
	if err := c.add(b, values, hashes, from, len(values)); err != nil {
		return err
	}
	c.release()
	return c.out.flush()
}

// reserve makes room for the parts of a batch.
func (c *combiner[K, T, Acc]) reserve(records int) {
	c.index = resize(c.index, 1<<bits.Len(uint(2*records)))
	if cap(c.held) > keptRecords && cap(c.held) > 8*records {
		c.held = nil
	}
}

func (c *combiner[K, T, Acc]) add(b *plan.Batch, values []T, hashes []uint64, from, to int) error {
	c.batch = b
	for i := from; i < to; i++ {
		c.at = i
		if !c.window.Contains(b.Times[i]) {
			if b.Times[i] < messages.MinEventTime || b.Times[i] > messages.MaxEventTime {
				return errWithoutTime(b.Times[i])
			}
			c.window = c.windows.Assign(b.Times[i])
		}
		c.take(values[i], b.Times[i], hashes[i])
	}
	c.batch = nil
	return nil
}

// take folds a record of the window that was assigned last.
func (c *combiner[K, T, Acc]) take(v T, time int64, hash uint64) {
	key := c.key(v)
	if c.window.MaxTimestamp() <= c.watermark {
		alone := part[K, Acc]{key, c.first(v), 1}
		if mutant.On("late-part-uncounted") {
			alone.count = 0
		}
		c.out.emit(alone, time)
		return
	}
	p := c.find(hash, key)
	if p.count == 0 {
		p.acc, p.time = c.first(v), time
		c.deadline = min(c.deadline, c.window.MaxTimestamp())
	} else {
		p.acc = c.agg.Add(p.acc, v)
	}
	p.count++
}

func (c *combiner[K, T, Acc]) first(v T) Acc {
	if c.firsts != nil {
		return c.firsts.first(v)
	}
	return c.agg.Add(c.agg.CreateAccumulator(), v)
}

// find gives the part of a key in the window that was assigned last. A new one
// has no records.
func (c *combiner[K, T, Acc]) find(hash uint64, key K) *heldPart[K, Acc] {
	mask := uint64(len(c.index) - 1)
	for i := mix64(hash^uint64(c.window.Start)) & mask; ; i = (i + 1) & mask {
		n := c.index[i]
		if n == 0 {
			c.held = append(c.held, heldPart[K, Acc]{hash: hash, start: c.window.Start, part: part[K, Acc]{key: key}})
			c.index[i] = int32(len(c.held))
			return &c.held[len(c.held)-1]
		}
		if p := &c.held[n-1]; p.hash == hash && p.start == c.window.Start && p.key == key {
			return p
		}
	}
}

// advance passes a watermark on, behind the parts whose windows it ends, and
// with them all others.
func (c *combiner[K, T, Acc]) advance(watermark int64) {
	if watermark > c.deadline || watermark == c.deadline && !mutant.On("part-behind-mark") {
		c.release()
	}
	c.watermark = watermark
	c.out.mark(watermark)
}

// release emits all parts, in the order of their first records.
func (c *combiner[K, T, Acc]) release() {
	for i := range c.held {
		c.out.emit(c.held[i].part, c.held[i].time)
	}
	clear(c.held)
	clear(c.index)
	c.held, c.deadline = c.held[:0], messages.MaxWatermark
}
