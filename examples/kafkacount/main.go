// Command kafkacount counts the words of a Kafka topic, lines, into another one, counts,
// exactly once: each count that a word ever had is there, and none twice.
//
//	kafkacount -brokers localhost:9092   until it is interrupted; begun again, it goes on
//	kafkacount                           with a stand-in for a broker, checks itself
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log"
	"os"
	"os/signal"
	"strings"
	"time"

	"github.com/weirflow/weir/cluster"
	"github.com/weirflow/weir/operators"
	"github.com/weirflow/weir/operators/kafka"
	"github.com/weirflow/weir/persistence/dir"
)

type Count struct {
	Word string
	N    int
}

func job(at kafka.Cluster, options ...kafka.SourceOption) *operators.Topology {
	top := operators.NewTopology("kafkacount")
	lines := operators.From(top, "lines", kafka.Source(at, kafka.InTopics("lines"), text, options...), operators.NoWatermarks[string]())
	words := operators.FlatMap(lines, "words", func(line string, out *operators.Out[Count]) error {
		for _, w := range strings.Fields(line) {
			out.Emit(Count{strings.ToLower(w), 1})
		}
		return nil
	})
	counts := operators.Reduce(operators.KeyBy(words, func(c Count) string { return c.Word }), "count", add)
	counts.To("counts", kafka.Sink(at, "counts", "kafkacount", message))
	return top
}

func text(r *kafka.Record) (string, error) { return string(r.Value), nil }

func add(a, b Count) Count { return Count{a.Word, a.N + b.N} }

func message(m *kafka.Message, c Count) error {
	m.Key, m.Value = []byte(c.Word), fmt.Appendf(nil, "%s %d", c.Word, c.N)
	return nil
}

func main() {
	brokers := flag.String("brokers", "", "addresses, host:port, with commas between them")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if *brokers == "" {
		if err := demo(ctx, os.Stdout); err != nil {
			log.Fatal(err)
		}
		return
	}
	at := kafka.Cluster{Brokers: strings.Split(*brokers, ",")}
	config := cluster.Config{Checkpoint: cluster.Every(100 * time.Millisecond), Store: dir.Open("state")}
	if _, err := cluster.Run(ctx, job(at), config); err != nil && !errors.Is(err, context.Canceled) {
		log.Fatal(err)
	}
}
