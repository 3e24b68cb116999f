//go:build mutants

package kafka_test

import (
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"testing"
	"time"
)

// planted are the bugs in source and sink, by the name under which mutant.On knows them.
var planted = []struct{ name, what string }{
	{"aborted-shown", "records of aborted transactions are read"},
	{"batch-read-again", "a reader that begins inside a batch gives all of it"},
	{"markers-uncounted", "a reader does not go on behind the markers of transactions"},
	{"end-with-open", "the end of committed records is that of all records"},
	{"discovered-late", "a partition that appears later begins where the others were told to"},
	{"out-of-range-unsaid", "an offset that is gone is passed over in silence"},
	{"commits-last-read", "the group's offset is that of the last record, not of the next"},
	{"younger-fenced", "an attempt ends the transactions of its successor"},
	{"kept-fenced", "a subtask ends what another one is to commit"},
	{"orphans-left", "what older attempts left open stays open"},
	{"prepared-unacknowledged", "a checkpoint holds what no broker has acknowledged"},
	{"fenced-is-committed", "a transaction that somebody else has ended counts as committed"},
	{"committed-again", "a commit that is repeated is carried out on what has the id by now"},
	{"open-hides-marker", "a later transaction of an id, which no checkpoint knows, hides whether an earlier one was committed"},
	{"any-marker-proves", "the marker of another writer proves a transaction"},
	{"any-sink", "another sink's transactions are taken for one's own"},
	{"sequence-by-batch", "sequences count batches, not records"},
	{"restamped", "a batch is sent again as another one"},
	{"written-once-more", "kept output is written again though somebody has"},
	{"doubt-judged-before-fence", "a transaction in doubt is written again though somebody has since it was examined"},
	{"doubt-of-others", "the batches of other producers are taken for those of a transaction in doubt"},
	{"ahead-for-ever", "a transaction that was begun ahead stays open though nobody wants it"},
	{"key-by-length", "partitions are not those of Kafka's own choice"},
}

// TestMutants plants one bug after the other and demands that the tests of this package
// find it, each in a process of its own; and that these find nothing where there is none.
func TestMutants(t *testing.T) {
	if out, err := tested(""); err != nil {
		t.Fatalf("with no bug planted:\n%.4000s", out)
	}
	fmt.Printf("%-28s %-34s %7s  %s\n", "planted bug", "found by", "time", "what it does")
	for _, m := range planted {
		begun := time.Now()
		out, err := tested(m.name)
		by := "SURVIVED"
		if found := failedTest.FindStringSubmatch(out); err != nil && found != nil {
			by = found[1] + found[2]
		} else {
			t.Errorf("%s survived: %s\n%.2000s", m.name, m.what, out)
		}
		fmt.Printf("%-28s %-34s %7s  %s\n", m.name, by, time.Since(begun).Round(100*time.Millisecond), m.what)
	}
}

// What hangs is found as well, by the test's own time-out.
var failedTest = regexp.MustCompile(`--- FAIL: (Test\w+)|panic: test timed out after .*\n\s*running tests:\n\s*(Test\w+)`)

// tested runs the package's tests with a bug planted, up to the first that fails.
func tested(name string) (out string, err error) {
	c := exec.Command(os.Args[0], "-test.skip=^TestMutants$", "-test.failfast", "-test.timeout=3m")
	c.Env = append(os.Environ(), "WEIR_MUTANT="+name)
	all, err := c.CombinedOutput()
	return string(all), err
}
