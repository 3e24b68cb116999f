package sim

import (
	"fmt"
	"strings"
	"time"
)

// Failure is why a run failed, with what is needed to see it again.
type Failure struct {
	// Reason is what was wrong.
	Reason error
	// Seed, Steps, Elapsed and TraceHash say which run it was and how far it came.
	Seed      uint64
	Steps     uint64
	Elapsed   time.Duration
	TraceHash uint64
	// Faults are those that happened, in order.
	Faults []string
	// Setting is what else was drawn; empty outside Run.
	Setting string
	// Topology is what the job ran, in words: its newest plan, below what
	// Outside.Note said of it.
	Topology string
	// Trace are the last lines of the trace.
	Trace string
	// LastPanic is the last one in an actor that lived on, with its stack.
	LastPanic string
	// Replay is the command that repeats the run.
	Replay string
}

// Unwrap gives the reason.
func (f *Failure) Unwrap() error { return f.Reason }

// Error tells all, over many lines.
func (f *Failure) Error() string {
	var s strings.Builder
	fmt.Fprintf(&s, "simulation failed: %v\n", f.Reason)
	fmt.Fprintf(&s, "seed %d, %d steps, %v of virtual time, trace hash %016x\n", f.Seed, f.Steps, f.Elapsed, f.TraceHash)
	if f.Setting != "" {
		fmt.Fprintf(&s, "%s\n", f.Setting)
	}
	if f.Topology != "" {
		fmt.Fprintf(&s, "topology:\n%s\n", f.Topology)
	}
	fmt.Fprintf(&s, "faults: %d\n", len(f.Faults))
	for _, line := range f.Faults {
		fmt.Fprintf(&s, "  %s\n", line)
	}
	if f.LastPanic != "" {
		fmt.Fprintf(&s, "last panic in an actor: %s\n", f.LastPanic)
	}
	fmt.Fprintf(&s, "last steps:\n%s", f.Trace)
	if f.Replay != "" {
		fmt.Fprintf(&s, "replay: %s\n", f.Replay)
	}
	return s.String()
}

// Fail ends the run with a reason found from outside, say by a checker. It
// returns what Run returns from now on.
func (w *World) Fail(reason error) error {
	w.fail(reason)
	return w.failed()
}

// failed is the *Failure of a failed run, else nil.
func (w *World) failed() error {
	if w.failure == nil {
		return nil
	}
	return &Failure{
		Reason: w.failure, Seed: w.config.Seed, Steps: w.steps, Elapsed: w.now, TraceHash: w.TraceHash(),
		Faults: w.faultLog, Trace: w.trace.last(), LastPanic: w.lastPanic, Replay: w.config.Replay,
	}
}
