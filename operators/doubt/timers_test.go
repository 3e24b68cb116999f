package doubt

import (
	"fmt"
	"slices"
	"strings"

	"pgregory.net/rapid"

	"github.com/weirflow/weir/messages"
	"github.com/weirflow/weir/operators"
	"github.com/weirflow/weir/operators/operatortest"
)

// timersCase is a history for a keyed function with timers of both clocks, which
// sorts: it holds records back until the watermark reaches them.
type timersCase struct {
	bounded bool // as of windowCase
	bound   int64
	shape
	steps []step
}

func (c *timersCase) String() string {
	var b strings.Builder
	if c.bounded {
		fmt.Fprintf(&b, "watermarks bounded %d\n", c.bound)
	}
	fmt.Fprintln(&b, c.shape)
	for _, s := range c.steps {
		fmt.Fprintln(&b, s)
	}
	return b.String()
}

func parseTimers(text string) (*timersCase, error) {
	w, err := parseCase(text)
	if err != nil {
		return nil, err
	}
	return &timersCase{w.bounded, w.bound, w.shape, w.steps}, nil
}

// sorter emits the records of a key in the order of their times. What comes at
// or behind the watermark is late. What a value asks for besides: 5 takes back
// what is held for its time, itself as well; 6 has an echo 3 ms later, by the
// watermark, and 7 one 10 ms later, by the clock.
type sorter struct {
	held   operators.MapState[int64, string]
	echoes operators.MapState[int64, string]
}

func newSorter(s *operators.States[string]) *sorter {
	return &sorter{held: operators.NewMapState[int64, string](s, "held"), echoes: operators.NewMapState[int64, string](s, "echoes")}
}

func (f *sorter) ProcessElement(ctx *operators.Context[string, result], r Rec) error {
	at := ctx.Time()
	if at <= ctx.CurrentWatermark() {
		tooLate.Emit(ctx, r)
		return nil
	}
	if r.V == 5 {
		f.held.Delete(at)
		ctx.DeleteEventTimer(at)
		return nil
	}
	if r.V == 7 {
		due := ctx.CurrentProcessingTime() + 10
		ctx.RegisterProcessingTimer(due)
		f.append(f.echoes, due, "echo of "+r.Text)
	}
	if r.V == 6 {
		r.Text += "!"
	}
	f.append(f.held, at, r.Text)
	ctx.RegisterEventTimer(at)
	return nil
}

func (f *sorter) append(to operators.MapState[int64, string], at int64, text string) {
	if all, ok := to.Get(at); ok {
		text = all + " " + text
	}
	to.Put(at, text)
}

func (f *sorter) OnTimer(ctx *operators.Context[string, result], at int64, d operators.Domain) error {
	from := f.held
	if d == operators.ProcessingTime {
		from = f.echoes
	}
	text, ok := from.Get(at)
	if !ok {
		return fmt.Errorf("a timer of %v at %d has nothing to show", d, at)
	}
	from.Delete(at)
	for _, id := range strings.Split(text, " ") {
		if echo, yes := strings.CutSuffix(id, "!"); yes {
			f.append(f.held, at+3, echo+"?")
			ctx.RegisterEventTimer(at + 3)
		}
	}
	ctx.Emit(result{Key: ctx.Key(), Value: Rec{Text: text}})
	return nil
}

func (c *timersCase) build(in *operators.Stream[Rec]) *operators.Stream[result] {
	return operators.Process[string, Rec, result](operators.KeyBy(in, func(r Rec) string { return r.Key }), "sorter", newSorter, tooLate)
}

// sorted is the outcome by definition: after every step all that is due comes
// out, the earliest first.
func (c *timersCase) sorted() (o outcome) {
	type held struct {
		key   string
		at    int64
		texts []string
	}
	var byMark, byClock []*held
	wm, now, records := messages.NoWatermark, int64(0), 0
	hold := func(all []*held, key string, at int64, text string) []*held {
		for _, h := range all {
			if h.key == key && h.at == at {
				h.texts = append(h.texts, text)
				return all
			}
		}
		return append(all, &held{key, at, []string{text}})
	}
	release := func(all []*held, until, epoch int64, clock bool) []*held {
		for {
			var first *held
			for _, h := range all {
				if h.at <= until && (first == nil || h.at < first.at) {
					first = h
				}
			}
			if first == nil {
				return all
			}
			all = slices.DeleteFunc(all, func(h *held) bool { return h == first })
			for _, text := range first.texts {
				if echo, yes := strings.CutSuffix(text, "!"); yes {
					all = hold(all, first.key, first.at+3, echo+"?")
				}
			}
			r := out{epoch: epoch, cause: len(o.outs), key: first.key, text: strings.Join(first.texts, " "), time: first.at}
			if clock {
				r.time = operators.NoTime
			}
			o.outs = append(o.outs, r)
		}
	}
	for _, s := range withWatermarks(c.steps, c.bounded, c.bound) {
		switch s.kind {
		case record:
			records++
			id := fmt.Sprint(records)
			switch {
			case s.ms <= wm:
				o.late = append(o.late, fmt.Sprintf("%s %s@%s", s.key, id, showTime(s.ms)))
				continue
			case s.value == 5:
				byMark = slices.DeleteFunc(byMark, func(h *held) bool { return h.key == s.key && h.at == s.ms })
				continue
			case s.value == 7:
				byClock = hold(byClock, s.key, now+10, "echo of "+id)
			case s.value == 6:
				id += "!"
			}
			byMark = hold(byMark, s.key, s.ms, id)
		case watermark, end:
			to := s.ms
			if s.kind == end {
				to, o.ended = messages.MaxWatermark, true
			}
			if to > wm {
				byMark = release(byMark, to, wm, false)
				wm = to
			}
		case tick:
			now += s.ms
			byClock = release(byClock, now, wm, true)
		}
	}
	o.timers = len(byMark) + len(byClock)
	o.entries = o.timers
	return o
}

// timersRunner has the function go through a history.
func (c *timersCase) run(t operatortest.TB) outcome {
	w := &windowCase{windows: "sorter", side: true, bounded: c.bounded, bound: c.bound, shape: c.shape, steps: c.steps}
	return w.runOn(t, operatortest.Keyed(t, c.build))
}

func (c *timersCase) check(t operatortest.TB) (got, difference string) {
	return c.run(t).against(c.sorted())
}

func drawTimers(t *rapid.T) *timersCase {
	c := &timersCase{}
	c.bounded, c.bound = drawBound(t)
	c.shape = drawShape(t)
	c.steps = drawHistory(t)
	return c
}
