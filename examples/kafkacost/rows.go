package main

import (
	"bufio"
	"fmt"
	"maps"
	"os"
	"runtime"
	"slices"
	"strings"
)

// row is one of the table.
type row struct {
	work, goal string
	got        spread
	unit       string
	reached    bool
	detail     string
}

func (b *bench) atLeast(work string, goal float64, unit string, got rates, detail string) {
	s := got.spread()
	b.rows = append(b.rows, row{work, "at least " + show(goal, unit), s, unit, s.median >= goal, detail})
}

func (b *bench) atMost(work string, goal float64, unit string, got rates, detail string) {
	s := got.spread()
	b.rows = append(b.rows, row{work, "at most " + show(goal, unit), s, unit, s.median <= goal, detail})
}

// details lists the sides' rates.
func details(all map[string]rates) string {
	var parts []string
	for _, side := range slices.Sorted(maps.Keys(all)) {
		parts = append(parts, fmt.Sprintf("%s %.2f M/s", side, all[side].median()/1e6))
	}
	return strings.Join(parts, ", ")
}

func show(v float64, unit string) string {
	switch unit {
	case "M":
		return fmt.Sprintf("%.2f M", v/1e6)
	case "ms":
		return fmt.Sprintf("%.1f ms", v)
	}
	return fmt.Sprintf("%.2f %s", v, unit)
}

// printRows writes the table in Markdown.
func printRows(rows []row) {
	fmt.Println("| work | goal | median | range | | |\n|---|---|---|---|---|---|")
	for _, r := range rows {
		reached := "reached"
		if !r.reached {
			reached = "**missed**"
		}
		fmt.Printf("| %s | %s | %s | %s to %s | %s | %s |\n", r.work, r.goal, show(r.got.median, r.unit), show(r.got.least, r.unit), show(r.got.most, r.unit), reached, r.detail)
	}
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
