package operators

import (
	"encoding/binary"
	"fmt"
	"io"
	"slices"
	"sort"

	"github.com/weirflow/weir/messages"
	"github.com/weirflow/weir/persistence"
	"github.com/weirflow/weir/persistence/table"
)

// joinBuffer keeps the records of one side of a join, by key: in the order of
// their times, at one time in that of their arrival.
type joinBuffer[K comparable, V any] struct {
	scope *keyScope[K]
	table *table.Table[K, []timed[V]]
}

// timed is a record with its event time, ms.
type timed[V any] struct {
	at int64
	v  V
}

func newJoinBuffer[V any, K comparable](s *States[K], name string) *joinBuffer[K, V] {
	codec, err := CodecOf[V]()
	if err != nil {
		s.declare(name, "join", "", err)
		return nil
	}
	// The records themselves do not change, so a flat copy is one.
	t := table.New[K](table.Options[[]timed[V]]{Clone: slices.Clone[[]timed[V]]})
	schema := s.declare(name, "join", codec.Name(), nil)
	s.all = append(s.all, plainState(schema, s.groups, t, s.keys, Codec[[]timed[V]](listCodec[timed[V]]{timedCodec[V]{codec}})))
	return &joinBuffer[K, V]{scope: s.scope, table: t}
}

// add keeps a record and tells whether it is the first one now.
func (b *joinBuffer[K, V]) add(at int64, v V) (first bool) {
	list, _ := b.table.Upsert(b.scope.hash, b.scope.key)
	i := len(*list)
	if i > 0 && (*list)[i-1].at > at {
		i = search(*list, at+1)
	}
	*list = slices.Insert(*list, i, timed[V]{at, v})
	return i == 0
}

// between gives the records with times in [from, to], for reading only.
func (b *joinBuffer[K, V]) between(from, to int64) []timed[V] {
	list, _ := b.table.Get(b.scope.hash, b.scope.key)
	return list[search(list, from):search(list, to+1)]
}

// dropBefore lets go of the records before a time, and gives the time of the
// first one that is left, if any is.
func (b *joinBuffer[K, V]) dropBefore(at int64) (first int64, more bool) {
	list, _ := b.table.Get(b.scope.hash, b.scope.key)
	n := search(list, at)
	switch {
	case n == len(list):
		b.table.Delete(b.scope.hash, b.scope.key)
		return 0, false
	case n > 0:
		place, _ := b.table.Upsert(b.scope.hash, b.scope.key)
		clear((*place)[:n])
		*place = (*place)[n:]
	}
	return list[n].at, true
}

// search is the index of the first record at or behind a time.
func search[V any](list []timed[V], at int64) int {
	return sort.Search(len(list), func(i int) bool { return list[i].at >= at })
}

// timedCodec writes a record behind its time, fixed64.
type timedCodec[V any] struct{ record Codec[V] }

func (c timedCodec[V]) Name() string { return c.record.Name() + " with its time" }

func (c timedCodec[V]) Append(buf []byte, t timed[V]) ([]byte, error) {
	return c.record.Append(binary.LittleEndian.AppendUint64(buf, uint64(t.at)), t.v)
}

func (c timedCodec[V]) Decode(p []byte) (t timed[V], rest []byte, err error) {
	if len(p) < 8 {
		return t, p, errShortBlock
	}
	t.at = int64(binary.LittleEndian.Uint64(p))
	t.v, rest, err = c.record.Decode(p[8:])
	return t, rest, err
}

// groupClocks is the watermark that each key group was written at. The subtasks
// that wrote a checkpoint need not have stood at the same one, and restored at
// another parallelism all begin at the least. With the clock of its group, a
// record that was late is late again.
type groupClocks struct {
	schema *messages.StateSchema
	groups messages.KeyGroupRange
	max    int    // the topology's maximal parallelism
	clock  *int64 // of the subtask, ms

	floors  []int64 // by key group less groups.From; nil once the clock has passed them all
	highest int64   // of floors
}

func clockSchema(key string) *messages.StateSchema {
	return &messages.StateSchema{Name: "_clocks", Kind: "clocks", Key: key}
}

func (c *groupClocks) init(groups messages.KeyGroupRange, maxParallelism int, clock *int64) {
	c.groups, c.max, c.clock, c.highest = groups, maxParallelism, clock, messages.NoWatermark
}

// now is the event-time clock as it is for a key of the hash.
func (c *groupClocks) now(hash uint64) int64 {
	if c.floors == nil {
		return *c.clock
	}
	if c.highest <= *c.clock {
		c.floors = nil
		return *c.clock
	}
	return c.of(messages.KeyGroupOf(hash, c.max))
}

func (c *groupClocks) of(g messages.KeyGroup) int64 {
	if c.floors == nil {
		return *c.clock
	}
	return max(*c.clock, c.floors[g-c.groups.From])
}

func (c *groupClocks) Schema() *messages.StateSchema { return c.schema }

// Len is 0: clocks are no entries that anybody made.
func (c *groupClocks) Len() int { return 0 }

func (c *groupClocks) Freeze() persistence.Frozen {
	f := &frozenClocks{from: c.groups.From}
	for g := c.groups.From; g < c.groups.To; g++ {
		f.clocks = append(f.clocks, c.of(g))
	}
	return f
}

// ReadGroup reads the clock of a group, fixed64, the one entry of its block.
func (c *groupClocks) ReadGroup(g messages.KeyGroup, in io.Reader) error {
	err := readBlocks(in, 0, nil, func(p []byte) ([]byte, error) {
		if len(p) < 8 {
			return p, errShortBlock
		}
		c.raise(g, int64(binary.LittleEndian.Uint64(p)))
		return p[8:], nil
	})
	if err != nil {
		return fmt.Errorf("state %q, key group %d: %w", c.schema.GetName(), g, err)
	}
	return nil
}

func (c *groupClocks) raise(g messages.KeyGroup, floor int64) {
	if c.floors == nil {
		c.floors = slices.Repeat([]int64{messages.NoWatermark}, int(c.groups.To-c.groups.From))
	}
	c.floors[g-c.groups.From] = floor
	c.highest = max(c.highest, floor)
}

// frozenClocks is a groupClocks at a barrier.
type frozenClocks struct {
	from   messages.KeyGroup
	clocks []int64
}

func (f *frozenClocks) WriteGroup(g messages.KeyGroup, out io.Writer) (int, error) {
	clock := f.clocks[g-f.from]
	if clock == messages.NoWatermark {
		return 0, nil
	}
	w := newBlockWriter(out)
	defer w.release()
	if err := w.entry(binary.LittleEndian.AppendUint64(w.buf, uint64(clock)), nil); err != nil {
		return w.total, err
	}
	return w.total, w.close()
}

func (f *frozenClocks) Release() {}
