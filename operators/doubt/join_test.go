package doubt

import (
	"fmt"
	"strings"

	"pgregory.net/rapid"

	"github.com/weirflow/weir/messages"
	"github.com/weirflow/weir/operators"
	"github.com/weirflow/weir/operators/operatortest"
)

// joinCase is a join and a history of its two inputs. A record or a watermark
// "l ..." is of the left one, "r ..." of the right one; a watermark of neither is
// of both.
type joinCase struct {
	kind             string // within, temporal, windows
	lower, upper     int64  // within: ms
	noLower, noUpper bool   // exactly the bound does not match
	span             int64  // temporal: retention; windows: size; ms
	side             bool
	shape
	steps []joinStep
}

type joinStep struct {
	input string // "l", "r", or "" for both
	step
}

func (s joinStep) String() string { return strings.TrimSpace(s.input + " " + s.step.String()) }

// String gives the case as the script that parseJoin reads.
func (c *joinCase) String() string {
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	if c.kind == "within" {
		line("within %d %d%s", c.lower, c.upper, options("not-lower", asNumber(c.noLower), "not-upper", asNumber(c.noUpper)))
	} else {
		line("%s %d", c.kind, c.span)
	}
	if c.side {
		line("late side")
	}
	line("%v", c.shape)
	for _, s := range c.steps {
		line("%v", s)
	}
	return b.String()
}

func parseJoin(text string) (*joinCase, error) {
	c := &joinCase{shape: shape{1, 1}}
	for _, line := range strings.Split(strings.TrimSpace(text), "\n") {
		var rest string
		var err error
		words := strings.Fields(line)
		switch p := &words; words[0] {
		case "temporal", "windows":
			c.kind = words[0]
			_, err = fmt.Sscanf(line, c.kind+" %d", &c.span)
		case "within":
			c.kind = words[0]
			_, err = fmt.Sscanf(line, "within %d %d", &c.lower, &c.upper)
			c.noLower, c.noUpper = strings.Contains(line, "not-lower"), strings.Contains(line, "not-upper")
		case "late":
			c.side, err = true, nil
		case "batch", "parallelism":
			n := map[string]*int{"batch": &c.batch, "parallelism": &c.parallelism}[words[0]]
			_, err = fmt.Sscanf(line, "%s %d", &rest, n)
		default:
			var s joinStep
			if words[0] == "l" || words[0] == "r" {
				s.input = next(p)
			}
			s.step, err = parseStep(next(p), p)
			c.steps = append(c.steps, s)
		}
		if err != nil {
			return nil, fmt.Errorf("%q: %w", line, err)
		}
	}
	return c, nil
}

var (
	lateLeft  = operators.NewTag[Rec]("late left")
	lateRight = operators.NewTag[Rec]("late right")
)

func (c *joinCase) build(left, right *operators.Stream[Rec]) *operators.Stream[result] {
	key := func(r Rec) string { return r.Key }
	switch c.kind {
	case "temporal":
		return c.buildTemporal(operators.KeyBy(left, key), operators.KeyBy(right, key))
	case "windows":
		both := operators.CoWindow(operators.KeyBy(left, key), operators.KeyBy(right, key), operators.Tumbling(millis(c.span)))
		return operators.FullJoinWindow(both, "join", pairOf)
	}
	o := operators.IntervalJoinOptions[Rec, Rec]{ExclusiveLower: c.noLower, ExclusiveUpper: c.noUpper}
	if c.side {
		o.LateLeft, o.LateRight = lateLeft, lateRight
	}
	pair := func(l, r Rec) result { return result{Key: l.Key, Value: Rec{Text: l.Text + "-" + r.Text}} }
	return operators.IntervalJoin(operators.KeyBy(left, key), operators.KeyBy(right, key), "join", millis(c.lower), millis(c.upper), pair, o)
}

// joinRunner has a join go through a history.
type joinRunner struct {
	*joinCase
	h       *operatortest.TwoInput[Rec, Rec, result]
	records int
	outcome
}

func (c *joinCase) run(t operatortest.TB) outcome {
	r := &joinRunner{joinCase: c, h: operatortest.Two(t, c.build)}
	if c.parallelism > 1 {
		r.h.Restore(r.h.Snapshot(), c.parallelism)
	}
	r.h.Batches(c.batch)
	for i := range c.steps {
		r.step(i)
	}
	r.collect(true)
	r.timers, r.entries = r.h.Timers(), r.h.StateSize()
	return r.outcome
}

func (r *joinRunner) step(i int) {
	s := r.steps[i]
	left, right := s.input != "r", s.input != "l"
	switch {
	case s.kind == record:
		r.records++
		rec := Rec{Key: s.key, V: s.value, Text: fmt.Sprint(r.records)}
		if left {
			r.h.ProcessA(rec, s.ms)
		} else {
			r.h.ProcessB(rec, s.ms)
		}
	case s.kind == watermark && left && right:
		r.h.Watermark(s.ms)
	case s.kind == watermark && left:
		r.h.WatermarkA(s.ms)
	case s.kind == watermark:
		r.h.WatermarkB(s.ms)
	case s.kind == restore:
		r.restore(i+1, s.step)
	case s.kind == end && left && right:
		r.h.End()
		r.ended = true
	case s.kind == end && left:
		r.h.EndA()
	case s.kind == end:
		r.h.EndB()
	}
}

// restore is that of runner.
func (r *joinRunner) restore(next int, s step) {
	r.collect(true)
	snapshot, records := r.h.Snapshot(), r.records
	for i := next; i < min(next+s.lost, len(r.steps)) && r.steps[i].kind <= watermark; i++ {
		r.step(i)
	}
	r.h.Restore(snapshot, s.to)
	r.collect(false)
	r.records = records
}

// collect takes what came out, and keeps it or not.
func (r *joinRunner) collect(keep bool) {
	dropped := r.h.Counter(lateDropped)
	epochs := r.h.Epochs()
	var left, right []operatortest.Record[Rec]
	if r.side {
		left, right = operatortest.Side(r.h, lateLeft), operatortest.Side(r.h, lateRight)
	}
	if keep {
		r.dropped += dropped
		r.add(epochs)
		r.addLate("l", left)
		r.addLate("r", right)
	}
}

// seen is a record of a history, and its number.
type seen struct {
	joinStep
	id int
}

// walk goes through a history: take gets the records that are not late, with the
// watermark of both inputs, and advance what that watermark was and is.
func (c *joinCase) walk(o *outcome, late func(ms, wm int64) bool, take func(r seen, wm int64), advance func(from, to int64)) {
	marks := map[string]int64{"l": messages.NoWatermark, "r": messages.NoWatermark}
	lates := map[string][]string{}
	records := 0
	for _, s := range c.steps {
		at := s.ms
		switch {
		case s.kind == end:
			at, o.ended = messages.MaxWatermark, o.ended || s.input == ""
		case s.kind == record:
			records++
			wm := min(marks["l"], marks["r"])
			switch {
			case !late(s.ms, wm):
				take(seen{s, records}, wm)
			case c.side:
				lates[s.input] = append(lates[s.input], fmt.Sprintf("%s %s%d@%s", s.key, s.input, records, showTime(s.ms)))
			default:
				o.dropped++
			}
			continue
		case s.kind != watermark:
			continue
		}
		for _, input := range []string{"l", "r"} {
			if s.input == "" || s.input == input {
				from := min(marks["l"], marks["r"])
				marks[input] = max(marks[input], at)
				if to := min(marks["l"], marks["r"]); to > from {
					advance(from, to)
				}
			}
		}
	}
	o.late = append(lates["l"], lates["r"]...)
}

// all is the outcome by definition.
func (c *joinCase) all() outcome {
	switch c.kind {
	case "temporal":
		return c.allValid()
	case "windows":
		return c.allInWindows()
	}
	return c.allWithin()
}

// allWithin is every pair of records that were not late, as soon as both are there.
func (c *joinCase) allWithin() (o outcome) {
	var accepted []seen
	behind := func(ms, wm int64) bool { return ms < wm }
	c.walk(&o, behind, func(me seen, wm int64) {
		for _, other := range accepted {
			l, r := me, other
			if me.input == "r" {
				l, r = other, me
			}
			if l.input == "l" && r.input == "r" && l.key == r.key && c.matches(r.ms-l.ms) {
				o.outs = append(o.outs, out{epoch: wm, cause: me.id, key: l.key, text: fmt.Sprintf("%d-%d", l.id, r.id), time: max(l.ms, r.ms)})
			}
		}
		accepted = append(accepted, me)
	}, func(int64, int64) {})
	return o
}

// matches tells whether a right record so long behind a left one is its partner.
func (c *joinCase) matches(apart int64) bool {
	return (c.lower < apart || c.lower == apart && !c.noLower) && (apart < c.upper || apart == c.upper && !c.noUpper)
}

func (c *joinCase) check(t operatortest.TB) (got, difference string) {
	is, must := c.run(t), c.all()
	return is.against(must)
}

// drawJoin draws bounds and a history.
func drawJoin(t *rapid.T) *joinCase {
	c := &joinCase{kind: rapid.SampledFrom([]string{"within", "within", "temporal", "windows"}).Draw(t, "join")}
	switch c.kind {
	case "within":
		c.drawBounds(t)
	case "temporal":
		c.span = max(rapid.Int64Range(-15, 15).Draw(t, "retention"), 0)
	case "windows":
		c.span = rapid.Int64Range(1, 20).Draw(t, "size")
	}
	c.side = c.kind != "windows" && rapid.Bool().Draw(t, "late side")
	c.shape = drawShape(t)
	for _, s := range drawHistory(t) {
		j := joinStep{step: s}
		switch s.kind {
		case tick:
			continue
		case record:
			j.input = rapid.SampledFrom([]string{"l", "r"}).Draw(t, "input")
		case watermark:
			j.input = rapid.SampledFrom([]string{"", "l", "r"}).Draw(t, "input")
		}
		c.steps = append(c.steps, j)
	}
	return c
}

func (c *joinCase) drawBounds(t *rapid.T) {
	c.lower = rapid.Int64Range(-15, 15).Draw(t, "lower")
	c.upper = c.lower + rapid.Int64Range(0, 20).Draw(t, "span")
	if c.upper-c.lower >= 2 {
		c.noLower, c.noUpper = rapid.Bool().Draw(t, "not lower"), rapid.Bool().Draw(t, "not upper")
	}
}
