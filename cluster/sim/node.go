package sim

import (
	"fmt"
	"slices"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/weirflow/weir/actors/env"
)

// Node is a machine at an address. It may live several times: every start is a
// new process, with an actor system of its own and no memory.
type Node struct {
	world   *World
	address string
	start   func(env.Env)
	lives   int
	life    *life // the last one started
}

// StartNode starts a process at an address. The start function runs as a step of
// its own, soon. An address whose process is dead may be started again.
func (w *World) StartNode(address string, start func(env.Env)) *Node {
	i := slices.IndexFunc(w.nodes, func(n *Node) bool { return n.address == address })
	if i < 0 {
		i = len(w.nodes)
		w.nodes = append(w.nodes, &Node{world: w, address: address})
	}
	n := w.nodes[i]
	n.start = start
	n.Restart()
	return n
}

// Node is the node at an address, nil if none was ever started there.
func (w *World) Node(address string) *Node {
	for _, n := range w.nodes {
		if n.address == address {
			return n
		}
	}
	return nil
}

// World is where it stands.
func (n *Node) World() *World { return n.world }

// Address is how other nodes name it.
func (n *Node) Address() string { return n.address }

// Alive reports whether its process runs; a paused one does.
func (n *Node) Alive() bool { return !n.life.dead }

// Lives is how often it was started.
func (n *Node) Lives() int { return n.lives }

// Env is what its process was given; after a restart it is another one.
func (n *Node) Env() env.Env { return n.life.env }

// Restart starts a new process at the address of a dead one, with the same start
// function. Messages that others have sent meanwhile may reach it.
func (n *Node) Restart() {
	w := n.world
	if w.alive[n.address] != nil {
		w.fail(fmt.Errorf("node %s is started while it is alive", n.address))
		return
	}
	n.lives++
	l := newLife(n)
	n.life = l
	w.alive[n.address] = l
	w.schedule(l, w.now, "start", l.begin)
}

// Kill ends the process at once, as SIGKILL does. Called from within one of its
// own actors it takes effect when the actor's code next returns or calls Step.
func (n *Node) Kill() { n.life.kill() }

// Pause stops the process for a while, as SIGSTOP or a long collection of garbage
// does: nothing of it runs, what comes due waits, and it does not know.
func (n *Node) Pause(d time.Duration) { n.life.pause(d) }

// life is one process of a node, from its start to its death.
type life struct {
	world  *World
	node   *Node
	label  string // address, from the second life on with its number
	system *actor.ActorSystem
	env    *nodeEnv
	skew   time.Duration // what its clock shows more than the world's

	dead        bool // final
	pausedUntil time.Duration
	parked      []*mailbox // work found while paused
	works       []*work    // begun and not ended, oldest first

	links []*link // to other addresses, in the order of first use
	mails uint64  // mailboxes made
	rands uint64  // sources of chance given out
}

func newLife(n *Node) *life {
	l := &life{world: n.world, node: n, label: n.address}
	if n.lives > 1 {
		l.label = fmt.Sprintf("%s.%d", n.address, n.lives)
	}
	l.skew = n.world.drawSkew()
	l.system = newSystem(n.address)
	l.system.ProcessRegistry.RegisterAddressResolver(l.resolve)
	l.system.Root.WithSpawnMiddleware(l.checkSpawn)
	l.env = &nodeEnv{life: l, props: l.makeProps()}
	return l
}

// makeProps are the options of Env.Props: the world's mailbox, and a check of
// the children's.
func (l *life) makeProps() []actor.PropsOption {
	return []actor.PropsOption{
		actor.WithMailbox(func() actor.Mailbox {
			l.mails++
			return newMailbox(l)
		}),
		actor.WithSpawnMiddleware(l.checkSpawn),
	}
}

// checkSpawn fails the world if an actor was spawned without Env.Props: it would
// run on goroutines of its own.
func (l *life) checkSpawn(actor.SpawnFunc) actor.SpawnFunc {
	return func(system *actor.ActorSystem, id string, props *actor.Props, parent actor.SpawnerContext) (*actor.PID, error) {
		mails := l.mails
		pid, err := actor.DefaultSpawner(system, id, props, parent)
		if l.mails == mails {
			l.world.fail(fmt.Errorf("actor %s was spawned without env.Props", id))
		}
		return pid, err
	}
}

// begin runs the start function, in which the node may die.
func (l *life) begin() {
	defer func() {
		if v := recover(); v != nil && !l.dead {
			panic(v)
		}
	}()
	l.node.start(l.env)
}

// actors are the names of its live actors, sorted.
func (l *life) actors() []string {
	var ids []string
	l.system.ProcessRegistry.LocalPIDs.LocalPIDs[0].IterCb(func(id string, _ any) { ids = append(ids, id) })
	slices.Sort(ids)
	return ids
}

// name is for the trace.
func (l *life) name() string { return l.label }

func (l *life) paused() bool { return l.pausedUntil > l.world.now }

func (l *life) kill() {
	if l.dead {
		return
	}
	w := l.world
	w.trace.line(w.now, l, "", "killed", "")
	delete(w.alive, l.node.address)
	w.breakLinksOfDead(l)
	l.end()
	if w.onDeath != nil {
		w.onDeath(l)
	}
}

// end stops everything that would still run.
func (l *life) end() {
	l.dead = true
	l.world.dequeueAll(l)
	l.parked = nil
	works := l.works
	l.works = nil
	for _, k := range works {
		k.abandon()
	}
}

func (l *life) pause(d time.Duration) {
	w := l.world
	until := w.now + d
	if l.dead || until <= l.pausedUntil {
		return
	}
	w.trace.line(w.now, l, "", "paused", d.String())
	l.pausedUntil = until
	for _, m := range w.dequeueAll(l) {
		m.slot = slotParked
		l.parked = append(l.parked, m)
	}
	w.breakLinksOfPaused(l, d)
	w.schedule(l, until, "resumed", l.resume)
}

// resume makes the actors runnable again, unless the pause was made longer.
func (l *life) resume() {
	if l.paused() {
		return
	}
	parked := l.parked
	l.parked = nil
	for _, m := range parked {
		m.slot = slotIdle
		m.posted()
	}
}
