package kafka

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sasl"
	"github.com/twmb/franz-go/pkg/sasl/oauth"
	"github.com/twmb/franz-go/pkg/sasl/plain"
	"github.com/twmb/franz-go/pkg/sasl/scram"
)

// Cluster says how to reach the brokers. Sources and sinks keep it as it is, and
// neither plans, checkpoints nor logs show its secrets.
type Cluster struct {
	Brokers  []string    // host:port of one or more, from which the others are learnt
	ClientID string      // in the brokers' logs and quotas; empty: weir
	TLS      *tls.Config // nil: plain TCP. With Certificates the client shows them (mTLS)
	SASL     Login       // zero: nobody logs in
}

// Login is how to authenticate: Plain, ScramSHA256, ScramSHA512 or OAuthBearer. Without
// TLS the first three show names, and Plain the password, to who can listen.
type Login struct {
	mechanism sasl.Mechanism
	err       error
}

// Plain is SASL PLAIN.
func Plain(user, password string) Login {
	return Login{mechanism{plain.Auth{User: user, Pass: password}.AsMechanism()}, checkLogin("Plain", user, password)}
}

// ScramSHA256 is SASL SCRAM-SHA-256.
func ScramSHA256(user, password string) Login {
	return Login{mechanism{scram.Auth{User: user, Pass: password}.AsSha256Mechanism()}, checkLogin("ScramSHA256", user, password)}
}

// ScramSHA512 is SASL SCRAM-SHA-512.
func ScramSHA512(user, password string) Login {
	return Login{mechanism{scram.Auth{User: user, Pass: password}.AsSha512Mechanism()}, checkLogin("ScramSHA512", user, password)}
}

// OAuthBearer is SASL OAUTHBEARER. token gives a token that is valid now; it is asked
// for each connection, by several goroutines at a time.
func OAuthBearer(token func(context.Context) (string, error)) Login {
	if token == nil {
		return Login{err: errors.New("OAuthBearer(nil): give it a function that gives tokens")}
	}
	return Login{mechanism: mechanism{oauth.Oauth(func(ctx context.Context) (oauth.Auth, error) {
		t, err := token(ctx)
		return oauth.Auth{Token: t}, err
	})}}
}

// String names the mechanism, and nothing else.
func (l Login) String() string {
	if l.mechanism == nil {
		return "none"
	}
	return l.mechanism.Name()
}

// GoString is String, lest %#v show secrets.
func (l Login) GoString() string { return l.String() }

func checkLogin(mechanism, user, password string) error {
	if user == "" {
		return fmt.Errorf("%s: the user's name is empty; give it", mechanism)
	}
	if password == "" {
		return fmt.Errorf("%s: the password of user %q is empty; give it", mechanism, user)
	}
	return nil
}

// String lists the brokers.
func (c Cluster) String() string { return strings.Join(c.Brokers, ",") }

func (c Cluster) validate() error {
	if len(c.Brokers) == 0 {
		return errors.New(`Cluster.Brokers is empty; give one address at least, such as "localhost:9092"`)
	}
	for _, b := range c.Brokers {
		if err := checkAddress(b); err != nil {
			return err
		}
	}
	if c.SASL.err != nil {
		return fmt.Errorf("Cluster.SASL: %w", c.SASL.err)
	}
	return nil
}

func checkAddress(b string) error {
	host, port, err := net.SplitHostPort(b)
	if n, bad := strconv.ParseUint(port, 10, 16); err != nil || bad != nil || n == 0 || host == "" || b != strings.TrimSpace(b) {
		return fmt.Errorf(`Cluster.Brokers: %q is not host:port, such as "localhost:9092"`, b)
	}
	return nil
}

// options are those of every client of the cluster.
func (c Cluster) options() []kgo.Opt {
	id := c.ClientID
	if id == "" {
		id = "weir"
	}
	options := []kgo.Opt{kgo.SeedBrokers(slices.Clone(c.Brokers)...), kgo.ClientID(id), kgo.DisableClientMetrics(), kgo.MaxVersions(versions())}
	if c.TLS != nil {
		options = append(options, kgo.DialTLSConfig(c.TLS.Clone()))
	}
	if c.SASL.mechanism != nil {
		options = append(options, kgo.SASL(c.SASL.mechanism))
	}
	return options
}
