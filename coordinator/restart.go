package coordinator

import (
	"fmt"
	"math"
	"math/rand/v2"
	"time"
)

// RestartStrategy says whether and when a job is restarted after a failure. It
// is a value; every job gets its own Restarter of it.
type RestartStrategy interface {
	fmt.Stringer
	// Validate names the field that cannot be, its value and the remedy.
	Validate() error
	// New begins counting. rng is for jitter.
	New(rng *rand.Rand) Restarter
}

// Restarter counts the failures of one job. A failure that hits several
// regions at once counts once.
type Restarter interface {
	// OnFailure gives the delay before the restart, or giveUp when the limit
	// is reached.
	OnFailure(now time.Time) (delay time.Duration, giveUp bool)
}

// DefaultRestart tries for ever, soon at first and then every ten seconds, as
// a job should that outlives the systems around it. A job that must not hang on
// a failure which repeats itself sets Exponential.Attempts or FixedDelay.
var DefaultRestart RestartStrategy = Exponential{
	Initial: 100 * time.Millisecond, Max: 10 * time.Second, Multiplier: 2, Jitter: 0.1, ResetAfter: time.Minute,
}

// NoRestart fails the job with its first failure.
type NoRestart struct{}

// String names the strategy.
func (NoRestart) String() string { return "no restart" }

// Validate accepts it.
func (NoRestart) Validate() error { return nil }

// New gives a Restarter that gives up.
func (NoRestart) New(*rand.Rand) Restarter { return noRestart{} }

type noRestart struct{}

func (noRestart) OnFailure(time.Time) (time.Duration, bool) { return 0, true }

// FixedDelay restarts Attempts times in the life of the job, each Delay after
// the failure. Attempts < 0: for ever.
type FixedDelay struct {
	Attempts int
	Delay    time.Duration
}

// String names the strategy and its limits.
func (s FixedDelay) String() string {
	if s.Attempts < 0 {
		return fmt.Sprintf("restart each time after %v", s.Delay)
	}
	return fmt.Sprintf("at most %d restarts, each after %v", s.Attempts, s.Delay)
}

// Validate refuses a negative delay.
func (s FixedDelay) Validate() error {
	if s.Delay < 0 {
		return fmt.Errorf("FixedDelay.Delay is %v; give 0 or a positive duration", s.Delay)
	}
	return nil
}

// New begins with all attempts left.
func (s FixedDelay) New(*rand.Rand) Restarter { return &fixedDelay{FixedDelay: s} }

type fixedDelay struct {
	FixedDelay
	used int // restarts; never more than Attempts unless that is negative
}

func (r *fixedDelay) OnFailure(time.Time) (time.Duration, bool) {
	if r.Attempts >= 0 && r.used >= r.Attempts {
		return 0, true
	}
	r.used++
	return r.Delay, false
}

// Exponential restarts after Initial, then after Multiplier times as long each
// time, up to Max. A delay is moved by chance by up to Jitter times itself, so
// that many jobs do not come back at the same moment; it never exceeds Max. A
// job that ran ResetAfter without a failure (0: no reset) begins anew with
// Initial and with its Attempts. Attempts 0: for ever.
type Exponential struct {
	Initial, Max time.Duration
	Multiplier   float64
	Jitter       float64 // 0 to 1
	ResetAfter   time.Duration
	Attempts     int
}

// String names the strategy and its limits.
func (s Exponential) String() string {
	text := fmt.Sprintf("restart after %v, %g times as long each time, up to %v", s.Initial, s.Multiplier, s.Max)
	if s.Attempts > 0 {
		text += fmt.Sprintf(", at most %d times", s.Attempts)
	}
	return text
}

// Validate refuses delays that would shrink or overflow.
func (s Exponential) Validate() error {
	switch {
	case s.Initial <= 0:
		return fmt.Errorf("Exponential.Initial is %v; give a positive duration", s.Initial)
	case s.Max < s.Initial:
		return fmt.Errorf("Exponential.Max is %v, less than Initial %v; give at least that", s.Max, s.Initial)
	case !(s.Multiplier >= 1) || math.IsInf(s.Multiplier, 1):
		return fmt.Errorf("Exponential.Multiplier is %v; give 1 or more", s.Multiplier)
	case !(s.Jitter >= 0 && s.Jitter <= 1):
		return fmt.Errorf("Exponential.Jitter is %v; give a share from 0 to 1", s.Jitter)
	case s.ResetAfter < 0:
		return fmt.Errorf("Exponential.ResetAfter is %v; give 0 or a positive duration", s.ResetAfter)
	case s.Attempts < 0:
		return fmt.Errorf("Exponential.Attempts is %d; give a positive number, or 0 for any", s.Attempts)
	}
	return nil
}

// New begins with Initial.
func (s Exponential) New(rng *rand.Rand) Restarter { return &exponential{Exponential: s, rng: rng} }

type exponential struct {
	Exponential
	rng       *rand.Rand
	base      time.Duration // of the last delay, before jitter; 0: none yet
	used      int           // restarts since the last reset
	restarted time.Time     // when the last restart was due
}

func (r *exponential) OnFailure(now time.Time) (time.Duration, bool) {
	if r.used > 0 && r.ResetAfter > 0 && now.Sub(r.restarted) >= r.ResetAfter {
		r.base, r.used = 0, 0
	}
	if r.Attempts > 0 && r.used >= r.Attempts {
		return 0, true
	}
	r.used++
	r.base = r.grow()
	delay := r.jitter(r.base)
	r.restarted = now.Add(delay)
	return delay, false
}

func (r *exponential) grow() time.Duration {
	if r.base == 0 {
		return r.Initial
	}
	return r.capped(float64(r.base) * r.Multiplier)
}

// capped compares before it converts, since a float beyond Max may be beyond
// every duration.
func (r *exponential) capped(d float64) time.Duration {
	if d >= float64(r.Max) {
		return r.Max
	}
	return time.Duration(d)
}

func (r *exponential) jitter(d time.Duration) time.Duration {
	if r.Jitter == 0 {
		return d
	}
	return r.capped(float64(d) * (1 + r.Jitter*(2*r.rng.Float64()-1)))
}

// FailureRate restarts after Delay while there were at most Failures failures
// within the last Per; the next one within that time is one too many.
type FailureRate struct {
	Failures int
	Per      time.Duration
	Delay    time.Duration
}

// String names the strategy and its limits.
func (s FailureRate) String() string {
	return fmt.Sprintf("at most %d failures in %v, restart after %v", s.Failures, s.Per, s.Delay)
}

// Validate refuses a rate that allows nothing or has no time.
func (s FailureRate) Validate() error {
	switch {
	case s.Failures < 1:
		return fmt.Errorf("FailureRate.Failures is %d; give at least 1, or use NoRestart", s.Failures)
	case s.Per <= 0:
		return fmt.Errorf("FailureRate.Per is %v; give a positive duration", s.Per)
	case s.Delay < 0:
		return fmt.Errorf("FailureRate.Delay is %v; give 0 or a positive duration", s.Delay)
	}
	return nil
}

// New begins with no failures.
func (s FailureRate) New(*rand.Rand) Restarter { return &failureRate{FailureRate: s} }

type failureRate struct {
	FailureRate
	at []time.Time // of the newest failures, at most Failures of them, ascending
}

func (r *failureRate) OnFailure(now time.Time) (time.Duration, bool) {
	if len(r.at) == r.Failures {
		if now.Sub(r.at[0]) < r.Per {
			return 0, true
		}
		r.at = r.at[1:]
	}
	r.at = append(r.at, now)
	return r.Delay, false
}
