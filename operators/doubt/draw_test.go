package doubt

import (
	"pgregory.net/rapid"
)

// drawCase draws a choice of everything and a history.
func drawCase(t *rapid.T) *windowCase {
	c := &windowCase{trigger: "default"}
	c.drawWindows(t)
	quick := rapid.IntRange(0, 2).Draw(t, "quick") == 2 // operators that fold at once are for these
	if c.windows != "count" && !quick {
		c.drawTrigger(t)
		c.drawEvictor(t)
	}
	if !c.byClock && c.windows != "global" && c.windows != "count" {
		c.lateness = rapid.SampledFrom([]int64{0, 0, 1, 8, 25, 60}).Draw(t, "lateness")
		c.side = rapid.Bool().Draw(t, "late side")
	}
	c.bounded, c.bound = drawBound(t)
	c.form = rapid.SampledFrom([]string{"aggregate", "reduce", "aggregate+process", "reduce+process", "process"}[:map[bool]int{true: 3, false: 5}[quick]]).Draw(t, "form")
	c.shape = drawShape(t)
	c.inTwo = c.partible() && rapid.Bool().Draw(t, "pre-aggregate")
	c.steps = drawHistory(t)
	return c
}

// drawBound draws whether records cause watermarks, and how far these are behind.
func drawBound(t *rapid.T) (bounded bool, bound int64) {
	if rapid.IntRange(0, 3).Draw(t, "bounded") < 3 {
		return false, 0
	}
	return true, rapid.Int64Range(0, 15).Draw(t, "bound")
}

func drawShape(t *rapid.T) shape {
	return shape{rapid.SampledFrom([]int{1, 7, 512}).Draw(t, "batch"), rapid.IntRange(1, 3).Draw(t, "parallelism")}
}

// partible tells whether PreAggregate is for these windows.
func (c *windowCase) partible() bool {
	return c.windows == "tumbling" && !c.byClock && c.trigger == "default" && c.evict == "" && !c.side && (c.form == "aggregate" || c.form == "reduce")
}

func (c *windowCase) drawWindows(t *rapid.T) {
	c.windows = rapid.SampledFrom([]string{"tumbling", "tumbling", "sliding", "sliding", "session", "session", "session-by-record", "global", "count", "own"}).Draw(t, "windows")
	switch c.windows {
	case "tumbling":
		c.size = rapid.Int64Range(1, 20).Draw(t, "size")
		c.offset = rapid.Int64Range(-7, 7).Draw(t, "offset")
	case "sliding": // with gaps, too, and not divisible
		c.size, c.slide = rapid.Int64Range(1, 20).Draw(t, "size"), rapid.Int64Range(1, 25).Draw(t, "slide")
		c.offset = rapid.Int64Range(-7, 7).Draw(t, "offset")
	case "session":
		c.size = rapid.Int64Range(1, 12).Draw(t, "gap")
	case "count":
		c.size = rapid.Int64Range(1, 4).Draw(t, "size")
		c.slide = rapid.Int64Range(0, 5).Draw(t, "slide")
	}
	if c.windows == "tumbling" || c.windows == "sliding" || c.windows == "session" {
		c.byClock = rapid.IntRange(0, 3).Draw(t, "of the clock") == 3
	}
}

func (c *windowCase) drawTrigger(t *rapid.T) {
	all := []string{"default", "default", "default", "default", "watermark", "watermark", "watermark", "count", "own", "own", "clock", "never"}
	if !c.merges() {
		all = append(all, "delta")
	}
	c.trigger = rapid.SampledFrom(all).Draw(t, "trigger")
	switch c.trigger {
	case "default":
		return
	case "watermark":
		c.drawEarly(t)
	case "count", "delta":
		c.n = rapid.Int64Range(1, 4).Draw(t, "n")
	}
	c.purging = rapid.IntRange(0, 2).Draw(t, "purging") == 2
}

func (c *windowCase) drawEarly(t *rapid.T) {
	draw := func(what string, most int64) int64 {
		return max(rapid.Int64Range(-most, most).Draw(t, what), 0)
	}
	c.early, c.earlyClock, c.earlyCount = draw("early", 9), draw("early by the clock", 9), draw("early by count", 4)
}

func (c *windowCase) drawEvictor(t *rapid.T) {
	c.evict = rapid.SampledFrom([]string{"", "", "", "last", "newest", "near"}).Draw(t, "evict")
	if c.evict != "" {
		c.keep = rapid.Int64Range(0, 8).Draw(t, "keep")
		c.after = rapid.Bool().Draw(t, "after")
	}
}

// drawHistory draws records of few keys that drift along with the watermark, now
// and then far ahead, behind, in a burst, or at a time that was there before.
func drawHistory(t *rapid.T) (steps []step) {
	clock := rapid.Int64Range(-60, 60).Draw(t, "begin")
	var times []int64
	for range rapid.IntRange(1, 40).Draw(t, "steps") {
		switch kind := rapid.IntRange(0, 19).Draw(t, "kind"); {
		case kind < 12:
			at := clock + rapid.Int64Range(-12, 12).Draw(t, "time")
			switch rapid.IntRange(0, 9).Draw(t, "where") {
			case 7:
				at = clock + rapid.Int64Range(-60, 60).Draw(t, "far")
			case 8, 9:
				if len(times) > 0 {
					at = rapid.SampledFrom(times).Draw(t, "again")
				}
			}
			times = append(times, at)
			key := rapid.SampledFrom([]string{"a", "a", "b", "c"}).Draw(t, "key")
			for range max(rapid.IntRange(-4, 4).Draw(t, "burst"), 1) {
				steps = append(steps, step{kind: record, ms: at, key: key, value: rapid.Int64Range(0, 9).Draw(t, "value")})
			}
		case kind < 16:
			clock += rapid.SampledFrom([]int64{1, 2, 3, 5, 8, 13, 40}).Draw(t, "by")
			steps = append(steps, step{kind: watermark, ms: clock - rapid.Int64Range(0, 4).Draw(t, "behind")})
		case kind < 18:
			steps = append(steps, step{kind: tick, ms: rapid.SampledFrom([]int64{0, 1, 4, 9, 30}).Draw(t, "tick")})
		default:
			steps = append(steps, step{kind: restore, to: rapid.IntRange(1, 3).Draw(t, "to"), lost: rapid.IntRange(0, 3).Draw(t, "lost")})
		}
	}
	if rapid.Bool().Draw(t, "ends") {
		steps = append(steps, step{kind: tick, ms: 200}, step{kind: end})
	}
	return steps
}
