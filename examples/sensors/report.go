package main

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"time"
)

// report prints a row for each minute and a column for each sensor. A sensor
// that was silent has no result.
func report(w io.Writer, readings []Reading, maxima []Maximum, late []Reading) {
	byMinute := map[int64]map[string]Reading{}
	for _, m := range maxima {
		if byMinute[m.Start] == nil {
			byMinute[m.Start] = map[string]Reading{}
		}
		byMinute[m.Start][m.Key] = m.Value
	}
	fmt.Fprintf(w, "%d readings; the maximum of each minute, and when\n\n%-6s", len(readings), "")
	for _, s := range sensors {
		fmt.Fprintf(w, "%18s", s.name)
	}
	for _, minute := range slices.Sorted(maps.Keys(byMinute)) {
		fmt.Fprintf(w, "\n%-6s", time.UnixMilli(minute).UTC().Format("15:04"))
		for _, s := range sensors {
			fmt.Fprintf(w, "%18s", cell(byMinute[minute], s.name))
		}
	}
	fmt.Fprintf(w, "\n\n%d readings came when their minute was closed\n", len(late))
	for _, r := range sorted(late) {
		fmt.Fprintf(w, "  %s  %s %.1f °C\n", clock(r), r.Sensor, r.Celsius)
	}
}

func cell(minute map[string]Reading, sensor string) string {
	r, ok := minute[sensor]
	if !ok {
		return "-"
	}
	return fmt.Sprintf("%.1f (%s)", r.Celsius, time.UnixMilli(r.Ms).UTC().Format("04:05"))
}

func clock(r Reading) string { return time.UnixMilli(r.Ms).UTC().Format("15:04:05") }
