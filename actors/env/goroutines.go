package env

import "sync"

// goroutines runs functions, each on a goroutine, and keeps some of those that have nothing
// to do any more for the next functions: their stacks have grown already. A new goroutine
// copies its stack several times on its way through an actor into an operator, which is
// more than most messages take. It is actor.Dispatcher, too.
//
// Goroutines that wait are at most maxIdle, and end with close. What runs then runs on.
type goroutines struct {
	mu      sync.Mutex
	idle    []chan func() // of each that waits; nil ends it
	closed  bool
	waiting sync.WaitGroup
}

const (
	maxIdle    = 16
	throughput = 300 // messages of an actor before others have a turn, as is protoactor's default
)

// Schedule implements actor.Dispatcher.
func (g *goroutines) Schedule(f func()) {
	g.mu.Lock()
	defer g.mu.Unlock()
	n := len(g.idle)
	if n == 0 {
		go g.serve(f)
		return
	}
	g.idle[n-1] <- f // the one whose stack is most likely in the cache; it has room for one
	g.idle = g.idle[:n-1]
}

// Throughput implements actor.Dispatcher.
func (g *goroutines) Throughput() int { return throughput }

// serve runs f and what comes behind it.
func (g *goroutines) serve(f func()) {
	next := make(chan func(), 1)
	for f != nil {
		f()
		if !g.becomeIdle(next) {
			return
		}
		f = <-next
		g.waiting.Done()
	}
}

func (g *goroutines) becomeIdle(next chan func()) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed || len(g.idle) == maxIdle {
		return false
	}
	g.waiting.Add(1)
	g.idle = append(g.idle, next)
	return true
}

// close ends the goroutines that wait, and returns when they have.
func (g *goroutines) close() {
	g.mu.Lock()
	g.closed = true
	for _, next := range g.idle {
		next <- nil
	}
	g.idle = nil
	g.mu.Unlock()
	g.waiting.Wait()
}
