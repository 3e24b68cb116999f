// Package checkpoint is the protocol by which a job's checkpoints are taken,
// decided and committed, as a step function: events with their time go in,
// actions come out. It has no clock, no I/O and no goroutine, so that one
// script tests it and one seed replays it.
//
// The protocol is two-phase commit. The coordinator is the one party that
// decides; subtasks prepare and vote.
//
//	trigger  -> barriers                 phase 1: every subtask makes its part durable and acks
//	all acks -> publish the manifest     the decision: durable before anybody hears of it
//	published -> complete                phase 2: every subtask commits and answers; re-sent until it has
//
// # Invariants
//
//   - At most one checkpoint is between its trigger and its end at any time.
//   - Checkpoint ids strictly increase, those of checkpoints that failed included.
//   - Complete(n) is never asked for before Published(n): no participant can
//     commit what is not decided.
//   - A checkpoint is never aborted once its publishing has begun.
//   - What is decided stays owed to every subtask until that subtask has
//     answered, over restarts of its region. An answer for n+1 settles n.
//   - A checkpoint spans all regions: none is triggered while one is down.
//
// # Concurrency
//
// A Protocol belongs to one coordinator and is used by one goroutine at a time.
//
// # Testing
//
// testdata holds scripts, one a guarantee; run them with -rewrite to see what
// a change does.
package checkpoint
