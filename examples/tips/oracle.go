package main

// The straight-line program: what the job must commit, computed by one loop
// over the trips as they arrived. It shares no code with weir and knows nothing
// of batches, subtasks, checkpoints or restarts.

// lateAfterMs is the bound on disorder. A trip becomes known when it ends; one
// that lasts longer than this can come when its hour is closed. The job takes
// its bound from here: it is part of the question, not of an answer.
const lateAfterMs = 20 * minuteMs

// granularityMs is how finely watermarks advance in weir, unless told otherwise.
const granularityMs = 100

// zoneHour names a result.
type zoneHour struct {
	Zone string
	Hour int64 // its first ms
}

// tally is a result.
type tally struct{ Trips, TipCents int64 }

// outcome is all that a run over some trips must give.
type outcome struct {
	Results map[zoneHour]tally
	Late    map[uint64]*Trip // by id
	Trips   int64
}

// straightLine computes the outcome of a file of trips.
func straightLine(path string) (*outcome, error) {
	o := &outcome{Results: map[zoneHour]tally{}, Late: map[uint64]*Trip{}}
	latest, any := int64(0), false // greatest pick-up time so far
	err := readTrips(path, func(t *Trip) error {
		o.Trips++
		hour := floor(t.PickupMs, hourMs)
		if any && hour+hourMs-1 <= watermark(latest) {
			o.Late[t.Id] = t
		} else {
			key := zoneHour{t.PickupZone, hour}
			sum := o.Results[key]
			o.Results[key] = tally{sum.Trips + 1, sum.TipCents + t.TipCents}
		}
		if !any || t.PickupMs > latest {
			latest, any = t.PickupMs, true
		}
		return nil
	})
	return o, err
}

// watermark is the time up to which the stream counts as complete when latest
// is the greatest time seen: the bound is inclusive, hence the one ms, and it
// advances in steps.
func watermark(latest int64) int64 {
	return floor(latest-lateAfterMs, granularityMs) - 1
}

// floor gives the greatest multiple of unit that is not above t.
func floor(t, unit int64) int64 { return t - ((t%unit)+unit)%unit }

// hours sums up the results of all zones an hour.
func (o *outcome) hours() map[int64]tally {
	hours := map[int64]tally{}
	for key, t := range o.Results {
		sum := hours[key.Hour]
		hours[key.Hour] = tally{sum.Trips + t.Trips, sum.TipCents + t.TipCents}
	}
	return hours
}
