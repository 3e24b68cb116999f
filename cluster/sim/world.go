package sim

import (
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"math/rand/v2"
	"runtime/debug"
	"time"

	"github.com/asynkron/protoactor-go/actor"
)

// Config says which run this is.
type Config struct {
	// Seed decides everything that is left to chance.
	Seed uint64
	// Faults are the chances.
	Faults Faults
	// Trace, unless nil, gets every line of the trace.
	Trace io.Writer
	// Replay is the command that repeats this run, printed when it fails.
	Replay string
}

// Limits end a run that does not come to its end. They count from the call of Run.
type Limits struct {
	// Steps is the greatest number of steps; 0 means 10 million.
	Steps uint64
	// Time is the longest virtual time; 0 means one hour.
	Time time.Duration
}

// What ends a run whose condition was not met; errors.Is finds them in the
// *Failure that Run returns.
var (
	ErrStuck     = errors.New("nothing can happen any more")
	ErrStepLimit = errors.New("step limit reached")
	ErrTimeLimit = errors.New("virtual time limit reached")
)

// World is one simulated cluster and its time. It is for one goroutine.
type World struct {
	config Config
	faults Faults
	rand   *rand.Rand // for scheduling, network and faults, in the order of need
	bias   int        // see pick

	now      time.Duration // virtual time since epoch; never falls
	steps    uint64
	events   events
	runnable []*mailbox // mailboxes of live, running nodes that have work
	current  task       // whose code runs; zero between steps

	nodes      []*Node          // in the order of their first start
	alive      map[string]*life // by address
	partitions []partition

	labels     map[string]int // how often each label was passed
	labelOrder []string       // in the order they were first passed
	armed      []armedKill
	breakAfter []int // breaks that wait for so many messages to be sent
	trace      trace
	faultLog   []string
	lastPanic  string
	failure    error

	onDeath   func(*life)                   // after a process has died; may be nil
	onMessage func(m *mailbox, message any) // before an actor gets a message; may be nil
}

// epoch is the wall clock at virtual time zero.
var epoch = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// New makes an empty world.
func New(config Config) *World {
	w := &World{
		config: config,
		faults: config.Faults.withDefaults(),
		rand:   rand.New(rand.NewPCG(config.Seed, 0)),
		alive:  make(map[string]*life),
		labels: make(map[string]int),
		trace:  newTrace(config.Trace),
	}
	w.bias = []int{0, 0, 1, 3}[w.rand.IntN(4)]
	if err := config.Faults.Validate(); err != nil {
		w.fail(err)
		return w
	}
	w.drawFaults()
	return w
}

// Run steps the world until the condition holds, which it asks between steps.
// A failed run returns a *Failure, and so does every later one.
func (w *World) Run(until func() bool, limits Limits) (err error) {
	defer func() {
		if v := recover(); v != nil {
			w.fail(fmt.Errorf("panic outside any actor: %v\n%s", v, debug.Stack()))
			err = w.failed()
		}
	}()
	limits = limits.withDefaults()
	lastStep, lastTime := w.steps+limits.Steps, w.now+limits.Time
	for w.failure == nil && !until() {
		switch {
		case w.steps >= lastStep:
			w.fail(ErrStepLimit)
		case w.now >= lastTime:
			w.fail(ErrTimeLimit)
		case !w.step():
			w.fail(ErrStuck)
		}
	}
	return w.failed()
}

// RunFor steps the world for a stretch of virtual time. Unlike Run it does not
// mind if nothing is left to happen.
func (w *World) RunFor(d time.Duration) error {
	end := w.now + d
	w.schedule(nil, end, "clock", func() {})
	return w.Run(func() bool { return w.now >= end }, Limits{Time: 2*d + time.Hour})
}

// Close lets go of the works that wait in the middle. The world is over.
func (w *World) Close() {
	for _, n := range w.nodes {
		n.life.end()
	}
}

// Now is the wall clock of a node without skew.
func (w *World) Now() time.Time { return epoch.Add(w.now) }

// Elapsed is the virtual time since the world was made.
func (w *World) Elapsed() time.Duration { return w.now }

// Kind reports whether the time is over in which faults begin.
func (w *World) Kind() bool { return w.now >= w.faults.Within }

// Steps is the number of steps done.
func (w *World) Steps() uint64 { return w.steps }

// Passed is how often the nodes together have passed a label of Env.Step.
func (w *World) Passed(label string) int { return w.labels[label] }

// Labels are the labels passed so far, in the order they were first passed.
func (w *World) Labels() []string { return append([]string(nil), w.labelOrder...) }

// TraceHash is a hash of every line of the trace so far: equal hashes mean equal
// runs.
func (w *World) TraceHash() uint64 { return w.trace.hash.Sum64() }

// Rand gives a source of chance for something outside the nodes, say a faulty
// store. It depends on the seed and the name only, and using it changes nothing
// else of the run.
func (w *World) Rand(name string) *rand.Rand {
	h := fnv.New64a()
	h.Write([]byte(name))
	return rand.New(rand.NewPCG(w.config.Seed, h.Sum64()|1))
}

// step does one thing: the next event if it is due or no actor has work, else
// one message of one actor. It reports false when there was nothing to do.
func (w *World) step() bool {
	if e := w.events.next(); e != nil && (e.at <= w.now || len(w.runnable) == 0) {
		w.onEvent(w.events.pop())
		return true
	}
	if len(w.runnable) == 0 {
		return false
	}
	w.deliver(w.pick())
	return true
}

func (w *World) onEvent(e *event) {
	w.steps++
	w.now = max(w.now, e.at)
	w.current = task{life: e.life}
	w.trace.line(w.now, e.life, "", e.name, "")
	e.run()
	w.current = task{}
}

// deliver runs one message of an actor, which takes a little time.
func (w *World) deliver(m *mailbox) {
	w.steps++
	w.current = task{life: m.life}
	w.trace.line(w.now, m.life, m.id, "", typeName(m.Next()))
	if w.onMessage != nil {
		w.onMessage(m, actor.UnwrapEnvelopeMessage(m.Next()))
	}
	m.Deliver()
	w.current = task{}
	w.settle(m)
	w.now += w.faults.StepCost.even(w.rand)
}

// pick chooses the actor that runs next. With a bias, actors of low rank run
// first, so that others are kept waiting for long; the ranks change slowly.
func (w *World) pick() *mailbox {
	dice := w.rand.Uint64()
	best := w.runnable[w.rand.IntN(len(w.runnable))]
	for range w.bias {
		if other := w.runnable[w.rand.IntN(len(w.runnable))]; other.rank < best.rank {
			best = other
		}
	}
	if dice&31 == 0 {
		best.rank = uint32(dice >> 32)
	}
	return best
}

// schedule puts an event into the queue. It belongs to a life, or to the world
// if that is nil: a dead node's events are dropped, a paused one's wait.
func (w *World) schedule(l *life, at time.Duration, name string, run func()) *event {
	return w.events.push(&event{at: max(at, w.now), life: l, name: name, run: run})
}

// fail ends the run; the first reason is kept.
func (w *World) fail(reason error) {
	if w.failure == nil {
		w.failure = reason
	}
}

func (l Limits) withDefaults() Limits {
	if l.Steps == 0 {
		l.Steps = 10_000_000
	}
	if l.Time == 0 {
		l.Time = time.Hour
	}
	return l
}
