package main

import (
	"fmt"
	"math"
	"slices"
	"time"
)

// The generator gives trips of the shape of New York's in March 2019: how many
// begin in which hour, how long they take, how they are spread over zones, what
// is paid. It is integer arithmetic on one seed, so every machine gives the
// same trips.

var (
	// startsPerHour is the share of a day's trips that begin in each hour.
	startsPerHour = [24]int64{205, 110, 101, 67, 57, 51, 142, 221, 313, 319, 325, 295, 334, 316, 360, 330, 336, 388, 417, 406, 368, 355, 321, 296}

	// durations are quantiles, in permille and ms.
	durations = []quantile{{0, 1_000}, {10, 47_000}, {50, 175_000}, {100, 243_000}, {250, 390_000}, {500, 654_000}, {750, 1_111_000},
		{900, 1_721_000}, {950, 2_294_000}, {990, 3_457_000}, {999, 4_696_000}, {1000, 6_460_000}}

	firstDay = time.Date(2019, 3, 1, 0, 0, 0, 0, time.UTC).UnixMilli()
)

type quantile struct{ permille, ms int64 }

const (
	generatedZones = 260
	tripsPerDay    = 16_000
)

// generatedTrips gives count trips in arrival order, tripsPerDay a day.
func generatedTrips(count int, seed uint64) func(yield func(*Trip) error) error {
	return func(yield func(*Trip) error) error {
		g := &generator{rng: splitMix{seed}, zones: zoneWeights()}
		var byDropoff arrivals
		for hour, left := int64(0), int64(count); left > 0; hour++ {
			starts := g.starts(hour, left)
			left -= int64(len(starts))
			for _, start := range starts {
				byDropoff.add(g.trip(start))
			}
			// No trip that is still to come begins, let alone ends, before the next hour.
			if err := byDropoff.release(firstDay+(hour+1)*hourMs, yield); err != nil {
				return err
			}
		}
		return byDropoff.release(math.MaxInt64, yield)
	}
}

type generator struct {
	rng   splitMix
	zones []int64 // cumulative weights
}

// starts gives the sorted start times of an hour's trips, at most left.
func (g *generator) starts(hour, left int64) []int64 {
	var day int64
	for _, s := range startsPerHour {
		day += s
	}
	n := min(left, tripsPerDay*startsPerHour[hour%24]/day+g.rng.below(3))
	starts := make([]int64, n)
	for i := range starts {
		starts[i] = firstDay + hour*hourMs + g.rng.below(hourMs)
	}
	slices.Sort(starts)
	return starts
}

func (g *generator) trip(start int64) *Trip {
	lasts := g.duration()
	t := &Trip{
		PickupMs: start, DropoffMs: start + lasts,
		PickupZone: g.zone(), DropoffZone: g.zone(),
		Passengers: int32(1 + g.rng.below(6)*g.rng.below(6)/6),
		FareCents:  250 + 50*(lasts*6/5/minuteMs) + 50*g.rng.below(4),
		Color:      pick(g, "yellow", "yellow", "yellow", "yellow", "yellow", "green"),
		Payment:    pick(g, "credit card", "credit card", "credit card", "credit card", "credit card", "cash", "cash"),
	}
	if t.Payment == "credit card" && g.rng.below(10) > 0 {
		t.TipCents = t.FareCents * (10 + g.rng.below(27)) / 100
	}
	if g.rng.below(20) == 0 {
		t.TollsCents = 576
	}
	t.TotalCents = t.FareCents + t.TipCents + t.TollsCents + 330
	return t
}

// duration draws from the quantiles, linear in between.
func (g *generator) duration() int64 {
	p := g.rng.below(1_000_000) // permille, in thousandths
	i, _ := slices.BinarySearchFunc(durations, p+1, func(q quantile, p int64) int { return int(q.permille*1000 - p) })
	lo, hi := durations[i-1], durations[i]
	return lo.ms + (p-lo.permille*1000)*(hi.ms-lo.ms)/((hi.permille-lo.permille)*1000)
}

// zone draws a zone; each is used a little less than the one before it.
func (g *generator) zone() string {
	at := g.rng.below(g.zones[len(g.zones)-1])
	i, _ := slices.BinarySearch(g.zones, at+1)
	return zoneNames[i]
}

func zoneWeights() []int64 {
	sums, sum, weight := make([]int64, generatedZones), int64(0), int64(1<<20)
	for i := range sums {
		sum += weight
		sums[i] = sum
		weight = weight * 27 / 28
	}
	return sums
}

var zoneNames = func() (names [generatedZones]string) {
	for i := range names {
		names[i] = fmt.Sprintf("Zone %03d", i+1)
	}
	return names
}()

func pick(g *generator, of ...string) string { return of[g.rng.below(int64(len(of)))] }

// splitMix is Steele, Lea and Flood's SplitMix64: small, and the same everywhere.
type splitMix struct{ state uint64 }

func (s *splitMix) next() uint64 {
	s.state += 0x9E3779B97F4A7C15
	z := s.state
	z = (z ^ z>>30) * 0xBF58476D1CE4E5B9
	z = (z ^ z>>27) * 0x94D049BB133111EB
	return z ^ z>>31
}

// below draws from 0..n-1. The bias of the remainder is far below what a
// generator of examples could show.
func (s *splitMix) below(n int64) int64 { return int64(s.next()>>1) % n }
