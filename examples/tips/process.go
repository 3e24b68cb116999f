package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
)

// process is the job in a process of its own, of the same program.
type process struct {
	ended <-chan error // one value: how it ended
	cmd   *exec.Cmd
	log   string
}

// startJob starts the job; it ends with ctx, if not before.
func startJob(ctx context.Context, folder workFolders, perSecond float64, brokers []string) (*process, error) {
	return startSelf(ctx, folder, "job", "-dir", string(folder), "-rate", strconv.FormatFloat(perSecond, 'f', 1, 64), "-brokers", strings.Join(brokers, ","))
}

// startSelf starts this program in a process of its own, whose output goes to the log.
func startSelf(ctx context.Context, folder workFolders, args ...string) (*process, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	log, err := os.OpenFile(folder.log(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	cmd := exec.CommandContext(ctx, self, args...)
	cmd.Env = append(os.Environ(), runAsMain+"=1")
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("%s: %w", args[0], err)
	}
	ended := make(chan error, 1)
	go func() { ended <- describeExit(cmd.Wait()) }()
	return &process{ended, cmd, folder.log()}, nil
}

var errEndedEarly = errors.New("the job ended before it was killed for the last time")

// kill ends the process as a power cut would, and waits for it to be gone.
func (p *process) kill() error {
	if err := p.cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("kill: %w", err)
	}
	if err := <-p.ended; err == nil {
		return errEndedEarly
	}
	return nil
}

func describeExit(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("the job's process failed: %w", err)
}

// lastWords gives the end of what the process logged.
func (p *process) lastWords() string {
	text, err := os.ReadFile(p.log)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err.Error()
	}
	lines := bytes.SplitAfter(text, []byte("\n"))
	return string(bytes.Join(lines[max(0, len(lines)-20):], nil))
}
