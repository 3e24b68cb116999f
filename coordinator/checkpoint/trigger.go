package checkpoint

import "time"

// Config paces checkpoints. The coordinator has validated it.
type Config struct {
	Interval    time.Duration // between two triggers; 0: only on demand, and the last
	MinPause    time.Duration // from the end of one checkpoint to the next periodic trigger
	Timeout     time.Duration // from trigger to the last ack
	CommitRetry time.Duration // until Complete is re-sent, or a failed last checkpoint tried again
	Tolerable   int           // failures in a row that the job survives; -1: any number
}

// pace decides when the next checkpoint may begin and how many may fail.
type pace struct {
	cfg      Config
	next     time.Time // the next periodic trigger; zero: none
	rested   time.Time // the min pause after the checkpoint before ends here
	retry    time.Time // a last checkpoint that failed is not tried again before
	failures int       // in a row; 0 <= failures <= cfg.Tolerable unless that is -1
}

// onRunning restarts the interval: all regions run, so there is something new
// to save only an interval from now.
func (p *pace) onRunning(now time.Time) { p.restart(now) }

func (p *pace) onTriggered(now time.Time) { p.restart(now) }

func (p *pace) restart(now time.Time) {
	if p.cfg.Interval > 0 {
		p.next = now.Add(p.cfg.Interval)
	}
}

func (p *pace) onSucceeded(now time.Time) {
	p.failures = 0
	p.rested = now.Add(p.cfg.MinPause)
}

// onFailed tells whether the failure is one too many. The count then begins
// anew, since the attempts do.
func (p *pace) onFailed(now time.Time) (inARow int, tooMany bool) {
	p.rested = now.Add(p.cfg.MinPause)
	p.retry = now.Add(p.cfg.CommitRetry)
	p.failures++
	inARow = p.failures
	if tooMany = p.cfg.Tolerable >= 0 && inARow > p.cfg.Tolerable; tooMany {
		p.failures = 0
	}
	return inARow, tooMany
}

// periodic gives the time of the next periodic trigger, if there is one.
func (p *pace) periodic() (at time.Time, some bool) {
	if p.next.IsZero() {
		return p.next, false
	}
	return later(p.next, p.rested), true
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// earliest gives the first of the times that are set; zero: none is.
func earliest(times ...time.Time) time.Time {
	var first time.Time
	for _, t := range times {
		if !t.IsZero() && (first.IsZero() || t.Before(first)) {
			first = t
		}
	}
	return first
}
