// Command cost measures what weir costs: the engine against hand-written,
// single-threaded Go loops over the same pre-built input, in one process, in
// turn. It prints the table of BENCHMARKS.md.
//
//	cost                      everything, five pairs each
//	cost -only 'sum|latency'  some of it
//	cost -smoke               a short run that fails on half of what was reached
//	cost -cpuprofile f        with a CPU profile; -memprofile f of allocations
package main

import (
	"bufio"
	"flag"
	"fmt"
	"log"
	"os"
	"regexp"
	"runtime"
	"strings"
)

func main() {
	var (
		pairs   = flag.Int("pairs", 5, "how often engine and loop alternate")
		laps    = flag.Int("laps", 8, "how long a run is, in passages of the input")
		seconds = flag.Int64("seconds", 15, "how long latency is measured")
		only    = flag.String("only", "", "`regexp` of what to measure: map-filter, sum, count, sliding, session, join, exchange, long, timers, firing, tax, latency")
		smoke   = flag.Bool("smoke", false, "a short run that fails on half of what was reached")
		profile = flag.String("cpuprofile", "", "`file` for a CPU profile")
		heap    = flag.String("memprofile", "", "`file` for a profile of every allocation")
	)
	flag.Parse()
	b := &bench{pairs: *pairs, laps: *laps, seconds: *seconds}
	if *smoke {
		b = &bench{pairs: 3, laps: 2, seconds: 3}
	}
	stop, err := profiles(*profile, *heap)
	if err != nil {
		log.Fatal(err)
	}
	if err := b.run(*only); err != nil {
		log.Fatal(err)
	}
	if err := stop(); err != nil {
		log.Fatal(err)
	}
	b.print()
	if *smoke {
		if err := b.judge(); err != nil {
			log.Fatal(err)
		}
	}
}

func (b *bench) run(only string) error {
	which, err := regexp.Compile(only)
	if err != nil {
		return fmt.Errorf("-only: %w", err)
	}
	for _, part := range []struct {
		name    string
		measure func() error
	}{
		{"map-filter", b.mapFilter}, {"sum", b.runningSum}, {"count", b.tumblingCount}, {"sliding", b.slidingCount}, {"session", b.sessions},
		{"exchange", b.exchange},
		{"", b.allocations}, {"join", b.joins}, {"long", b.slidingLong}, {"timers", b.timers}, {"firing", b.firing},
		{"tax", b.snapshotTax}, {"latency", b.latency},
	} {
		if part.name != "" && !which.MatchString(part.name) {
			continue
		}
		if err := part.measure(); err != nil {
			return err
		}
	}
	return nil
}

// print writes the table in Markdown.
func (b *bench) print() {
	fmt.Printf("%s, %d cores, %s, %d pairs\n\n", processor(), runtime.NumCPU(), runtime.Version(), b.pairs)
	fmt.Println("| work | goal | median | range | | |\n|---|---|---|---|---|---|")
	for _, r := range b.rows {
		reached := "reached"
		if !r.ok {
			reached = "**missed**"
		}
		fmt.Printf("| %s | %s | %s | %s to %s | %s | %s |\n", r.work, r.goal,
			number(r.spread.median, r.unit), number(r.spread.least, ""), number(r.spread.most, ""), reached, r.detail)
	}
}

func number(v float64, unit string) string {
	digits := 2
	if v != 0 && v < 0.1 && v > -0.1 {
		digits = 5
	}
	return strings.TrimSpace(fmt.Sprintf("%.*f %s", digits, v, unit))
}

func processor() string {
	f, err := os.Open("/proc/cpuinfo")
	if err != nil {
		return runtime.GOARCH
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if name, model, ok := strings.Cut(lines.Text(), ":"); ok && strings.TrimSpace(name) == "model name" {
			return strings.TrimSpace(model)
		}
	}
	return runtime.GOARCH
}
