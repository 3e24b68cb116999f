package kafkatest_test

import (
	"context"
	"fmt"

	"github.com/weirflow/weir/operators/kafka"
	"github.com/weirflow/weir/operators/kafka/kafkatest"
)

// A broker that is killed and comes back, with what it had.
func Example() {
	ctx := context.Background()
	b, err := kafkatest.Start(ctx, kafkatest.Options{Version: "4.1.1"})
	if err != nil {
		fmt.Println(err) // says what to install, or how the broker's log ends
		return
	}
	defer b.Stop(ctx)
	fmt.Println(kafka.Cluster{Brokers: []string{b.Addr()}})
	b.Kill()
	if err := b.Restart(ctx); err != nil {
		fmt.Println(err)
	}
}

// Jars can be fetched before a test's time begins to count.
func ExampleFetch() {
	if _, err := kafkatest.Fetch(context.Background(), "", "4.1.1"); err != nil {
		fmt.Println(err)
	}
}

// A second listener asks who comes, and what they may do. Rights are given by ACLs, over
// the first listener.
func ExampleSecure() {
	ctx := context.Background()
	b, err := kafkatest.Start(ctx, kafkatest.Options{Version: "4.1.1", Secure: &kafkatest.Secure{
		Users: map[string]string{"alice": "wonder"}, Authorize: true,
	}})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer b.Stop(ctx)
	fmt.Println(kafka.Cluster{Brokers: []string{b.SecureAddr()}, TLS: b.TLS(), SASL: kafka.ScramSHA512("alice", "wonder")})
}
