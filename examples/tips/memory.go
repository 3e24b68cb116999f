package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	memoryEvery      = time.Second
	memoryGrowthMax  = 1.2      // of the last third over the first, medians
	memoryGrowthFree = 16 << 20 // bytes that may come on top
	memoryWarmUp     = 0.1      // share of the samples that do not count
	reportEvery      = 30       // samples
)

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
