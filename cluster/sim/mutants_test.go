//go:build mutants

package sim_test

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"time"
)

// planted are the bugs, by the name under which mutant.On knows them.
var planted = []struct{ name, what string }{
	{"skip-alignment", "the first channel does not wait for a barrier"},
	{"commit-before-publish", "sinks hear of a checkpoint before its manifest is published"},
	{"publish-without-ack", "a checkpoint is published with one ack missing"},
	{"forget-timers", "timers are not restored"},
	{"forget-fired", "which windows have fired is not restored"},
	{"drop-seq-check", "gaps and repeats in a channel go unnoticed"},
	{"position-early", "a source's position is ahead of what it has pushed"},
	{"lose-side-output", "what a side output has pending is lost at a barrier"},
	{"reuse-attempt", "a claim takes the number of the attempt before"},
	{"resume-aborted", "a restart does not keep what other subtasks have prepared"},
	{"forget-watermark", "operators do not get their watermark back"},
	{"slip-mark", "a watermark takes effect one record late"},
	{"ack-before-durable", "a part is acknowledged though its write failed"},
	{"greatest-watermark", "the watermark is the greatest of the inputs', not the least"},
	{"late-off-by-one", "a record is late one millisecond too late"},
	{"abort-after-decision", "a restart aborts what is decided instead of committing it"},
	{"forget-final", "the job ends without a last checkpoint"},
	{"credit-leak", "a credit in sixteen is not given back"},
	{"forget-restart-commit", "a restart does not commit what is prepared"},
	{"commit-only-newest", "completion n does not commit what earlier checkpoints prepared"},
	{"write-while-paused", "records go to a transaction that could not be prepared"},
	{"connection-unwatched", "nobody notices what a broken connection lost"},
	{"no-copy-on-write", "what is written after a barrier shows in its snapshot"},
	{"forget-kept", "what a sink keeps back is not in the checkpoint"},
	{"end-past-idle", "beside an input that has ended, idle ones let event time run to its end"},
	{"mark-before-steps", "a watermark leaves when the first of the results has that it caused"},
	{"hello-ahead", "an attempt begins with the watermark of the inputs, though results are pending behind it"},
	{"floors-forgotten", "after a rescale all key groups have the least watermark of the subtasks that were"},
}

var (
	mutantSeeds = flag.Int("mutant.seeds", 5000, "seeds that each planted bug gets")
	mutantOnly  = flag.String("mutant", "", "plant this bug only")
)

// finders are the tests that find what TestSim does not.
var finders = map[string]string{"floors-forgotten": "TestSimSkewed", "end-past-idle": "TestSimSilent"}

// TestMutants plants one bug after the other and demands that TestSim finds it, or
// its finder. Each runs in a process of its own.
func TestMutants(t *testing.T) {
	fmt.Printf("%-24s %6s %7s  %s\n", "planted bug", "seeds", "time", "found by")
	for _, m := range planted {
		if *mutantOnly == "" || *mutantOnly == m.name {
			findMutant(t, m.name, m.what)
		}
	}
}

func findMutant(t *testing.T, name, what string) {
	begun := time.Now()
	finder := finders[name]
	if finder == "" {
		finder = "TestSim"
	}
	c := exec.Command(os.Args[0], "-test.run=^"+finder+"$", fmt.Sprintf("-sim.seeds=%d", *mutantSeeds), "-test.timeout=30m")
	c.Env = append(os.Environ(), "WEIR_MUTANT="+name)
	out, err := c.CombinedOutput()
	took := time.Since(begun).Round(100 * time.Millisecond)
	seed := regexp.MustCompile(`-sim\.seed=(\d+)`).FindSubmatch(out)
	if err == nil || seed == nil {
		fmt.Printf("%-24s %6s %7s  SURVIVED: %s\n", name, ">"+fmt.Sprint(*mutantSeeds), took, what)
		t.Errorf("%s survived: %s\n%.2000s", name, what, out)
		return
	}
	fmt.Printf("%-24s %6s %7s  %s\n", name, seed[1], took, reasonIn(string(out)))
}

// reasonIn gives the first line of what a simulation failed for.
func reasonIn(out string) string {
	_, reason, _ := strings.Cut(out, "simulation failed: ")
	reason, _, _ = strings.Cut(reason, "\n")
	return reason
}
