package kafka_test

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/weirflow/weir/operators"
	"github.com/weirflow/weir/operators/kafka"
)

func expect(t *testing.T, what string, got []string, want ...string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s: %q, want %q", what, got, want)
	}
}

// S1: the splits are the partitions of all topics, and what is read of all of them is
// what the topics hold, each once, with key, headers and time.
func TestReadsTopics(t *testing.T) {
	s := newStand(t, 3, []string{"a", "b"})
	for p := range int32(3) {
		s.write("a", p, fmt.Sprint("a", p), "x")
	}
	s.write("b", 1, "b1")
	s.must(s.writer.ProduceSync(t.Context(), &kgo.Record{
		Topic: "b", Partition: 2, Key: []byte("key"), Value: nil, Timestamp: time.UnixMilli(77), Headers: []kgo.RecordHeader{{Key: "h", Value: []byte("v")}},
	}).FirstErr())
	full := func(r *kafka.Record) (string, error) {
		headers, err := r.Headers()
		return fmt.Sprintf("%s:%d@%d %d %q=%q %v null=%v", r.Topic, r.Partition, r.Offset, r.Time, r.Key, r.Value, headers, r.Value == nil), err
	}
	r := s.open(kafka.Source(s.cluster, kafka.InTopics("b", "a"), full, kafka.EndingAt(kafka.UntilLatest())))
	if len(r.readers) != 6 {
		t.Fatalf("%d splits, want 6", len(r.readers))
	}
	for p := range 3 {
		got, _ := r.all(fmt.Sprintf("a:%d", p), 10)
		expect(t, "a", got, fmt.Sprintf(`a:%d@0 1000 ""="a%d" [] null=false`, p, p), fmt.Sprintf(`a:%d@1 1001 ""="x" [] null=false`, p))
	}
	got, _ := r.all("b:2", 10)
	expect(t, "b", got, `b:2@0 77 "key"="" [{h [118]}] null=true`)
	if got, _ = r.all("b:0", 10); len(got) != 0 {
		t.Errorf("an empty partition gave %q", got)
	}
}

// S2: opened again at any position it gave, a partition gives what was not read, in
// batches of any size, compressed or not.
func TestGoesOnAtAnyPosition(t *testing.T) {
	for _, codec := range []kgo.CompressionCodec{kgo.NoCompression(), kgo.GzipCompression(), kgo.SnappyCompression(), kgo.Lz4Compression(), kgo.ZstdCompression()} {
		s := newStand(t, 1, []string{"t"})
		c := s.connect(kgo.ProducerBatchCompression(codec), kgo.ProducerLinger(5*time.Millisecond))
		want := numbers("value ", 100)
		for i, v := range want {
			c.Produce(t.Context(), &kgo.Record{Topic: "t", Value: []byte(v + strings.Repeat(" ", 50)), Timestamp: time.UnixMilli(int64(i))}, nil)
		}
		s.must(c.Flush(t.Context()))
		trimmed := func(r *kafka.Record) (string, error) { return strings.TrimSpace(string(r.Value)), nil }
		source := kafka.Source(s.cluster, kafka.InTopics("t"), trimmed, kafka.EndingAt(kafka.UntilLatest()), kafka.PartitionBytes(500))
		r := s.open(source)
		got, places := r.all("t:0", 7)
		expect(t, fmt.Sprint(codec), got, want...)
		s.must(r.readers["t:0"].Close())
		s.write("t", 0, "later")
		for i := 0; i < len(places); i += 4 {
			again := r.at("t:0", places[i].position)
			got, _ := r.all("t:0", 3)
			if tail := want[places[i].values:]; !slices.Equal(got, tail) {
				t.Fatalf("from place %d: %q, want %q", i, got, tail)
			}
			s.must(again.Close())
		}
	}
}

// Only what is committed is read, unless told otherwise; the end of a bounded read is
// exact with markers and aborted transactions at it, and lies before what is open.
func TestReadsWhatIsCommitted(t *testing.T) {
	s := newStand(t, 1, []string{"t"})
	a := s.begin("a", "t", 0, "a0", "a1")
	b := s.begin("b", "t", 0, "b0")
	s.write("t", 0, "plain")
	s.end(b, kgo.TryAbort)
	s.must(b.BeginTransaction())
	s.send(b, "t", 0, "b1")
	s.end(a, kgo.TryCommit)
	s.end(b, kgo.TryAbort)
	bounded := func(options ...kafka.SourceOption) []string {
		source := kafka.Source(s.cluster, kafka.InTopics("t"), text, append(options, kafka.EndingAt(kafka.UntilLatest()))...)
		values, _ := s.open(source).all("t:0", 10)
		return values
	}
	expect(t, "all ended", bounded(), "a0", "a1", "plain")
	open := s.begin("c", "t", 0, "c0", "c1")
	s.write("t", 0, "behind")
	expect(t, "one is open", bounded(), "a0", "a1", "plain")
	expect(t, "uncommitted", bounded(kafka.ReadUncommitted()), "a0", "a1", "b0", "plain", "b1", "c0", "c1", "behind")
	s.end(open, kgo.TryCommit)
	expect(t, "that has ended", bounded(), "a0", "a1", "plain", "c0", "c1", "behind")
}

// S5: a start is where it was said, and what is told of the group decides only where
// that was asked for.
func TestStarts(t *testing.T) {
	s := newStand(t, 2, []string{"t"})
	s.write("t", 0, numbers("", 5)...)
	s.commit("some", "t", 0, 3)
	for _, c := range []struct {
		name  string
		start kafka.Start
		first string
		err   string
	}{
		{"earliest", kafka.FromEarliest(), "0", ""},
		{"latest", kafka.FromLatest(), "new", ""},
		{"time", kafka.FromTime(time.UnixMilli(1002)), "2", ""},
		{"a time to come", kafka.FromTime(time.UnixMilli(5000)), "new", ""},
		{"offsets", kafka.FromOffsets(map[string]map[int32]int64{"t": {0: 4, 1: 0}}), "4", ""},
		{"offsets of some", kafka.FromOffsets(map[string]map[int32]int64{"t": {0: 4}}), "", "FromOffsets has no offset for t:1; give one for every partition"},
		{"group", kafka.FromGroup("some", kafka.Latest), "3", ""},
		{"unknown group, earliest", kafka.FromGroup("other", kafka.Earliest), "0", ""},
		{"unknown group, latest", kafka.FromGroup("other", kafka.Latest), "new", ""},
		{"unknown group, none", kafka.FromGroup("other", kafka.None), "", `group "other" has committed no offset for t:0, and auto.offset.reset is "none"; commit one, or take "earliest" or "latest"`},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := &stand{t: t, fake: s.fake, cluster: s.cluster, writer: s.writer}
			r, err := s.tryOpen(kafka.Source(s.cluster, kafka.InTopics("t"), text, kafka.StartingAt(c.start)))
			if c.err != "" {
				if err == nil || err.Error() != c.err {
					t.Fatalf("%v, want %s", err, c.err)
				}
				return
			}
			s.must(err)
			if c.first == "new" {
				s.write("t", 0, "new")
			}
			if got := r.some("t:0", 1); got[0] != c.first {
				t.Errorf("began with %q, want %q", got[0], c.first)
			}
		})
	}
}

// What ends, ends there.
func TestEnds(t *testing.T) {
	s := newStand(t, 1, []string{"t"})
	s.write("t", 0, numbers("", 5)...)
	for _, c := range []struct {
		name string
		end  kafka.End
		want []string
	}{
		{"latest", kafka.UntilLatest(), numbers("", 5)},
		{"time", kafka.UntilTime(time.UnixMilli(1003)), numbers("", 3)},
		{"a time to come", kafka.UntilTime(time.UnixMilli(9000)), numbers("", 5)},
		{"offsets", kafka.UntilOffsets(map[string]map[int32]int64{"t": {0: 2}}), numbers("", 2)},
	} {
		got, _ := s.open(kafka.Source(s.cluster, kafka.InTopics("t"), text, kafka.EndingAt(c.end))).all("t:0", 2)
		expect(t, c.name, got, c.want...)
	}
}

// S6: what is wrong is refused before the job runs, with the option, the value and the
// remedy.
func TestRefusesBadOptions(t *testing.T) {
	good, topics := kafka.Cluster{Brokers: []string{"localhost:9092"}}, kafka.InTopics("t")
	for _, c := range []struct {
		source operators.Source[string]
		want   string
	}{
		{kafka.Source(good, topics, text, kafka.StartingAt(kafka.FromGroup("g", " earliest"))), `option kafka.StartingAt: auto.offset.reset is " earliest"; it is "earliest", "latest" or "none", without blanks around it`},
		{kafka.Source(good, topics, text, kafka.StartingAt(kafka.FromGroup("g", "smallest"))), `auto.offset.reset is "smallest"`},
		{kafka.Source(good, topics, text, kafka.OnOutOfRange("Latest")), `option kafka.OnOutOfRange: auto.offset.reset is "Latest"`},
		{kafka.Source(good, topics, text, kafka.StartingAt(kafka.FromGroup("", kafka.Latest))), "FromGroup: the group's id is empty; give it"},
		{kafka.Source(good, topics, text, kafka.StartingAt(kafka.FromOffsets(map[string]map[int32]int64{"t": {0: -1}}))), "FromOffsets: offset -1 of t:0: offsets are not negative"},
		{kafka.Source(good, topics, text, kafka.DiscoverEvery(-1)), "option kafka.DiscoverEvery(-1ns): give an interval above 0, or 0 to list partitions once"},
		{kafka.Source(good, topics, text, kafka.PartitionBytes(0)), "option kafka.PartitionBytes(0): give 1 byte to 1 GiB"},
		{kafka.Source(good, topics, text, kafka.Patience(0)), "option kafka.Patience(0s): must be positive"},
		{kafka.Source[string](good, topics, nil), "its Decoder is nil; give it one"},
		{kafka.Source(good, kafka.InTopics(), text), "InTopics(): give it the name of a topic at least"},
		{kafka.Source(good, kafka.InTopics("a b"), text), `InTopics: "a b" cannot be a topic's name: letters, digits, '.', '_' and '-', at most 249 of them`},
		{kafka.Source(good, kafka.InTopics("a", "a"), text), `InTopics: topic "a" is there twice`},
		{kafka.Source(good, kafka.InPattern("("), text), "InPattern(\"(\"): error parsing regexp"},
		{kafka.Source(good, kafka.InPartitions("t"), text), `InPartitions("t"): give it a partition at least`},
		{kafka.Source(good, kafka.InPartitions("t", 1, -2), text), `InPartitions("t"): partition -2: they count from 0`},
		{kafka.Source(kafka.Cluster{}, topics, text), `Cluster.Brokers is empty; give one address at least, such as "localhost:9092"`},
		{kafka.Source(kafka.Cluster{Brokers: []string{"localhost"}}, topics, text), `Cluster.Brokers: "localhost" is not host:port, such as "localhost:9092"`},
		{kafka.Source(kafka.Cluster{Brokers: []string{" h:1"}}, topics, text), `Cluster.Brokers: " h:1" is not host:port`},
		{kafka.Source(kafka.Cluster{Brokers: []string{"h:1"}, SASL: kafka.Plain("u", "")}, topics, text), `Cluster.SASL: Plain: the password of user "u" is empty; give it`},
		{kafka.Source(kafka.Cluster{Brokers: []string{"h:1"}, SASL: kafka.OAuthBearer(nil)}, topics, text), "Cluster.SASL: OAuthBearer(nil): give it a function that gives tokens"},
	} {
		err := c.source.(operators.Validator).Validate()
		if err == nil || !strings.HasPrefix(err.Error(), "kafka.Source(") || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v, want %s", err, c.want)
		}
	}
	if err := kafka.Source(good, topics, text, nil).(operators.Validator).Validate(); err != nil {
		t.Error(err)
	}
}

// Secrets do not show, however a cluster is printed.
func TestSecretsDoNotShow(t *testing.T) {
	c := kafka.Cluster{Brokers: []string{"h:1"}, SASL: kafka.ScramSHA512("user", "hush")}
	for _, form := range []string{"%v", "%+v", "%#v", "%s"} {
		if got := fmt.Sprintf(form, c) + fmt.Sprintf(form, c.SASL); strings.Contains(got, "hush") || strings.Contains(got, "user") {
			t.Errorf("%s gives %s", form, got)
		}
	}
}

// A topic that is missing is an error that says so, and is not created.
func TestMissingTopic(t *testing.T) {
	s := newStand(t, 1, []string{"t"}, kfake.AllowAutoTopicCreation())
	_, err := s.tryOpen(kafka.Source(s.cluster, kafka.InTopics("t", "typo"), text))
	if err == nil || !strings.Contains(err.Error(), `topic "typo" does not exist; create it, or correct its name`) {
		t.Errorf("got %v", err)
	}
	if _, _, there := s.topic("typo"); there {
		t.Error("the topic was created")
	}
	_, err = s.tryOpen(kafka.Source(s.cluster, kafka.InPartitions("t", 0, 3), text))
	if err == nil || err.Error() != `topic "t" has 1 partitions, and no partition 3` {
		t.Errorf("got %v", err)
	}
}

// A pattern finds whole names, also of topics that come later; those begin at their
// earliest record, wherever the others began.
func TestPatternAndDiscovery(t *testing.T) {
	s := newStand(t, 1, []string{"in-a", "in-b", "not-in-c", "in-"})
	source := kafka.Source(s.cluster, kafka.InPattern("in-.+"), text, kafka.StartingAt(kafka.FromLatest()))
	if every := source.Info().DiscoverEvery; every != 5*time.Minute {
		t.Errorf("it looks for partitions every %v, want 5m", every)
	}
	s.write("in-a", 0, "old")
	r := s.open(source)
	if len(r.readers) != 2 {
		t.Fatalf("%d splits, want 2", len(r.readers))
	}
	s.createTopic("in-d", 1)
	s.write("in-d", 0, "first of d")
	splits, err := source.Splits(t.Context())
	s.must(err)
	expect(t, "splits", splits, "in-a:0", "in-b:0", "in-d:0")
	positions, err := source.(operators.Starter).Start(t.Context(), splits[2:], true)
	s.must(err)
	r.at("in-d:0", positions[0])
	expect(t, "d", r.some("in-d:0", 1), "first of d")
	s.write("in-a", 0, "new")
	expect(t, "a", r.some("in-a:0", 1), "new")
}

// Where the next record is gone, that is an error which names it and the remedy; told
// so, reading goes on at what is there.
func TestOutOfRange(t *testing.T) {
	for _, c := range []struct {
		reset kafka.Reset
		want  []string
	}{{kafka.None, nil}, {kafka.Earliest, []string{"3", "4"}}, {kafka.Latest, []string{"new"}}} {
		s := newStand(t, 1, []string{"t"})
		s.write("t", 0, numbers("", 5)...)
		r := s.open(kafka.Source(s.cluster, kafka.InTopics("t"), text, kafka.OnOutOfRange(c.reset), kafka.StartingAt(kafka.FromOffsets(map[string]map[int32]int64{"t": {0: 1}}))))
		s.deleteRecords("t", 0, 3)
		if c.reset == kafka.None {
			err := r.readers["t:0"].Read(t.Context(), &operators.Batch[string]{}, 10)
			if err == nil || !strings.Contains(err.Error(), "t:0: offset 1 is not there: the partition has 3 to 4, as retention removed older records or the topic was cut off") {
				t.Errorf("got %v", err)
			}
			continue
		}
		if c.reset == kafka.Latest {
			time.AfterFunc(300*time.Millisecond, func() { s.writer.Produce(context.Background(), &kgo.Record{Topic: "t", Value: []byte("new")}, nil) })
		}
		expect(t, string(c.reset), r.some("t:0", len(c.want)), c.want...)
	}
}

// A topic that was deleted and created again is not taken for the old one.
func TestTopicCreatedAgain(t *testing.T) {
	s := newStand(t, 1, []string{"t"})
	s.write("t", 0, numbers("", 3)...)
	r := s.open(kafka.Source(s.cluster, kafka.InTopics("t"), text, kafka.Patience(time.Second)))
	r.some("t:0", 2)
	s.deleteTopic("t")
	s.createTopic("t", 1)
	for {
		err := r.readers["t:0"].Read(t.Context(), &operators.Batch[string]{}, 10)
		if err == nil {
			continue
		}
		if !strings.Contains(err.Error(), "the topic was deleted and created again since its position was stored") {
			t.Errorf("got %v", err)
		}
		return
	}
}

// Leaders that move, connections that break and answers that mean "not now" are got over;
// nothing is lost or read twice.
func TestGetsOverTrouble(t *testing.T) {
	s := newStand(t, 4, []string{"t"})
	r := s.open(kafka.Source(s.cluster, kafka.InTopics("t"), text, kafka.PartitionBytes(200)))
	trouble := []func(){
		func() { s.fake.ShufflePartitionLeaders() },
		func() { s.must(s.fake.MoveTopicPartition("t", 2, 1-s.fake.LeaderFor("t", 2))) },
		func() {
			s.fake.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Fetch}, Err: kerr.NotLeaderForPartition, Count: 3})
		},
		func() {
			s.fake.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Fetch}, Err: kerr.UnknownLeaderEpoch, Count: 2})
		},
		func() {
			s.fake.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Metadata}, Err: kerr.LeaderNotAvailable, Count: 2})
		},
		func() {
			s.fake.ControlKey(kmsg.Fetch.Int16(), func(kmsg.Request) (kmsg.Response, error, bool) {
				return nil, fmt.Errorf("cut the connection"), true
			})
		},
	}
	var written, read [4][]string
	for round, makeTrouble := range trouble {
		for p := range written {
			values := numbers(fmt.Sprintf("%d-%d-", round, p), 6)
			s.write("t", int32(p), values...)
			written[p] = append(written[p], values...)
		}
		for p := range written {
			read[p] = append(read[p], r.some(fmt.Sprintf("t:%d", p), 3)...)
			if p == 1 {
				makeTrouble()
			}
		}
	}
	for p := range written {
		read[p] = append(read[p], r.some(fmt.Sprintf("t:%d", p), len(written[p])-len(read[p]))...)
		expect(t, fmt.Sprintf("t:%d", p), read[p], written[p]...)
	}
}

// A broker that stays away is a failure that says for how long it was tried, and whom.
func TestGivesUp(t *testing.T) {
	s := newStand(t, 1, []string{"t"})
	r := s.open(kafka.Source(s.cluster, kafka.InTopics("t"), text, kafka.Patience(300*time.Millisecond)))
	s.fake.Close()
	err := r.readers["t:0"].Read(t.Context(), &operators.Batch[string]{}, 10)
	if err == nil || !strings.Contains(err.Error(), "t:0: no broker has answered for it in") || !strings.Contains(err.Error(), "(kafka.Patience)") {
		t.Errorf("got %v", err)
	}
}

// What does not decode fails the job with its place, or goes aside with place, bytes and
// reason.
func TestMalformed(t *testing.T) {
	s := newStand(t, 1, []string{"t"})
	s.write("t", 0, "good", "bad", "fine")
	decode := func(r *kafka.Record) (string, error) {
		if string(r.Value) == "bad" {
			return "", fmt.Errorf("no such thing")
		}
		return text(r)
	}
	r := s.open(kafka.Source(s.cluster, kafka.InTopics("t"), decode, kafka.EndingAt(kafka.UntilLatest())))
	err := r.readers["t:0"].Read(t.Context(), &operators.Batch[string]{}, 10)
	if err == nil || err.Error() != "t:0: the record at offset 1 does not decode: no such thing" {
		t.Errorf("got %v", err)
	}
	aside := kafka.Source(s.cluster, kafka.InTopics("t"), decode, kafka.EndingAt(kafka.UntilLatest()), kafka.SideOutputMalformed(operators.NewTag[operators.Malformed]("bad")))
	if tag := aside.Info().Malformed; tag != "bad" {
		t.Errorf("the tag is %q", tag)
	}
	var b operators.Batch[string]
	s.must(s.open(aside).readers["t:0"].Read(t.Context(), &b, 10))
	expect(t, "values", b.Values, "good", "fine")
	if got := fmt.Sprint(b.Bad); got != "[t:0@1: no such thing]" || string(b.Bad[0].Raw) != "bad" {
		t.Errorf("aside went %s, %q", got, b.Bad[0].Raw)
	}
}

// A reader that is given up gives back its turn: others go on, and the context's error
// comes at once.
func TestGivenUp(t *testing.T) {
	s := newStand(t, 2, []string{"t"}, kfake.NumBrokers(1))
	r := s.open(kafka.Source(s.cluster, kafka.InTopics("t"), text))
	ctx, cancel := context.WithCancel(t.Context())
	gone := make(chan error, 1)
	go func() { gone <- r.readers["t:0"].Read(ctx, &operators.Batch[string]{}, 10) }()
	cancel()
	if err := <-gone; err != context.Canceled {
		t.Errorf("got %v", err)
	}
	s.must(r.readers["t:0"].Close())
	s.write("t", 1, "here")
	expect(t, "the other", r.some("t:1", 1), "here")
}

// A source serves several operators, and an attempt whose predecessor has not ended:
// several readers of a partition each read all of it.
func TestReadersOfOnePartition(t *testing.T) {
	s := newStand(t, 1, []string{"t"})
	r := s.open(kafka.Source(s.cluster, kafka.InTopics("t"), text))
	old := r.readers["t:0"]
	young := r.at("t:0", old.Position())
	s.write("t", 0, numbers("", 5)...)
	expect(t, "the young one", r.some("t:0", 5), numbers("", 5)...)
	r.readers["t:0"] = old
	expect(t, "the old one", r.some("t:0", 5), numbers("", 5)...)
	s.must(old.Close())
	r.readers["t:0"] = young
	s.write("t", 0, "more")
	expect(t, "the young one alone", r.some("t:0", 1), "more")
}

// However little is fetched at a time, it is read.
func TestLittleAtATime(t *testing.T) {
	s := newStand(t, 2, []string{"t"})
	for p := range int32(2) {
		s.write("t", p, numbers("", 20)...)
	}
	r := s.open(kafka.Source(s.cluster, kafka.InTopics("t"), text, kafka.PartitionBytes(1)))
	for _, split := range []string{"t:0", "t:1"} {
		expect(t, split, r.some(split, 20), numbers("", 20)...)
	}
}

// A position moves on behind what holds nothing to read, while no record comes: else
// retention would remove what it points at, though nothing was missed.
func TestPositionPassesWhatIsAborted(t *testing.T) {
	s := newStand(t, 1, []string{"t"})
	s.write("t", 0, "a")
	r := s.open(kafka.Source(s.cluster, kafka.InTopics("t"), text))
	r.some("t:0", 1)
	s.end(s.begin("tx", "t", 0, "aborted"), kgo.TryAbort)
	end := s.open(kafka.Source(s.cluster, kafka.InTopics("t"), text, kafka.StartingAt(kafka.FromLatest()))).readers["t:0"].Position()
	for !bytes.Equal(end, r.readers["t:0"].Position()) {
		s.must(r.readers["t:0"].Read(t.Context(), &operators.Batch[string]{}, 10))
	}
	at := r.readers["t:0"].Position()
	s.must(r.readers["t:0"].Close())
	s.deleteRecords("t", 0, s.ends("t", false)[0])
	s.write("t", 0, "next")
	r.at("t:0", at)
	expect(t, "after retention", r.some("t:0", 1), "next")
}

// What is wrong with one topic does not hold up another one.
func TestOtherTopicsGoOn(t *testing.T) {
	s := newStand(t, 1, []string{"in", "gone"})
	r := s.open(kafka.Source(s.cluster, kafka.InTopics("in", "gone"), text, kafka.Patience(4*time.Second)))
	s.write("in", 0, "a")
	r.some("in:0", 1)
	s.deleteTopic("gone")
	err := error(nil)
	for err == nil {
		err = r.readers["gone:0"].Read(t.Context(), &operators.Batch[string]{}, 10)
	}
	if !strings.Contains(err.Error(), `gone:0: no broker has answered for it in`) || !strings.Contains(err.Error(), `topic "gone" does not exist`) {
		t.Errorf("got %v", err)
	}
	s.must(s.fake.MoveTopicPartition("in", 0, 1-s.fake.LeaderFor("in", 0)))
	s.write("in", 0, "b")
	expect(t, "the other", r.some("in:0", 1), "b")
}

// A broker that was behind and says that an offset is not there is asked again.
func TestOutOfRangeIsChecked(t *testing.T) {
	for _, reset := range []kafka.Reset{kafka.None, kafka.Earliest, kafka.Latest} {
		s := newStand(t, 1, []string{"t"})
		s.write("t", 0, numbers("", 4)...)
		s.fake.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Fetch}, Err: kerr.OffsetOutOfRange, Count: 2})
		start := kafka.StartingAt(kafka.FromOffsets(map[string]map[int32]int64{"t": {0: 2}}))
		r := s.open(kafka.Source(s.cluster, kafka.InTopics("t"), text, start, kafka.OnOutOfRange(reset)))
		expect(t, string(reset), r.some("t:0", 2), "2", "3")
	}
}
