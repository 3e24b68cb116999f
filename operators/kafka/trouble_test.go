package kafka_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"math/big"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"

	"github.com/weirflow/weir/operators/kafka"
)

// selfSigned gives a certificate of 127.0.0.1, and who believes it.
func selfSigned(t *testing.T) (tls.Certificate, *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}}
	der, err := x509.CreateCertificate(rand.Reader, c, c, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(leaf)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, pool
}

// refused demands that a source over a cluster cannot be opened, for a reason that is told
// without the secret "hush".
func (s *stand) refused(name string, c kafka.Cluster, want string) {
	s.t.Helper()
	_, err := s.tryOpen(kafka.Source(c, kafka.InTopics("t"), text))
	if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "hush") {
		s.t.Errorf("%s: %v, want %s", name, err, want)
	}
}

// What the options about TLS and logging in have wrong is told by the option's name, with
// what to do, and without secrets.
func TestConnectionsRefused(t *testing.T) {
	certificate, believed := selfSigned(t)
	_, others := selfSigned(t)
	fake, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(1, "t"), kfake.TLS(&tls.Config{Certificates: []tls.Certificate{certificate}}), kfake.EnableSASL(), kfake.Superuser("PLAIN", "u", "hush"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(fake.Close)
	s, login := &stand{t: t, fake: fake}, kafka.Plain("u", "hush")
	good := kafka.Cluster{Brokers: fake.ListenAddrs(), TLS: &tls.Config{RootCAs: believed}, SASL: login}
	_, err = s.tryOpen(kafka.Source(good, kafka.InTopics("t"), text))
	s.must(err)
	for _, c := range []struct {
		name  string
		tls   *tls.Config
		login kafka.Login
		want  string
	}{
		{"unknown authority", &tls.Config{RootCAs: others}, login, "Cluster.TLS: the broker's certificate is signed by an authority that is not believed; put the authority's own into tls.Config.RootCAs"},
		{"other name", &tls.Config{RootCAs: believed, ServerName: "broker.example"}, login, "Cluster.TLS: the broker's certificate is for other names; use one of them in Cluster.Brokers, or tell it in tls.Config.ServerName"},
		{"no TLS", nil, login, "Cluster.TLS (none) and Cluster.SASL (PLAIN) do not seem to be what the broker wants at this address"},
		{"wrong mechanism", good.TLS, kafka.OAuthBearer(func(context.Context) (string, error) { return "hush", nil }), "Cluster.SASL: the broker does not take OAUTHBEARER; give another way to log in"},
	} {
		s.refused(c.name, kafka.Cluster{Brokers: good.Brokers, TLS: c.tls, SASL: c.login}, c.want)
	}
}
