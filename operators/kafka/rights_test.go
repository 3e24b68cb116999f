package kafka_test

import (
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/weirflow/weir/operators"
	"github.com/weirflow/weir/operators/kafka"
)

// onRealAs makes stands of a user who has some rights on a real broker, while it is set.
var onRealAs func(t *testing.T, topics []string, acls []kfake.ACL) *stand

// standAs is the stand of a user who has some rights and no others.
func standAs(t *testing.T, topics []string, acls []kfake.ACL) *stand {
	t.Helper()
	if onRealAs != nil {
		return onRealAs(t, topics, acls)
	}
	fake, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(1, topics...), kfake.EnableSASL(), kfake.EnableACLs(), kfake.User("PLAIN", "u", "p", acls...))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(fake.Close)
	return &stand{t: t, fake: fake, cluster: kafka.Cluster{Brokers: fake.ListenAddrs(), SASL: kafka.Plain("u", "p")}}
}

// rights gives a user some operations on what begins with a name.
func rights(kind kmsg.ACLResourceType, name string, operations ...kmsg.ACLOperation) (acls []kfake.ACL) {
	for _, o := range operations {
		acls = append(acls, kfake.ACL{Resource: kind, Name: name, Pattern: kmsg.ACLResourcePatternTypePrefixed, Operation: o, Allow: true})
	}
	return acls
}

// but gives all rights except some.
func but(missing int, all ...[]kfake.ACL) (acls []kfake.ACL) {
	for i, some := range all {
		if i != missing {
			acls = append(acls, some...)
		}
	}
	return acls
}

// The rights that the package's documentation asks for are enough for a sink, and each
// that is missing is told at the start, by name.
func TestRights(t *testing.T) {
	for missing, want := range []string{
		`topic "out"`, `this user may not use topic "out"; allow it Write, Describe and, for the transaction's marker, Read`,
		`transaction "job/sink/0/1/0": this user may not use the transactional id; allow it Write and Describe`,
		`transaction "job/sink/0/1/0": this user may not use the group of that name; allow it Read on groups`, "",
	} {
		s := standAs(t, []string{"out"}, but(missing,
			rights(kmsg.ACLResourceTypeTopic, "out", kmsg.ACLOperationWrite, kmsg.ACLOperationDescribe),
			rights(kmsg.ACLResourceTypeTopic, "out", kmsg.ACLOperationRead),
			rights(kmsg.ACLResourceTypeTransactionalId, "job", kmsg.ACLOperationWrite, kmsg.ACLOperationDescribe),
			rights(kmsg.ACLResourceTypeGroup, "job", kmsg.ACLOperationRead)))
		w, err := s.sink(kafka.Patience(2*time.Second)).OpenTransactional(t.Context(), operators.SinkContext{
			Operator: "sink", Parallelism: 1, Attempt: 1, Now: func() int64 { return 0 }, Step: func(string) {},
		})
		if err == nil {
			t.Cleanup(func() { w.Close() })
			err = w.Recover(t.Context(), operators.Recovery{Parallelism: 1})
		}
		if want == "" {
			s.must(err)
			p := &process{s, w}
			s.must(p.write("a").w.Commit(t.Context(), p.prepare()))
		} else if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %s", err, want)
		}
	}
}

// So it is for a source. That a topic may be described and not read shows when it is read.
func TestRightsOfSources(t *testing.T) {
	for _, c := range []struct {
		rights []kmsg.ACLOperation
		want   string
	}{
		{nil, `topic "in" may not be used by this user; allow it Describe and Read, or Write`},
		{[]kmsg.ACLOperation{kmsg.ACLOperationDescribe}, "in:0 may not be read by this user; allow it Read"},
	} {
		s := standAs(t, []string{"in"}, rights(kmsg.ACLResourceTypeTopic, "in", c.rights...))
		r, err := s.tryOpen(kafka.Source(s.cluster, kafka.InTopics("in"), text))
		if err == nil {
			err = r.readers["in:0"].Read(t.Context(), &operators.Batch[string]{}, 10)
		}
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v, want %s", err, c.want)
		}
	}
}
