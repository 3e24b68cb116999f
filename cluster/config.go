package cluster

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/weirflow/weir/actors/barrier"
	"github.com/weirflow/weir/coordinator"
	"github.com/weirflow/weir/messages"
	"github.com/weirflow/weir/operators/plan"
	"github.com/weirflow/weir/persistence"
	"github.com/weirflow/weir/persistence/memory"
)

// Config says how a topology runs. The zero value runs it in this process
// without checkpoints that outlive it.
type Config struct {
	// Job names the job in the store; default the topology's name. Letters,
	// digits, '-', '_' and '.'. Two jobs in one store need two names.
	Job string
	// Mode is what the engine promises of its state. Default ExactlyOnce.
	Mode Mode
	// Checkpoint says how often the job is saved: Every(time.Second). Default:
	// only at its end and when asked.
	Checkpoint Checkpoints
	// Store is where checkpoints lie: dir.Open(path) outlives the process,
	// memory.Store, the default with 256 MiB, does not.
	Store persistence.CheckpointStore
	// Backend keeps working state. Default memory.Backend(): on the heap.
	Backend persistence.Backend
	// Restart says what follows a failure. Default, with periodic checkpoints:
	// DefaultRestart, for ever with a growing delay; without:
	// NoRestart.
	Restart RestartStrategy

	// System is an actor system that the program already has. Default: one of
	// the job's own. The job never shuts a given system down.
	System *actor.ActorSystem

	// BatchRecords is when a batch is full, 1 to 65536 records; default 512.
	BatchRecords int
	// Linger is how long a record may wait for its batch to fill; default 5 ms.
	// It bounds latency when records come slowly but steadily.
	Linger time.Duration
	// Credits is how many batches may be under way on a channel, 1 to 1024;
	// default 8. More smooth out uneven work and make barriers slower.
	Credits int
	// StopTimeout is how long the subtasks of an attempt may take to end, for
	// example in a call to the outside; default 30 s. Then the next attempt
	// starts without waiting longer; the old one is fenced.
	StopTimeout time.Duration

	// Logger hears what happens; default: nobody.
	Logger *slog.Logger
}

// Mode is what the engine promises of its state after a failure.
type Mode int

// The modes, by how often a record that was read affects the state.
const (
	ExactlyOnce Mode = iota // once
	AtLeastOnce             // once or more: barriers are not aligned
	AtMostOnce              // once or never, of a live source: nothing is restored, so one that replays begins anew
)

// Checkpoints says how often a job is saved and what happens when that fails.
type Checkpoints = coordinator.Checkpoints

// Every takes a checkpoint each interval, which must be positive.
func Every(interval time.Duration) Checkpoints { return coordinator.Every(interval) }

// The restart strategies; see their fields.
type (
	RestartStrategy = coordinator.RestartStrategy
	NoRestart       = coordinator.NoRestart
	FixedDelay      = coordinator.FixedDelay
	Exponential     = coordinator.Exponential
	FailureRate     = coordinator.FailureRate
)

// DefaultRestart restarts for ever, soon at first and then every ten seconds.
var DefaultRestart = coordinator.DefaultRestart

const defaultStoreBytes = 256 << 20

// Validate names every option that cannot be, its value and the remedy.
func (c Config) Validate() error {
	errs := []error{c.Checkpoint.Validate()}
	check := func(ok bool, option string, value any, remedy string) {
		if !ok {
			errs = append(errs, fmt.Errorf("Config.%s is %v; %s", option, value, remedy))
		}
	}
	check(c.Mode >= ExactlyOnce && c.Mode <= AtMostOnce, "Mode", int(c.Mode), "give ExactlyOnce, AtLeastOnce or AtMostOnce")
	check(c.BatchRecords >= 0 && c.BatchRecords <= 1<<16, "BatchRecords", c.BatchRecords, "give 1 to 65536, or leave it out for 512")
	check(c.Linger >= 0, "Linger", c.Linger, "give a positive duration, or leave it out for 5ms")
	check(c.Credits >= 0 && c.Credits <= 1024, "Credits", c.Credits, "give 1 to 1024, or leave it out for 8")
	check(c.StopTimeout >= 0, "StopTimeout", c.StopTimeout, "give a positive duration, or leave it out for 30s")
	if c.Job != "" {
		if err := persistence.CheckJob(messages.JobID(c.Job)); err != nil {
			errs = append(errs, fmt.Errorf("Config.Job: %w", err))
		}
	}
	if c.Restart != nil {
		errs = append(errs, c.Restart.Validate())
	}
	if v, ok := c.Store.(persistence.Validator); ok {
		errs = append(errs, v.Validate())
	}
	return errors.Join(errs...)
}

func (c Config) withDefaults(p *plan.Plan) Config {
	if c.Job == "" {
		c.Job = p.Name
	}
	if c.Store == nil {
		c.Store = memory.Store(defaultStoreBytes)
	}
	if c.Backend == nil {
		c.Backend = memory.Backend()
	}
	if c.StopTimeout == 0 {
		c.StopTimeout = 30 * time.Second
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return c
}

// alignment is how barriers align in the mode.
func (m Mode) alignment() barrier.Mode {
	if m == ExactlyOnce {
		return barrier.ExactlyOnce
	}
	return barrier.AtLeastOnce
}

// owner tells people which process claimed an attempt.
func owner() string {
	host, err := os.Hostname()
	if err != nil {
		host = "unknown host"
	}
	return fmt.Sprintf("%s, pid %d", host, os.Getpid())
}
