package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"time"
)

// demo is a run of the job in a process of its own that is killed and restarted
// until it has lived through all its lives, and is then compared with the
// straight-line program.
type demo struct {
	Input  string // a CSV file; "" generates
	Trips  int    // how many to generate
	Kills  int
	Seed   uint64
	Kafka  string // "fake" or "real": the trips and results are in Kafka; "": in files
	Folder workFolders
	Out    io.Writer // progress and report
}

// meanLife is how long a process lives on average before it is killed. A real
// broker is slower to let the next one begin, and dies as well.
func (d *demo) meanLife() time.Duration {
	if d.Kafka == "real" {
		return 2400 * time.Millisecond
	}
	return 600 * time.Millisecond
}

// run gives an error unless all that was committed is what had to be.
func (d *demo) run(ctx context.Context) (err error) {
	count, err := d.prepare()
	if err != nil {
		return err
	}
	st, err := d.setUp(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, st.close()) }()
	got, start := newCommitted(st), time.Now()
	if err := d.liveAndDie(ctx, got, int64(count), st); err != nil {
		return err
	}
	if err := st.settle(ctx, got, d.Out); err != nil {
		return err
	}
	return d.judge(got, d.Kills, time.Since(start))
}

// judge compares what was committed with the straight-line program.
func (d *demo) judge(got *committed, kills int, took time.Duration) error {
	want, err := straightLine(d.Folder.trips())
	if err != nil {
		return err
	}
	v := compare(want, got)
	printReport(d.Out, want, v, kills, took)
	if !v.exactlyOnce() {
		return fmt.Errorf("the job's output differs from the straight-line program's; everything is kept in %s", d.Folder)
	}
	return nil
}

// prepare writes the input file, in arrival order. It does not mix runs.
func (d *demo) prepare() (int, error) {
	if _, err := os.Stat(d.Folder.state()); err == nil {
		return 0, fmt.Errorf("%s holds an earlier run; name another folder, or remove it", d.Folder)
	}
	if err := os.MkdirAll(string(d.Folder), 0o755); err != nil {
		return 0, err
	}
	source, from := generatedTrips(d.Trips, d.Seed), fmt.Sprintf("the generator, seed %d", d.Seed)
	if d.Input != "" {
		source, from = csvTrips(d.Input), d.Input
	}
	count, err := writeTrips(d.Folder.trips(), source)
	if err != nil {
		return 0, err
	}
	fmt.Fprintf(d.Out, "%d trips from %s, in the order of their ends; everything is in %s\n", count, from, d.Folder)
	return count, nil
}

// liveAndDie runs one process after another and kills all but the last.
func (d *demo) liveAndDie(ctx context.Context, got *committed, count int64, st *stage) error {
	crashing := map[int]bool{}
	if st.broker != nil {
		crashing = crashes(d.Kills, d.Seed)
	}
	watch := newProgress(d.Out, got, count)
	defer watch.tick.Stop()
	lives := drawLives(d.Kills, d.Seed, d.meanLife())
	for i, life := range lives {
		p, err := startJob(ctx, d.Folder, slowEnough(d.left(i, lives, crashing), count-got.Trips), st.brokers())
		if err != nil {
			return err
		}
		if crashing[i] {
			if err := underCrash(ctx, st.broker, watch, p, d.meanLife()/4); err != nil {
				return err
			}
		}
		if err := watch.until(p, time.After(life)); err != nil {
			return err
		}
		if err := p.kill(); err != nil {
			return err
		}
		watch.kills++
	}
	last, err := startJob(ctx, d.Folder, 0, st.brokers()) // reads as fast as it can
	if err != nil {
		return err
	}
	return watch.until(last, nil)
}

// crashTakes is more than what a broker needs to be back. The job lives on meanwhile, and
// makes up for it afterwards.
const crashTakes = 15 * time.Second

// left is how long life i and those behind it last together, and one more.
func (d *demo) left(i int, lives []time.Duration, crashing map[int]bool) time.Duration {
	all := d.meanLife()
	for j, life := range lives[i:] {
		if all += life; crashing[i+j] {
			all += crashTakes
		}
	}
	return all
}

// slowEnough gives the trips per second at which all lives that are left cannot
// reach the end of the input, so that every death hits work in progress.
func slowEnough(left time.Duration, trips int64) float64 {
	return float64(max(1, trips)) / left.Seconds()
}

// drawLives draws how long each process lives. Every fourth dies while it still
// recovers from the death before.
func drawLives(n int, seed uint64, mean time.Duration) []time.Duration {
	rng := rand.New(rand.NewPCG(seed, 0))
	lives := make([]time.Duration, n)
	for i := range lives {
		lives[i] = mean/2 + time.Duration(rng.Int64N(int64(mean)))
		if rng.IntN(4) == 0 {
			lives[i] /= 8
		}
	}
	return lives
}
