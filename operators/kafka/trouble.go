package kafka

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"strings"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sasl"
)

// explain says of an error of a connection which option of the cluster it is about, and
// what to do. It adds no name of a user, and no secret.
func (c Cluster) explain(err error) error {
	if about := c.about(err); about != "" {
		return fmt.Errorf("%s: %w", about, err)
	}
	return err
}

func (c Cluster) about(err error) string {
	switch {
	case err == nil:
		return ""
	case errors.Is(err, kerr.SaslAuthenticationFailed):
		return fmt.Sprintf("Cluster.SASL: the broker refuses the login by %s; correct the user or the secret", c.SASL)
	case errors.Is(err, kerr.UnsupportedSaslMechanism):
		return fmt.Sprintf("Cluster.SASL: the broker does not take %s; give another way to log in", c.SASL)
	case errors.Is(err, kerr.IllegalSaslState):
		return fmt.Sprintf("Cluster.SASL: nobody logs in at this address, and %s is given; leave it out, or correct Cluster.Brokers", c.SASL)
	case closedAtOnce(err):
		return fmt.Sprintf("Cluster.TLS (%s) and Cluster.SASL (%s) do not seem to be what the broker wants at this address; correct them, or Cluster.Brokers", c.encryption(), c.SASL)
	}
	return aboutTLS(err)
}

// encryption says whether there is any.
func (c Cluster) encryption() string {
	if c.TLS == nil {
		return "none"
	}
	return "given"
}

// closedAtOnce tells whether a broker could make nothing of the first bytes, or answered
// in TLS who had not asked for it.
func closedAtOnce(err error) bool {
	var eof *kgo.ErrFirstReadEOF
	var header tls.RecordHeaderError
	return errors.As(err, &eof) || errors.As(err, &header) || strings.Contains(err.Error(), "tls alert record")
}

func aboutTLS(err error) string {
	var authority x509.UnknownAuthorityError
	var name x509.HostnameError
	var invalid x509.CertificateInvalidError
	var remote *net.OpError
	switch {
	case errors.As(err, &authority):
		return "Cluster.TLS: the broker's certificate is signed by an authority that is not believed; put the authority's own into tls.Config.RootCAs"
	case errors.As(err, &name):
		return "Cluster.TLS: the broker's certificate is for other names; use one of them in Cluster.Brokers, or tell it in tls.Config.ServerName"
	case errors.As(err, &invalid):
		return "Cluster.TLS: the broker's certificate is not valid"
	case errors.As(err, &remote) && remote.Op == "remote error": // an alert
		return "Cluster.TLS: the broker refuses the connection; where it wants certificates, put one that it believes into tls.Config.Certificates"
	}
	return ""
}

// mechanism is a way to log in whose own errors, too, say what they are about.
type mechanism struct{ sasl.Mechanism }

// Authenticate implements sasl.Mechanism.
func (m mechanism) Authenticate(ctx context.Context, host string) (sasl.Session, []byte, error) {
	s, first, err := m.Mechanism.Authenticate(ctx, host)
	if err != nil {
		return nil, nil, fmt.Errorf("Cluster.SASL: log in by %s: %w", m.Name(), err)
	}
	return session{s, m.Name()}, first, nil
}

type session struct {
	sasl.Session
	mechanism string
}

// Challenge implements sasl.Session. A broker that refuses a token says so in a challenge.
func (s session) Challenge(said []byte) (done bool, answer []byte, err error) {
	done, answer, err = s.Session.Challenge(said)
	switch {
	case err == nil:
		return done, answer, nil
	case s.mechanism == "OAUTHBEARER":
		err = fmt.Errorf("the broker refuses the token, and says %q", said)
	}
	return false, nil, fmt.Errorf("Cluster.SASL: log in by %s: %w", s.mechanism, err)
}
