package operators

import (
	"fmt"

	"github.com/weirflow/weir/messages"
	"github.com/weirflow/weir/operators/plan"
)

// Context is what a function over keys sees of the record or timer that it is called
// for, and of the world. It is valid during the call only.
type Context[K comparable, R any] struct {
	rt     *plan.Runtime
	scope  *keyScope[K]
	timers *timers[K] // nil if the function handles none
	out    Out[R]
	clocks *groupClocks
}

// Key is the key of the record or timer; all state is scoped to it.
func (c *Context[K, R]) Key() K { return c.scope.key }

// Time is the event time, in ms, of the record or event-time timer, and NoTime
// for a processing-time timer.
func (c *Context[K, R]) Time() int64 { return c.out.Time() }

// CurrentWatermark is the event-time clock: nothing at or before it is on time
// any more. It is messages.NoWatermark before the first watermark. A record
// never meets its own.
func (c *Context[K, R]) CurrentWatermark() int64 { return c.clocks.now(c.scope.hash) }

// CurrentProcessingTime is the clock of the node, in ms.
func (c *Context[K, R]) CurrentProcessingTime() int64 { return c.rt.Now() }

// Emit sends v to the main output with the time of the record or timer.
func (c *Context[K, R]) Emit(v R) { c.out.Emit(v) }

// EmitAt sends v to the main output with a time of its own, in ms; what a
// processing-time timer emits has none otherwise.
func (c *Context[K, R]) EmitAt(v R, time int64) { c.out.emitAt(v, time) }

func (o *Out[R]) emitAt(v R, time int64) {
	if time < messages.MinEventTime || time > messages.MaxEventTime {
		o.sides.fail(fmt.Errorf("EmitAt with time %d; give ms since 1970 within [%d, %d]", time, messages.MinEventTime, messages.MaxEventTime))
		return
	}
	o.main.emit(v, time)
}

// RegisterEventTimer has OnTimer called for the current key when the watermark
// reaches at. A timer at or behind the watermark waits for the next greater
// one; registered by OnTimer it fires before the watermark goes on, so a function
// must not register the time again that it is called for. A key and a time make
// one timer, however often they are registered.
func (c *Context[K, R]) RegisterEventTimer(at int64) { c.register(EventTime, at) }

// RegisterProcessingTimer has OnTimer called for the current key when the clock
// of the node reaches at, or at once if it has; after a restore as well. What
// is pending at the end of the input does not fire.
func (c *Context[K, R]) RegisterProcessingTimer(at int64) {
	c.register(ProcessingTime, at)
}

func (c *Context[K, R]) register(d Domain, at int64) {
	if c.timers == nil {
		c.out.sides.fail(fmt.Errorf("a timer for %s %d was registered, but the function has no method OnTimer(*Context[K, R], int64, Domain) error", d, at))
		return
	}
	if from := c.Time(); d == EventTime && from != NoTime {
		c.timers.ahead(d, at-from)
	}
	c.timers.set(d, at, c.rt)
}

// DeleteEventTimer takes back the current key's event-time timer at a time, if
// there is one.
func (c *Context[K, R]) DeleteEventTimer(at int64) { c.delete(EventTime, at) }

// DeleteProcessingTimer takes back the current key's processing-time timer at a
// time, if there is one.
func (c *Context[K, R]) DeleteProcessingTimer(at int64) { c.delete(ProcessingTime, at) }

func (c *Context[K, R]) delete(d Domain, at int64) {
	if c.timers != nil {
		c.timers.delete(d, at)
	}
}

func (c *Context[K, R]) sideOutputs() *sideOutputs { return &c.out.sides }
