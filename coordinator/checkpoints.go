package coordinator

import (
	"cmp"
	"fmt"
	"time"

	"github.com/weirflow/weir/coordinator/checkpoint"
)

// Checkpoints says how often the job is saved, and what happens when that
// fails. The zero value takes no periodic checkpoints: only those asked for and
// the last one of a job that ends.
type Checkpoints struct {
	// Interval is the time from one trigger to the next. A shorter one means
	// less to work off again after a failure and earlier commits, a longer one
	// less work for the store. 0: none. Set by Every it must be positive.
	Interval time.Duration
	// MinPause is the least time from the end of one checkpoint to the next
	// periodic trigger, so that slow checkpoints leave time for work. Default 0.
	MinPause time.Duration
	// Timeout is how long subtasks may take to make their parts durable; then
	// the checkpoint has failed. Default 10 minutes, or a fifth of the time that a
	// transaction of a sink lasts, if that is less.
	Timeout time.Duration
	// MaxConcurrent is how many checkpoints may be under way at once. Only 1,
	// the default, is possible: a barrier never meets another one's alignment.
	MaxConcurrent int
	// TolerableFailures is how many checkpoints may fail in a row before the
	// job's attempts fail and are restarted. Default 0; -1: any number.
	TolerableFailures int
	// Retained is how many checkpoints are kept, at least 1. Default 2: the
	// newest, and one to fall back to should it be damaged.
	Retained int
	// RetainOnCancel keeps the checkpoints of a canceled job. By default they
	// are deleted, since a job that is to go on is stopped, not canceled.
	RetainOnCancel bool
	// CommitRetry is how long a subtask may take to report its commits before
	// it is told again. Default 1 second.
	CommitRetry time.Duration

	every bool // made by Every, so an Interval of 0 is a mistake
}

// Every takes a checkpoint each interval.
func Every(interval time.Duration) Checkpoints {
	return Checkpoints{Interval: interval, every: true}
}

// Longest is the longest time from the barrier of one periodic checkpoint until the
// next is complete, as long as none fails; 0 without periodic checkpoints. Both may take
// as long as Timeout, and the second is not triggered before the first has ended.
func (c Checkpoints) Longest() time.Duration {
	if c.Interval <= 0 {
		return 0
	}
	timeout := cmp.Or(c.Timeout, defaultTimeout)
	return max(c.Interval, timeout+c.MinPause) + timeout
}

// Within gives Timeout, if none is set, a default that fits a bound: a fifth of it, and
// no more than the usual default.
func (c Checkpoints) Within(bound time.Duration) Checkpoints {
	if c.Timeout == 0 {
		c.Timeout = min(bound/5, defaultTimeout)
	}
	return c
}

// Validate names the first option that cannot be, its value and the remedy.
func (c Checkpoints) Validate() error {
	switch {
	case c.Interval < 0, c.every && c.Interval == 0:
		return fmt.Errorf("Checkpoints.Interval is %v; give a positive duration, or leave it out for no periodic checkpoints", c.Interval)
	case c.MinPause < 0:
		return fmt.Errorf("Checkpoints.MinPause is %v; give 0 or a positive duration", c.MinPause)
	case c.Timeout < 0:
		return fmt.Errorf("Checkpoints.Timeout is %v; give a positive duration, or leave it out for %v", c.Timeout, defaultTimeout)
	case c.MaxConcurrent < 0 || c.MaxConcurrent > 1:
		return fmt.Errorf("Checkpoints.MaxConcurrent is %d; only 1 checkpoint can be under way, leave it out", c.MaxConcurrent)
	case c.TolerableFailures < -1:
		return fmt.Errorf("Checkpoints.TolerableFailures is %d; give 0 or more, or -1 for any number", c.TolerableFailures)
	case c.Retained < 0:
		return fmt.Errorf("Checkpoints.Retained is %d; keep at least 1, or leave it out for %d", c.Retained, defaultRetained)
	case c.CommitRetry < 0:
		return fmt.Errorf("Checkpoints.CommitRetry is %v; give a positive duration, or leave it out for %v", c.CommitRetry, defaultCommitRetry)
	}
	return nil
}

const (
	defaultTimeout     = 10 * time.Minute
	defaultRetained    = 2
	defaultCommitRetry = time.Second
)

func (c Checkpoints) withDefaults() Checkpoints {
	c.Timeout = cmp.Or(c.Timeout, defaultTimeout)
	c.MaxConcurrent = cmp.Or(c.MaxConcurrent, 1)
	c.Retained = cmp.Or(c.Retained, defaultRetained)
	c.CommitRetry = cmp.Or(c.CommitRetry, defaultCommitRetry)
	return c
}

func (c Checkpoints) kernel() checkpoint.Config {
	return checkpoint.Config{
		Interval:    c.Interval,
		MinPause:    c.MinPause,
		Timeout:     c.Timeout,
		CommitRetry: c.CommitRetry,
		Tolerable:   c.TolerableFailures,
	}
}

func (c Checkpoints) retention() checkpoint.Retention {
	return checkpoint.Retention{OnCancel: c.RetainOnCancel}
}
