package sim

import (
	"flag"
	"fmt"
	"runtime"
	"strings"
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

// replayCommand repeats the test, from anywhere in its module.
func replayCommand(t *testing.T) string {
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
