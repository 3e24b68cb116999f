// Package actors runs a plan: every subtask, one parallel instance of a chain
// of fused operators, is an actor that exchanges batches and barriers with its
// neighbours. Above them stand one actor an attempt of a region, which supervises,
// and one worker actor a node, which takes orders from the coordinator.
//
//	worker                               one a node; heartbeats, Deploy
//	└─ attempt "a<attempt>-r<region>"    supervises; stops all when one fails
//	   └─ subtask "<chain>-<index>"      runs operators
//
// A record's way through a subtask: in.go takes it from a channel, chain.go
// runs the operators, out.go spreads it over channels. source.go and sink.go
// are the two ends, snapshot.go is what happens when a barrier has come in
// everywhere.
//
// # Concurrency
//
// Everything of a subtask runs on its mailbox, except reading a blocking source
// and writing a snapshot, which go through env.Work and come back as messages.
// Actors are never restarted in place: a failure stops the whole attempt, and
// the coordinator deploys the next one.
//
// # Failure
//
// An error or panic of a user's function ends the attempt as a
// *messages.Failure that names operator, subtask, the record's time and key group, with the stack.
package actors
