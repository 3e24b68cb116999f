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

	"github.com/weirflow/weir/operators/kafka/kafkatest"
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
	case "real":
		return startReal(ctx, out)
	}
	return nil, fmt.Errorf("-kafka %s: say fake or real, or nothing for files", kind)
}

// realVersion does not lose the end of a transaction when it is killed, as 4.3 and 4.4 may.
const realVersion = "4.1.1"

// realBroker is Kafka.
type realBroker struct {
	*kafkatest.Broker
	out    io.Writer
	deaths int
}

func startReal(ctx context.Context, out io.Writer) (*realBroker, error) {
	b, err := kafkatest.Start(ctx, kafkatest.Options{Version: realVersion})
	if err != nil {
		return nil, err
	}
	fmt.Fprintf(out, "Kafka %s, at %s\n", realVersion, b.Addr())
	return &realBroker{Broker: b, out: out}, nil
}

func (r *realBroker) addresses() []string { return []string{r.Addr()} }

func (r *realBroker) crash(ctx context.Context) error {
	r.Kill()
	if err := r.Restart(ctx); err != nil {
		return err
	}
	r.deaths++
	fmt.Fprintf(r.out, "        the broker was killed, too, and is back: %d times by now\n", r.deaths)
	return nil
}

func (r *realBroker) stop() error { return r.Stop(context.Background()) }

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

// underCrash has the broker crash while a job runs, after a while.
func underCrash(ctx context.Context, b broker, watch *progress, job *process, after time.Duration) error {
	if err := watch.until(job, time.After(after)); err != nil {
		return err
	}
	return b.crash(ctx)
}
