package sim_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/weirflow/weir/cluster/sim"
	"github.com/weirflow/weir/operators"
)

// drawn is a topology that the seed draws out of all that operators has: sources,
// stages behind each other and beside each other, sinks at the ends and in between.
// Each stage is data, which is once built into operators and once worked out over
// slices. S111: what is committed does not depend on parallelism, batches, splits,
// speed and failures.
//
// For that, nothing is late, and no stage is drawn whose results would depend on
// which record comes first, unless all comes from one split and stays in order.
var drawn = scenario{
	name:     "drawn",
	topology: func(o *sim.Outside) *operators.Topology { return draftOf(o).build(o) },
	oracle: func(o *sim.Outside) {
		d := draftOf(o)
		o.Note(d.String())
		for i, s := range d.stages {
			if s.sink {
				sim.Expect(o, sinkOf(i), s.out.events...)
			}
			sim.Expect(o, sideName(d.nameOf(i)), s.out.side...)
		}
	},
}

// event is the one type of records. At is its event time in ms, if it has one.
type event struct{ ID, Key, At, Value int64 }

type (
	events = *operators.Stream[event]
	keyed  = *operators.KeyedStream[int64, event]
)

// flow is what comes out of a stage, by definition. Only the number of times that
// each event is there counts, unless it is ordered.
type flow struct {
	events  []event
	side    []event // what goes to the stage's side output
	timed   bool    // events have an event time, and it is At
	ordered bool    // those of one key are in the order of events
	unsure  bool    // it would depend on which came first
}

// stage is one of a drawn topology. What its options mean its kind says. Times are
// in ms.
type stage struct {
	*kind
	in        []int  // the stages that it reads, all before it
	spread    string // how records come to it: "", rebalance, broadcast, partition
	subtasks  int    // fixed, where a record goes to all of them; 0: drawn for each deployment
	uniform   bool   // as of the draft
	unchained bool
	sink      bool // what comes out also goes to a sink
	options
	out flow
}

// options are all that any kind has.
type options struct {
	splits          [][]event // of a source
	bound, grain    int64
	n               int64 // a number that functions use
	windows, form   string
	size, slide     int64
	lateness, newer int64 // newer: an evictor keeps what is less older than the newest
	last, early     int64 // an evictor keeps so many; fires early every so many
	purging, pre    bool
	after           bool // the evictor comes after the function
	lower, upper    int64
	open            bool // an interval without its bounds
	side            bool
	inOrder         bool // it may mind the order
}

// kind is a kind of stage.
type kind struct {
	name    string
	inputs  int
	timed   bool // it needs event times
	keyless bool // records may come to it in any way
	union   bool // what it builds is a union, which has no subtasks
	draw    func(rng *rand.Rand, s *stage)
	build   func(o *sim.Outside, s *stage, name string, in []events) events
	twin    func(s *stage, in []flow) flow
}

// kinds are those that draw chooses from, the likelier ones more than once.
var kinds = slices.Concat(plainKinds, foldKinds, windowKinds, windowKinds, timerKinds, joinKinds)

// draft is a drawn topology.
type draft struct {
	uniform bool // one parallelism for all, so that what is in order stays so
	stages  []*stage
}

// mostEvents is how many may come out of a stage, so that a seed stays cheap.
const mostEvents = 200

func draftOf(o *sim.Outside) *draft { return newDraft(o.Rand("drawn")) }

func newDraft(rng *rand.Rand) *draft {
	d := &draft{uniform: rng.IntN(3) == 0}
	for range 1 + rng.IntN(2) {
		d.drawSource(rng)
	}
	for want, tries := len(d.stages)+1+rng.IntN(4), 0; len(d.stages) < want && tries < 50; tries++ {
		d.drawStage(rng)
	}
	read := map[int]bool{}
	for _, s := range d.stages {
		for _, i := range s.in {
			read[i] = true
		}
	}
	for i, s := range d.stages {
		s.sink = !read[i] || rng.IntN(5) == 0
	}
	return d
}

// drawStage adds a stage, if what it draws fits.
func (d *draft) drawStage(rng *rand.Rand) {
	s := &stage{kind: &kinds[rng.IntN(len(kinds))], uniform: d.uniform, unchained: rng.IntN(3) == 0}
	s.in = append(s.in, len(d.stages)-1-rng.IntN(2)*rng.IntN(len(d.stages)))
	for len(s.in) < s.inputs {
		s.in = append(s.in, rng.IntN(len(d.stages)))
	}
	ins, fits := make([]flow, s.inputs), true
	for i, from := range s.in {
		ins[i] = d.stages[from].out
		fits = fits && (ins[i].timed || !s.timed)
	}
	if !fits {
		return
	}
	if s.n = 1 + rng.Int64N(5); s.draw != nil {
		s.draw(rng, s)
	}
	if s.keyless {
		s.drawSpread(rng, ins)
	}
	s.out = s.twin(s, ins)
	s.out.ordered = s.out.ordered && d.uniform
	if n := len(s.out.events); n > 0 && n <= mostEvents && !s.out.unsure {
		d.stages = append(d.stages, s)
	}
}

// drawSpread draws how records come to the subtasks of a stage. What goes to all
// of them is there as often.
func (s *stage) drawSpread(rng *rand.Rand, ins []flow) {
	s.spread = []string{"", "", "", "rebalance", "broadcast", "partition"}[rng.IntN(6)]
	if s.spread == "" {
		return
	}
	ins[0].ordered = false
	if s.spread == "broadcast" {
		s.subtasks = 1 + rng.IntN(3)
		ins[0].events = slices.Repeat(ins[0].events, s.subtasks)
	}
}

// drawSource adds a source of one split whose records are up to a bound too late,
// or of several.
func (d *draft) drawSource(rng *rand.Rand) {
	s := &stage{kind: &sourceKind, uniform: d.uniform}
	s.bound, s.grain = rng.Int64N(2)*rng.Int64N(300), []int64{0, 1, 50, 250}[rng.IntN(4)]
	splits := 1
	if !d.uniform {
		splits = 1 + rng.IntN(4)
	}
	id := int64(1000 * len(d.stages))
	for range splits {
		now, split := rng.Int64N(1000)-200, []event(nil)
		for range 5 + rng.IntN(80/splits) {
			now += rng.Int64N(100)
			id++
			split = append(split, event{ID: id, Key: rng.Int64N(5), At: now - rng.Int64N(1+s.bound), Value: rng.Int64N(1000)})
		}
		s.splits = append(s.splits, split)
	}
	s.out = flow{events: slices.Concat(s.splits...), timed: true, ordered: splits == 1 && d.uniform}
	d.stages = append(d.stages, s)
}

// sourceKind is built by buildStage.
var sourceKind = kind{name: "source"}

// build makes operators of it.
func (d *draft) build(o *sim.Outside) *operators.Topology {
	top := operators.NewTopology("drawn")
	if d.uniform {
		top.Parallelism(o.Parallelism("all", 3))
	}
	streams := make([]events, len(d.stages))
	for i, s := range d.stages {
		streams[i] = d.buildStage(o, top, i, streams)
		if s.sink {
			streams[i].To(sinkOf(i), sim.Sink[event](o, sinkOf(i))).Parallelism(1 + i%2)
		}
	}
	return top
}

func sinkOf(stage int) string { return fmt.Sprintf("out-%d", stage) }

// buildStage builds one stage, with what belongs to any.
func (d *draft) buildStage(o *sim.Outside, top *operators.Topology, i int, streams []events) events {
	s, name := d.stages[i], d.nameOf(i)
	var out events
	if s.kind == &sourceKind {
		out = operators.From(top, name, sim.Source(o, name, func(*rand.Rand) [][]event { return s.splits }), operators.
			BoundedOutOfOrderness(ms(s.bound), func(e event) int64 { return e.At }).Granularity(ms(s.grain)))
	} else {
		in := make([]events, s.inputs)
		for k, from := range s.in {
			in[k] = streams[from]
		}
		in[0] = s.spreading(in[0])
		out = s.build(o, s, name, in)
	}
	if !s.union {
		place(o, s, name, out)
	}
	return out
}

// place says in how many subtasks an operator runs, and with whom.
func place[T any](o *sim.Outside, s *stage, name string, out *operators.Stream[T]) {
	switch {
	case s.subtasks > 0:
		out.Parallelism(s.subtasks)
	case !s.uniform:
		out.Parallelism(o.Parallelism(name, 3))
	}
	if s.unchained {
		out.Unchained()
	}
}

func (s *stage) spreading(in events) events {
	switch s.spread {
	case "rebalance":
		return in.Rebalance()
	case "broadcast":
		return in.Broadcast()
	case "partition":
		return in.PartitionBy(func(e event, n int) int { return int(mix(e.ID) % int64(n)) })
	}
	return in
}

func (d *draft) nameOf(stage int) string { return fmt.Sprintf("%d-%s", stage, d.stages[stage].name) }

// String is the topology in words, stage by stage.
func (d *draft) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "drawn, uniform %v:\n", d.uniform)
	for i, s := range d.stages {
		o := s.options
		o.splits = nil
		fmt.Fprintf(&b, "  %s of %v", d.nameOf(i), s.in)
		for _, word := range strings.Fields(strings.Trim(fmt.Sprintf("%+v", o), "{}")) {
			if name, value, _ := strings.Cut(word, ":"); value != "" && value != "0" && value != "false" && value != "[]" {
				fmt.Fprintf(&b, " %s=%s", name, value)
			}
		}
		fmt.Fprintf(&b, " %s, sink %v, unchained %v: %d events, timed %v, ordered %v\n", s.spread, s.sink, s.unchained, len(s.out.events), s.out.timed, s.out.ordered)
	}
	return b.String()
}

// mix makes a number of 20 bits out of another one.
func mix(v int64) int64 { return int64(uint64(v) * 0x9e3779b97f4a7c15 >> 44) }

// All that a topology can have is drawn in the end, each several times.
func TestDrafts(t *testing.T) {
	seen := map[string]int{}
	for seed := range uint64(3000) {
		for _, s := range newDraft(rand.New(rand.NewPCG(seed, 0))).stages {
			s.count(seen)
		}
	}
	for _, what := range strings.Split(allDrawn, ", ") {
		if seen[what] < 3 {
			t.Errorf("%q is drawn %d times in 3000 topologies", what, seen[what])
		}
		delete(seen, what)
	}
	if len(seen) > 0 {
		t.Errorf("drawn, but not in the list: %v", seen)
	}
}

// allDrawn is what can be drawn: a kind with its form and windows, or an option.
const allDrawn = "source, map, filter, flatmap, split, async ordered, async unordered, union, reduce, process, coprocess, rules, " +
	"countwindow count, countwindow count-sliding, countwindow global, countwindow global-purging, interval, temporal, " +
	"windowjoin inner tumbling, windowjoin left tumbling, windowjoin full tumbling, cogroup tumbling, cogroup sliding, cogroup session, " +
	"windowall tumbling, windowall sliding, windowall session, window aggregate tumbling, window aggregate sliding, " +
	"window aggregate session, window aggregate session-by-record, window reduce tumbling, window reduce sliding, window reduce session, " +
	"window reduce session-by-record, window process tumbling, window process sliding, window process session, " +
	"window process session-by-record, window aggregate+process tumbling, window aggregate+process sliding, " +
	"window aggregate+process session, window aggregate+process session-by-record, window reduce+process tumbling, " +
	"window reduce+process sliding, window reduce+process session, window reduce+process session-by-record, " +
	"window early, window last, window last after, window newer, window pre, windowall pre, window purging, window lateness, " +
	"in order, unchained, sink, 2 outputs, rebalance, broadcast, partition, 1 splits, 2 splits, 3 splits, 4 splits"

// count counts what a stage has of allDrawn.
func (s *stage) count(seen map[string]int) {
	seen[strings.Join(strings.Fields(s.name+" "+s.form+" "+s.windows), " ")]++
	for what, has := range map[string]bool{
		s.name + " early": s.early > 0, s.name + " last": s.last > 0 && !s.after, s.name + " last after": s.after, s.name + " newer": s.newer > 0,
		s.name + " pre": s.pre, s.name + " purging": s.purging, s.name + " lateness": s.lateness > 0, "in order": s.inOrder,
		"unchained": s.unchained, "sink": s.sink, "2 outputs": len(s.out.side) > 0, s.spread: s.spread != "",
		fmt.Sprintf("%d splits", len(s.splits)): len(s.splits) > 0,
	} {
		if has {
			seen[what]++
		}
	}
}

// TestSimDrawn runs this scenario alone.
func TestSimDrawn(t *testing.T) {
	sim.Run(t, drawn.topology, sim.Seeds(60)).RequireExactlyOnce(drawn.oracle)
}
