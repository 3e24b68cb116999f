//go:build kafka

package kafkatest_test

import (
	"context"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/weirflow/weir/operators/kafka/kafkatest"
)

// stop ends a broker at the test's end.
func stop(t *testing.T, b *kafkatest.Broker) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := b.Stop(ctx); err != nil {
		t.Error(err)
	}
}

func start(t *testing.T, o kafkatest.Options) *kafkatest.Broker {
	t.Helper()
	b, err := kafkatest.Start(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// What was acknowledged is there after kill -9, and after a stop, in the folder that was given.
func TestRealDataStay(t *testing.T) {
	o := kafkatest.Options{Version: "4.1.1", TransactionVersion: 1, Dir: t.TempDir(), Properties: map[string]string{"auto.create.topics.enable": "true"}}
	b := start(t, o)
	write(t, b, "before")
	b.Kill()
	if err := b.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	write(t, b, "after the kill")
	stop(t, b)
	b = start(t, o)
	defer stop(t, b)
	c := client(t, b, kgo.ConsumeTopics("t"))
	var got []string
	for len(got) < 2 {
		c.PollFetches(t.Context()).EachRecord(func(r *kgo.Record) { got = append(got, string(r.Value)) })
	}
	if all := strings.Join(got, ","); all != "before,after the kill" {
		t.Errorf("got %s", all)
	}
}

func client(t *testing.T, b *kafkatest.Broker, options ...kgo.Opt) *kgo.Client {
	t.Helper()
	c, err := kgo.NewClient(append(options, kgo.SeedBrokers(b.Addr()), kgo.AllowAutoTopicCreation())...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func write(t *testing.T, b *kafkatest.Broker, value string) {
	t.Helper()
	if err := client(t, b).ProduceSync(t.Context(), &kgo.Record{Topic: "t", Value: []byte(value)}).FirstErr(); err != nil {
		t.Fatal(err)
	}
}

// Stop leaves neither a process nor a temporary folder behind.
func TestRealStopLeavesNothing(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	b := start(t, kafkatest.Options{Version: "4.1.1"})
	pid := b.Process()
	stop(t, b)
	if err := syscall.Kill(pid, 0); err != syscall.ESRCH {
		t.Errorf("process %d is there: %v", pid, err)
	}
	if left, _ := filepath.Glob(filepath.Join(os.TempDir(), "kafkatest-*")); len(left) > 0 {
		t.Errorf("%v are left", left)
	}
}

// A port that is taken is told as such, so that Start can take another one.
func TestRealPortTaken(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	taken := map[string]string{
		"listeners": "PLAIN://" + l.Addr().String() + ",CONTROLLER://127.0.0.1:16001", "advertised.listeners": "PLAIN://" + l.Addr().String(),
		"controller.quorum.voters": "1@127.0.0.1:16001",
	}
	_, err = kafkatest.Start(t.Context(), kafkatest.Options{Version: "4.1.1", Dir: t.TempDir(), Properties: taken})
	if err == nil || !strings.Contains(err.Error(), "a port was taken by another program") {
		t.Errorf("got %v", err)
	}
}

// A start that is given up, and one that cannot be, leave no process, and say why.
func TestRealStartFails(t *testing.T) {
	_, err := kafkatest.Start(t.Context(), kafkatest.Options{Version: "4.1.1", Dir: t.TempDir(), Properties: map[string]string{"num.partitions": "x"}})
	if err == nil || !strings.Contains(err.Error(), "num.partitions") {
		t.Errorf("got %v", err)
	}
	folder := t.TempDir()
	_, err = kafkatest.Start(t.Context(), kafkatest.Options{Version: "4.1.1", Dir: folder, Properties: map[string]string{"authorizer.class.name": "no.such.Class"}})
	if err == nil || !strings.Contains(err.Error(), filepath.Join(folder, "broker.log")) {
		t.Errorf("got %v", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	if _, err := kafkatest.Start(ctx, kafkatest.Options{Version: "4.1.1", Dir: t.TempDir()}); err == nil || !strings.Contains(err.Error(), "deadline exceeded") {
		t.Errorf("got %v", err)
	}
}
