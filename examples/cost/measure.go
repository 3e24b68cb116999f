package main

import (
	"fmt"
	"runtime"
	"slices"
	"sync"
	"time"
)

// A run is one passage of all records.
type run struct {
	seconds    float64
	allocs     float64 // a record, of the whole process
	longest    time.Duration
	recordsSec float64
}

func runLoop(w *work) (run, output) {
	runtime.GC()
	start := time.Now()
	out := w.loop(w.input)
	return newRun(w.input, start, 0, 0), out
}

func newRun(in *input, start time.Time, allocs uint64, longest time.Duration) run {
	took := time.Since(start).Seconds()
	return run{took, float64(allocs) / float64(in.total()), longest, float64(in.total()) / took}
}

// pair is engine and loop, one right behind the other.
type pair struct{ engine, loop run }

func (p pair) ratio() float64 { return p.loop.seconds / p.engine.seconds }

// alternate runs both sides n times in turn and compares their outputs.
func alternate(w *work, n int) ([]pair, error) {
	var pairs []pair
	for range n {
		loop, want := runLoop(w)
		top, result := w.topology(w.input)
		engine, got, err := runEngine(w.input, top, result, true)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", w.name, err)
		}
		if got != want {
			return nil, fmt.Errorf("%s: the engine gave %+v, the loop %+v", w.name, got, want)
		}
		pairs = append(pairs, pair{engine, loop})
	}
	return pairs, nil
}

// machineStall keeps every core busy for d with a loop that only looks at the
// clock, and gives the longest time that one of the loops stood still: what the
// machine itself does to a program that uses all of it.
func machineStall(d time.Duration) time.Duration {
	longest := make([]time.Duration, runtime.NumCPU())
	var all sync.WaitGroup
	for i := range longest {
		all.Go(func() { longest[i] = longestGap(d) })
	}
	all.Wait()
	return slices.Max(longest)
}

func longestGap(d time.Duration) (longest time.Duration) {
	start := time.Now()
	for last := start; last.Sub(start) < d; {
		now := time.Now()
		longest = max(longest, now.Sub(last))
		last = now
	}
	return longest
}
