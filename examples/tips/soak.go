package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"time"
)

// soak runs two things beside each other until its time is over: one job that
// is never killed, whose memory must stay flat, and demo after demo, whose jobs
// are killed all the time. All of them must commit exactly what they have to.
type soak struct {
	For    time.Duration
	Seed   uint64
	Kafka  string // see demo
	Folder workFolders
	Out    io.Writer
}

const (
	steadyRate     = 4000 // trips per second of the job that is never killed
	roundTrips     = 100_000
	roundKills     = 20
	killsPerMinute = 20 // at least, or the soak was none
	killsWithKafka = 8  // the same with a real broker, which dies twice a round
)

func (s *soak) run(ctx context.Context) (err error) {
	steady := &demo{Trips: int(s.For.Seconds() * steadyRate), Seed: s.Seed, Kafka: s.Kafka, Folder: s.Folder.sub("steady"), Out: s.Out}
	count, err := steady.prepare()
	if err != nil {
		return err
	}
	st, err := steady.setUp(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, st.close()) }()
	start := time.Now()
	job, err := startJob(ctx, steady.Folder, steadyRate, st.brokers())
	if err != nil {
		return err
	}
	memory := watchMemory(job, s.Out)
	kills, err := s.rounds(ctx, start)
	if err != nil {
		job.kill()
		return err
	}
	fmt.Fprintf(s.Out, "\n%d kills are survived; now the end of the job that was never killed\n", kills)
	got := newCommitted(st)
	watch := newProgress(s.Out, got, int64(count))
	defer watch.tick.Stop()
	if err := watch.until(job, nil); err != nil {
		return err
	}
	if err := st.settle(ctx, got, s.Out); err != nil {
		return err
	}
	return errors.Join(steady.judge(got, 0, time.Since(start)), memory.judge(s.Out), s.enough(kills))
}

// rounds runs demos until the time is over and gives the number of kills.
func (s *soak) rounds(ctx context.Context, start time.Time) (kills int, err error) {
	rng := rand.New(rand.NewPCG(s.Seed, 1))
	for round := 1; time.Since(start) < s.For; round++ {
		d := &demo{Trips: roundTrips, Kills: roundKills, Seed: rng.Uint64(), Kafka: s.Kafka, Folder: s.Folder.sub("round"), Out: io.Discard}
		if err := d.run(ctx); err != nil {
			return kills, fmt.Errorf("round %d, seed %d: %w", round, d.Seed, err)
		}
		kills += d.Kills
		fmt.Fprintf(s.Out, "%5.0f s  round %3d: %d trips, exactly once; %d kills so far\n", time.Since(start).Seconds(), round, d.Trips, kills)
		if err := os.RemoveAll(string(d.Folder)); err != nil {
			return kills, err
		}
	}
	return kills, nil
}

func (s *soak) enough(kills int) error {
	perMinute := killsPerMinute
	if s.Kafka == "real" {
		perMinute = killsWithKafka
	}
	if want := int(s.For.Minutes() * float64(perMinute)); kills < want {
		return fmt.Errorf("only %d kills in %v, at least %d make a soak", kills, s.For, want)
	}
	return nil
}

func (w workFolders) sub(name string) workFolders { return workFolders(filepath.Join(string(w), name)) }
