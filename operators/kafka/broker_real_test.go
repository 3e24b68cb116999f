//go:build kafka

package kafka_test

import (
	"context"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/weirflow/weir/operators/kafka"
	"github.com/weirflow/weir/operators/kafka/kafkatest"
)

// brokers are those that the sink's protocol is held to: without the transactions of
// KIP-890, with them, and with them switched off. The newest is not killed: alone, it can
// lose the markers that end transactions when it dies.
var brokers = []struct {
	name    string
	options kafkatest.Options
	kills   bool
}{
	{"3.9.1", kafkatest.Options{Version: "3.9.1"}, true},
	{"4.1.1", kafkatest.Options{Version: "4.1.1"}, true},
	{"4.1.1-transactions-1", kafkatest.Options{Version: "4.1.1", TransactionVersion: 1}, true},
	{"4.4.0", kafkatest.Options{Version: "4.4.0"}, false},
}

// shared are the tests that ask nothing of a stand-in that a real broker does not do too.
var shared = []struct {
	name string
	test func(*testing.T)
}{
	{"ReadsTopics", TestReadsTopics}, {"GoesOnAtAnyPosition", TestGoesOnAtAnyPosition}, {"ReadsWhatIsCommitted", TestReadsWhatIsCommitted},
	{"Starts", TestStarts}, {"Ends", TestEnds}, {"MissingTopic", TestMissingTopic}, {"PatternAndDiscovery", TestPatternAndDiscovery},
	{"OutOfRange", TestOutOfRange}, {"TopicCreatedAgain", TestTopicCreatedAgain}, {"Malformed", TestMalformed}, {"GivenUp", TestGivenUp},
	{"ReadersOfOnePartition", TestReadersOfOnePartition}, {"LittleAtATime", TestLittleAtATime}, {"PositionPassesWhatIsAborted", TestPositionPassesWhatIsAborted},
	{"CommitShows", TestCommitShows}, {"Messages", TestMessages}, {"AnotherProcessCommits", TestAnotherProcessCommits},
	{"AnswerOfCommitLost", TestAnswerOfCommitLost}, {"InDoubt", TestInDoubt}, {"FewerSubtasks", TestFewerSubtasks},
	{"PreparedByOthersIsLeftAlone", TestPreparedByOthersIsLeftAlone}, {"ManyPrepared", TestManyPrepared}, {"AbortOpen", TestAbortOpen},
	{"LargeRecords", TestLargeRecords}, {"CommittedBeforeAnotherWasPrepared", TestCommittedBeforeAnotherWasPrepared}, {"WritingAgainIsNotWaitedFor", TestWritingAgainIsNotWaitedFor},
	{"DoubtIsExamined", TestDoubtIsExamined}, {"DoubtIsWrittenAgain", TestDoubtIsWrittenAgain}, {"DoubtIsGone", TestDoubtIsGone},
	{"DoubtIsWrittenAgainByMany", TestDoubtIsWrittenAgainByMany}, {"MarkerExpires", TestMarkerExpires}, {"ZombiesDoNoHarm", TestZombiesDoNoHarm},
	{"AbortedIsNeverCommitted", TestAbortedIsNeverCommitted}, {"SinksAreApart", TestSinksAreApart},
	{"TwoJobsOfOnePrefix", TestTwoJobsOfOnePrefix}, {"WritersOfOnePrefix", TestWritersOfOnePrefix}, {"PreparedAndTakenOver", TestPreparedAndTakenOver}, {"SentAndTakenOver", TestSentAndTakenOver},
	{"SinkConforms", TestSinkConforms}, {"KeepingSinkConforms", TestKeepingSinkConforms},
	{"KafkaToKafka", TestKafkaToKafka}, {"OffsetsAreCommitted", TestOffsetsAreCommitted},
}

// What holds on a stand-in holds on real brokers, and through their death.
func TestReal(t *testing.T) {
	for _, c := range brokers {
		t.Run(c.name, func(t *testing.T) {
			b := startReal(t, c.options)
			onReal = func(t *testing.T, partitions int32, topics []string) *stand {
				return newRealStand(t, b, partitions, topics)
			}
			defer func() { onReal = nil }()
			for _, s := range shared {
				t.Run(s.name, s.test)
			}
			t.Run("KcatAgrees", testKcatAgrees)
			kill := func() error { return nil }
			if c.kills {
				kill = func() error {
					b.Kill()
					return b.Restart(t.Context())
				}
			}
			t.Run("SumsThroughDeaths", func(t *testing.T) { testSumsThroughDeaths(t, kill) })
			t.Run("NothingIsLost", func(t *testing.T) { testNothingIsLost(t, kill) })
		})
	}
}

// startReal runs a broker for the length of a test.
func startReal(t *testing.T, o kafkatest.Options) *kafkatest.Broker {
	t.Helper()
	b, err := kafkatest.Start(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		if err := b.Stop(ctx); err != nil {
			t.Error(err)
		}
	})
	return b
}

// newRealStand is on a broker where nothing is left of the tests before.
func newRealStand(t *testing.T, b *kafkatest.Broker, partitions int32, topics []string) *stand {
	t.Helper()
	s := &stand{t: t, cluster: kafka.Cluster{Brokers: []string{b.Addr()}}}
	s.writer = s.connect()
	s.abortAll()
	s.deleteAll()
	for _, topic := range topics {
		s.createTopic(topic, partitions)
	}
	s.writer = s.connect() // the first one remembers topics that were deleted
	return s
}

func (s *stand) deleteAll() {
	s.t.Helper()
	req := kmsg.NewPtrMetadataRequest()
	req.Topics = nil
	resp, err := req.RequestWith(s.t.Context(), s.writer)
	s.must(err)
	for _, topic := range resp.Topics {
		if !topic.IsInternal && kerr.ErrorForCode(topic.ErrorCode) == nil {
			s.deleteTopic(*topic.Topic)
		}
	}
}
