package main

import (
	"fmt"
	"io"
	"time"
)

// progress tells each second how far a job is, judged from outside by what it
// committed.
type progress struct {
	w     io.Writer
	start time.Time
	tick  *time.Ticker
	got   *committed
	of    int64 // trips
	kills int
}

func newProgress(w io.Writer, got *committed, of int64) *progress {
	return &progress{w: w, start: time.Now(), tick: time.NewTicker(time.Second), got: got, of: of}
}

// until watches a process until it ends or the time comes. It gives an error
// when the process fails, or ends when it should not.
func (p *progress) until(job *process, enough <-chan time.Time) error {
	for {
		select {
		case err := <-job.ended:
			if err == nil && enough != nil {
				err = errEndedEarly
			}
			if err != nil {
				return fmt.Errorf("%w\n%s", err, job.lastWords())
			}
			return p.got.refresh()
		case <-enough:
			return nil
		case <-p.tick.C:
			if err := p.got.refresh(); err != nil {
				return err
			}
			p.print()
		}
	}
}

func (p *progress) print() {
	took := time.Since(p.start).Seconds()
	fmt.Fprintf(p.w, "%5.1f s  killed %2d times  committed %7d results, %6d late trips  %3d %%  %7.0f trips/s\n",
		took, p.kills, p.got.Rows, len(p.got.Late), 100*p.got.Trips/max(1, p.of), float64(p.got.Trips)/took)
}
