package doubt

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/weirflow/weir/operators"
	"github.com/weirflow/weir/operators/operatortest"
	"github.com/weirflow/weir/operators/plan"
)

const (
	lateDropped = "records_late_dropped"
	outside     = "records_outside_windows"
	neverFired  = "records_never_fired"
	unknown     = -1 // number of entries
)

// runner has an operator go through a history.
type runner struct {
	*windowCase
	h       *operatortest.Harness[Rec, result]
	t       operatortest.TB
	source  *plan.SourceSpec
	clock   plan.SplitClock // of the source; nil: the history alone has watermarks
	records int
	outcome
}

// run runs a case in the way that it says.
func (c *windowCase) run(t operatortest.TB) outcome {
	return c.runOn(t, operatortest.Keyed(t, c.build))
}

// runOn has the operator of a harness go through the history of a case.
func (c *windowCase) runOn(t operatortest.TB, h *operatortest.Harness[Rec, result]) outcome {
	r := &runner{windowCase: c, t: t, h: h}
	if c.bounded {
		r.source = boundedSource(t, c.bound)
		r.clock = r.source.Source.NewClock()
	}
	if c.parallelism > 1 {
		r.h.Restore(r.h.Snapshot(), c.parallelism)
	}
	r.h.Batches(c.batch)
	for i := range c.steps {
		r.step(i)
	}
	r.collect()
	r.timers, r.entries = r.h.Timers(), r.h.StateSize()
	return r.outcome
}

func (r *runner) step(i int) {
	switch s := r.steps[i]; s.kind {
	case record:
		r.records++
		r.h.Process(Rec{Key: s.key, V: s.value, Text: fmt.Sprint(r.records)}, s.ms)
		r.observe(s.ms)
	case watermark:
		r.h.Watermark(s.ms)
	case tick:
		r.h.AdvanceProcessingTime(millis(s.ms))
	case restore:
		r.restore(i+1, s)
	case end:
		r.h.End()
		r.ended = true
	}
}

// restore takes a snapshot, has some steps go by that are lost with all that they
// did, and goes on from the snapshot.
func (r *runner) restore(next int, s step) {
	r.collect()
	snapshot, records, clock := r.h.Snapshot(), r.records, r.saveClock()
	for i := next; i < min(next+s.lost, len(r.steps)) && r.steps[i].kind <= watermark; i++ {
		r.step(i)
	}
	r.h.Restore(snapshot, s.to)
	r.h.Epochs()
	r.takeLate()
	r.records = records
	r.restoreClock(clock)
}

// boundedSource is a source whose watermarks are a bound behind its records,
// which have their time as value.
func boundedSource(t operatortest.TB, bound int64) *plan.SourceSpec {
	top := operators.NewTopology("clock")
	watermarks := operators.BoundedOutOfOrderness(millis(bound), func(r Rec) int64 { return r.V }).Granularity(0)
	operators.From(top, "source", operators.Slice[Rec](), watermarks).To("sink", nowhere[Rec]{})
	p, err := top.Build()
	if err != nil {
		t.Fatalf("%v", err)
	}
	return p.Operator("source").Source
}

// nowhere is a sink that nobody opens.
type nowhere[R any] struct{}

func (nowhere[R]) Kind() operators.SinkKind { return operators.Plain }

func (nowhere[R]) Open(context.Context, operators.SinkContext) (operators.Writer[R], error) {
	return nil, errors.ErrUnsupported
}

// observe brings the watermarks that a record causes, if the source has a clock.
func (r *runner) observe(ms int64) {
	if r.clock == nil {
		return
	}
	b := r.source.Type.New(1)
	*b.Values.(*[]Rec), b.Times = append(*b.Values.(*[]Rec), Rec{V: ms}), append(b.Times, operators.NoTime)
	if err := r.clock.Observe(b); err != nil {
		r.t.Fatalf("%v", err)
	}
	for _, m := range b.Marks {
		r.h.Watermark(m.Watermark)
	}
}

func (r *runner) saveClock() (saved []byte) {
	if r.clock == nil {
		return nil
	}
	saved, err := r.clock.Snapshot()
	if err != nil {
		r.t.Fatalf("%v", err)
	}
	return saved
}

// restoreClock goes on with a new clock from what one has saved.
func (r *runner) restoreClock(saved []byte) {
	if r.clock == nil {
		return
	}
	r.clock = r.source.Source.NewClock()
	if err := r.clock.Restore(saved); err != nil {
		r.t.Fatalf("%v", err)
	}
}

// collect takes what came out.
func (r *runner) collect() {
	r.dropped += r.h.Counter(lateDropped)
	r.outside += r.h.Counter(outside)
	r.unseen += r.h.Counter(neverFired)
	r.add(r.h.Epochs())
	r.addLate("", r.takeLate())
}

func (o *outcome) add(epochs []operatortest.Epoch[result]) {
	for _, e := range epochs {
		for _, r := range e.Records {
			o.outs = append(o.outs, out{epoch: e.Watermark, key: r.Value.Key, start: r.Value.Start, end: r.Value.End, text: r.Value.Value.Text, v: r.Value.Value.V, time: r.Time})
		}
	}
}

func (o *outcome) addLate(input string, records []operatortest.Record[Rec]) {
	for _, l := range records {
		o.late = append(o.late, fmt.Sprintf("%s %s%s@%s", l.Value.Key, input, l.Value.Text, showTime(l.Time)))
	}
}

func (r *runner) takeLate() []operatortest.Record[Rec] {
	if !r.side {
		return nil
	}
	return operatortest.Side(r.h, tooLate)
}

// check runs a case and its twin, and gives what came out and in what that
// differs from what must.
func (c *windowCase) check(t operatortest.TB) (got, difference string) {
	w := newTwin(c)
	is, must := c.run(t), w.run()
	if c.combines() {
		is.forgetOrder()
		must.forgetOrder()
	}
	if len(w.panes) > 0 {
		must.entries, is.entries = unknown, unknown // how much an open window keeps is its own affair
	}
	return is.against(must)
}

// combines tells whether accumulators of parts of a window are merged when it
// fires: the order of its records is then that of the parts.
func (c *windowCase) combines() bool {
	return c.inTwo || c.windows == "sliding" && !c.byClock && c.trigger == "default" && c.evict == "" && c.form != "process"
}

// forgetOrder puts the records that results name in the order of their numbers.
func (o *outcome) forgetOrder() {
	for i := range o.outs {
		text := o.outs[i].text
		from := strings.LastIndex(text, ":") + 1
		ids := strings.Fields(strings.Map(func(r rune) rune {
			if r == '[' || r == ']' {
				return ' '
			}
			return r
		}, text[from:]))
		slices.SortFunc(ids, func(a, b string) int { return cmp.Or(cmp.Compare(len(a), len(b)), cmp.Compare(a, b)) })
		sorted := strings.Join(ids, " ")
		if strings.Contains(text[from:], "[") {
			sorted = "[" + sorted + "]"
		}
		o.outs[i].text = strings.TrimSpace(text[:from] + " " + sorted)
	}
}

// against shows an outcome, and in what it differs from what must be.
func (o outcome) against(must outcome) (got, difference string) {
	o.arrange(must.outs)
	must.arrange(must.outs)
	if got = o.String(); got == must.String() {
		return got, ""
	}
	return got, gocmp.Diff(strings.Split(must.String(), "\n"), strings.Split(got, "\n"))
}

// arrange puts results in an order that is the same for all that a job may do:
// by watermark, then by key, and those of one cause, which like tells, by window.
func (o *outcome) arrange(like []out) {
	like = slices.Clone(like)
	o.outs = slices.Clone(o.outs)
	of := func(late string) string { return late[:strings.IndexAny(late, "0123456789")] } // key and input
	slices.SortStableFunc(o.late, func(a, b string) int { return cmp.Compare(of(a), of(b)) })
	for _, all := range [][]out{like, o.outs} {
		slices.SortStableFunc(all, func(a, b out) int { return cmp.Or(cmp.Compare(a.epoch, b.epoch), cmp.Compare(a.key, b.key)) })
	}
	for i := 0; i < len(like); {
		j := i + 1
		for j < len(like) && like[j].cause == like[i].cause && like[j].key == like[i].key && like[j].epoch == like[i].epoch {
			j++
		}
		byWindow(o.outs[min(i, len(o.outs)):min(j, len(o.outs))])
		i = j
	}
}

// byWindow sorts results that may change places. How often their key has fired
// before each, in v, may then change places, too.
func byWindow(group []out) {
	var vs []int64
	for _, o := range group {
		vs = append(vs, o.v)
	}
	slices.Sort(vs)
	slices.SortStableFunc(group, func(a, b out) int {
		if a.start == a.end { // of no window
			return cmp.Compare(a.text, b.text)
		}
		return cmp.Or(cmp.Compare(a.start, b.start), cmp.Compare(a.end, b.end))
	})
	for i := range group {
		if strings.Contains(group[i].text, "of window") {
			group[i].v = vs[i]
		}
	}
}

// String shows an outcome, one line a result.
func (o outcome) String() string {
	var b strings.Builder
	epoch := int64(math.MinInt64)
	for _, r := range o.outs {
		if r.epoch != epoch {
			epoch = r.epoch
			fmt.Fprintf(&b, "-- wm %s\n", showTime(epoch))
		}
		span := fmt.Sprintf("[%d,%d)", r.start, r.end)
		switch {
		case r.start == math.MinInt64:
			span = "global"
		case r.start == r.end:
			fmt.Fprintf(&b, "%s %s @%s\n", r.key, r.text, showTime(r.time))
			continue
		}
		fmt.Fprintf(&b, "%s %s %s = %d @%s\n", r.key, span, r.text, r.v, showTime(r.time))
	}
	for _, l := range o.late {
		fmt.Fprintf(&b, "late: %s\n", l)
	}
	for _, n := range []struct {
		what   string
		number int64
	}{{"late, dropped", o.dropped}, {"in no window", o.outside}, {"never fired", o.unseen}} {
		if n.number > 0 {
			fmt.Fprintf(&b, "%s: %d\n", n.what, n.number)
		}
	}
	switch {
	case o.ended && o.entries == unknown:
		fmt.Fprintf(&b, "left: open windows, %d timers\n", o.timers)
	case o.ended:
		fmt.Fprintf(&b, "left: %d entries, %d timers\n", o.entries, o.timers)
	}
	return b.String()
}
