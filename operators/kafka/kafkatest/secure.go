package kafkatest

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// addTo adds the listener to a broker's properties.
func (s *Secure) addTo(all map[string]string, port int, folder string) {
	protocol, mechanisms := "SSL", s.mechanisms()
	if s.logsIn() {
		protocol = "SASL_SSL"
	}
	const prefix = "listener.name.secure."
	for key, more := range map[string]string{
		"listeners": "SECURE://" + address(port), "advertised.listeners": "SECURE://" + address(port), "listener.security.protocol.map": "SECURE:" + protocol,
	} {
		all[key] += "," + more
	}
	all[prefix+"ssl.keystore.type"], all[prefix+"ssl.keystore.location"] = "PEM", filepath.Join(folder, fileServerPEM)
	all[prefix+"ssl.truststore.type"], all[prefix+"ssl.truststore.location"] = "PEM", filepath.Join(folder, fileAuthorityPEM)
	if s.Mutual {
		all[prefix+"ssl.client.auth"] = "required"
	}
	if s.Authorize {
		all["authorizer.class.name"] = "org.apache.kafka.metadata.authorizer.StandardAuthorizer"
		all["super.users"] = "User:ANONYMOUS"
	}
	all[prefix+"sasl.enabled.mechanisms"] = strings.Join(slices.Sorted(maps.Keys(mechanisms)), ",")
	for name, login := range mechanisms {
		all[prefix+strings.ToLower(name)+".sasl.jaas.config"] = "org.apache.kafka.common.security." + login + ";"
	}
}

// mechanisms gives the ways to log in, and what answers to each.
func (s *Secure) mechanisms() map[string]string {
	all := map[string]string{}
	if len(s.Users) > 0 {
		const scram = "scram.ScramLoginModule required"
		all["PLAIN"], all["SCRAM-SHA-256"], all["SCRAM-SHA-512"] = "plain.PlainLoginModule required"+s.passwords(), scram, scram
	}
	if s.OAuth {
		all["OAUTHBEARER"] = `oauthbearer.OAuthBearerLoginModule required unsecuredLoginStringClaim_sub="broker"`
	}
	return all
}

func (s *Secure) passwords() string {
	var all strings.Builder
	for _, name := range slices.Sorted(maps.Keys(s.Users)) {
		fmt.Fprintf(&all, ` user_%s="%s"`, name, s.Users[name])
	}
	return all.String()
}

// credentials gives the arguments by which StorageTool makes the users of SCRAM.
func (s *Secure) credentials() (args []string) {
	if s == nil {
		return nil
	}
	for _, name := range slices.Sorted(maps.Keys(s.Users)) {
		for _, mechanism := range []string{"SCRAM-SHA-256", "SCRAM-SHA-512"} {
			args = append(args, "--add-scram", fmt.Sprintf("%s=[name=%s,password=%s]", mechanism, name, s.Users[name]))
		}
	}
	return args
}

// Token gives a token by which user logs in for as long as it lasts, where Secure.OAuth
// is set. It is not signed: anybody could have made it.
func Token(user string, lasts time.Duration) string {
	now := time.Now()
	claims, err := json.Marshal(map[string]any{"sub": user, "iat": now.Unix(), "exp": now.Add(lasts).Unix()})
	if err != nil {
		panic(fmt.Sprintf("kafkatest: claims of a token: %v", err)) // they are a string and two numbers
	}
	part := base64.RawURLEncoding.EncodeToString
	return part([]byte(`{"alg":"none"}`)) + "." + part(claims) + "."
}
