// Command kafkacost measures what weir's Kafka connector costs, on a real broker that it
// starts: records a second of the client's CPU time, and how long a record takes to its
// committed result. Each side runs in a process of its own, in turn with the others, over
// the same topics, and everything that is written is read back and compared. It prints a
// table of BENCHMARKS.md.
//
// It is a module of its own, for sarama, which it compares with, is none of weir's
// dependencies.
//
//	kafkacost                     everything, three rounds each
//	kafkacost -only 'sum|pass'    some of it: source, sink, pass, sum, latency
//	kafkacost -million 2 -rounds 1  a short run
package main

import (
	"context"
	"flag"
	"fmt"
	"log"
	"os"
	"os/signal"
	"regexp"
	"runtime"

	"github.com/weirflow/weir/operators/kafka/kafkatest"
)

func main() {
	if len(os.Args) > 1 && os.Args[1] == "client" {
		if err := clientMain(os.Args[2:]); err != nil {
			log.Fatal(err)
		}
		return
	}
	var (
		million = flag.Int64("million", 12, "records of the input, in millions")
		rounds  = flag.Int("rounds", 3, "how often each side runs")
		seconds = flag.Int64("seconds", 20, "how long latency is measured, after twenty more")
		only    = flag.String("only", "", "`regexp` of what to measure: source, sink, pass, sum, latency")
		version = flag.String("version", "4.1.1", "Kafka's")
		data    = flag.String("data", "", "`folder` for the broker's data; on a slow disk one that is in memory (default a temporary one)")
	)
	flag.Parse()
	which, err := regexp.Compile(*only)
	if err != nil {
		log.Fatalf("-only: %v", err)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	b := &bench{records: *million * 1_000_000, rounds: *rounds, seconds: *seconds, which: which}
	if err := b.run(ctx, kafkatest.Options{Version: *version, Dir: *data}); err != nil {
		log.Fatal(err)
	}
}

// bench measures all that was asked for.
type bench struct {
	records int64
	rounds  int
	seconds int64
	which   *regexp.Regexp
	stage   *stage
	rows    []row
}

func (b *bench) run(ctx context.Context, broker kafkatest.Options) (err error) {
	if b.stage, err = startStage(ctx, broker); err != nil {
		return err
	}
	defer func() {
		if stopped := b.stage.stop(); err == nil {
			err = stopped
		}
	}()
	if err := b.stage.load(ctx, inputTopic, b.records); err != nil {
		return err
	}
	for _, part := range []struct {
		name    string
		measure func(context.Context) error
	}{
		{"source", b.source}, {"sink", b.sink}, {"pass", b.pass}, {"sum", b.sum}, {"latency", b.latency},
	} {
		if !b.which.MatchString(part.name) {
			continue
		}
		if err := part.measure(ctx); err != nil {
			return fmt.Errorf("%s: %w", part.name, err)
		}
	}
	fmt.Printf("Kafka %s, %s, %d cores, %s, %d M records, %d rounds\n\n", broker.Version, processor(), runtime.NumCPU(), runtime.Version(), b.records/1_000_000, b.rounds)
	printRows(b.rows)
	return nil
}
