package kafkatest

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Options say which broker to run. Version alone is enough.
type Options struct {
	// Version is Kafka's, such as "3.9.1" or "4.1.1": 3.7 or newer.
	Version string
	// TransactionVersion is the feature transaction.version that new data is formatted
	// with: 1 or 2, from Kafka 4.0 on. 0 leaves it to the version.
	TransactionVersion int
	// Properties are further lines of server.properties. They win over what the package sets.
	Properties map[string]string
	// Java are further options of the Java machine, behind the package's: a heap of 512 MiB
	// and quick compilation, which suit tests. A benchmark wants -Xmx1g,
	// -XX:TieredStopAtLevel=4 and -XX:-UseSerialGC with Kafka's usual -XX:+UseG1GC.
	Java []string
	// Dir is the folder of data, configuration and log. It is made if need be, and what
	// lies in it from an earlier broker is gone on with. Default: a temporary folder,
	// which Stop removes.
	Dir string
	// Secure adds a listener with TLS. Default: none.
	Secure *Secure
	// Home is where the jars of all versions are kept. Default: what the environment
	// says by WEIR_KAFKA_HOME, else the folder weir-kafka in os.UserCacheDir.
	Home string
}

// Secure is a listener with TLS, with a certificate by an authority of the broker's own.
type Secure struct {
	// Users who may log in, with their passwords: by PLAIN, SCRAM-SHA-256 and
	// SCRAM-SHA-512 alike. They are made when data is formatted. Without users nobody
	// logs in, and all are User:ANONYMOUS unless they show certificates.
	Users map[string]string
	// OAuth lets who has a token log in by OAUTHBEARER as well. Tokens are unsigned JWTs:
	// Token makes them.
	OAuth bool
	// Mutual demands certificates of clients: Broker.TLSAs.
	Mutual bool
	// Authorize has rights checked, which nobody here has at first. The other listener's
	// User:ANONYMOUS has all, and gives them by ACLs.
	Authorize bool
}

// logsIn tells whether who comes has to log in.
func (s *Secure) logsIn() bool { return len(s.Users) > 0 || s.OAuth }

func (o Options) validate() error {
	switch major, err := major(o.Version); {
	case err != nil:
		return err
	case o.TransactionVersion < 0 || o.TransactionVersion > 2:
		return fmt.Errorf("Options.TransactionVersion is %d; give 1 or 2, or 0 for the version's own", o.TransactionVersion)
	case o.TransactionVersion > 0 && major < 4:
		return fmt.Errorf("Options.TransactionVersion is %d, which Kafka %s cannot be formatted with; leave it out, or take Kafka 4", o.TransactionVersion, o.Version)
	case o.Secure != nil:
		return o.Secure.validate()
	}
	return nil
}

// plainName has no characters that mean something in JAAS, in SCRAM or to StorageTool.
var plainName = regexp.MustCompile(`^[A-Za-z0-9_.-]+$`)

func (s *Secure) validate() error {
	for _, name := range slices.Sorted(maps.Keys(s.Users)) {
		if !plainName.MatchString(name) || !plainName.MatchString(s.Users[name]) {
			return fmt.Errorf("Options.Secure.Users: the name or password of user %q is not made of letters, digits, '_', '.' and '-'; take another one", name)
		}
	}
	return nil
}

// major gives a version's first number.
func major(version string) (int, error) {
	parts := strings.Split(version, ".")
	numbers := make([]int, len(parts))
	for i, p := range parts {
		n, err := strconv.Atoi(p)
		if err != nil || n < 0 {
			return 0, badVersion(version)
		}
		numbers[i] = n
	}
	if len(numbers) != 3 || numbers[0] < 3 || numbers[0] == 3 && numbers[1] < 7 {
		return 0, badVersion(version)
	}
	return numbers[0], nil
}

func badVersion(version string) error {
	return fmt.Errorf(`Options.Version is %q; give a release of Kafka from 3.7.0 on, such as "4.1.1"`, version)
}

// homeOf gives the folder of all jars: home, or what is said elsewhere.
func homeOf(home string) (string, error) {
	if home == "" {
		home = os.Getenv("WEIR_KAFKA_HOME")
	}
	if home == "" {
		cache, err := os.UserCacheDir()
		if err != nil {
			return "", fmt.Errorf("no place for Kafka's jars: %w; set WEIR_KAFKA_HOME, or Options.Home", err)
		}
		home = filepath.Join(cache, "weir-kafka")
	}
	return filepath.Abs(home)
}
