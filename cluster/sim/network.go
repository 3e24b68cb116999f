package sim

import (
	"slices"
	"time"
)

// link is one direction between a process and an address: what protoactor's
// remote calls an endpoint. It lives as long as the sending process.
type link struct {
	from  *life
	to    string // address
	state linkState
	peer  *life // the process it is connected to, while up

	underWay   []*packet     // sent on the connection, not arrived, in order
	lastAt     time.Duration // when the last of them arrives: a connection keeps order
	stallUntil time.Duration // nothing arrives before
	waiting    []*packet     // sent while connecting, in order
	giveUpAt   time.Duration // when connecting ends
	watches    []watch       // made through this link and not yet answered
}

type linkState int

const (
	linkIdle       linkState = iota // no connection and nobody wants one
	linkConnecting                  // messages wait
	linkUp                          // messages travel
	linkBroken                      // messages are lost, but the sender does not know yet
)

// partition cuts the nodes of one side off from all others for a while.
type partition struct {
	side  []string
	until time.Duration
}

// Partition cuts the named nodes off from all others for d. A connection that
// would not have noticed by then goes on where it was; any other breaks.
func (w *World) Partition(d time.Duration, side ...string) {
	w.trace.line(w.now, nil, "", "partition", d.String())
	w.partitions = append(w.partitions, partition{side, w.now + d})
	w.eachLink(func(k *link) {
		if slices.Contains(side, k.from.node.address) != slices.Contains(side, k.to) {
			k.stallOrBreak(d, w.faults.Detect.draw(w.rand))
		}
	})
}

// Break cuts the connection from one node to another, if there is one; the
// sender notices after a while.
func (w *World) Break(from, to string) {
	w.eachLink(func(k *link) {
		if k.from.node.address == from && k.to == to {
			k.breakDown(w.faults.Detect.draw(w.rand))
		}
	})
}

// eachLink visits the links of all live processes, always in the same order.
func (w *World) eachLink(visit func(*link)) {
	for _, n := range w.nodes {
		if n.Alive() {
			for _, k := range n.life.links {
				visit(k)
			}
		}
	}
}

// cut reports whether a partition lies between two addresses.
func (w *World) cut(a, b string) bool {
	w.partitions = slices.DeleteFunc(w.partitions, func(p partition) bool { return p.until <= w.now })
	return slices.ContainsFunc(w.partitions, func(p partition) bool {
		return slices.Contains(p.side, a) != slices.Contains(p.side, b)
	})
}

// reachable is the process that a connection could be made to, nil if none.
func (k *link) reachable() *life {
	w := k.from.world
	peer := w.alive[k.to]
	if peer == nil || peer.paused() || w.cut(k.from.node.address, k.to) {
		return nil
	}
	return peer
}

// breakLinksOfDead: what is under way to the dead process is lost, of what it
// has sent a part still arrives. Most peers notice at once, by a reset.
func (w *World) breakLinksOfDead(dead *life) {
	for _, k := range dead.links {
		k.loseSome()
	}
	w.eachLink(func(k *link) {
		if k.peer != dead {
			return
		}
		detect := w.faults.Detect.Min
		if w.rand.IntN(4) == 0 {
			detect = w.faults.Detect.draw(w.rand)
		}
		k.breakDown(detect)
	})
}

// breakLinksOfPaused: a peer that hears nothing for too long hangs up.
func (w *World) breakLinksOfPaused(paused *life, d time.Duration) {
	w.eachLink(func(k *link) {
		if k.peer != paused && k.from != paused {
			return
		}
		if detect := w.faults.Detect.draw(w.rand); detect < d {
			w.schedule(k.from, w.now+detect, "hang-up on "+k.to, func() { k.breakDown(0) })
		}
	})
}

// send takes a packet as protoactor's endpoint writer does.
func (k *link) send(p *packet) {
	switch k.state {
	case linkUp:
		k.transmit(p)
	case linkBroken: // lost: nobody knows yet
	case linkConnecting:
		k.waiting = append(k.waiting, p)
	case linkIdle:
		k.waiting = append(k.waiting, p)
		k.becomeConnecting()
	}
}

// transmit lets a packet travel; it arrives after all sent before it.
func (k *link) transmit(p *packet) {
	w := k.from.world
	k.lastAt = max(k.lastAt, k.stallUntil, w.now+w.faults.Delay.draw(w.rand))
	k.underWay = append(k.underWay, p)
	p.arrival = w.schedule(k.peer, k.lastAt, "arrival", func() { k.arrive(p) })
	if len(w.breakAfter) > 0 {
		w.countSend(k)
	}
}

func (k *link) arrive(p *packet) {
	if i := slices.Index(k.underWay, p); i >= 0 {
		k.underWay = slices.Delete(k.underWay, i, i+1)
	}
	p.deliver(k.from.world.current.life)
}

func (k *link) becomeConnecting() {
	w := k.from.world
	k.state = linkConnecting
	k.giveUpAt = w.now + w.faults.GiveUp
	k.tryLater(w.faults.Delay.draw(w.rand))
}

func (k *link) tryLater(d time.Duration) {
	w := k.from.world
	w.schedule(k.from, w.now+d, "connect to "+k.to, k.onTry)
}

func (k *link) onTry() {
	w := k.from.world
	switch peer := k.reachable(); {
	case peer != nil:
		k.becomeUp(peer)
	case w.now >= k.giveUpAt:
		k.becomeIdle()
	default:
		k.tryLater(w.faults.Reconnect.draw(w.rand))
	}
}

// becomeUp begins a connection, which keeps an order of its own: what is still
// under way on the one before may arrive later.
func (k *link) becomeUp(peer *life) {
	k.state, k.peer, k.lastAt, k.stallUntil = linkUp, peer, 0, 0
	waiting := k.waiting
	k.waiting = nil
	for _, p := range waiting {
		k.transmit(p)
	}
}

// becomeIdle gives up: what waits is undeliverable, whoever watches is told.
func (k *link) becomeIdle() {
	k.state = linkIdle
	waiting := k.waiting
	k.waiting = nil
	k.tellWatchers()
	for _, p := range waiting {
		p.becomeDeadLetter(k.from.system)
	}
}

// stallOrBreak: for d nothing gets through.
func (k *link) stallOrBreak(d, detect time.Duration) {
	if k.state != linkUp {
		return
	}
	if detect < d {
		k.breakDown(detect)
		return
	}
	w := k.from.world
	k.stallUntil = max(k.stallUntil, w.now+d)
	for _, p := range k.underWay {
		p.arrival = k.postpone(p)
	}
}

// postpone moves an arrival to the end of a stall; the order is kept.
func (k *link) postpone(p *packet) *event {
	p.arrival.run = nil
	k.lastAt = max(k.lastAt, k.stallUntil)
	return k.from.world.schedule(k.peer, max(p.arrival.at, k.stallUntil), p.arrival.name, func() { k.arrive(p) })
}

// breakDown ends the connection. The sender learns of it after detect.
func (k *link) breakDown(detect time.Duration) {
	if k.state != linkUp {
		return
	}
	w := k.from.world
	k.state = linkBroken
	k.loseSome()
	k.peer = nil
	w.schedule(k.from, w.now+detect, "lost "+k.to, k.onLost)
}

// loseSome loses what is under way but for a random beginning, of which the end
// may be sent again: the sender cannot know that it has arrived.
func (k *link) loseSome() {
	w := k.from.world
	kept := w.rand.IntN(len(k.underWay) + 1)
	for _, p := range k.underWay[kept:] {
		p.arrival.run = nil
	}
	if w.rand.Float64() < w.faults.Duplicate {
		for _, p := range k.underWay[w.rand.IntN(kept+1):kept] {
			again := *p
			k.waiting = append(k.waiting, &again)
		}
	}
	k.underWay = nil
}

// tellWatchersWithin is how long it takes until watchers hear of a lost
// connection: on a busy node messages go out on the next one before.
var tellWatchersWithin = Range{0, 200 * time.Millisecond}

// onLost: the break is noticed. The next message, or one that is to be sent
// again, makes a new connection, and may be sent before watchers are told.
func (k *link) onLost() {
	w := k.from.world
	k.state = linkIdle
	w.schedule(k.from, w.now+tellWatchersWithin.draw(w.rand), "tell watchers of "+k.to, k.tellWatchers)
	if len(k.waiting) > 0 {
		k.becomeConnecting()
	}
}
