// Package cluster runs topologies. In one process it needs no set-up at all:
//
//	job, err := cluster.Run(ctx, top, cluster.Config{
//		Checkpoint: cluster.Every(time.Second),
//		Store:      dir.Open("state"),
//	})
//
// Run waits for the end of the job; Start gives a handle to a running one.
// With Config.System the job lives inside an actor system that the program
// already has: it spawns under names of its own, changes no global and leaves
// nothing behind.
//
// # Starting again
//
// The checkpoint store is what makes a job go on: a process that calls Run
// with the same Config.Job and the same store restores the newest checkpoint,
// commits what it holds, and continues. When it does so while another process
// still runs the job, that one is fenced: it stops, commits nothing more, and
// its Run returns an error that names its successor.
//
// # Concurrency
//
// Run and Start may be called from any goroutine, a Job's methods from any
// number of them. Every goroutine that a job starts has ended when Wait returns.
//
// # Testing
//
// cluster/sim runs a topology under a seed, with faults.
package cluster
