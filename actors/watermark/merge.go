// Package watermark combines the event-time clocks of several inputs, channels
// of a subtask or splits of a source, into one: the minimum over those that
// take part.
//
// An input takes part unless it is idle. One that was idle and became active
// again, but is behind the combined clock, takes part only once it has caught
// up: it would hold the others back, and could not make the clock go back
// anyway. When the last active input becomes idle, the clock goes on to the
// greatest watermark any of them had.
//
// An input at the maximum watermark has ended. While another one is idle it takes
// no part either: the end is reached by all inputs or by none, since what an idle
// one still brings would be late for ever.
//
// # Concurrency
//
// A Merge belongs to one actor. It is pure: no I/O, no clock, no goroutine.
//
// # Testing
//
// testdata holds scripts; a property test compares with a twin that recomputes
// everything at each step.
package watermark

import (
	"github.com/weirflow/weir/messages"
	"github.com/weirflow/weir/messages/mutant"
)

// Merge is the combined clock. Invariant: current never decreases.
type Merge struct {
	inputs  []input
	current int64
	idle    bool // no input takes part: all are idle or have ended, but not all have ended (also when there are none)
}

type input struct {
	watermark int64
	idle      bool
	lagging   bool // became active behind current, has not caught up
}

// NewMerge makes a clock over n inputs, all active and without a watermark.
func NewMerge(n int) *Merge {
	m := &Merge{current: messages.NoWatermark}
	for range n {
		m.Add(messages.NoWatermark, false)
	}
	m.idle = n == 0
	return m
}

// Add adds an input and gives its index. An active one takes part at once.
func (m *Merge) Add(watermark int64, idle bool) int {
	m.inputs = append(m.inputs, input{watermark: watermark, idle: idle})
	m.idle = m.noneTakesPart()
	return len(m.inputs) - 1
}

// Restore sets an input to what a snapshot or a hello says of it. It leaves the
// combined clock as it is: once every input is set, and before the first Advance,
// RestoreCurrent and Raise bring that up.
func (m *Merge) Restore(i int, watermark int64, idle bool) {
	m.inputs[i] = input{watermark: watermark, idle: idle, lagging: !idle && watermark < m.current}
	m.idle = m.noneTakesPart()
}

// RestoreCurrent sets the combined clock to what a snapshot says of it. An
// input that is behind it is lagging from then on, if it was before the
// snapshot; otherwise it would have held the clock back.
func (m *Merge) RestoreCurrent(watermark int64) {
	m.current = max(m.current, watermark)
	for i := range m.inputs {
		m.inputs[i].lagging = !m.inputs[i].idle && m.inputs[i].watermark < m.current
	}
}

// Lagging tells whether input i became active behind the clock and has not
// caught up; SetLagging restores that.
func (m *Merge) Lagging(i int) bool { return m.inputs[i].lagging }

// SetLagging says of an input what a snapshot said of it.
func (m *Merge) SetLagging(i int, lagging bool) { m.inputs[i].lagging = lagging }

// Advance sets input i to watermark, and tells whether the combined clock grew.
// A watermark that does not grow is ignored.
func (m *Merge) Advance(i int, watermark int64) (grew bool) {
	in := &m.inputs[i]
	if watermark <= in.watermark {
		return false
	}
	in.watermark = watermark
	if in.lagging && watermark >= m.current {
		in.lagging = false
	}
	return m.update()
}

// SetIdle makes input i idle or active, and tells whether the combined clock grew.
func (m *Merge) SetIdle(i int, idle bool) (grew bool) {
	in := &m.inputs[i]
	if in.idle == idle {
		return false
	}
	in.idle = idle
	in.lagging = !idle && in.watermark < m.current
	return m.update()
}

// update is for when an input has changed.
func (m *Merge) update() (grew bool) {
	was := m.idle
	if m.idle = m.noneTakesPart(); m.idle {
		return !was && m.set(m.greatest())
	}
	return m.raise()
}

// Current is the combined clock; messages.NoWatermark before the first advance.
func (m *Merge) Current() int64 { return m.current }

// Idle tells whether no input takes part because all are idle.
func (m *Merge) Idle() bool { return m.idle }

// Input gives one input's clock and whether it is idle.
func (m *Merge) Input(i int) (watermark int64, idle bool) {
	return m.inputs[i].watermark, m.inputs[i].idle
}

func (m *Merge) raise() bool {
	least := messages.MaxWatermark
	for i := range m.inputs {
		if in := &m.inputs[i]; !in.idle && !in.lagging {
			least = min(least, in.watermark)
		}
	}
	if least == messages.MaxWatermark && !m.allEnded() {
		return false // what is idle or lags may still come
	}
	if mutant.On("greatest-watermark") {
		least = m.greatest()
	}
	return m.set(least)
}

func (m *Merge) set(watermark int64) bool {
	if watermark <= m.current {
		return false
	}
	m.current = watermark
	return true
}

func (m *Merge) greatest() int64 {
	greatest := messages.NoWatermark
	for i := range m.inputs {
		if w := m.inputs[i].watermark; w < messages.MaxWatermark || mutant.On("greatest-watermark") || mutant.On("end-past-idle") {
			greatest = max(greatest, w)
		}
	}
	return greatest
}

// noneTakesPart tells whether no input takes part, and one may still bring something.
func (m *Merge) noneTakesPart() bool {
	for i := range m.inputs {
		if in := &m.inputs[i]; !in.idle && in.watermark < messages.MaxWatermark {
			return false
		}
	}
	return len(m.inputs) == 0 || !m.allEnded()
}

func (m *Merge) allEnded() bool {
	for i := range m.inputs {
		if m.inputs[i].watermark < messages.MaxWatermark {
			return false
		}
	}
	return true
}

// Raise brings the combined clock up to what the inputs allow, and tells
// whether it grew. It is needed only after Restore.
func (m *Merge) Raise() (grew bool) {
	if m.idle {
		return m.set(m.greatest())
	}
	return m.raise()
}
