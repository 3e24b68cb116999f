//go:build kafka

package kafka_test

import (
	"context"
	"crypto/tls"
	"errors"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/weirflow/weir/cluster"
	"github.com/weirflow/weir/operators"
	"github.com/weirflow/weir/operators/kafka"
	"github.com/weirflow/weir/operators/kafka/kafkatest"
)

// token gives a token of a user that is good for so long.
func token(user string, lasts time.Duration) kafka.Login {
	return kafka.OAuthBearer(func(context.Context) (string, error) { return kafkatest.Token(user, lasts), nil })
}

// secure are two brokers: one where users log in, and one that demands certificates.
type secure struct{ users, certificates *kafkatest.Broker }

func startSecure(t *testing.T) secure {
	t.Helper()
	return secure{
		startReal(t, kafkatest.Options{Version: "4.1.1", Secure: &kafkatest.Secure{Users: map[string]string{"alice": "wonder"}, OAuth: true}}),
		startReal(t, kafkatest.Options{Version: "4.1.1", Secure: &kafkatest.Secure{Mutual: true}}),
	}
}

func at(b *kafkatest.Broker, t *tls.Config, login kafka.Login) kafka.Cluster {
	return kafka.Cluster{Brokers: []string{b.SecureAddr()}, TLS: t, SASL: login}
}

// as gives a client's certificate of a broker's authority.
func as(t *testing.T, b *kafkatest.Broker, name string) *tls.Config {
	t.Helper()
	c, err := b.TLSAs(name)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// S6: a job reads and writes over TLS, by each way to log in; and what is wrong with one
// is told by the option's name, without secrets.
func TestRealSecure(t *testing.T) {
	b := startSecure(t)
	for _, c := range []struct {
		name string
		on   *kafkatest.Broker
		at   kafka.Cluster
	}{
		{"PLAIN", b.users, at(b.users, b.users.TLS(), kafka.Plain("alice", "wonder"))},
		{"SCRAM-SHA-256", b.users, at(b.users, b.users.TLS(), kafka.ScramSHA256("alice", "wonder"))},
		{"SCRAM-SHA-512", b.users, at(b.users, b.users.TLS(), kafka.ScramSHA512("alice", "wonder"))},
		{"OAUTHBEARER", b.users, at(b.users, b.users.TLS(), token("alice", time.Hour))},
		{"mTLS", b.certificates, at(b.certificates, as(t, b.certificates, "alice"), kafka.Login{})},
	} {
		t.Run(c.name, func(t *testing.T) { testSecureJob(t, c.on, c.at) })
	}
	t.Run("refused", func(t *testing.T) { testSecureRefused(t, b) })
}

// testSecureJob copies a topic by a job that sees the broker as a cluster says.
func testSecureJob(t *testing.T, b *kafkatest.Broker, as kafka.Cluster) {
	s := newRealStand(t, b, 2, []string{"in", "out"})
	s.write("in", 0, "a", "b")
	s.write("in", 1, "c")
	s.cluster = as
	top := operators.NewTopology("copy")
	source := kafka.Source(as, kafka.InTopics("in"), text, kafka.EndingAt(kafka.UntilLatest()))
	operators.From(top, "in", source, operators.NoWatermarks[string]()).To("out", kafka.Sink(as, "out", "copy", encodeText))
	_, err := cluster.Run(t.Context(), top, cluster.Config{})
	s.must(err)
	expect(t, "copied", s.visible(), "a", "b", "c")
	s.nothingOpen()
}

func testSecureRefused(t *testing.T, b secure) {
	s := newRealStand(t, b.users, 1, []string{"t"})
	good, tls1, tls2 := kafka.Plain("alice", "wonder"), b.users.TLS(), b.certificates.TLS()
	stranger := as(t, b.users, "alice") // whom the other broker's authority has not signed
	stranger.RootCAs = b.certificates.CAs()
	noToken := kafka.OAuthBearer(func(context.Context) (string, error) { return "", errors.New("none today") })
	const mismatch = "do not seem to be what the broker wants at this address; correct them, or Cluster.Brokers"
	const authority = "Cluster.TLS: the broker's certificate is signed by an authority that is not believed"
	const shown = "Cluster.TLS: the broker refuses the connection; where it wants certificates, put one that it believes into tls.Config.Certificates"
	for _, c := range []struct {
		name string
		at   kafka.Cluster
		want string
	}{
		{"PLAIN, wrong password", at(b.users, tls1, kafka.Plain("alice", "hush")), "Cluster.SASL: the broker refuses the login by PLAIN; correct the user or the secret"},
		{"PLAIN, wrong user", at(b.users, tls1, kafka.Plain("bob", "hush")), "Cluster.SASL: the broker refuses the login by PLAIN"},
		{"SCRAM-SHA-256, wrong password", at(b.users, tls1, kafka.ScramSHA256("alice", "hush")), "Cluster.SASL: the broker refuses the login by SCRAM-SHA-256"},
		{"SCRAM-SHA-512, wrong user", at(b.users, tls1, kafka.ScramSHA512("bob", "hush")), "Cluster.SASL: the broker refuses the login by SCRAM-SHA-512"},
		{"OAUTHBEARER, out of date", at(b.users, tls1, token("alice", -time.Hour)), `Cluster.SASL: log in by OAUTHBEARER: the broker refuses the token, and says "{\"status\":\"invalid_token\"}"`},
		{"OAUTHBEARER, no token", at(b.users, tls1, noToken), "Cluster.SASL: log in by OAUTHBEARER: none today"},
		{"no login", at(b.users, tls1, kafka.Login{}), "Cluster.TLS (given) and Cluster.SASL (none) " + mismatch},
		{"a login where there is none", kafka.Cluster{Brokers: []string{b.users.Addr()}, SASL: good}, "Cluster.SASL: nobody logs in at this address, and PLAIN is given"},
		{"no TLS", at(b.users, nil, good), "Cluster.TLS (none) and Cluster.SASL (PLAIN) " + mismatch},
		{"TLS where there is none", kafka.Cluster{Brokers: []string{b.users.Addr()}, TLS: tls1}, "Cluster.TLS (given) and Cluster.SASL (none) " + mismatch},
		{"no authority", at(b.users, &tls.Config{}, good), authority},
		{"another authority", at(b.users, tls2, good), authority},
		{"another name", at(b.users, &tls.Config{RootCAs: b.users.CAs(), ServerName: "broker.example"}, good), "Cluster.TLS: the broker's certificate is for other names"},
		{"mTLS, no certificate", at(b.certificates, tls2, kafka.Login{}), shown},
		{"mTLS, a stranger's certificate", at(b.certificates, stranger, kafka.Login{}), shown},
	} {
		s.refused(c.name, c.at, c.want)
	}
}

// S6: rights that are missing are told by name on a real broker, too.
func TestRealRights(t *testing.T) {
	b := startReal(t, kafkatest.Options{Version: "4.1.1", Secure: &kafkatest.Secure{Users: map[string]string{"u": "p"}, Authorize: true}})
	onRealAs = func(t *testing.T, topics []string, acls []kfake.ACL) *stand {
		s := newRealStand(t, b, 1, topics)
		s.allow("User:u", acls)
		s.cluster = at(b, b.TLS(), kafka.ScramSHA256("u", "p"))
		return s
	}
	defer func() { onRealAs = nil }()
	t.Run("Sink", TestRights)
	t.Run("Source", TestRightsOfSources)
}

// allow gives a user some rights, and takes away all that anybody had.
func (s *stand) allow(who string, acls []kfake.ACL) {
	s.t.Helper()
	remove := kmsg.NewPtrDeleteACLsRequest()
	every := kmsg.NewDeleteACLsRequestFilter()
	every.ResourceType, every.ResourcePatternType = kmsg.ACLResourceTypeAny, kmsg.ACLResourcePatternTypeAny
	every.Operation, every.PermissionType = kmsg.ACLOperationAny, kmsg.ACLPermissionTypeAny
	remove.Filters = append(remove.Filters, every)
	_, err := remove.RequestWith(s.t.Context(), s.writer)
	s.must(err)
	create := kmsg.NewPtrCreateACLsRequest()
	for _, a := range acls {
		c := kmsg.NewCreateACLsRequestCreation()
		c.Principal, c.Host, c.ResourceType, c.ResourceName = who, "*", a.Resource, a.Name
		c.ResourcePatternType, c.Operation, c.PermissionType = a.Pattern, a.Operation, kmsg.ACLPermissionTypeAllow
		create.Creations = append(create.Creations, c)
	}
	resp, err := create.RequestWith(s.t.Context(), s.writer)
	s.must(err)
	for _, r := range resp.Results {
		s.must(kerr.ErrorForCode(r.ErrorCode))
	}
}
