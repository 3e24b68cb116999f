package main

import (
	"fmt"
	"runtime"
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
