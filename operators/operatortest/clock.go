package operatortest

import (
	"slices"

	"github.com/weirflow/weir/messages"
	"github.com/weirflow/weir/operators/plan"
)

// clock is the event time of a subtask: the least watermark of its channels.
// Nothing is ever idle here, so the minimum is all there is to it.
type clock struct {
	channels []int64
	current  int64 // never decreases
}

func (c *clock) add(watermark int64) (index int) {
	c.channels = append(c.channels, watermark)
	return len(c.channels) - 1
}

func (c *clock) advance(channel int, watermark int64) (grew bool) {
	if watermark <= c.channels[channel] {
		return false
	}
	c.channels[channel] = watermark
	return c.raise()
}

func (c *clock) raise() (grew bool) {
	least := messages.NoWatermark
	if len(c.channels) > 0 {
		least = slices.Min(c.channels)
	}
	if least <= c.current {
		return false
	}
	c.current = least
	return true
}

// merge makes marks of the clock from marks of a channel.
func (c *clock) merge(channel int, marks []plan.Mark) []plan.Mark {
	kept := marks[:0]
	for _, m := range marks {
		if c.advance(channel, m.Watermark) {
			kept = append(kept, plan.Mark{Index: m.Index, Watermark: c.current})
		}
	}
	return kept
}
