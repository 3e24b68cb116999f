// Package coordinator owns a running job: it claims attempts, deploys regions
// to workers, takes and commits checkpoints, restarts what failed, and ends the
// job. One actor does it; what it decides about checkpoints is the kernel in
// coordinator/checkpoint, what it decides about restarts is in restart.go, and
// where splits go is in splits.go, all three without clock or I/O. How far sources
// that are aligned may go ahead is in alignment.go.
//
// A region is a group of subtasks without a channel to any other; regions
// restart alone. Each goes through
//
//	waiting -> claiming -> listing -> deploying -> running -> stopping -> backoff -> waiting ...
//	for        attempt     splits     all nodes               all nodes   restart
//	workers    k+1                    ready                   stopped     strategy
//
// and each pass is one attempt with its own number, which every message bears.
//
// # Concurrency
//
// Everything happens on the actor's mailbox. Calls of the checkpoint log block,
// so they run through env.Work, one at a time and in order (store.go): a claim
// never overtakes the publishing of a checkpoint. The messages of api.go may be
// sent from anywhere; Events may be read from anywhere.
//
// # Ending
//
// However a job ends, Config.OnDone is called exactly once, after every worker
// has stopped, died, or not answered in time. The actor then stays to answer
// GetStatus until it is stopped. A stop that was asked for is not durable: when
// the coordinator dies before the last checkpoint is published, its successor
// runs the job on.
//
// # Testing
//
// The state machine (job) reaches the world through env.Env and two funcs, so a
// test drives it message by message with a clock of its own: see world_test.go.
package coordinator
