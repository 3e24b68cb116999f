// Command tips is weir's main example: taxi trips become hourly tips per
// pick-up zone, in event time, exactly once, while the process that computes
// them is killed again and again.
//
//	tips                         a demo; what `make demo` does
//	tips demo -kills 10          run, kill, restart, compare
//	tips demo -input trips.csv   the same on real data
//	tips demo -kafka fake        from Kafka into Kafka; fake is a stand-in for a broker
//	tips soak -minutes 10        many demos beside a job whose memory is watched
//	tips job -dir DIR            the job alone, over DIR/trips.pb, or -brokers ADDRESSES
//	tips produce -dir DIR -brokers ADDRESSES   copy DIR/trips.pb into Kafka
//	tips broker                  a stand-in for a broker, until its input ends
//	tips generate -dir DIR       write DIR/trips.pb
//	tips check -dir DIR          compare what the job committed in DIR
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"
)

// runAsMain is set for processes that the demo starts: the binary of a test
// becomes this program then.
const runAsMain = "WEIR_TIPS_RUN_AS_MAIN"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "tips:", err)
		os.Exit(1)
	}
}

// settings are the flags of all modes.
type settings struct {
	input   string
	trips   int
	kills   int
	seed    uint64
	minutes float64
	dir     string
	rate    float64
	kafka   string
	brokers string
}

// outside is Kafka when there are brokers.
func (s *settings) outside() outside {
	if s.brokers != "" {
		return newKafkaOutside(strings.Split(s.brokers, ","))
	}
	return newFileOutside(workFolders(s.dir))
}

func run(ctx context.Context, args []string) error {
	if len(args) == 0 {
		args = []string{"demo"}
	}
	s, err := parse(args[0], args[1:])
	if err != nil {
		return err
	}
	switch args[0] {
	case "demo":
		return s.inWorkFolder(func(w workFolders) error { return s.demo(w).run(ctx) })
	case "soak":
		return s.inWorkFolder(func(w workFolders) error {
			long := time.Duration(s.minutes * float64(time.Minute))
			return (&soak{For: long, Seed: s.seed, Kafka: s.kafka, Folder: w, Out: os.Stdout}).run(ctx)
		})
	case "job":
		return runJob(ctx, workFolders(s.dir), s.outside(), s.rate)
	case "produce":
		return produce(ctx, workFolders(s.dir), newKafkaOutside(strings.Split(s.brokers, ",")))
	case "broker":
		return runFake()
	case "generate":
		_, err := s.demo(workFolders(s.dir)).prepare()
		return err
	case "check":
		return s.check(workFolders(s.dir))
	}
	return fmt.Errorf("%q is nothing to do; say demo, soak, job, produce, broker, generate or check", args[0])
}

func parse(mode string, args []string) (*settings, error) {
	s := &settings{}
	f := flag.NewFlagSet("tips "+mode, flag.ContinueOnError)
	f.StringVar(&s.input, "input", "", "CSV `file` of trips; generated ones without it")
	f.IntVar(&s.trips, "trips", 500_000, "how many trips to generate")
	f.IntVar(&s.kills, "kills", 10, "how often to kill the job")
	f.Uint64Var(&s.seed, "seed", 1, "of the generator and of the moments of the kills")
	f.Float64Var(&s.minutes, "minutes", 10, "how long to soak")
	f.StringVar(&s.dir, "dir", "", "work `folder`; a temporary one without it, removed after success")
	f.Float64Var(&s.rate, "rate", 0, "trips a second that the job reads at most; 0 is as fast as it can")
	f.StringVar(&s.kafka, "kafka", "", "fake or real: trips and results are in Kafka, not in files")
	f.StringVar(&s.brokers, "brokers", "", "addresses of Kafka, for a job that reads and writes there")
	if err := f.Parse(args); err != nil {
		return nil, err
	}
	if s.trips < 1 || s.kills < 0 || s.minutes <= 0 || s.rate < 0 {
		return nil, fmt.Errorf("-trips %d -kills %d -minutes %v -rate %v: none may be negative, and there must be trips and time", s.trips, s.kills, s.minutes, s.rate)
	}
	return s, nil
}

func (s *settings) demo(w workFolders) *demo {
	return &demo{Input: s.input, Trips: s.trips, Kills: s.kills, Seed: s.seed, Kafka: s.kafka, Folder: w, Out: os.Stdout}
}

// inWorkFolder gives f a folder. A temporary one goes when all went well.
func (s *settings) inWorkFolder(f func(workFolders) error) error {
	if s.dir != "" {
		return f(workFolders(s.dir))
	}
	temp, err := os.MkdirTemp("", "weir-tips-")
	if err != nil {
		return err
	}
	if err := f(workFolders(temp)); err != nil {
		return err
	}
	return os.RemoveAll(temp)
}

func (s *settings) check(w workFolders) error {
	got := newCommitted(newFileOutside(w))
	if err := got.refresh(); err != nil {
		return err
	}
	return s.demo(w).judge(got, 0, 0)
}
