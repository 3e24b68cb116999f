// Package sim runs a whole cluster on one goroutine, in a world where one seed
// decides everything: which actor runs next, how long a message travels, when a
// connection breaks, where a node dies. Equal seeds give equal runs, byte for
// byte, so that every failure found can be found again.
//
// # Usage
//
//	w := sim.New(sim.Config{Seed: seed, Faults: sim.Faults{Kills: 3, Partitions: 2}})
//	defer w.Close()
//	for _, name := range []string{"a", "b", "c"} {
//		w.StartNode(name, func(e env.Env) { ... spawn root actors ... })
//	}
//	err := w.Run(func() bool { return done }, sim.Limits{})
//
// A start function gets only an env.Env: what runs here is the engine's own code
// on protoactor as it is. ForEachSeed repeats a test over many seeds and prints
// the command that replays a failing one.
//
// # The world
//
// An actor runs one message a step and each step takes a little virtual time,
// so timers and messages come due while others still have work. Computing is
// otherwise free. When no actor has work, time jumps to the next event. A world
// where nothing can happen any more, or that exceeds its Limits, has failed.
//
// Between nodes only proto.Messages travel, as bytes. The network behaves as
// protoactor's remote does: in order while a connection lives; when it breaks,
// a prefix of what was under way arrives and the rest is silently lost, as is
// what is sent until the break is noticed; then whoever watched an actor over
// there gets Terminated(AddressTerminated) and the watch is forgotten. Messages
// sent while reconnecting wait. Those of the old connection may arrive after,
// and, with Faults.Duplicate, once more on, the new one.
//
// A killed node stops between two statements: of its actors, timers and works
// none runs again, and no Stopping or Stopped is delivered. Deferred functions of
// the call that was cut do run, but nothing they send, set or start takes effect;
// what they do to things outside, such as a store, does, unless the store asks
// Alive first.
//
// A work started with Env.Work runs by itself only between two calls of
// Env.Step: there the world may let others go first, or end the node.
//
// # Rules for the code under simulation
//
//   - One goroutine: a work must not wait for another actor, work or timer.
//   - Every actor is spawned with Env.Props; a spawn without it fails the world.
//   - Nodes share no pointers but those to simulated outside things (a store).
//     A *actor.PID remembers the process it was resolved to: two nodes must not
//     use the same one.
//   - protoactor's default supervision counts restarts by the wall clock; give
//     root actors a guardian or a parent that decides for itself.
package sim
