//go:build mutants

package doubt

import (
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"time"
)

// planted are the bugs in windows, triggers, timers, joins and calls, by the name
// under which mutant.On knows them. Those that need a crash, a sender ahead of
// another, or a store are in cluster/sim.
var planted = []struct{ name, what string }{
	{"slice-dropped-early", "a sliding window that waits for late records loses its first slices"},
	{"late-refire-lost", "a late record does not fire its sliding windows again"},
	{"suffix-kept", "what was combined of slices stands after a late record changed one"},
	{"slice-after-slice", "a sliding window shows the records of one slice after those of the other, not as they came"},
	{"shared-dropped-early", "records that windows share go with the first of these"},
	{"purged-but-seen", "what a sliding window has purged of the records it shares is seen in it again"},
	{"trimmed-for-one", "records that windows share go when the last of these has purged or evicted them"},
	{"gap-forgotten", "what is evicted from the middle of a sliding window comes back"},
	{"gone-window-holds", "a sliding window of processing time that begins anew has what was in it before"},
	{"gap-exclusive", "a record exactly a gap before a session does not join it"},
	{"session-fired-forgotten", "what a late record merges into counts as not fired"},
	{"session-fired-not-restored", "a restored session does not know that it has fired"},
	{"entry-not-moved", "a session that has grown is not waited for any more"},
	{"late-by-record", "lateness is that of the record, not of the session that it becomes part of"},
	{"mark-before-results", "a watermark leaves before the sessions that it fired"},
	{"purge-ignored", "a trigger's purge drops nothing"},
	{"evicted-come-back", "what is evicted after the function stays"},
	{"newest-since-epoch", "the newest element before 1970 counts as one of 1970"},
	{"early-as-on-time", "an early firing that a jump of the watermark passes counts as on time"},
	{"late-as-on-time", "every late firing counts as on time"},
	{"on-time-to-late-side", "a record in time that lies in no open window goes aside as late"},
	{"seen-counted-as-unseen", "records that were shown count as never fired"},
	{"on-time-not-merged", "of the windows that merge only the last one's firing on time counts"},
	{"on-time-not-restored", "a restored window has not fired on time"},
	{"on-merge-forgotten", "triggers do not hear that windows have merged"},
	{"trigger-state-kept", "what a trigger remembers outlives its window"},
	{"delta-from-last", "a delta is measured from the last record, not from the last firing"},
	{"early-below-zero", "early firings before 1970 are a step late"},
	{"deleted-timer-fires", "a timer that was deleted fires"},
	{"fired-timer-stays", "a timer that has fired cannot be set again, and is restored"},
	{"clock-timers-lost", "timers of processing time are not restored"},
	{"overdue-out-of-order", "timers that are overdue fire in the order in which they were set"},
	{"first-timer-unnoticed", "a timer before all others of its bucket waits for them"},
	{"bound-off-by-one", "the exclusive upper bound of an interval join matches"},
	{"join-dropped-early", "an interval join forgets records a millisecond early"},
	{"join-timer-lost", "an interval join has no timers, and what it keeps stays"},
	{"join-out-of-order", "an interval join keeps records as they came"},
	{"version-before", "a version does not count at its own time"},
	{"version-dropped-early", "the newest version is dropped with those that it replaced"},
	{"version-not-replaced", "of two versions of one time the first counts"},
	{"retention-off-by-one", "a version does not count when it is exactly as old as Retention"},
	{"alone-with-partners", "a record with partners in its window also comes out alone"},
	{"async-out-of-order", "results leave as they come, though they are to be in order"},
	{"async-watermark-overtakes", "a watermark does not wait for the results before it"},
	{"async-pending-lost", "records whose calls are under way are not in the snapshot"},
	{"async-mark-not-saved", "watermarks between pending records are not in the snapshot"},
	{"late-part-uncounted", "a late record that a first stage passed on is not counted as dropped"},
	{"part-behind-mark", "a first stage lets a watermark pass that ends a window it holds part of"},
	{"group-clock-lost", "key groups begin without a watermark after a restore"},
	{"due-behind-others", "a window that becomes due goes behind those that are, though it ends before them"},
	{"left-too-far", "a restore takes the watermark that left for that of groups which had not come so far"},
	{"budget-by-mark", "each watermark of a batch may fire what a step gives"},
	{"unfired-forgotten", "a window of which some keys had not fired is restored as one that has"},
	{"half-fired-again", "keys that had fired when a snapshot came in the middle of a window fire again"},
	{"waiting-mark-lost", "of several watermarks that wait for results only the last one is in the snapshot"},
	{"fires-again", "a window fires for a key again that had fired before a rescale"},
}

// cases is how many every planted bug gets. They are the same ones in every run.
const cases = 5000

// TestMutants plants one bug after the other and demands that the drawn cases find
// it, or else a script, TestSkew or one of TestSteps; and that these find nothing where there is none.
// Each runs in a process of its own.
//
// That a session forgets, when sessions merge, that a later one of them had fired
// cannot be planted: then an earlier one, which ended before it, had fired as well.
// Of windows with a trigger this is not so: see on-time-not-merged.
func TestMutants(t *testing.T) {
	if out, err := doubting(""); err != nil {
		t.Fatalf("with no bug planted:\n%.4000s", out)
	}
	fmt.Printf("%-28s %-12s %7s  %s\n", "planted bug", "found by", "time", "what it does")
	for _, m := range planted {
		find(t, m.name, m.what)
	}
}

// doubting runs the cases with a bug planted. Shrinking one that fails is of no use.
func doubting(name string) (out string, err error) {
	c := exec.Command(os.Args[0], "-test.run=^(TestDoubt|TestScripts|TestSkew|TestSteps.*)$", "-rapid.seed=1", fmt.Sprintf("-rapid.checks=%d", cases),
		"-rapid.shrinktime=1ms", "-rapid.nofailfile", "-test.timeout=2m")
	c.Env = append(os.Environ(), "WEIR_MUTANT="+name)
	all, err := c.CombinedOutput()
	return string(all), err
}

var (
	failedCase = regexp.MustCompile(`failed after (\d+) tests`)
	failedTest = regexp.MustCompile(`--- FAIL: (Test(?:Scripts|Skew|Steps)\w*)`)
)

// finder says which case, or which test, has failed; "" if none has.
func finder(out string) string {
	if n := failedCase.FindStringSubmatch(out); n != nil && strings.Contains(out, "put below testdata/") {
		return "case " + n[1]
	}
	if name := failedTest.FindStringSubmatch(out); name != nil {
		return name[1]
	}
	return ""
}

func find(t *testing.T, name, what string) {
	begun := time.Now()
	out, err := doubting(name)
	by, took := finder(out), time.Since(begun).Round(100*time.Millisecond)
	if err == nil || by == "" {
		by = "SURVIVED"
		t.Errorf("%s survived %d cases: %s\n%.2000s", name, cases, what, out)
	}
	fmt.Printf("%-28s %-12s %7s  %s\n", name, by, took, what)
}
