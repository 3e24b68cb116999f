package doubt

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"
	"pgregory.net/rapid"

	"github.com/weirflow/weir/operators/operatortest"
)

var minutes = flag.Float64("doubt.minutes", 0, "draw cases with fresh seeds for so long; 0: a few")

// S38-S73 and borders 1-12: whatever windows are made of, and whatever happens,
// what comes out is what the twin says. The time over, it says how many cases ran.
func TestDoubt(t *testing.T) {
	if flag.Lookup("rapid.seed").Value.String() != "0" {
		rapid.Check(t, doubt)
		return
	}
	const few = 10 // rounds, of which each has a seed
	until := time.Now().Add(time.Duration(*minutes * float64(time.Minute)))
	cases, rounds := 0, 0
	for ; rounds < few || time.Now().Before(until); rounds++ {
		seed := fmt.Sprint(rand.Uint64()>>1 + 1)
		round(t, seed, func(t *rapid.T) {
			cases++
			doubt(t)
		})
	}
	t.Logf("%d cases in %d rounds", cases, rounds)
}

// round draws cases from one seed. The same seed draws the same cases.
func round(t *testing.T, seed string, property func(*rapid.T)) {
	t.Helper()
	set := flag.Lookup("rapid.seed").Value
	if err := set.Set(seed); err != nil {
		t.Fatal(err)
	}
	defer func() {
		_ = set.Set("0")
		if t.Failed() {
			t.Logf("the same again: go test ./operators/doubt -count=1 -run '^%s$' -rapid.seed=%s", t.Name(), seed)
		}
	}()
	rapid.Check(quiet{t}, property)
}

// quiet says nothing while all is well.
type quiet struct{ *testing.T }

func (q quiet) Logf(format string, args ...any) {
	if q.Failed() {
		q.T.Logf(format, args...)
	}
}

// aCase is a windowCase, joinCase, timersCase or asyncCase.
type aCase interface {
	fmt.Stringer // the script that parse reads
	// check runs the operator and its twin, and gives what came out and in what
	// that differs from what must.
	check(t operatortest.TB) (got, difference string)
	set(shape)
}

// parse reads a script of a folder of testdata.
func parse(folder, text string) (aCase, error) {
	switch folder {
	case "joins":
		return parseJoin(text)
	case "timers":
		return parseTimers(text)
	case "async":
		return parseAsync(text)
	}
	return parseCase(text)
}

// draw draws a case, and gives the folder of its scripts.
func draw(t *rapid.T) (folder string, c aCase) {
	switch folder = rapid.SampledFrom([]string{"windows", "windows", "windows", "windows", "joins", "joins", "timers", "async"}).Draw(t, "operator"); folder {
	case "joins":
		return folder, drawJoin(t)
	case "timers":
		return folder, drawTimers(t)
	case "async":
		return folder, drawAsync(t)
	}
	return folder, drawCase(t)
}

// doubt draws a case and fails with a script of it.
func doubt(t *rapid.T) {
	folder, c := draw(t)
	script := fmt.Sprintf("put below testdata/%s it is:\n\ndoubt\n%v----\n", folder, c)
	if _, difference := c.check(scripted{t, script}); difference != "" {
		t.Fatalf("%s-twin +operator\n%s", script, difference)
	}
}

// scripted shows the script also when the operator itself fails.
type scripted struct {
	*rapid.T
	script string
}

func (s scripted) Fatalf(format string, args ...any) {
	s.T.Helper()
	s.T.Fatalf("%s%s", s.script, fmt.Sprintf(format, args...))
}

// S41, S42, S43, S50-S53, S55-S59, S64-S70, S72, S73, S75, S99, S103 and borders 1-12, scripts for each, and every case that once
// failed. What comes out stands in the script, and the twin must say so, too: at
// the parallelism and batch size of the script and at all others.
func TestScripts(t *testing.T) {
	for _, folder := range []string{"windows", "joins", "timers", "async"} {
		datadriven.Walk(t, "testdata/"+folder, func(t *testing.T, path string) {
			datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
				c, err := parse(folder, d.Input)
				if err != nil {
					d.Fatalf(t, "%v", err)
				}
				got := replay(t, d, c)
				for _, batch := range []int{1, 7, 512} {
					for _, parallelism := range []int{1, 2, 3} {
						c.set(shape{batch, parallelism})
						replay(t, d, c)
					}
				}
				return got
			})
		})
	}
}

func replay(t *testing.T, d *datadriven.TestData, c aCase) string {
	t.Helper()
	got, difference := c.check(t)
	if difference != "" {
		d.Fatalf(t, "%v-twin +operator\n%s", c, difference)
	}
	return got
}

// A script says all that there is to a case.
func TestScriptsSayAll(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		folder, c := draw(t)
		again, err := parse(folder, c.String())
		if err != nil {
			t.Fatal(err)
		}
		if c.String() != again.String() || fmt.Sprintf("%#v", c) != fmt.Sprintf("%#v", again) {
			t.Fatalf("%#v\nis read as\n%#v", c, again)
		}
	})
}
