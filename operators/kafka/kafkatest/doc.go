// Package kafkatest runs a real Kafka broker for tests: a single node, on this machine,
// that can be killed and brought back with its data.
//
//	b, err := kafkatest.Start(ctx, kafkatest.Options{Version: "4.1.1"})
//	...
//	defer b.Stop(ctx)
//	job(kafka.Cluster{Brokers: []string{b.Addr()}})
//	b.Kill()       // kill -9
//	b.Restart(ctx) // same address, same data
//
// # What it needs
//
// Java, 17 or newer for Kafka 4, and Maven, which fetches a version's jars once, some 45
// MB, into a folder of their own: Fetch. Where something is missing, or cannot be fetched,
// that is an error which says what to install: a test that needs a broker fails then, and
// is not skipped.
//
// # Which broker
//
// It is alone: replication factor 1, its own controller, on the loopback interface at
// ports that were free. Topics are not created by themselves. Sessions are short, so that
// a broker that was killed comes back after seconds, and transactions that are out of time
// are looked for every second. Options.Properties changes any of it.
//
// A broker that is killed and comes back must not have lost what it acknowledged, and of
// Kafka's versions 4.3 and 4.4 can lose the markers that end transactions then: there is
// nobody else who leads a partition meanwhile. Tests that kill want 3.9 or 4.1.
//
// # Logging in
//
// Options.Secure adds a second listener with TLS: log in by PLAIN, SCRAM or OAUTHBEARER,
// or show a certificate. Secure.Authorize has the broker ask for rights there. The
// first listener stays open to all, for the test itself.
//
// # Processes
//
// A Broker ends with Stop, and where its program dies the kernel ends it as well (Linux).
// Only what this package has started is ever ended by it. A Broker's methods are called
// by one goroutine at a time, apart from those that only tell addresses and certificates.
package kafkatest
