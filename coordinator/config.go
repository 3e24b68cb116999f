package coordinator

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/weirflow/weir/actors/env"
	"github.com/weirflow/weir/messages"
	"github.com/weirflow/weir/persistence"
)

// Config is what a coordinator must know. The zero value of a field with a
// default means the default.
type Config struct {
	Job      messages.JobID
	Topology Topology
	Env      env.Env
	// Store is where the job's log lies.
	Store persistence.CheckpointStore
	// OpenLog opens the log in another way than by Store; for tests.
	OpenLog func(ctx context.Context) (Log, error)
	// Owner names this coordinator to people, for example host and pid: a
	// coordinator that is fenced says by whom.
	Owner string

	Checkpoints Checkpoints
	// Restart says what follows a failure. By default DefaultRestart with
	// periodic checkpoints and NoRestart without.
	Restart RestartStrategy
	// AtMostOnce restores nothing: each attempt begins with empty state and no
	// positions. Checkpoints then serve commits only.
	AtMostOnce bool

	// Workers is how many workers the first deploy waits for, at most
	// WorkersWait long. Default 1, and 10 seconds. Later deploys take those
	// there are.
	Workers     int
	WorkersWait time.Duration
	// Place chooses the node of a subtask from the sorted names of those that
	// live. It must be a function of its arguments. Default: round robin.
	Place func(s messages.SubtaskID, nodes []string) string
	// DeployTimeout is how long restoring may take. Default 5 minutes.
	DeployTimeout time.Duration
	// StopTimeout is how long a worker may take to stop an attempt before it
	// is left behind; fencing keeps it harmless. Default 1 minute.
	StopTimeout time.Duration
	// HeartbeatEvery is how often coordinator and worker show that they live,
	// default 500 ms; a worker that was not heard for HeartbeatTimeout, default
	// 5 s, counts as dead. It must be at least twice HeartbeatEvery.
	HeartbeatEvery, HeartbeatTimeout time.Duration
	// StatusEvery is how often subtasks are asked for their counts. Default 1 s.
	StatusEvery time.Duration

	// Events hears what happens; nil: only Logger does.
	Events *Events
	Logger *slog.Logger
	// OnDone is called once, on the mailbox, when the job has ended. It must
	// not block.
	OnDone func(Result)
}

// Validate names the first option that cannot be, its value and the remedy.
func (c *Config) Validate() error {
	if err := persistence.CheckJob(c.Job); err != nil {
		return fmt.Errorf("Config.Job: %w", err)
	}
	if err := c.Topology.Validate(); err != nil {
		return err
	}
	if err := c.Checkpoints.Validate(); err != nil {
		return err
	}
	if c.Restart != nil {
		if err := c.Restart.Validate(); err != nil {
			return err
		}
	}
	if c.Env == nil {
		return errors.New("Config.Env is nil; give env.Real or a simulated one")
	}
	if c.Store == nil && c.OpenLog == nil {
		return errors.New("Config.Store is nil; give the checkpoint store")
	}
	return c.validateTimes()
}

func (c *Config) validateTimes() error {
	for _, o := range []struct {
		name  string
		value time.Duration
	}{
		{"Config.WorkersWait", c.WorkersWait}, {"Config.DeployTimeout", c.DeployTimeout}, {"Config.StopTimeout", c.StopTimeout},
		{"Config.HeartbeatEvery", c.HeartbeatEvery}, {"Config.HeartbeatTimeout", c.HeartbeatTimeout}, {"Config.StatusEvery", c.StatusEvery},
	} {
		if o.value < 0 {
			return fmt.Errorf("%s is %v; give a positive duration, or leave it out for the default", o.name, o.value)
		}
	}
	if c.Workers < 0 {
		return fmt.Errorf("Config.Workers is %d; give at least 1, or leave it out", c.Workers)
	}
	if d := c.withDefaults(); d.HeartbeatTimeout < 2*d.HeartbeatEvery {
		return fmt.Errorf("Config.HeartbeatTimeout is %v with HeartbeatEvery %v; give at least %v, or one late message ends a node",
			d.HeartbeatTimeout, d.HeartbeatEvery, 2*d.HeartbeatEvery)
	}
	return nil
}

func (c *Config) withDefaults() Config {
	d := *c
	d.Checkpoints = c.Checkpoints.withDefaults()
	if d.Restart == nil {
		d.Restart = NoRestart{}
		if d.Checkpoints.Interval > 0 {
			d.Restart = DefaultRestart
		}
	}
	d.Workers = cmp.Or(c.Workers, 1)
	d.WorkersWait = cmp.Or(c.WorkersWait, 10*time.Second)
	d.DeployTimeout = cmp.Or(c.DeployTimeout, 5*time.Minute)
	d.StopTimeout = cmp.Or(c.StopTimeout, time.Minute)
	d.HeartbeatEvery = cmp.Or(c.HeartbeatEvery, 500*time.Millisecond)
	d.HeartbeatTimeout = cmp.Or(c.HeartbeatTimeout, 5*time.Second)
	d.StatusEvery = cmp.Or(c.StatusEvery, time.Second)
	d.Owner = cmp.Or(c.Owner, "unnamed coordinator")
	if d.Place == nil {
		d.Place = roundRobin
	}
	if d.Logger == nil {
		d.Logger = slog.New(slog.DiscardHandler)
	}
	return d
}

// roundRobin puts subtasks of one index next to each other, so that records
// that stay with their index stay on the node.
func roundRobin(s messages.SubtaskID, nodes []string) string { return nodes[s.Index%len(nodes)] }
