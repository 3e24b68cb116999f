package kafka_test

import (
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/weirflow/weir/operators"
	"github.com/weirflow/weir/operators/kafka"
)

// S8: the broker has lost the end of a transaction where its marker lies. The writer finds that
// out when the id is to serve again, and tells people to abort what hangs, which takes the
// marker away. The handle must go on to commit, or be found committed, in the next life:
// so its epoch must be the id's last one until its marker has been read.
func TestLastIsReadBackBeforeItsIDIsBegun(t *testing.T) {
	s := newStand(t, 1, []string{"out"})
	keep := kafka.KeepOutput(1 << 20)
	first := s.process(s.sink(keep, long), 1, 0, 1).recover(operators.Recovery{}).write("a")
	handle := first.prepare()
	s.must(first.w.Commit(t.Context(), handle))
	s.must(kafka.AwaitBegun(t.Context(), first.w)) // what is to have "b"

	hangs := s.fake.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.OffsetFetch}, Err: kerr.UnstableOffsetCommit, Count: -1})
	begun := s.begins()
	s.must(first.w.Commit(t.Context(), first.write("b").prepare())) // reads back "a", which hangs, and would begin its id beside that
	s.until("reading back", func() bool { return hangs.Hits() > 3 })
	if begun.Load() > 0 {
		t.Error("the id was begun, and its last transaction has not been read back")
	}
	s.must(first.w.Close()) // the attempt fails
	hangs.Remove()
	s.deleteGroup("job/sink/0/1/0") // what kafka-transactions.sh abort does to the marker

	s.must(s.process(s.sink(keep), 2, 0, 1).w.Commit(t.Context(), handle)) // the checkpoint still has it
	expect(t, "visible", s.visible(), "a", "b")
}
