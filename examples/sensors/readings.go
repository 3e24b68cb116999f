package main

import (
	"cmp"
	"math"
	"math/rand/v2"
	"slices"
	"time"
)

// sensors, and how warm it is where they are.
var sensors = []struct {
	name    string
	celsius float64
}{{"attic", 31}, {"cellar", 14}, {"freezer", -18}, {"garden", 22}}

// The freezer's sensor is silent for more than two minutes.
const silentFrom, silentTo = 100 * time.Second, 245 * time.Second

// arrived gives six minutes of readings, two seconds apart, in the order of
// their arrival: the same wherever it runs.
func arrived() []Reading {
	dice := rand.NewPCG(3, 0)
	below := func(n int) int64 { return int64(dice.Uint64() % uint64(n)) }
	type arrival struct {
		Reading
		ms int64
	}
	var all []arrival
	noon := time.Date(2019, 3, 23, 12, 0, 0, 0, time.UTC)
	for second := time.Duration(0); second < 6*time.Minute; second += 2 * time.Second {
		for _, s := range sensors {
			if s.name == "freezer" && second >= silentFrom && second < silentTo {
				continue
			}
			ms := noon.Add(second).UnixMilli() + below(1000)
			tenths := math.Round(s.celsius*10) + float64(below(79)-39)
			delay := below(15_000)
			if below(25) == 0 {
				delay += below(90_000) // the network was down
			}
			all = append(all, arrival{Reading{Sensor: s.name, Ms: ms, Celsius: tenths / 10}, ms + delay})
		}
	}
	slices.SortStableFunc(all, func(a, b arrival) int { return cmp.Compare(a.ms, b.ms) })
	readings := make([]Reading, len(all))
	for i := range all {
		readings[i] = all[i].Reading
	}
	return readings
}
