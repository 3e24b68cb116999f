package main

import (
	"log/slog"
	"time"

	"github.com/asynkron/protoactor-go/actor"
)

// host stands for the application: an actor that answers, and somebody who
// keeps asking it.
type host struct {
	system *actor.ActorSystem
	desk   *actor.PID
	enough chan struct{}
	report chan hostReport
}

// hostReport is what the one who asks has seen.
type hostReport struct {
	answers, missed int
	slowest         time.Duration
}

type (
	question struct{ n int }
	answer   struct{ n int }
)

// quietSystem is an actor system that logs nowhere. Its timer behind the
// logging of dead letters ends soon, so that a leak would show.
func quietSystem() *actor.ActorSystem {
	nowhere := func(*actor.ActorSystem) *slog.Logger { return slog.New(slog.DiscardHandler) }
	return actor.NewActorSystem(actor.WithLoggerFactory(nowhere), actor.WithDeadLetterThrottleInterval(10*time.Millisecond))
}

func startHost(system *actor.ActorSystem) *host {
	desk := system.Root.Spawn(actor.PropsFromFunc(func(c actor.Context) {
		if q, ok := c.Message().(question); ok {
			c.Respond(answer(q))
		}
	}))
	h := &host{system: system, desk: desk, enough: make(chan struct{}), report: make(chan hostReport, 1)}
	go h.keepAsking()
	return h
}

// keepAsking asks each millisecond until it is enough.
func (h *host) keepAsking() {
	var r hostReport
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for n := 0; ; n++ {
		select {
		case <-h.enough:
			h.report <- r
			return
		case <-tick.C:
		}
		start := time.Now()
		reply, err := h.system.Root.RequestFuture(h.desk, question{n}, time.Second).Result()
		if a, ok := reply.(answer); err != nil || !ok || a.n != n {
			r.missed++
			continue
		}
		r.answers++
		r.slowest = max(r.slowest, time.Since(start))
	}
}

// end ends the asking and gives what came of it.
func (h *host) end() hostReport {
	close(h.enough)
	return <-h.report
}

func (h *host) stop() {
	select {
	case <-h.enough:
	default:
		h.end()
	}
	h.system.Root.StopFuture(h.desk).Wait()
}
