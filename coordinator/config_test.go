package coordinator

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/weirflow/weir/messages"
)

func validConfig(w *world) Config {
	return Config{
		Job: "job", Env: fakeEnv{w},
		OpenLog:  func(context.Context) (Log, error) { return w.log, nil },
		Topology: Topology{MaxParallelism: 8, Regions: [][]messages.SubtaskID{{{Chain: "a"}}}},
	}
}

// S109: interval, pause, concurrency, retries and the rest are options; what
// cannot be is refused with the option's name, the value and the remedy.
func TestS109_Validation(t *testing.T) {
	w := newWorld(t)
	for want, change := range map[string]func(c *Config){
		"Checkpoints.Interval is 0s; give a positive duration":               func(c *Config) { c.Checkpoints = Every(0) },
		"Checkpoints.Interval is -1s; give a positive duration":              func(c *Config) { c.Checkpoints = Every(-time.Second) },
		"Checkpoints.Interval is -1ns; give a positive duration":             func(c *Config) { c.Checkpoints.Interval = -1 },
		"Checkpoints.MinPause is -1ns; give 0 or":                            func(c *Config) { c.Checkpoints.MinPause = -1 },
		"Checkpoints.Timeout is -1ns; give a positive duration, or leave":    func(c *Config) { c.Checkpoints.Timeout = -1 },
		"Checkpoints.MaxConcurrent is 2; only 1":                             func(c *Config) { c.Checkpoints.MaxConcurrent = 2 },
		"Checkpoints.TolerableFailures is -2; give 0 or more":                func(c *Config) { c.Checkpoints.TolerableFailures = -2 },
		"Checkpoints.Retained is -1; keep at least 1":                        func(c *Config) { c.Checkpoints.Retained = -1 },
		"Checkpoints.CommitRetry is -1ns; give a positive duration":          func(c *Config) { c.Checkpoints.CommitRetry = -1 },
		"FixedDelay.Delay is -1ns":                                           func(c *Config) { c.Restart = FixedDelay{Delay: -1} },
		"Config.Job: ":                                                       func(c *Config) { c.Job = "a/b" },
		"Config.Env is nil":                                                  func(c *Config) { c.Env = nil },
		"Config.Store is nil; give the checkpoint store":                     func(c *Config) { c.OpenLog = nil },
		"Config.Workers is -1; give at least 1":                              func(c *Config) { c.Workers = -1 },
		"Config.StopTimeout is -1ns; give a positive duration, or leave":     func(c *Config) { c.StopTimeout = -1 },
		"Config.HeartbeatTimeout is 900ms with HeartbeatEvery 500ms; give a": func(c *Config) { c.HeartbeatTimeout = 900 * time.Millisecond },
		"Topology.Regions is empty":                                          func(c *Config) { c.Topology.Regions = nil },
		"Topology.Regions[1] has no subtask":                                 func(c *Config) { c.Topology.Regions = append(c.Topology.Regions, nil) },
		"Topology.Regions[1] names subtask a[0], which is named before":      func(c *Config) { c.Topology.Regions = append(c.Topology.Regions, c.Topology.Regions[0]) },
		"Topology.MaxParallelism is 0; give at least 1":                      func(c *Config) { c.Topology.MaxParallelism = 0 },
		`Topology.Sources: "a" has region 1 of 1`:                            func(c *Config) { c.Topology.Sources = []Source{{Operator: "a", Region: 1}} },
	} {
		c := validConfig(w)
		change(&c)
		if _, err := Props(c); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
}

// TestDefaults: the zero value is a configuration, and so is what it becomes.
func TestDefaults(t *testing.T) {
	w := newWorld(t)
	c := validConfig(w)
	if err := c.Validate(); err != nil {
		t.Fatal(err)
	}
	d := c.withDefaults()
	if err := d.Validate(); err != nil {
		t.Fatal(err)
	}
	if d.Restart != (NoRestart{}) {
		t.Errorf("without periodic checkpoints: %v", d.Restart)
	}
	c.Checkpoints = Every(time.Second)
	if d := c.withDefaults(); d.Restart != DefaultRestart || d.Checkpoints.Retained != 2 || d.Checkpoints.Timeout != 10*time.Minute {
		t.Errorf("with periodic checkpoints: %v %+v", d.Restart, d.Checkpoints)
	}
}
