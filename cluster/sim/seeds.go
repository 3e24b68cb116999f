package sim

import (
	"flag"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

// Any test binary that imports sim has these flags.
var (
	oneSeed   = flag.Uint64("sim.seed", 0, "run simulations with this seed only")
	manySeeds = flag.Int("sim.seeds", 0, "run each simulation with this many seeds instead of its own number")
)

// ForEachSeed calls run with the seeds 1 to n, or with those the flags -sim.seed
// and -sim.seeds ask for. The first that fails ends the test, with the command
// that replays it.
func ForEachSeed(t *testing.T, n int, run func(seed uint64) error) {
	t.Helper()
	if *manySeeds > 0 {
		n = *manySeeds
	}
	first, last := uint64(1), uint64(n)
	if *oneSeed != 0 {
		first, last = *oneSeed, *oneSeed
	}
	replay := replayCommand(t)
	for seed := first; seed <= last; seed++ {
		if err := run(seed); err != nil {
			t.Fatalf("%v\nreplay: %s -sim.seed=%d", err, replay, seed)
		}
	}
}

// eachSeed is ForEachSeed on all processors. Of the seeds that fail, it reports
// the first.
func eachSeed(t testing.TB, n int, run func(seed uint64) error) {
	t.Helper()
	if *manySeeds > 0 {
		n = *manySeeds
	}
	first, last := uint64(1), uint64(n)
	if *oneSeed != 0 {
		first, last = *oneSeed, *oneSeed
	}
	seed, err := firstFailure(first, last, run)
	if err != nil {
		t.Fatalf("%v\nreplay: %s -sim.seed=%d", err, replayCommand(t), seed)
	}
}

// firstFailure runs the seeds on all processors and gives the least that fails.
func firstFailure(first, last uint64, run func(seed uint64) error) (failed uint64, err error) {
	var next, stop atomic.Uint64
	next.Store(first)
	stop.Store(last)
	var mu sync.Mutex
	var all sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		all.Go(func() {
			for seed := next.Add(1) - 1; seed <= stop.Load(); seed = next.Add(1) - 1 {
				if e := run(seed); e != nil {
					mu.Lock()
					if err == nil || seed < failed {
						failed, err = seed, e
						stop.Store(seed)
					}
					mu.Unlock()
				}
			}
		})
	}
	all.Wait()
	return failed, err
}

// replayCommand repeats the test, from anywhere in its module.
func replayCommand(t testing.TB) string {
	return fmt.Sprintf("go test %s -run '^%s$'", callingPackage(), strings.ReplaceAll(t.Name(), "/", "$/^"))
}

// callingPackage is the import path of the nearest caller that is not this package.
func callingPackage() string {
	pcs := make([]uintptr, 32)
	frames := runtime.CallersFrames(pcs[:runtime.Callers(1, pcs)])
	own, _ := frames.Next()
	for {
		f, more := frames.Next()
		if pkg := packageOf(f.Function); pkg != packageOf(own.Function) {
			return strings.TrimSuffix(pkg, "_test")
		}
		if !more {
			return "./..."
		}
	}
}

// packageOf takes path/to/pkg out of path/to/pkg.Function.func1.
func packageOf(function string) string {
	slash := strings.LastIndexByte(function, '/') + 1
	name, _, _ := strings.Cut(function[slash:], ".")
	return function[:slash] + name
}
