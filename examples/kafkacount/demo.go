package main

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/weirflow/weir/cluster"
	"github.com/weirflow/weir/operators/kafka"
)

// rhyme is what the demo counts, some times over.
var rhyme = []string{
	"how much wood would a woodchuck chuck",
	"if a woodchuck could chuck wood",
	"he would chuck he would as much as he could",
	"and chuck as much wood as a woodchuck would",
	"if a woodchuck could chuck wood",
}

const times = 200

// demo runs the job with a stand-in for a broker in this process, and compares what a
// reader of committed records sees with what a loop counts.
func demo(ctx context.Context, out io.Writer) error {
	fmt.Fprintln(out, "A stand-in for a Kafka broker runs in this process; -brokers names real ones.")
	fake, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(4, "lines", "counts"))
	if err != nil {
		return err
	}
	defer fake.Close()
	client, err := kgo.NewClient(kgo.SeedBrokers(fake.ListenAddrs()...), kgo.ConsumeTopics("counts"), kgo.FetchIsolationLevel(kgo.ReadCommitted()))
	if err != nil {
		return err
	}
	defer client.Close()
	for i := range times * len(rhyme) {
		client.Produce(ctx, &kgo.Record{Topic: "lines", Value: []byte(rhyme[i%len(rhyme)])}, nil)
	}
	if err := client.Flush(ctx); err != nil {
		return err
	}
	at := kafka.Cluster{Brokers: fake.ListenAddrs()}
	config := cluster.Config{Checkpoint: cluster.Every(20 * time.Millisecond)}
	if _, err := cluster.Run(ctx, job(at, kafka.EndingAt(kafka.UntilLatest())), config); err != nil {
		return err
	}
	return check(ctx, client, out)
}

// check reads every count that a word had, and wants each once.
func check(ctx context.Context, client *kgo.Client, out io.Writer) error {
	want, left := map[string]int{}, map[string]bool{}
	for _, line := range rhyme {
		for _, w := range strings.Fields(line) {
			want[w] += times
		}
	}
	for w, n := range want {
		for i := range n {
			left[fmt.Sprintf("%s %d", w, i+1)] = true
		}
	}
	total := len(left)
	for len(left) > 0 {
		fetches := client.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			return err
		}
		for _, r := range fetches.Records() {
			if !left[string(r.Value)] {
				return fmt.Errorf("%q is there twice, or should not be there", r.Value)
			}
			delete(left, string(r.Value))
		}
	}
	fmt.Fprintf(out, "would %d, chuck %d, woodchuck %d\n%d counts of %d words, each of them once\n", want["would"], want["chuck"], want["woodchuck"], total, len(want))
	return nil
}
