package operators

import (
	"encoding/binary"
	"fmt"
	"io"
	"slices"

	"github.com/weirflow/weir/messages"
	"github.com/weirflow/weir/messages/mutant"
	"github.com/weirflow/weir/operators/plan"
	"github.com/weirflow/weir/persistence"
)

// groupClocks is the event-time clock of an instance with keys. It is a state:
// each key group carries the watermark that it was written at, its floor. The
// subtasks that wrote a checkpoint need not have stood at the same one, and
// restored at another parallelism all begin at the least. With the floor of its
// group a record that was late is late again, and what fired does not fire twice.
type groupClocks struct {
	schema *messages.StateSchema
	groups messages.KeyGroupRange
	max    int   // the topology's maximal parallelism
	clock  int64 // of the subtask, ms

	floors  []int64 // by key group less groups.From; nil once the clock has passed them all
	highest int64   // of floors

	firing *firing // nil: what a watermark makes due fires at once
}

func newGroupClocks(key string) groupClocks {
	schema := &messages.StateSchema{Name: "_clocks", Kind: "clocks", Key: key}
	return groupClocks{schema: schema, clock: messages.NoWatermark, highest: messages.NoWatermark}
}

// init says which groups there are. What is restored comes after it.
func (c *groupClocks) init(rt *plan.Runtime) error {
	c.groups, c.max = rt.Groups, rt.MaxParallelism
	return rt.Register(c)
}

// start sets the clock once everything is restored, to the least of the floors:
// what a lower group has not fired is still to come. A group without a floor was
// written before the first watermark.
func (c *groupClocks) start() {
	if c.floors == nil {
		return
	}
	if c.clock = slices.Min(c.floors); mutant.On("floors-forgotten") {
		c.highest = c.clock
	}
	c.forgetFloors()
}

// advance moves the clock and tells whether it grew: then what is due fires, and
// forgetFloors follows.
func (c *groupClocks) advance(watermark int64) bool {
	if watermark <= c.clock {
		return false
	}
	c.clock = watermark
	return true
}

// holds tells whether the group of a key waits for a watermark that is greater than
// its own clock, which the subtask's has not passed.
func (c *groupClocks) holds(hash uint64) bool { return c.passed(hash, c.clock) }

// forgetFloors is for when what is due has fired.
func (c *groupClocks) forgetFloors() {
	if c.highest <= c.clock {
		c.floors, c.highest = nil, messages.NoWatermark
	}
}

// now is the event-time clock as it is for a key of the hash.
func (c *groupClocks) now(hash uint64) int64 {
	if c.floors == nil {
		return c.clock
	}
	return c.of(messages.KeyGroupOf(hash, c.max))
}

func (c *groupClocks) of(g messages.KeyGroup) int64 {
	if c.floors == nil {
		return c.clock
	}
	return max(c.clock, c.floors[g-c.groups.From])
}

// passed tells whether the group of a key had come to a watermark when it was
// written, and so had fired what was due then.
func (c *groupClocks) passed(hash uint64, watermark int64) bool {
	return c.floors != nil && c.floors[messages.KeyGroupOf(hash, c.max)-c.groups.From] >= watermark
}

func (c *groupClocks) Schema() *messages.StateSchema { return c.schema }

// Len is 0: clocks are no entries that anybody made.
func (c *groupClocks) Len() int { return 0 }

func (c *groupClocks) Freeze() persistence.Frozen {
	f := &frozenClocks{from: c.groups.From}
	f.fired, f.marks = c.firing.freeze()
	for g := c.groups.From; g < c.groups.To; g++ {
		f.clocks = append(f.clocks, c.of(g))
	}
	return f
}

// ReadGroup reads what a group has, entries of fixed64: its clock and, if a firing
// was under way, the end up to which the group has fired, the last watermark that
// left, and those that wait.
func (c *groupClocks) ReadGroup(g messages.KeyGroup, in io.Reader) error {
	var all []int64
	err := readBlocks(in, 0, nil, func(p []byte) ([]byte, error) {
		if len(p) < 8 {
			return p, errShortBlock
		}
		all = append(all, int64(binary.LittleEndian.Uint64(p)))
		return p[8:], nil
	})
	if err != nil {
		return fmt.Errorf("state %q, key group %d: %w", c.schema.GetName(), g, err)
	}
	if len(all) > 0 && !mutant.On("group-clock-lost") {
		c.raise(g, all[0])
	}
	if len(all) > 2 && c.firing != nil {
		c.firing.read(g, all[1], all[2], all[3:])
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
	fired  []int64 // nil: as far as the clocks
	marks  []int64
}

func (f *frozenClocks) WriteGroup(g messages.KeyGroup, out io.Writer) (int, error) {
	clock := f.clocks[g-f.from]
	if clock == messages.NoWatermark {
		return 0, nil
	}
	w := newBlockWriter(out)
	defer w.release()
	for _, v := range f.group(g, clock) {
		if err := w.entry(binary.LittleEndian.AppendUint64(w.buf, uint64(v)), nil); err != nil {
			return w.total, err
		}
	}
	return w.total, w.close()
}

// group is what a group is written as.
func (f *frozenClocks) group(g messages.KeyGroup, clock int64) []int64 {
	if f.fired == nil {
		return []int64{clock}
	}
	return append([]int64{clock, f.fired[g-f.from]}, f.marks...)
}

func (f *frozenClocks) Release() {}
