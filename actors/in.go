package actors

import (
	"fmt"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/weirflow/weir/actors/barrier"
	"github.com/weirflow/weir/actors/watermark"
	"github.com/weirflow/weir/messages"
	"github.com/weirflow/weir/messages/mutant"
	"github.com/weirflow/weir/operators/plan"
)

// inputs are the channels that lead into a subtask.
//
// Invariants: an element waits in its channel's queue only while the channel
// is blocked by a barrier, the outputs are out of credit, a batch waits for the
// head's gate, results of an operator are pending and an element went in since its
// last step, or some channel has not said hello; within a channel nothing overtakes. A queue holds at most
// the channel's credits in batches, and a few elements that cost none.
type inputs struct {
	channels []*inChannel
	byID     map[messages.ChannelID]int
	align    *barrier.Aligner
	clock    *watermark.Merge
	hellos   int // channels that said hello
	ended    int // channels at their end
	waiting  int // elements in all queues
	turn     int // the channel that is looked at first, for fairness
}

// inChannel is the receiver's side of one channel.
type inChannel struct {
	id     messages.ChannelID
	edge   *plan.Edge
	from   *actor.PID
	remote bool
	seq    uint64 // of the last element that came in
	queue  []*element
	ended  bool
}

func newInputs(channels []*inChannel, mode barrier.Mode, done messages.CheckpointID) *inputs {
	in := &inputs{channels: channels, byID: map[messages.ChannelID]int{}}
	for i, c := range channels {
		in.byID[c.id] = i
	}
	if len(channels) > 0 {
		in.align = barrier.NewAligner(mode, len(channels), done)
		in.clock = watermark.NewMerge(len(channels))
	}
	return in
}

// arrive puts an element into its channel's queue. A gap or a repeat in the
// sequence is an error: the remote layer can lose messages without a word.
func (in *inputs) arrive(e *element) (channel int, err error) {
	i, ok := in.byID[e.channel]
	if !ok {
		return 0, fmt.Errorf("element on channel %s, which does not lead here", e.channel)
	}
	c := in.channels[i]
	if e.seq != c.seq+1 && !mutant.On("drop-seq-check") {
		return 0, fmt.Errorf("channel %s: element %d came after element %d", e.channel, e.seq, c.seq)
	}
	if (e.seq == 1) != (e.kind == kindHello) {
		return 0, fmt.Errorf("channel %s: element %d is a hello: %v; the first one is, and no other", e.channel, e.seq, e.kind == kindHello)
	}
	c.seq = e.seq
	c.queue = append(c.queue, e)
	in.waiting++
	return i, nil
}

// kinds is a set of kinds of elements.
type kinds uint

const anything = ^kinds(0)

func only(k kind) kinds { return 1 << k }

// next takes the element of the kinds wanted to work off now, or nil. Channels
// take turns.
func (in *inputs) next(wanted kinds) (channel int, e *element) {
	for k := range in.channels {
		i := (in.turn + k) % len(in.channels)
		if c := in.channels[i]; len(c.queue) > 0 && wanted&only(c.queue[0].kind) != 0 && in.mayTake(i, c.queue[0]) {
			in.turn = (i + 1) % len(in.channels)
			return i, in.take(c)
		}
	}
	return 0, nil
}

func (in *inputs) take(c *inChannel) *element {
	e := c.queue[0]
	copy(c.queue, c.queue[1:]) // a handful of pointers: credits bound the queue
	c.queue[len(c.queue)-1] = nil
	c.queue = c.queue[:len(c.queue)-1]
	in.waiting--
	return e
}

func (in *inputs) mayTake(i int, e *element) bool {
	if in.hellos < len(in.channels) {
		return e.kind == kindHello
	}
	return !in.align.Blocked(i)
}

// advance rewrites the marks of a batch of channel i, which are watermarks of
// that channel, into those of the subtask's clock.
func (in *inputs) advance(i int, b *plan.Batch) {
	b.Marks = mergeMarks(in.clock, i, b.Marks)
	if mutant.On("slip-mark") {
		for k := range b.Marks {
			b.Marks[k].Index = min(b.Marks[k].Index+1, b.Len())
		}
	}
}

// mergeMarks feeds one input's marks to a clock and keeps those at which the
// clock grew, with what it grew to.
func mergeMarks(clock *watermark.Merge, input int, marks []plan.Mark) []plan.Mark {
	kept := marks[:0]
	for _, m := range marks {
		if clock.Advance(input, m.Watermark) {
			kept = append(kept, plan.Mark{Index: m.Index, Watermark: clock.Current()})
		}
	}
	return kept
}
