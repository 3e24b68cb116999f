package kafkatest

import (
	"crypto/x509"
	"encoding/pem"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Options that make no sense are refused before anything is fetched.
func TestRefusesBadOptions(t *testing.T) {
	for _, c := range []struct {
		options Options
		want    string
	}{
		{Options{}, `Options.Version is ""; give a release of Kafka from 3.7.0 on, such as "4.1.1"`},
		{Options{Version: "4.1"}, `Options.Version is "4.1"`},
		{Options{Version: "3.6.2"}, `Options.Version is "3.6.2"`},
		{Options{Version: "4.1.x"}, `Options.Version is "4.1.x"`},
		{Options{Version: "4.1.1", TransactionVersion: 3}, "Options.TransactionVersion is 3; give 1 or 2, or 0 for the version's own"},
		{Options{Version: "3.9.1", TransactionVersion: 1}, "Options.TransactionVersion is 1, which Kafka 3.9.1 cannot be formatted with"},
		{Options{Version: "4.1.1", Secure: &Secure{Users: map[string]string{"u": `"; x`}}}, `Options.Secure.Users: the name or password of user "u" is not made of`},
	} {
		_, err := Start(t.Context(), c.options)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v, want %s", err, c.want)
		}
		if err != nil && strings.Contains(err.Error(), "; x") {
			t.Errorf("%v shows a password", err)
		}
	}
}

// What is missing is told with what to install; nobody is to skip a test for it.
func TestMissingPrograms(t *testing.T) {
	bin := t.TempDir()
	t.Setenv("PATH", bin)
	t.Setenv("WEIR_KAFKA_HOME", filepath.Join(t.TempDir(), "home"))
	start := func(version, want string) {
		t.Helper()
		if _, err := Start(t.Context(), Options{Version: version}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %s", err, want)
		}
	}
	start("4.1.1", "java, which Kafka 4.1.1 runs on, is not in PATH: install a Java runtime, 17 or newer")
	put(t, bin, "java", `echo 'java version "1.8.0_392"' >&2`)
	start("3.9.1", "java in PATH is release 8, and Kafka 3.9.1 needs 11 or newer")
	put(t, bin, "java", `echo 'openjdk version "17.0.15" 2025-04-15' >&2`)
	start("4.1.1", "mvn, which would fetch them, is not in PATH: install Maven")
	put(t, bin, "mvn", `echo '[ERROR] no such host: repository'; echo '[INFO] x'; exit 1`)
	start("4.1.1", "mvn could not fetch Kafka 4.1.1: exit status 1; see that there is such a release, and that Maven Central")
	start("4.1.1", "[ERROR] no such host: repository")
	put(t, bin, "mvn", "true")
	start("4.1.1", "mvn fetched no broker for Kafka 4.1.1")
}

func put(t *testing.T, bin, name, script string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(bin, name), []byte("#!/bin/sh\n"+script+"\n"), 0o755); err != nil {
		t.Fatal(err)
	}
}

func TestJavaRelease(t *testing.T) {
	for said, want := range map[string]int{`openjdk version "21" 2023`: 21, `java version "1.8.0_1"`: 8, `openjdk version "17.0.15" 2025`: 17} {
		if got, err := javaRelease([]byte(said)); got != want || err != nil {
			t.Errorf("%s: %d, %v", said, got, err)
		}
	}
	if _, err := javaRelease([]byte("who knows")); err == nil {
		t.Error("no error")
	}
}

// What the user sets wins, and what has a meaning in a file of properties is escaped.
func TestProperties(t *testing.T) {
	o := Options{Version: "4.1.1", Properties: map[string]string{"num.partitions": "a\\b\nc", "auto.create.topics.enable": "true"}}
	text := string(encode(o.properties(ports{1, 2, 3}, "here")))
	for _, line := range []string{
		`num.partitions=a\\b\nc`, "auto.create.topics.enable=true", "listeners=PLAIN://127.0.0.1:1,CONTROLLER://127.0.0.1:2",
		"log.dirs=" + filepath.Join("here", "data"),
	} {
		if !strings.Contains(text, line+"\n") {
			t.Errorf("%q is not in\n%s", line, text)
		}
	}
}

func TestPortsDiffer(t *testing.T) {
	p, err := freePorts()
	if err != nil || p.plain == p.controller || p.controller == p.secure || p.plain == p.secure {
		t.Errorf("%+v, %v", p, err)
	}
}

// The server's certificate is believed by who believes the authority, and by nobody else.
func TestAuthority(t *testing.T) {
	a, err := newAuthority()
	if err != nil {
		t.Fatal(err)
	}
	folder := t.TempDir()
	if err := a.write(folder); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(folder, fileServerPEM))
	if err != nil {
		t.Fatal(err)
	}
	_, rest := pem.Decode(text)
	block, _ := pem.Decode(rest)
	server, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	other, err := newAuthority()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := server.Verify(x509.VerifyOptions{DNSName: "127.0.0.1", Roots: a.pool()}); err != nil {
		t.Error(err)
	}
	if _, err := server.Verify(x509.VerifyOptions{DNSName: "127.0.0.1", Roots: other.pool()}); err == nil {
		t.Error("another authority vouches for it")
	}
}
