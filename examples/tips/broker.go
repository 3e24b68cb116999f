package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
)

// broker is a Kafka broker, or what stands in for one.
type broker interface {
	addresses() []string
	// crash ends it as a power cut would, and has it come back with what it had.
	crash(ctx context.Context) error
	stop() error
}

// startBroker starts one in a process of its own: a "real" one or a "fake".
func startBroker(ctx context.Context, kind string, out io.Writer) (broker, error) {
	switch kind {
	case "fake":
		fmt.Fprintln(out, "the broker is a stand-in that keeps everything in memory (franz-go's kfake), in a process of its own")
		return startFake(ctx)
	}
	return nil, fmt.Errorf("-kafka %s: say fake, or nothing for files", kind)
}

// fakeBroker is a process of this program that runs kfake. It is never killed: it would
// have nothing to come back with.
type fakeBroker struct {
	cmd     *exec.Cmd
	stdin   io.Closer // it ends with this
	address []string
}

func startFake(ctx context.Context) (*fakeBroker, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, self, "broker")
	cmd.Env = append(os.Environ(), runAsMain+"=1")
	cmd.Stderr = os.Stderr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("broker: %w", err)
	}
	line, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		return nil, fmt.Errorf("broker said no address: %w", err)
	}
	return &fakeBroker{cmd, stdin, strings.Split(strings.TrimSpace(line), ",")}, nil
}

func (f *fakeBroker) addresses() []string         { return f.address }
func (f *fakeBroker) crash(context.Context) error { return nil }

func (f *fakeBroker) stop() error {
	_ = f.stdin.Close()
	return f.cmd.Wait()
}

// runFake is that process: it prints its addresses and lasts until its input ends.
func runFake() error {
	fake, err := kfake.NewCluster(kfake.NumBrokers(2))
	if err != nil {
		return err
	}
	defer fake.Close()
	fmt.Println(strings.Join(fake.ListenAddrs(), ","))
	_, err = io.Copy(io.Discard, os.Stdin)
	return err
}

// crashes draws in which lives of the job the broker crashes too: two of them.
func crashes(lives int, seed uint64) map[int]bool {
	rng := rand.New(rand.NewPCG(seed, 2))
	all := map[int]bool{}
	for len(all) < min(2, lives) {
		all[rng.IntN(lives)] = true
	}
	return all
}

// crashAfter is how long the job runs before the broker dies under it.
const crashAfter = meanLife / 4

// underCrash has the broker crash while a job runs.
func underCrash(ctx context.Context, b broker, watch *progress, job *process) error {
	if err := watch.until(job, time.After(crashAfter)); err != nil {
		return err
	}
	return b.crash(ctx)
}
