package sim

import (
	"fmt"
	"math/rand/v2"
	"time"
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
	}{{"Kills", f.Kills}, {"Breaks", f.Breaks}, {"Partitions", f.Partitions}, {"Pauses", f.Pauses}} {
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
	if !(f.Duplicate >= 0 && f.Duplicate <= 1) {
		return fmt.Errorf("sim.Faults.Duplicate is %v; a chance is from 0 to 1", f.Duplicate)
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
		{f.Breaks, "fault: break", w.breakSomewhere},
		{f.Partitions, "fault: partition", w.partitionSomewhere},
		{f.Pauses, "fault: pause", w.pauseSomewhere},
	} {
		for range w.rand.IntN(kind.most + 1) {
			w.schedule(nil, time.Duration(w.rand.Int64N(int64(f.Within))), kind.name, kind.do)
		}
	}
}

// armedKill ends a node when a label is passed for the nth time in the run.
type armedKill struct {
	label string
	nth   int
	after func(n *Node) // what then happens to the node
}

// KillAt ends whichever node passes a label of Env.Step for the nth time, counted
// from the beginning of the run and from one. The node stays dead until restarted.
func (w *World) KillAt(label string, nth int) {
	w.armed = append(w.armed, armedKill{label, nth, func(*Node) {}})
}

// pass counts a label, and reports whether the process that passes it ends here.
func (w *World) pass(l *life, label string) bool {
	if w.labels[label] == 0 {
		w.labelOrder = append(w.labelOrder, label)
	}
	w.labels[label]++
	for i, a := range w.armed {
		if a.label == label && w.labels[label] >= a.nth {
			w.armed = append(w.armed[:i], w.armed[i+1:]...)
			w.logFault("kill of %s at step %s, number %d", l.name(), label, w.labels[label])
			a.after(l.node)
			return true
		}
	}
	return false
}

// killSomewhere kills a node now or at a coming labelled step. Every label is as
// likely as any other: a step that is rare is where a bug survives.
func (w *World) killSomewhere() {
	labels := w.faults.KillAt
	if len(labels) == 0 {
		labels = w.labelOrder
	}
	if len(labels) > 0 && (len(w.faults.KillAt) > 0 || w.rand.IntN(2) == 0) {
		label := labels[w.rand.IntN(len(labels))]
		skip := 1 + w.rand.IntN(1<<w.rand.IntN(5))
		w.armed = append(w.armed, armedKill{label, w.labels[label] + skip, w.restartLater})
		return
	}
	if n := w.anyNode(); n != nil {
		w.logFault("kill of %s", n.life.name())
		n.Kill()
		w.restartLater(n)
	}
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

func (w *World) breakSomewhere() {
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
