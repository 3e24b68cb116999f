package sim

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/asynkron/protoactor-go/actor"
)

// Faults are what may go wrong in a run. Counts are upper bounds: how many of
// them happen, when, and to whom is drawn from the seed. The zero value is a
// cluster where messages travel and nothing fails.
type Faults struct {
	// Kills ends processes, half of them at a labelled step, half at any time.
	Kills int
	// KillAt are the only labels where processes are ended; empty means all.
	KillAt []string
	// StayDead leaves killed nodes dead. Otherwise each is started again, at the
	// same address, after a time drawn from Restart.
	StayDead bool
	// Restart is how long a killed node is away; zero means 10 ms to 5 s.
	Restart Range

	// Crashes end single actors: half of them, or the work that does something
	// for them, by a panic at a labelled step, half by stopping one that is not
	// at the root of its node, at any time.
	Crashes int

	// Breaks cuts single connections.
	Breaks int
	// Partitions cuts some nodes from all others for a time drawn from Partition.
	Partitions int
	// Partition is how long; zero means 10 ms to 20 s.
	Partition Range
	// Pauses stops processes for a time drawn from Pause.
	Pauses int
	// Pause is how long; zero means 10 ms to 20 s.
	Pause Range
	// Within is the virtual time in which faults begin, after which the world is
	// kind; zero means 10 s.
	Within time.Duration

	// Duplicate is the chance, when a connection breaks, that the last messages
	// that came through it are sent once more on the next one.
	Duplicate float64
	// Skew is the greatest amount by which a node's clock is wrong.
	Skew time.Duration

	// What follows befalls the jobs of Run only.

	// Elections begin a second coordinator although the first one lives.
	Elections int
	// Redeploys stop the job without drain, or just kill all nodes, and let it go
	// on with what Outside.Parallelism then gives.
	Redeploys int
	// Panics are errors and panics of user functions: in sources, in sinks, and
	// wherever a function calls Outside.MayFail.
	Panics int
	// Store is the chance that a call of the checkpoint store fails, before or
	// after it took effect.
	Store float64
	// Sink is the chance that a call of a sink fails, before or after it took
	// effect.
	Sink float64

	// Delay is how long a message travels; zero means 50 µs to 5 ms.
	Delay Range
	// Detect is how long a broken connection stays unnoticed; zero means 1 ms to
	// 12 s, from a reset to a missing keepalive.
	Detect Range
	// Reconnect is the time between two tries; zero means 5 ms to 2 s.
	Reconnect Range
	// GiveUp is how long it is tried; zero means 10 s.
	GiveUp time.Duration
	// Work is how long a part of a work takes, and its result to arrive; zero
	// means 20 µs to 20 ms.
	Work Range
	// StepCost is how long an actor takes for a message; zero means 1 to 20 µs.
	StepCost Range
}

// Range is a stretch of time to draw from, both ends included.
type Range struct{ Min, Max time.Duration }

// draw prefers short times: the usual is quick, the exception takes long.
func (r Range) draw(rnd *rand.Rand) time.Duration {
	x := rnd.Float64()
	return r.Min + time.Duration(x*x*x*float64(r.Max-r.Min))
}

// even draws every time alike.
func (r Range) even(rnd *rand.Rand) time.Duration {
	return r.Min + time.Duration(rnd.Uint64N(uint64(r.Max-r.Min)+1))
}

// Validate names the field that cannot be meant.
func (f Faults) Validate() error {
	for _, count := range []struct {
		name string
		n    int
	}{
		{"Kills", f.Kills}, {"Crashes", f.Crashes}, {"Breaks", f.Breaks}, {"Partitions", f.Partitions}, {"Pauses", f.Pauses},
		{"Elections", f.Elections}, {"Panics", f.Panics}, {"Redeploys", f.Redeploys},
	} {
		if count.n < 0 {
			return fmt.Errorf("sim.Faults.%s is %d; a count is 0 or more", count.name, count.n)
		}
	}
	for _, span := range []struct {
		name string
		Range
	}{
		{"Restart", f.Restart}, {"Partition", f.Partition}, {"Pause", f.Pause}, {"Delay", f.Delay},
		{"Detect", f.Detect}, {"Reconnect", f.Reconnect}, {"Work", f.Work}, {"StepCost", f.StepCost},
		{"Within", Range{0, f.Within}}, {"GiveUp", Range{0, f.GiveUp}}, {"Skew", Range{0, f.Skew}},
	} {
		if span.Min < 0 || span.Max < span.Min {
			return fmt.Errorf("sim.Faults.%s is from %v to %v; it must begin at 0 or later and not end before", span.name, span.Min, span.Max)
		}
	}
	for _, chance := range []struct {
		name string
		p    float64
	}{{"Duplicate", f.Duplicate}, {"Store", f.Store}, {"Sink", f.Sink}} {
		if !(chance.p >= 0 && chance.p <= 1) {
			return fmt.Errorf("sim.Faults.%s is %v; a chance is from 0 to 1", chance.name, chance.p)
		}
	}
	return nil
}

func (f Faults) withDefaults() Faults {
	const us, ms, s = time.Microsecond, time.Millisecond, time.Second
	for _, d := range []struct {
		field *Range
		or    Range
	}{
		{&f.Restart, Range{10 * ms, 5 * s}},
		{&f.Partition, Range{10 * ms, 20 * s}},
		{&f.Pause, Range{10 * ms, 20 * s}},
		{&f.Delay, Range{50 * us, 5 * ms}},
		{&f.Detect, Range{1 * ms, 12 * s}},
		{&f.Reconnect, Range{5 * ms, 2 * s}},
		{&f.Work, Range{20 * us, 20 * ms}},
		{&f.StepCost, Range{1 * us, 20 * us}},
	} {
		if *d.field == (Range{}) {
			*d.field = d.or
		}
	}
	if f.Within == 0 {
		f.Within = 10 * s
	}
	if f.GiveUp == 0 {
		f.GiveUp = 10 * s
	}
	return f
}

// drawFaults plans the faults of the run.
func (w *World) drawFaults() {
	f := w.faults
	for _, kind := range []struct {
		most int
		name string
		do   func()
	}{
		{f.Kills, "fault: kill", w.killSomewhere},
		{f.Crashes, "fault: crash", w.crashSomewhere},
		{f.Breaks, "fault: break", w.breakSomewhere},
		{f.Partitions, "fault: partition", w.partitionSomewhere},
		{f.Pauses, "fault: pause", w.pauseSomewhere},
	} {
		w.planFault(kind.most, kind.name, kind.do)
	}
}

// planFault has something happen up to most times, at any time while faults may
// begin.
func (w *World) planFault(most int, name string, do func()) {
	for range w.rand.IntN(most + 1) {
		w.schedule(nil, time.Duration(w.rand.Int64N(int64(w.faults.Within))), name, do)
	}
}

// ends is what happens to whoever passes a label.
type ends int

const (
	endsNothing ends = iota
	endsActor
	endsProcess
)

// armedKill ends a node, or an actor, when a label is passed for the nth time in
// the run.
type armedKill struct {
	label string
	nth   int
	what  ends
	after func(n *Node) // what then happens to a node
}

// KillAt ends whichever node passes a label of Env.Step for the nth time, counted
// from the beginning of the run and from one. The node stays dead until restarted.
func (w *World) KillAt(label string, nth int) {
	w.armed = append(w.armed, armedKill{label, nth, endsProcess, func(*Node) {}})
}

// pass counts a label, and tells whether the process, or the actor, that passes
// it ends here.
func (w *World) pass(l *life, label string) ends {
	if w.labels[label] == 0 {
		w.labelOrder = append(w.labelOrder, label)
	}
	w.labels[label]++
	for i, a := range w.armed {
		if a.label == label && w.labels[label] >= a.nth {
			w.armed = append(w.armed[:i], w.armed[i+1:]...)
			what := map[ends]string{endsActor: "crash in", endsProcess: "kill of"}[a.what]
			w.logFault("%s %s at step %s, number %d", what, l.name(), label, w.labels[label])
			if a.what == endsProcess {
				a.after(l.node)
			}
			return a.what
		}
	}
	return endsNothing
}

// killSomewhere kills a node now or at a coming labelled step.
func (w *World) killSomewhere() {
	labels := w.faults.KillAt
	if len(labels) == 0 {
		labels = w.labelOrder
	}
	if len(labels) > 0 && (len(w.faults.KillAt) > 0 || w.rand.IntN(2) == 0) {
		w.armAtStep(labels, endsProcess)
		return
	}
	if n := w.anyNode(); n != nil {
		w.logFault("kill of %s", n.life.name())
		n.Kill()
		w.restartLater(n)
	}
}

// armAtStep has something end at a coming labelled step. Every label is as likely
// as any other: a step that is rare is where a bug survives.
func (w *World) armAtStep(labels []string, what ends) {
	label := labels[w.rand.IntN(len(labels))]
	skip := 1 + w.rand.IntN(1<<w.rand.IntN(5))
	w.armed = append(w.armed, armedKill{label, w.labels[label] + skip, what, w.restartLater})
}

// crashSomewhere ends an actor now or at a coming labelled step.
func (w *World) crashSomewhere() {
	if len(w.labelOrder) > 0 && w.rand.IntN(2) == 0 {
		w.armAtStep(w.labelOrder, endsActor)
		return
	}
	if l, pid := w.anyActor(); pid != nil {
		w.logFault("stop of %s/%s", l.name(), pid.Id)
		l.system.Root.Stop(pid)
	}
}

// anyActor is a live actor whose name shows that it has a parent and no
// children that outlive it: one at the greatest depth of its node.
func (w *World) anyActor() (*life, *actor.PID) {
	n := w.anyNode()
	if n == nil {
		return nil, nil
	}
	deepest, depth := []string(nil), 1
	for _, id := range n.life.actors() {
		switch d := strings.Count(id, "/"); {
		case d > depth:
			deepest, depth = []string{id}, d
		case d == depth:
			deepest = append(deepest, id)
		}
	}
	if len(deepest) == 0 {
		return nil, nil
	}
	return n.life, n.life.system.NewLocalPID(deepest[w.rand.IntN(len(deepest))])
}

func (w *World) restartLater(n *Node) {
	if w.faults.StayDead {
		return
	}
	dead := n.life
	w.schedule(nil, w.now+w.faults.Restart.draw(w.rand), "restart of "+n.address, func() {
		if n.life == dead { // nobody was quicker
			n.Restart()
		}
	})
}

func (w *World) pauseSomewhere() {
	if n := w.anyNode(); n != nil {
		d := w.faults.Pause.draw(w.rand)
		w.logFault("pause of %s for %v", n.life.name(), d)
		n.Pause(d)
	}
}

// partitionSomewhere cuts a random set of nodes, neither none nor all, off.
func (w *World) partitionSomewhere() {
	if len(w.nodes) < 2 {
		return
	}
	side := make([]string, 0, len(w.nodes))
	for _, i := range w.rand.Perm(len(w.nodes))[:1+w.rand.IntN(len(w.nodes)-1)] {
		side = append(side, w.nodes[i].address)
	}
	d := w.faults.Partition.draw(w.rand)
	w.logFault("partition of %v for %v", side, d)
	w.Partition(d, side...)
}

// breakSomewhere cuts a connection: half of the time with something under way.
func (w *World) breakSomewhere() {
	if w.rand.IntN(2) == 0 {
		w.breakAfter = append(w.breakAfter, 1+w.rand.IntN(32))
		return
	}
	var up []*link
	for _, n := range w.nodes {
		for _, k := range n.life.links {
			if k.state == linkUp {
				up = append(up, k)
			}
		}
	}
	if len(up) > 0 {
		k := up[w.rand.IntN(len(up))]
		w.logFault("break of %s -> %s", k.from.name(), k.to)
		k.breakDown(w.faults.Detect.draw(w.rand))
	}
}

// countSend counts down to the breaks that wait for something to be under way.
func (w *World) countSend(k *link) {
	kept := w.breakAfter[:0]
	for _, n := range w.breakAfter {
		if n > 1 {
			kept = append(kept, n-1)
			continue
		}
		w.schedule(k.from, w.now+time.Duration(w.rand.Int64N(int64(k.lastAt-w.now)+1)), "fault: break", func() {
			w.logFault("break of %s -> %s", k.from.name(), k.to)
			k.breakDown(w.faults.Detect.draw(w.rand))
		})
	}
	w.breakAfter = kept
}

// anyNode is a live node, nil if there is none.
func (w *World) anyNode() *Node {
	var live []*Node
	for _, n := range w.nodes {
		if n.Alive() {
			live = append(live, n)
		}
	}
	if len(live) == 0 {
		return nil
	}
	return live[w.rand.IntN(len(live))]
}

// drawSkew is the error of one clock.
func (w *World) drawSkew() time.Duration {
	if w.faults.Skew == 0 {
		return 0
	}
	return time.Duration(w.rand.Int64N(2*int64(w.faults.Skew)+1)) - w.faults.Skew
}

func (w *World) logFault(format string, args ...any) {
	fault := fmt.Sprintf(format, args...)
	w.faultLog = append(w.faultLog, fmt.Sprintf("%v %s", w.now, fault))
	w.trace.line(w.now, nil, "", "fault:", fault)
}
