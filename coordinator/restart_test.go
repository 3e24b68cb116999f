package coordinator

import (
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// delays lets a job fail, run for a while after each restart, and fail again,
// until its strategy gives up or the list of runs ends.
func delays(s RestartStrategy, runs ...time.Duration) (got []time.Duration, gaveUp bool) {
	r, now := s.New(rand.New(rand.NewPCG(1, 2))), time.Unix(0, 0)
	for _, run := range runs {
		now = now.Add(run)
		delay, giveUp := r.OnFailure(now)
		if giveUp {
			return got, true
		}
		got = append(got, delay)
		now = now.Add(delay)
	}
	return got, false
}

// S107: exact counts and delays under a clock of the test's own.
func TestS107_CountsAndDelays(t *testing.T) {
	const s, min = time.Second, time.Minute
	exp := Exponential{Initial: s, Max: 10 * s, Multiplier: 2, ResetAfter: min}
	limited := exp
	limited.Attempts = 3
	for _, c := range []struct {
		strategy RestartStrategy
		runs     []time.Duration
		want     []time.Duration
		gaveUp   bool
	}{
		{NoRestart{}, []time.Duration{s}, nil, true},
		{FixedDelay{Attempts: 3, Delay: 2 * s}, []time.Duration{s, s, s, s}, []time.Duration{2 * s, 2 * s, 2 * s}, true},
		{FixedDelay{Attempts: 3, Delay: 2 * s}, []time.Duration{s, s, s}, []time.Duration{2 * s, 2 * s, 2 * s}, false},
		{FixedDelay{Delay: s}, []time.Duration{s}, nil, true},
		{FixedDelay{Attempts: -1, Delay: s}, slices.Repeat([]time.Duration{s}, 50), slices.Repeat([]time.Duration{s}, 50), false},
		{exp, []time.Duration{s, s, s, s, s, s}, []time.Duration{s, 2 * s, 4 * s, 8 * s, 10 * s, 10 * s}, false},
		{exp, []time.Duration{s, s, s, min - 1, s}, []time.Duration{s, 2 * s, 4 * s, 8 * s, 10 * s}, false},
		{exp, []time.Duration{s, s, s, min, s}, []time.Duration{s, 2 * s, 4 * s, s, 2 * s}, false},
		{limited, []time.Duration{s, s, s, s}, []time.Duration{s, 2 * s, 4 * s}, true},
		{limited, []time.Duration{s, s, s, min, s, s, s}, []time.Duration{s, 2 * s, 4 * s, s, 2 * s, 4 * s}, true},
		// Failures at 1, 3, 5 s: the third is one too many in 5 s, not in 4 s.
		{FailureRate{Failures: 2, Per: 5 * s, Delay: s}, []time.Duration{s, s, s}, []time.Duration{s, s}, true},
		{FailureRate{Failures: 2, Per: 4 * s, Delay: s}, []time.Duration{s, s, s}, []time.Duration{s, s, s}, false},
		{FailureRate{Failures: 2, Per: 4 * s, Delay: s}, []time.Duration{s, s, s, s - 1}, []time.Duration{s, s, s}, true},
		{FailureRate{Failures: 1, Per: s, Delay: 0}, []time.Duration{s, s, s, s - 1}, []time.Duration{0, 0, 0}, true},
	} {
		if err := c.strategy.Validate(); err != nil {
			t.Errorf("%v: %v", c.strategy, err)
		}
		if got, gaveUp := delays(c.strategy, c.runs...); !slices.Equal(got, c.want) || gaveUp != c.gaveUp {
			t.Errorf("%v after runs of %v: delays %v gave up %v, want %v %v", c.strategy, c.runs, got, gaveUp, c.want, c.gaveUp)
		}
	}
}

// S107: the failure rate is compared with counting all failures anew each time,
// and jitter stays within its share and below the maximum.
func TestS107_Random(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		f := FailureRate{Failures: rapid.IntRange(1, 5).Draw(t, "failures"), Per: time.Duration(rapid.IntRange(1, 50).Draw(t, "per"))}
		r, now := f.New(nil), time.Unix(0, 0)
		var at []time.Time
		for {
			now = now.Add(time.Duration(rapid.IntRange(0, 20).Draw(t, "gap")))
			at = append(at, now)
			within := 0
			for _, a := range at {
				if now.Sub(a) < f.Per {
					within++
				}
			}
			_, giveUp := r.OnFailure(now)
			if giveUp != (within > f.Failures) {
				t.Fatalf("failures at %v, %v: gave up: %v", at, f, giveUp)
			}
			if giveUp || len(at) > 100 {
				return
			}
		}
	})
	rapid.Check(t, func(t *rapid.T) {
		e := Exponential{
			Initial: time.Duration(rapid.Int64Range(1, 1e9).Draw(t, "initial")), Max: time.Duration(rapid.Int64Range(1e9, math.MaxInt64).Draw(t, "max")),
			Multiplier: rapid.Float64Range(1, 10).Draw(t, "multiplier"), Jitter: rapid.Float64Range(0, 1).Draw(t, "jitter"),
		}
		plain := e
		plain.Jitter = 0
		runs := make([]time.Duration, 40)
		moved, _ := delays(e, runs...)
		exact, _ := delays(plain, runs...)
		for i := range moved {
			low, high := float64(exact[i])*(1-e.Jitter), math.Min(float64(exact[i])*(1+e.Jitter), float64(e.Max))
			if d := float64(moved[i]); d < low*0.999999-1 || d > high*1.000001+1 || moved[i] < 0 {
				t.Fatalf("delay %d is %v, want %v to %v", i, moved[i], time.Duration(low), time.Duration(high))
			}
		}
	})
}

// TestStrategyMistakes: what cannot be names the field, the value and the remedy.
func TestStrategyMistakes(t *testing.T) {
	good := Exponential{Initial: 1, Max: 2, Multiplier: 2}
	with := func(f func(*Exponential)) Exponential { e := good; f(&e); return e }
	for want, s := range map[string]RestartStrategy{
		"FixedDelay.Delay is -1ns; give 0 or a positive duration":          FixedDelay{Delay: -1},
		"Exponential.Initial is 0s; give a positive duration":              with(func(e *Exponential) { e.Initial = 0 }),
		"Exponential.Max is 0s, less than Initial 1ns; give at least that": with(func(e *Exponential) { e.Max = 0 }),
		"Exponential.Multiplier is 0.5; give 1 or more":                    with(func(e *Exponential) { e.Multiplier = 0.5 }),
		"Exponential.Multiplier is NaN; give 1 or more":                    with(func(e *Exponential) { e.Multiplier = math.NaN() }),
		"Exponential.Jitter is 1.5; give a share from 0 to 1":              with(func(e *Exponential) { e.Jitter = 1.5 }),
		"Exponential.ResetAfter is -1ns; give 0 or a positive duration":    with(func(e *Exponential) { e.ResetAfter = -1 }),
		"Exponential.Attempts is -1; give a positive number, or 0 for any": with(func(e *Exponential) { e.Attempts = -1 }),
		"FailureRate.Failures is 0; give at least 1, or use NoRestart":     FailureRate{Per: 1},
		"FailureRate.Per is 0s; give a positive duration":                  FailureRate{Failures: 1},
		"FailureRate.Delay is -1ns; give 0 or a positive duration":         FailureRate{Failures: 1, Per: 1, Delay: -1},
	} {
		if err := s.Validate(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
	if err := DefaultRestart.Validate(); err != nil {
		t.Error(err)
	}
}
