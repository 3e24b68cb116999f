package kafkatest

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
)

// java finds a Java that runs a version of Kafka.
func java(ctx context.Context, version string) (path string, err error) {
	want := 17
	if isThree(version) {
		want = 11
	}
	path, err = exec.LookPath("java")
	if err != nil {
		return "", fmt.Errorf("java, which Kafka %s runs on, is not in PATH: install a Java runtime, %d or newer (Debian: apt-get install default-jre-headless; macOS: brew install openjdk)", version, want)
	}
	out, err := output(ctx, exec.Command(path, "-version"))
	if err != nil {
		return "", fmt.Errorf("%s -version: %w: %s", path, err, out)
	}
	got, err := javaRelease(out)
	if err != nil {
		return "", fmt.Errorf("%s -version: %w", path, err)
	}
	if got < want {
		return "", fmt.Errorf("java in PATH is release %d, and Kafka %s needs %d or newer: install one, and put it first in PATH", got, version, want)
	}
	return path, nil
}

// javaSays finds the release in what "java -version" prints; those before 9 began with "1.".
var javaSays = regexp.MustCompile(`version "(?:1\.)?(\d+)`)

func javaRelease(out []byte) (int, error) {
	m := javaSays.FindSubmatch(out)
	if m == nil {
		return 0, errors.New("it does not tell its release")
	}
	return strconv.Atoi(string(m[1]))
}

// jvm is how to run a class of Kafka's.
type jvm struct {
	java, jars, logging string
	options             []string // behind those of every test
}

// command runs a class. A broker of a test has little to keep, does not live long, and
// shares the machine: its heap is small and collected without threads of its own, and code
// is compiled quickly, which makes a start a third shorter.
func (j jvm) command(class string, args ...string) *exec.Cmd {
	all := []string{"-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"}
	all = append(append(all, j.options...),
		"-Dlog4j.configuration=file:"+j.logging, "-Dlog4j2.configurationFile="+j.logging,
		"-cp", filepath.Join(j.jars, "*"), class)
	return exec.Command(j.java, append(all, args...)...)
}
