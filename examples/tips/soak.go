package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// soak runs two things beside each other until its time is over: one job that
// is never killed, whose memory must stay flat, and demo after demo, whose jobs
// are killed all the time. All of them must commit exactly what they have to.
type soak struct {
	For    time.Duration
	Seed   uint64
	Folder workFolders
	Out    io.Writer
}

const (
	steadyRate       = 4000 // trips per second of the job that is never killed
	roundTrips       = 100_000
	roundKills       = 20
	killsPerMinute   = 20 // at least, or the soak was none
	memoryEvery      = time.Second
	memoryGrowthMax  = 1.2      // of the last third over the first, medians
	memoryGrowthFree = 16 << 20 // bytes that may come on top
	memoryWarmUp     = 0.1      // share of the samples that do not count
	reportEvery      = 30       // samples
)

func (s *soak) run(ctx context.Context) error {
	steady := &demo{Trips: int(s.For.Seconds() * steadyRate), Seed: s.Seed, Folder: s.Folder.sub("steady"), Out: s.Out}
	count, err := steady.prepare()
	if err != nil {
		return err
	}
	start := time.Now()
	job, err := startJob(ctx, steady.Folder, steadyRate)
	if err != nil {
		return err
	}
	memory := watchMemory(job, s.Out)
	kills, err := s.rounds(ctx, start)
	if err != nil {
		job.kill()
		return err
	}
	fmt.Fprintf(s.Out, "\n%d kills are survived; now the end of the job that was never killed\n", kills)
	got := newCommitted(steady.Folder)
	watch := newProgress(s.Out, got, int64(count))
	defer watch.tick.Stop()
	if err := watch.until(job, nil); err != nil {
		return err
	}
	return errors.Join(steady.judge(got, 0, time.Since(start)), memory.judge(s.Out), s.enough(kills))
}

// rounds runs demos until the time is over and gives the number of kills.
func (s *soak) rounds(ctx context.Context, start time.Time) (kills int, err error) {
	rng := rand.New(rand.NewPCG(s.Seed, 1))
	for round := 1; time.Since(start) < s.For; round++ {
		d := &demo{Trips: roundTrips, Kills: roundKills, Seed: rng.Uint64(), Folder: s.Folder.sub("round"), Out: io.Discard}
		if err := d.run(ctx); err != nil {
			return kills, fmt.Errorf("round %d, seed %d: %w", round, d.Seed, err)
		}
		kills += d.Kills
		fmt.Fprintf(s.Out, "%5.0f s  round %3d: %d trips, exactly once; %d kills so far\n", time.Since(start).Seconds(), round, d.Trips, kills)
		if err := os.RemoveAll(string(d.Folder)); err != nil {
			return kills, err
		}
	}
	return kills, nil
}

func (s *soak) enough(kills int) error {
	if want := int(s.For.Minutes() * killsPerMinute); kills < want {
		return fmt.Errorf("only %d kills in %v, at least %d make a soak", kills, s.For, want)
	}
	return nil
}

func (w workFolders) sub(name string) workFolders { return workFolders(filepath.Join(string(w), name)) }

// memory is a process's resident memory over time, in bytes.
type memory struct {
	samples <-chan []int64 // sent once, when the process has ended
}

// watchMemory samples until the process is gone.
func watchMemory(job *process, w io.Writer) *memory {
	done := make(chan []int64, 1)
	go func() {
		var samples []int64
		for tick := time.NewTicker(memoryEvery); ; <-tick.C {
			bytes, err := residentBytes(job.cmd.Process.Pid)
			if err != nil {
				tick.Stop()
				break
			}
			if samples = append(samples, bytes); len(samples)%reportEvery == 0 {
				fmt.Fprintf(w, "        memory of the job that is never killed: %d MiB\n", bytes>>20)
			}
		}
		done <- samples
	}()
	return &memory{done}
}

// judge gives an error when memory grew.
func (m *memory) judge(w io.Writer) error {
	samples := <-m.samples
	samples = samples[int(float64(len(samples))*memoryWarmUp):]
	third := len(samples) / 3
	if third == 0 {
		return errors.New("memory: too few samples; this system has no /proc, or the soak was too short")
	}
	first, last := median(samples[:third]), median(samples[len(samples)-third:])
	fmt.Fprintf(w, "  memory: %d MiB in the first third, %d MiB in the last, %d MiB at most\n", first>>20, last>>20, slices.Max(samples)>>20)
	if float64(last) > float64(first)*memoryGrowthMax+memoryGrowthFree {
		return fmt.Errorf("memory grew from %d to %d MiB", first>>20, last>>20)
	}
	return nil
}

func median(of []int64) int64 {
	sorted := slices.Sorted(slices.Values(of))
	return sorted[len(sorted)/2]
}

// residentBytes asks Linux for a process's resident memory. A process that has
// ended has none, which is an error.
func residentBytes(pid int) (int64, error) {
	f, err := os.Open(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, err
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if value, ok := strings.CutPrefix(lines.Text(), "VmRSS:"); ok {
			kib, err := strconv.ParseInt(strings.TrimSpace(strings.TrimSuffix(value, "kB")), 10, 64)
			return kib << 10, err
		}
	}
	return 0, fmt.Errorf("process %d has no resident memory", pid)
}
