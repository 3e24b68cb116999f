package doubt

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/weirflow/weir/messages"
	"github.com/weirflow/weir/operators"
)

// windowCase is one choice of everything that a window operator is made of, and
// a history. All times are ms.
type windowCase struct {
	windows     string // tumbling, sliding, session, session-by-record, global, count, own
	size, slide int64  // session: size is the gap; count: slide 0 has none
	offset      int64
	byClock     bool
	trigger     string // default, watermark, clock, count, delta, never, own
	n           int64  // count, delta
	early       int64  // watermark: every so many ms
	earlyClock  int64
	earlyCount  int64
	purging     bool
	lateness    int64
	bounded     bool // watermarks are those of BoundedOutOfOrderness, besides those of the history
	bound       int64
	side        bool   // to a side output
	evict       string // "", last, newest, near
	keep        int64
	after       bool
	form        string // aggregate, reduce, process, aggregate+process, reduce+process
	inTwo       bool   // PreAggregate
	shape
	steps []step
}

// shape is how a job runs a case, which nobody may see.
type shape struct{ batch, parallelism int }

func (s *shape) set(to shape) { *s = to }

func (s shape) String() string {
	return fmt.Sprintf("batch %d\nparallelism %d", s.batch, s.parallelism)
}

type stepKind int

const (
	record stepKind = iota
	watermark
	tick
	restore
	end
)

type step struct {
	kind  stepKind
	key   string
	value int64
	ms    int64 // record: event time; watermark; tick: how far
	to    int   // restore: parallelism
	lost  int   // restore: steps after the snapshot that are run, lost, and run again
}

// String gives the case as the script that parseCase reads.
func (c *windowCase) String() string {
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	line("windows %s%s", c.windows, options("", c.size, "by", c.slide, "offset", c.offset, "of-the-clock", asNumber(c.byClock)))
	if c.trigger != "default" || c.purging {
		line("trigger %s%s", c.trigger, options("", c.n, "early", c.early, "early-clock", c.earlyClock, "early-count", c.earlyCount, "purging", asNumber(c.purging)))
	}
	if c.bounded {
		line("watermarks bounded %d", c.bound)
	}
	if c.lateness > 0 {
		line("lateness %d", c.lateness)
	}
	if c.side {
		line("late side")
	}
	if c.evict != "" {
		line("evict %s %d%s", c.evict, c.keep, options("after", asNumber(c.after)))
	}
	line("form %s%s", c.form, options("pre-aggregate", asNumber(c.inTwo)))
	line("%v", c.shape)
	for _, s := range c.steps {
		line("%v", s)
	}
	return b.String()
}

// asNumber is the value of an option that is there or not.
func asNumber(b bool) int64 {
	if b {
		return 1
	}
	return 0
}

// options writes those that are not 0, as " name value".
func options(namesAndValues ...any) (s string) {
	for i := 0; i < len(namesAndValues); i += 2 {
		name, v := namesAndValues[i].(string), namesAndValues[i+1].(int64)
		switch {
		case v == 0:
		case name == "":
			s += fmt.Sprintf(" %d", v)
		case name == "of-the-clock" || name == "purging" || name == "after" || name == "pre-aggregate":
			s += " " + name
		default:
			s += fmt.Sprintf(" %s %d", name, v)
		}
	}
	return s
}

func (s step) String() string {
	switch s.kind {
	case record:
		return fmt.Sprintf("%s %d @%d", s.key, s.value, s.ms)
	case watermark:
		return fmt.Sprintf("wm %d", s.ms)
	case tick:
		return fmt.Sprintf("tick %d", s.ms)
	case restore:
		return fmt.Sprintf("restore %d%s", s.to, options("losing", int64(s.lost)))
	}
	return "end"
}

// parseCase reads a script. What is not said is the default.
func parseCase(text string) (*windowCase, error) {
	c := &windowCase{trigger: "default", form: "aggregate", shape: shape{1, 1}}
	for _, line := range strings.Split(strings.TrimSpace(text), "\n") {
		if err := c.parseLine(strings.Fields(line)); err != nil {
			return nil, fmt.Errorf("%q: %w", line, err)
		}
	}
	return c, nil
}

func (c *windowCase) parseLine(words []string) (err error) {
	if len(words) < 1 {
		return fmt.Errorf("an empty line")
	}
	p := &words
	switch verb := next(p); verb {
	case "windows":
		c.windows = next(p)
		err = c.options(p, map[string]*int64{"": &c.size, "by": &c.slide, "offset": &c.offset}, map[string]*bool{"of-the-clock": &c.byClock})
	case "trigger":
		c.trigger = next(p)
		err = c.options(p, map[string]*int64{"": &c.n, "early": &c.early, "early-clock": &c.earlyClock, "early-count": &c.earlyCount}, map[string]*bool{"purging": &c.purging})
	case "watermarks":
		c.bounded = next(p) == "bounded"
		err = c.options(p, map[string]*int64{"": &c.bound}, nil)
	case "lateness":
		err = c.options(p, map[string]*int64{"": &c.lateness}, nil)
	case "late":
		c.side = next(p) == "side"
	case "evict":
		c.evict = next(p)
		err = c.options(p, map[string]*int64{"": &c.keep}, map[string]*bool{"after": &c.after})
	case "form":
		c.form = next(p)
		err = c.options(p, nil, map[string]*bool{"pre-aggregate": &c.inTwo})
	case "batch":
		c.batch, err = strconv.Atoi(next(p))
	case "parallelism":
		c.parallelism, err = strconv.Atoi(next(p))
	default:
		var s step
		s, err = parseStep(verb, p)
		c.steps = append(c.steps, s)
	}
	if err == nil && len(words) > 0 {
		err = fmt.Errorf("%q is too much", words)
	}
	return err
}

func parseStep(verb string, p *[]string) (s step, err error) {
	switch verb {
	case "wm", "tick":
		s.kind = watermark
		if verb == "tick" {
			s.kind = tick
		}
		s.ms, err = strconv.ParseInt(next(p), 10, 64)
	case "restore":
		var lost int64
		s.kind = restore
		if s.to, err = strconv.Atoi(next(p)); err == nil {
			err = (*windowCase)(nil).options(p, map[string]*int64{"losing": &lost}, nil)
		}
		s.lost = int(lost)
	case "end":
		s.kind = end
	default:
		s.key = verb
		if s.value, err = strconv.ParseInt(next(p), 10, 64); err == nil {
			s.ms, err = strconv.ParseInt(strings.TrimPrefix(next(p), "@"), 10, 64)
		}
	}
	return s, err
}

// options reads what options has written.
func (*windowCase) options(p *[]string, values map[string]*int64, flags map[string]*bool) error {
	for len(*p) > 0 {
		word := next(p)
		if f := flags[word]; f != nil {
			*f = true
			continue
		}
		to := values[word]
		if to == nil {
			to, *p = values[""], append([]string{word}, *p...)
		}
		if to == nil {
			return fmt.Errorf("%q is no option here", word)
		}
		v, err := strconv.ParseInt(next(p), 10, 64)
		if err != nil {
			return err
		}
		*to = v
	}
	return nil
}

// next takes the first word, or "".
func next(p *[]string) string {
	if len(*p) == 0 {
		return ""
	}
	w := (*p)[0]
	*p = (*p)[1:]
	return w
}

func showTime(ms int64) string {
	switch ms {
	case operators.NoTime: // and messages.NoWatermark
		return "none"
	case messages.MaxWatermark:
		return "end"
	}
	return strconv.FormatInt(ms, 10)
}
