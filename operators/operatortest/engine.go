package operatortest

import (
	"fmt"
	"slices"
	"time"

	"github.com/weirflow/weir/messages"
	"github.com/weirflow/weir/operators/plan"
)

// TB is what the kit needs of a test: *testing.T, *testing.B and *rapid.T have
// it. Fatalf must not return, as theirs does not.
type TB interface {
	Helper()
	Fatalf(format string, args ...any)
}

// engine runs every subtask of a plan in the caller's goroutine. What is pushed
// into a source has gone all the way through when push returns.
//
// It is the plan's meaning without its mechanics: the partitioning of every
// edge, the key groups, the parallelism and the merging of watermarks are those
// of a job, but there are no mailboxes, no credits and no barriers.
type engine struct {
	t       TB
	plan    *plan.Plan
	nodes   [][]*node        // by plan.Operator.Index, then by subtask
	sides   map[string]*side // by tag; nil: not looked at
	attempt messages.Attempt
	now     int64  // processing time, ms; it moves only by advance
	works   []work // that subtasks asked for and that have not run
	results int    // that a step of an operator gives; 0: all
	halting bool   // steps wait until the next call, so that a snapshot may come before
}

// world is what outlives an engine when a harness restores.
type world struct {
	collectors map[messages.OperatorID]*collector // by sink; a sink without one gets its own
	sides      map[string]*side
	attempt    messages.Attempt
	now        int64
	results    int
	halting    bool
}

// newEngine makes the subtasks, restores them from s unless it is nil, and opens
// them, as a job does: the last operator first, so that who is pushed to is ready.
func newEngine(t TB, p *plan.Plan, w world, s *Snapshot) *engine {
	t.Helper()
	e := &engine{t: t, plan: p, sides: w.sides, attempt: w.attempt, now: w.now, results: w.results, halting: w.halting}
	for _, op := range p.Operators {
		e.nodes = append(e.nodes, e.newNodes(op, w, s != nil))
	}
	for _, edge := range p.Edges {
		e.connect(edge)
	}
	e.backwards(func(n *node) error { return n.inst.Init(n.rt) }, "Init")
	if s != nil {
		e.restore(s)
	}
	e.backwards(func(n *node) error { return n.inst.Open() }, "Open")
	e.forwards((*node).raise)
	e.settle()
	return e
}

func (e *engine) newNodes(op *plan.Operator, w world, restored bool) []*node {
	var all []*node
	for i := range op.Parallelism {
		all = append(all, newNode(e, op, i, restored))
	}
	if op.Sink != plan.NotASink {
		c := w.collectors[op.Name]
		if c == nil {
			c = newCollector(op.Inputs[0].Type, false)
		}
		for _, n := range all {
			n.sink = c
		}
	}
	return all
}

// connect makes the channels of an edge.
func (e *engine) connect(edge *plan.Edge) {
	to := e.nodes[edge.To.Index]
	for i, from := range e.nodes[edge.From.Index] {
		x := &exchange{edge: edge, groups: e.plan.MaxParallelism, next: i % len(to)}
		receivers := to
		if edge.Partition == plan.Forward {
			receivers = to[i : i+1]
		}
		for _, n := range receivers {
			x.channels = append(x.channels, n.addChannel(from, edge.Tag))
		}
		f := from.fan(edge.Tag)
		f.exchanges = append(f.exchanges, x)
	}
}

// forwards visits all subtasks, those of an operator after those of its inputs.
func (e *engine) forwards(visit func(*node)) {
	for _, all := range e.nodes {
		for _, n := range all {
			visit(n)
		}
	}
}

// backwards runs one call of every instance, the last operator's first.
func (e *engine) backwards(run func(*node) error, call string) {
	e.t.Helper()
	for _, all := range slices.Backward(e.nodes) {
		for _, n := range all {
			if n.inst != nil {
				n.check(call, run(n))
			}
		}
	}
}

// finish runs Finish where every input has ended, in the order of the plan.
func (e *engine) finish() {
	e.t.Helper()
	e.forwards(func(n *node) {
		if n.ended || n.pending() || len(n.senders) == 0 || slices.ContainsFunc(n.senders, func(s sender) bool { return !s.ended }) {
			return
		}
		n.ended = true
		if n.inst != nil {
			n.check("Finish", n.inst.Finish())
		}
	})
}

func (e *engine) close() {
	e.t.Helper()
	e.backwards(func(n *node) error { return n.inst.Close() }, "Close")
}

// advance moves processing time on by d and stops at every timer on the way.
func (e *engine) advance(d time.Duration) {
	e.t.Helper()
	if d < 0 || d%time.Millisecond != 0 {
		e.t.Fatalf("AdvanceProcessingTime(%v): processing time is in milliseconds and never goes back; give a whole number of them, at least 0", d)
	}
	e.rest()
	until := e.now + d.Milliseconds()
	for n := e.due(until); n != nil; n = e.due(until) {
		n.wake()
		e.settle()
	}
	e.now = until
}

// due is the subtask whose timer comes first, if one comes before until.
func (e *engine) due(until int64) (first *node) {
	e.forwards(func(n *node) {
		if n.timerSet && n.timer <= until && (first == nil || n.timer < first.timer) {
			first = n
		}
	})
	return first
}

// count adds up the entries of all states, of timers or of everything else.
func (e *engine) count(timers bool) (entries int) {
	e.forwards(func(n *node) {
		for _, st := range n.states {
			if (st.Schema().GetKind() == "timers") == timers {
				entries += st.Len()
			}
		}
	})
	return entries
}

// operator finds an operator by name and fails, naming those that there are.
func (e *engine) operator(what, name string, is func(*plan.Operator) bool) *plan.Operator {
	e.t.Helper()
	var names []string
	for _, op := range e.plan.Operators {
		if !is(op) {
			continue
		}
		if string(op.Name) == name {
			return op
		}
		names = append(names, fmt.Sprintf("%q", op.Name))
	}
	e.t.Fatalf("there is no %s %q in the topology; it has %v", what, name, names)
	return nil
}
