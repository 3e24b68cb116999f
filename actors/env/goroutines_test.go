package env

import (
	"runtime"
	"sync"
	"testing"
)

// idleOf waits until a number of goroutines have nothing to do.
func idleOf(g *goroutines, want int) {
	for n := -1; n != want; runtime.Gosched() {
		g.mu.Lock()
		n = len(g.idle)
		g.mu.Unlock()
	}
}

// What follows uses the same goroutine; what runs at once has as many as it needs, of
// which some wait for more; none is left when it is closed, and even then functions run.
func TestGoroutinesAreUsedAgain(t *testing.T) {
	g := &goroutines{}
	for range 10 {
		g.Schedule(func() {})
		idleOf(g, 1)
	}
	g.Schedule(runtime.Goexit) // takes its goroutine with it
	idleOf(g, 0)
	var running sync.WaitGroup
	release := make(chan struct{})
	for range 10 * maxIdle {
		running.Add(1)
		g.Schedule(func() { running.Done(); <-release })
	}
	running.Wait()
	idleOf(g, 0)
	close(release)
	idleOf(g, maxIdle)
	g.close()
	late := make(chan struct{})
	g.Schedule(func() { close(late) })
	<-late
	idleOf(g, 0)
}
