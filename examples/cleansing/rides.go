package main

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"time"
)

// writeRides writes a morning's rides as CSV, in the order of their pick-ups, some
// of the lines broken: the same file wherever it runs.
func writeRides(path string, seed uint64) error {
	var b strings.Builder
	b.WriteString("ride,picked_up,from_lon,from_lat,to_lon,to_lat\n")
	g := &generator{dice: rand.NewPCG(seed, 0)}
	at := time.Date(2019, 3, 23, 7, 0, 0, 0, time.UTC)
	for id := range 600 {
		at = at.Add(time.Duration(g.below(35)) * time.Second)
		fields := append([]string{fmt.Sprint(id + 1), at.Format(time.DateTime)}, append(g.place(12), g.place(18)...)...)
		if g.below(40) == 0 {
			fields = g.damage(fields)
		}
		b.WriteString(strings.Join(fields, ",") + "\n")
	}
	return os.WriteFile(path, []byte(b.String()), 0o644)
}

type generator struct {
	dice   *rand.PCG
	broken int // lines so far
}

func (g *generator) below(n int) int { return int(g.dice.Uint64() % uint64(n)) }

// place gives longitude and latitude, in the city or, in one of few cases, near
// it.
func (g *generator) place(few int) []string {
	lon, lat := west+float64(g.below(3500))/10_000, south+float64(g.below(5000))/10_000
	if g.below(few) == 0 {
		lon += float64(g.below(9)-4) / 10
	}
	if g.below(few) == 0 {
		lat += float64(g.below(9)-4) / 10
	}
	return []string{fmt.Sprintf("%.4f", lon), fmt.Sprintf("%.4f", lat)}
}

// damage breaks a line in one of six ways, in turn.
func (g *generator) damage(fields []string) []string {
	g.broken++
	switch g.broken % 6 {
	case 0:
		return fields[:4] // cut off
	case 1:
		return append(fields, "0")
	case 2:
		fields[1] = "yesterday"
	case 3:
		fields[2] = "n/a"
	case 4:
		fields[5] = ""
	case 5:
		fields[3] += `"`
	}
	return fields
}
