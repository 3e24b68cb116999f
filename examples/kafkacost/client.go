package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"runtime/pprof"
	"time"
)

// client is a process that does one work in one way.
type client struct {
	Work, Side string
	Address    string
	In, Out    string        // topics
	Records    int64         // for works that do not read
	Interval   time.Duration // between commits

	result result
}

// result is what it prints.
type result struct {
	Digest      digest // of works that do not write
	Checkpoints int64

	// What the driver adds.
	cpu  time.Duration // of the whole process
	wall time.Duration
}

// sides are the ways to do each work.
var sides = map[string]map[string]func(context.Context, *client) error{
	"source":  {"weir": weirSource, "loop": loopSource, "sarama": saramaSource},
	"sink":    {"weir": weirSink, "sarama": saramaSink},
	"pass":    {"weir": weirPass, "loop": loopPass},
	"sum":     {"weir": weirSum, "loop": loopSum},
	"latency": {"weir": weirForever},
}

func clientMain(args []string) error {
	var c client
	if err := json.Unmarshal([]byte(args[0]), &c); err != nil {
		return err
	}
	run := sides[c.Work][c.Side]
	if run == nil {
		return fmt.Errorf("nothing does %s as %s", c.Work, c.Side)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := c.profiled(ctx, run); err != nil && ctx.Err() == nil {
		return fmt.Errorf("%s: %w", c.Side, err)
	}
	return json.NewEncoder(os.Stdout).Encode(c.result)
}

// profiled writes a CPU profile to a file for each side, into the folder that the
// environment names.
func (c *client) profiled(ctx context.Context, run func(context.Context, *client) error) error {
	folder := os.Getenv("KAFKACOST_PROFILES")
	if folder == "" {
		return run(ctx, c)
	}
	f, err := os.Create(fmt.Sprintf("%s/%s-%s-%s.prof", folder, c.Work, c.Side, c.Interval))
	if err != nil {
		return err
	}
	defer f.Close()
	if err := pprof.StartCPUProfile(f); err != nil {
		return err
	}
	defer pprof.StopCPUProfile()
	return run(ctx, c)
}

// command is that process, to be started. It ends with an interrupt when ctx does.
func (c *client) command(ctx context.Context) (*exec.Cmd, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	arg, err := json.Marshal(c)
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, self, "client", string(arg))
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.Stderr = os.Stderr
	return cmd, nil
}

// run runs the process to its end.
func (c *client) run(ctx context.Context) (r result, err error) {
	cmd, err := c.command(ctx)
	if err != nil {
		return r, err
	}
	begun := time.Now()
	out, err := cmd.Output()
	if err != nil {
		return r, fmt.Errorf("%s as %s: %w", c.Work, c.Side, err)
	}
	r.wall, r.cpu = time.Since(begun), cmd.ProcessState.UserTime()+cmd.ProcessState.SystemTime()
	return r, json.Unmarshal(out, &r)
}
